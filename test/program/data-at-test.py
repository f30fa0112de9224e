#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Data on devices (--dataAt=devices): the controller lets chains begin there where that saves time, rounds take
# what they were planned to take, all samples are learnt from, and a crash ends no run. Takes the build directory
# and the source directory.

import math
import pathlib
import sys
import tempfile

from support.runs import check, finish, read_csv, report, start, use_program

BLOCKS = 6
COMMON = ["--task=translation", "--maxPairs=300", "--maxValidation=10", "--vocabulary=300", "--progress=none",
          f"--blocks={BLOCKS}", "--model=32x2x64", "--sequenceLength=16", "--rounds=2", "--localIterations=4",
          "--clusters=2", "--devices=3", "--microBatches=2", "--microBatchSize=4", "--compare=none"]
# Devices of 20 MFLOP/s beside an edge server of 4 GFLOP/s for each cluster
SLOW = ["--deviceProfiles=flops=2e7:memory=1e9:power=4", "--edge=flops=4e9:workers=2"]
HERE = "--dataAt=devices"
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


def get_latency(folder):
    return sum(float(row["latency_s"]) for row in read_csv(folder / "rounds.csv"))


def list_busy(folder, number):
    """Nodes with blocks in a round, by cluster; a control unit is node 0."""
    return [(row["cluster"], int(row["node"])) for row in read_csv(folder / "devices.csv")
            if row["round"] == number and int(row["last_block"]) > int(row["first_block"])]


def save_time(work):
    for topology in ("wifi", "lte", "hybrid"):
        for sharing in ("work-conserving", "reserved"):
            name = f"{topology}, {sharing}"
            options = [f"--topology={topology}", f"--sharing={sharing}", "--fidelity=flow", "--compute=analytic",
                       *SLOW, "--offload=999"]
            there, here = work / f"{name} there", work / f"{name} here"
            if not (run(there, *options) and run(here, *options, HERE)):
                continue
            check(get_latency(here) <= 1.02 * get_latency(there),
                  f"{name}: {get_latency(here)} s with data on devices, {get_latency(there)} s without")
            check(len(list_busy(here, "1")) > 0, f"{name}: no device has blocks")
            for row in read_csv(here / "rounds.csv"):
                planned, measured = float(row["planned_latency_s"]), float(row["latency_s"])
                limit = 0.2 if row["round"] == "1" else 0.1
                check(abs(planned / measured - 1) < limit,
                      f"{name}, round {row['round']}: {measured} s, planned {planned} s")


def learn(work):
    """Really trained; the loss falls."""
    folder = work / "learn"
    options = ["--topology=p2p", "--compute=torch", *SLOW, "--offload=999", HERE]
    status, _, err, _ = finish(start(*COMMON, *options, f"--outputDir={work / 'any'}"))
    if status == 2 and "no LibTorch" in err:
        print("without LibTorch it was not checked that chains that begin at devices learn")
        return
    if run(folder, *options, "--rounds=3"):
        losses = [float(row["validation_loss"]) for row in read_csv(folder / "rounds.csv")]
        check(all(map(math.isfinite, losses)) and losses[-1] < losses[0], f"validation losses {losses}")


def crash(work):
    """A device that takes part goes in the middle of a round."""
    options = ["--topology=p2p", "--compute=analytic", *SLOW, "--offload=999", HERE]
    for recovery in ("drop", "replan"):
        before, after = work / f"{recovery} before", work / f"{recovery} after"
        if not run(before, *options, f"--recovery={recovery}"):
            continue
        device = next(node for cluster, node in list_busy(before, "2") if cluster == "0") - 1
        faults = work / "faults.toml"
        faults.write_text(CRASH.format(device=device), encoding="utf-8")
        if run(after, *options, f"--recovery={recovery}", f"--faults={faults}"):
            check(len(read_csv(after / "rounds.csv")) == 2, f"{recovery}: rounds are missing")
            check(len(read_csv(after / "faults.csv")) == 1, f"{recovery}: not one fault")


def refuse(work):
    """Who does not decide it is told."""
    for controller in ("uniform-pipeline", "tuned-static-pipeline", "hasfl"):
        status, _, err, _ = finish(start("--compute=analytic", "--compare=none", f"--controller={controller}", HERE,
                                         f"--outputDir={work / 'refused'}"))
        check(status == 2 and "does not decide where chains begin" in err and err.count("\n") == 1,
              f"{controller}: status {status}: {err}")
    for option, text in (("--dataAt=moon", "devices"), ("--uploadPath=collected", "--uploadPath=direct")):
        status, _, err, _ = finish(start("--compute=analytic", "--compare=none", HERE, option,
                                         f"--outputDir={work / 'refused'}"))
        check(status == 2 and text in err and err.count("\n") == 1, f"{option}: status {status}: {err}")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        save_time(work)
        crash(work)
        refuse(work)
        learn(work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
