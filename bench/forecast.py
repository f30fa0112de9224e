#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# How well does the controller know what a round will take? Planned against measured, phase by phase.
#
# Without options all scenarios but the random ones run.
# Options: --scenarios=NAME,... runs those only (a name's beginning is enough), --jobs=N as many at once
# (default: one per core), --rounds=N of each (default 3), --keep=FOLDER keeps the results; other options
# are collapipe-quickstart's. A line per scenario and round: the latency, and of the cluster that took
# longest its phases, planned > measured; then, over all, the errors of round 1 and of the others, and of the
# random ones, whose rounds have other plans each, how many pairs of rounds are in the order that was planned.

import concurrent.futures
import csv
import itertools
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from support import benchmark

DEFAULTS = {"scenarios": "", "jobs": str(os.cpu_count()), "rounds": "3", "keep": ""}
COMMON = ["--compute=analytic", "--compare=none", "--progress=none", "--maxPairs=300",
          "--maxValidation=10", "--vocabulary=300", "--timelineSize=0", "--heartbeat=0",
          "--task=translation"]
TOY = ["--model=128x4x512", "--blocks=4", "--sequenceLength=24", "--localIterations=8"]
# Activations as BERT-base has them at sequence 128, and adapters of rank 8 as what is distributed
BERT = ["--model=base", "--blocks=12", "--sequenceLength=128", "--lora=8", "--localIterations=2",
        "--microBatches=4", "--microBatchSize=1"]
SMALL = ["--clusters=1", "--devices=2"]
MIDDLE = ["--clusters=2", "--devices=3"]
LARGE = ["--clusters=2", "--devices=8"]
TWENTY = ["--clusters=2", "--devices=10"]
WIDE = ["--topology=hybrid", "--clusters=4", "--devices=2", "--clusterDistances=50,100,150,230"]
EQUAL = ["--controller=dssda-equal-bandwidth"]
RESERVED = ["--sharing=reserved"]
SCENARIOS = {
    "wifi-near": ["--topology=wifi", "--clusterRadius=5", *SMALL, *TOY],
    "wifi-middle": ["--topology=wifi", *MIDDLE, *TOY],
    "wifi-far": ["--topology=wifi", "--clusterRadius=15", *MIDDLE, *TOY],
    "wifi-large": ["--topology=wifi", *LARGE, *TOY],
    "wifi-twenty": ["--topology=wifi", *TWENTY, *TOY],
    "wifi-equal": ["--topology=wifi", *MIDDLE, *TOY, *EQUAL],
    "wifi-1f1b": ["--topology=wifi", *MIDDLE, *TOY, "--schedule=1f1b"],
    "wifi-bert": ["--topology=wifi", *MIDDLE, *BERT],
    "wifi-bert-far": ["--topology=wifi", "--clusterRadius=15", *MIDDLE, *BERT],
    "wifi-bert-1f1b": ["--topology=wifi", *MIDDLE, *BERT, "--schedule=1f1b"],
    "wifi-reserved": ["--topology=wifi", *RESERVED, *MIDDLE, *TOY],
    "wifi-reserved-near": ["--topology=wifi", *RESERVED, "--clusterRadius=5", *SMALL, *TOY],
    "wifi-reserved-far": ["--topology=wifi", *RESERVED, "--clusterRadius=15", *MIDDLE, *TOY],
    "wifi-reserved-equal": ["--topology=wifi", *RESERVED, *MIDDLE, *TOY, *EQUAL],
    "wifi-reserved-1f1b": ["--topology=wifi", *RESERVED, *MIDDLE, *TOY, "--schedule=1f1b"],
    "wifi-reserved-bert": ["--topology=wifi", *RESERVED, *MIDDLE, *BERT],
    "hybrid-near": ["--topology=hybrid", "--clusterDistance=50", *SMALL, *TOY],
    "hybrid-middle": ["--topology=hybrid", *MIDDLE, *TOY],
    "hybrid-far": ["--topology=hybrid", "--clusterDistance=230", "--lteResourceBlocks=50", *MIDDLE,
                   *TOY],
    "hybrid-large": ["--topology=hybrid", *LARGE, *TOY],
    "hybrid-twenty": ["--topology=hybrid", *TWENTY, *TOY],
    "hybrid-wide": [*WIDE, *TOY],
    "hybrid-equal": [*WIDE, *TOY, *EQUAL],
    "hybrid-1f1b": ["--topology=hybrid", *MIDDLE, *TOY, "--schedule=1f1b"],
    "hybrid-bert": ["--topology=hybrid", *MIDDLE, *BERT],
    "hybrid-bert-wide": [*WIDE, *BERT],
    "hybrid-reserved": ["--topology=hybrid", *RESERVED, *MIDDLE, *TOY],
    "hybrid-reserved-wide": [*WIDE, *RESERVED, *TOY],
    "hybrid-reserved-equal": [*WIDE, *RESERVED, *TOY, *EQUAL],
    "hybrid-reserved-bert": ["--topology=hybrid", *RESERVED, *MIDDLE, *BERT],
    "lte-near": ["--topology=lte", "--clusterDistance=50", *SMALL, *TOY],
    "lte-middle": ["--topology=lte", *MIDDLE, *TOY],
    "lte-far": ["--topology=lte", "--clusterDistance=230", *SMALL, *TOY],
    "lte-equal": ["--topology=lte", *MIDDLE, *TOY, *EQUAL],
    "lte-1f1b": ["--topology=lte", *SMALL, *TOY, "--schedule=1f1b"],
    "lte-bert": ["--topology=lte", *SMALL, *BERT],
    "lte-reserved": ["--topology=lte", *RESERVED, *SMALL, *TOY],
    "lte-reserved-middle": ["--topology=lte", *RESERVED, *MIDDLE, *TOY],
    "lte-reserved-far": ["--topology=lte", *RESERVED, "--clusterDistance=230", *SMALL, *TOY],
    "lte-reserved-bert": ["--topology=lte", *RESERVED, *SMALL, *BERT],
}
# Plans drawn at random, whose shares no controller would choose, in reserved and in shared media
for _topology in ("wifi", "hybrid", "lte"):
    for _seed in range(1, 8):
        _drawn = [f"--topology={_topology}", *MIDDLE, *TOY, "--controller=random", f"--seed={_seed}"]
        SCENARIOS[f"random-{_topology}-{_seed}"] = [*_drawn, *RESERVED]
        SCENARIOS[f"random-shared-{_topology}-{_seed}"] = _drawn


