#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Do runs survive what goes wrong? Random faults on every network, under every recovery policy.
#
# Options: --schedules=N random schedules of every policy (default 200), --rate=R faults per simulated
# minute (default 20), --policies=wait,drop,replan and --topologies=p2p,wifi,lte,hybrid; other options are
# collapipe-quickstart's. Every schedule runs once, every tenth one a second time: the same schedule and
# seed must give the same bytes. Ends with status 1 where a run did not end by itself with status 0.

import collections
import concurrent.futures
import csv
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("COLLAPIPE_BUILD") or
                     pathlib.Path(__file__).resolve().parent.parent / "build")
LIMIT_S = 900  # of wall time; a run that takes longer counts as hung
COMMON = ["--task=translation", "--compare=none", "--progress=none", "--compute=analytic",
          "--rounds=3", "--clusters=2", "--devices=3", "--blocks=4", "--localIterations=6",
          "--microBatches=2", "--microBatchSize=4", "--maxPairs=200", "--maxValidation=10",
          "--vocabulary=300", "--timelineSize=0", "--heartbeat=2", "--patience=6", "--deadline=600"]


def parse(arguments):
    chosen = {"schedules": "200", "rate": "20", "policies": "wait,drop,replan",
              "topologies": "p2p,wifi,lte,hybrid"}
    others = []
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        if argument.startswith("--") and name in chosen:
            chosen[name] = value
        else:
            others.append(argument)
    return chosen, others


def run(folder, policy, topology, seed, rate, others):
    """One run: its status, its words on standard error, its faults, the bytes of its results."""
    begin = time.monotonic()
    command = [BUILD / "collapipe-quickstart", *COMMON, f"--topology={topology}",
               f"--recovery={policy}", f"--faults=random:{seed},{rate}", f"--seed={1 + seed % 7}",
               f"--replicaPeriod={seed % 3}", f"--outputDir={folder}", *others]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return "hung", "", [], b"", time.monotonic() - begin
    rows, results = [], b""
    if (folder / "faults.csv").exists():
        with open(folder / "faults.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        results = b"".join((folder / name).read_bytes() for name in ("faults.csv", "rounds.csv"))
    return done.returncode, done.stderr.strip(), rows, results, time.monotonic() - begin


def check(job):
    policy, topology, seed, rate, others = job
    with tempfile.TemporaryDirectory() as folder:
        first = run(pathlib.Path(folder) / "a", policy, topology, seed, rate, others)
        same = None
        if seed % 10 == 0 and first[0] == 0:
            again = run(pathlib.Path(folder) / "b", policy, topology, seed, rate, others)
            same = again[3] == first[3]
        return policy, topology, seed, first, same


def number(row, name):
    return float(row[name]) if row[name] else None


def show(results):
    """One line per kind of fault, one per policy and network."""
    kinds = collections.defaultdict(list)
    for *_, (_, _, rows, _, _), _ in results:
        for row in rows:
            kinds[row["kind"]].append(row)
    print(f"{'fault':<10}{'times':>7}{'noticed':>9}{'median s':>10}{'longest s':>11}{'recovered':>11}"
          f"{'left out':>10}{'repeated':>10}")
    for kind, rows in sorted(kinds.items()):
        waits = sorted(number(row, "detection_s") for row in rows if row["detection_s"])
        print(f"{kind:<10}{len(rows):>7}{len(waits):>9}"
              f"{waits[len(waits) // 2] if waits else float('nan'):>10.2f}"
              f"{waits[-1] if waits else float('nan'):>11.2f}"
              f"{sum(1 for row in rows if row['recovered_s']):>11}"
              f"{sum(int(row['left_out']) for row in rows):>10}"
              f"{sum(int(row['repeated_iterations']) for row in rows):>10}")
    print(f"\n{'policy':<9}{'network':<9}{'runs':>6}{'ended':>7}{'stopped':>9}{'failed':>8}"
          f"{'hung':>6}{'same bytes':>12}")
    groups = collections.defaultdict(list)
    for policy, topology, seed, first, same in results:
        groups[policy, topology].append((seed, first, same))
    for (policy, topology), runs in groups.items():
        states = [first[0] for _, first, _ in runs]
        compared = [same for *_, same in runs if same is not None]
        stopped = sum(1 for _, first, _ in runs if first[0] == 0 and "run ended after" in first[1])
        print(f"{policy:<9}{topology:<9}{len(runs):>6}{states.count(0):>7}{stopped:>9}"
              f"{sum(1 for state in states if state not in (0, 'hung')):>8}"
              f"{states.count('hung'):>6}{f'{sum(compared)}/{len(compared)}':>12}")


def main():
    chosen, others = parse(sys.argv[1:])
    topologies = chosen["topologies"].split(",")
    jobs = [(policy, topologies[seed % len(topologies)], seed, chosen["rate"], others)
            for policy in chosen["policies"].split(",")
            for seed in range(int(chosen["schedules"]))]
    results = []
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(check, jobs):
            results.append(result)
            print(f"\r{len(results)} of {len(jobs)} schedules", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    show(results)
    bad = [result for result in results if result[3][0] != 0 or result[4] is False]
    for policy, topology, seed, first, same in bad[:10]:
        what = "gave other bytes the second time" if same is False else f"status {first[0]}"
        print(f"faults: {policy} on {topology}, seed {seed}: {what}: {first[1][-300:]}",
              file=sys.stderr)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
