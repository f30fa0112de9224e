#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Encoder blocks on the edge server (--offload): a controller that may leave them there does so where that
# saves time, rounds take what they were planned to take, what is learnt stays the same, and a cluster that
# is cut anew leaves there what is there. Takes the build directory and the source directory.

import math
import pathlib
import sys
import tempfile

from support.runs import check, finish, near, read_csv, report, start, use_program

BLOCKS = 6
MOST = 4
COMMON = ["--task=translation", "--maxPairs=300", "--maxValidation=10", "--vocabulary=300", "--progress=none",
          f"--blocks={BLOCKS}", "--model=32x2x64", "--sequenceLength=16", "--rounds=2", "--localIterations=4",
          "--clusters=2", "--devices=3", "--microBatches=2", "--microBatchSize=4"]
# Devices of 20 MFLOP/s beside an edge server of 4 GFLOP/s for each cluster
SLOW = ["--deviceProfiles=flops=2e7:memory=1e9:power=4", "--edge=flops=4e9:workers=2"]
ALONE = "--compare=none"
CRASH = """
[[fault]]
round = 2
phase = "training"
node = "cluster0.device{device}"
kind = "crash"
"""


def run(folder, *options):
    """Whether it ended well."""
    status, _, err, _ = finish(start(*COMMON, *options, f"--outputDir={folder}"))
    return check(status == 0, f"{' '.join(options)}: status {status}: {err}")


def count_left(folder):
    """By round and cluster, the blocks that no device holds."""
    left = {}
    for row in read_csv(folder / "devices.csv"):
        key = row["round"], row["cluster"]
        left[key] = left.get(key, BLOCKS) - (int(row["last_block"]) - int(row["first_block"]))
    return left


def check_column(folder, most):
    """clusters.csv says how many blocks the edge server holds."""
    left = count_left(folder)
    for row in read_csv(folder / "clusters.csv"):
        check(int(row["edge_blocks"]) == left[(row["round"], row["cluster"])] <= most,
              f"{folder.name}: {row['edge_blocks']} blocks at the edge server, {left} left by devices")


def get_latency(folder):
    return sum(float(row["latency_s"]) for row in read_csv(folder / "rounds.csv"))


def save_time(work):
    """Fast edge servers get blocks, no more than they may hold, and rounds are shorter for it."""
    for controller in ("dssda", "tuned-static-pipeline", "tuned-uniform-pipeline"):
        options = ["--topology=hybrid", "--fidelity=flow", "--compute=analytic", ALONE, *SLOW,
                   f"--controller={controller}"]
        none, some = work / f"{controller}-none", work / f"{controller}-some"
        if not (run(none, *options) and run(some, *options, f"--offload={MOST}")):
            continue
        check(set(count_left(none).values()) == {0}, f"{controller}: {count_left(none)} left without being asked")
        check(set(count_left(some).values()) == {MOST}, f"{controller}: {count_left(some)} left to a fast edge")
        check_column(none, 0)
        check_column(some, MOST)
        check(get_latency(some) < 0.6 * get_latency(none), f"{controller}: {get_latency(some)} s with, "
              f"{get_latency(none)} s without")
        for row in read_csv(some / "rounds.csv"):
            planned, measured = float(row["planned_latency_s"]), float(row["latency_s"])
            check(abs(planned / measured - 1) < 0.05,
                  f"{controller}, round {row['round']}: {measured} s, planned {planned} s")
    slow = work / "slow"
    if run(slow, "--topology=p2p", "--compute=analytic", ALONE, "--edge=flops=1e6:workers=1", f"--offload={MOST}"):
        check(set(count_left(slow).values()) == {0}, f"a slow edge server got {count_left(slow)} blocks")


def learn_the_same(work):
    """A block learns the same, whoever holds it."""
    options = ["--topology=p2p", "--compute=torch", ALONE, *SLOW, "--controller=dssda-fixed-micro-batches"]
    none, some = work / "here", work / "there"
    status, _, err, _ = finish(start(*COMMON, *options, f"--outputDir={work / 'any'}"))
    if status == 2 and "no LibTorch" in err:
        print("without LibTorch it was not checked that a block learns the same at the edge server")
        return
    if not (run(none, *options) and run(some, *options, f"--offload={MOST}")):
        return
    check(set(count_left(some).values()) == {MOST}, f"{count_left(some)} blocks left to the edge server")
    for here, there in zip(read_csv(none / "rounds.csv"), read_csv(some / "rounds.csv")):
        for column in ("train_loss", "validation_loss"):
            check(math.isfinite(float(here[column])) and near(float(here[column]), float(there[column]), 1e-4),
                  f"round {here['round']}, {column}: {here[column]}, {there[column]} with blocks at the edge")


def cut_anew(work):
    """A device that takes part crashes in the middle of a round."""
    options = ["--topology=p2p", "--compute=analytic", ALONE, *SLOW, f"--offload={MOST}", "--recovery=replan"]
    before, after = work / "before", work / "after"
    if not run(before, *options):
        return
    used = [int(row["node"]) for row in read_csv(before / "devices.csv")
            if (row["round"], row["cluster"]) == ("2", "0") and int(row["last_block"]) > int(row["first_block"])]
    faults = work / "faults.toml"
    faults.write_text(CRASH.format(device=used[0] - 1), encoding="utf-8")
    if run(after, *options, f"--faults={faults}"):
        rows = read_csv(after / "faults.csv")
        check(len(rows) == 1, f"{len(rows)} faults in place of one")
        check(count_left(after)[("2", "0")] == MOST, f"after the crash {count_left(after)} blocks were left")


def refuse(work):
    """Who does not decide it is told; who is compared with goes without."""
    for controller in ("uniform-pipeline", "static-pipeline", "random", "fedavg", "splitfed", "hasfl"):
        status, _, err, _ = finish(start("--compute=analytic", ALONE, f"--controller={controller}", "--offload=1",
                                         f"--outputDir={work / 'refused'}"))
        check(status == 2 and "does not decide what the edge server holds" in err and err.count("\n") == 1,
              f"{controller}: status {status}: {err}")
    both = work / "both"
    if run(both, "--topology=p2p", "--compute=analytic", "--compare=uniform-pipeline", *SLOW, f"--offload={MOST}"):
        check(set(count_left(both).values()) == {MOST}, f"{count_left(both)} blocks left beside a comparison")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        save_time(work)
        cut_anew(work)
        refuse(work)
        learn_the_same(work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