def read(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def run(folder, name, rounds, others):
    """The rounds of a scenario: latency and phases as planned and as measured."""
    command = [benchmark.BUILD / "collapipe-quickstart", *COMMON, *SCENARIOS[name], f"--rounds={rounds}",
               f"--outputDir={folder}", *others]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return name, done.stderr.strip()[-300:], []
    clusters = read(folder / "clusters.csv")
    rows = []
    for row in read(folder / "rounds.csv"):
        own = [c for c in clusters if c["round"] == row["round"]]
        slowest = max(own, key=lambda c: float(c["measured_total_s"]))
        phases = [(float(slowest[f"planned_{part}_s"]), float(slowest[f"measured_{part}_s"]))
                  for part in ("distribution", "iteration", "upload")]
        rows.append((int(row["round"]), float(row["planned_latency_s"]), float(row["latency_s"]),
                     float(row["report_s"]), phases))
    return name, "", rows


def show(name, rows):
    for number, planned, measured, report_s, phases in rows:
        parts = "".join(f"{1e3 * before:>10.1f} > {1e3 * after:>7.1f}" for before, after in phases)
        print(f"{name:<22}{number:>2}{1e3 * planned:>10.1f}{1e3 * measured:>10.1f}"
              f"{100 * (planned / measured - 1):>8.1f}{1e3 * report_s:>8.1f}{parts}", flush=True)


def summarise(results):
    first = [abs(p / m - 1) for *_, rows in results for n, p, m, *_ in rows if n == 1]
    later = sorted(abs(p / m - 1) for *_, rows in results for n, p, m, *_ in rows if n > 1)
    if first:
        print(f"round 1: median error {100 * statistics.median(first):.1f} %, "
              f"largest {100 * max(first):.1f} %")
    if later:
        print(f"later rounds: median {100 * statistics.median(later):.1f} %, "
              f"90th percentile {100 * later[math.ceil(0.9 * len(later)) - 1]:.1f} %, "
              f"largest {100 * later[-1]:.1f} %")


def compare_pairs(results):
    """Whether the better of two plans for one network was planned to be it, where they differ."""
    pairs = [(one, other) for name, rows in results if name.startswith("random")
             for (_, *one), (_, *other) in itertools.combinations([row[:3] for row in rows], 2)
             if max(one[1], other[1]) > 1.05 * min(one[1], other[1])]
    wrong = sum((one[0] - other[0]) * (one[1] - other[1]) <= 0 for one, other in pairs)
    if pairs:
        print(f"pairs of plans that differ by more than 5 %: {len(pairs)}, "
              f"of these in another order than planned: {wrong}")


def main():
    chosen, others = benchmark.parse(DEFAULTS, sys.argv[1:])
    wanted = tuple(filter(None, chosen["scenarios"].split(",")))
    names = [name for name in SCENARIOS
             if (name.startswith(wanted) if wanted else not name.startswith("random"))]
    print(f"{'scenario, round':<24}{'plan ms':>10}{'real ms':>10}{'error %':>8}{'report':>8}"
          f"{'distribution':>20}{'iteration':>20}{'upload':>20}")
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        base = pathlib.Path(chosen["keep"] or temporary)
        with concurrent.futures.ThreadPoolExecutor(int(chosen["jobs"])) as pool:
            jobs = [pool.submit(run, base / name, name, chosen["rounds"], others) for name in names]
            for job in jobs:
                results.append((job.result()[0], job.result()[2]))
                show(*results[-1])
                if job.result()[1]:
                    print(f"forecast: {job.result()[0]}: {job.result()[1]}", file=sys.stderr)
    summarise(results)
    compare_pairs(results)
    return 0 if all(rows for _, rows in results) else 1


if __name__ == "__main__":
    benchmark.run(main)
