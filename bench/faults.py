#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Do runs survive what goes wrong? Random faults on every network, under every recovery policy.
#
# Options: --schedules=N random schedules of every policy (default 200), --first=N number of the first one
# (0), --rate=R faults per simulated minute (30), --policies=wait,drop,replan,
# --topologies=p2p,wifi,lte,hybrid, --compute=analytic or torch, --jobs=N runs at a time (one a processor),
# --help; other options are collapipe-quickstart's. Devices are slow, so that a run takes some seconds on every
# network and several faults fall into it. Every schedule runs once, every tenth one of a network a second
# time: the same schedule and seed must give the same bytes. With --compute=torch, weights are compared with
# those of a run without faults, where no cluster was left out of a round: under wait and replan, they are to
# agree but for rounding. Ctrl-C shows what there is so far. Ends with status 1 where a run did not end by
# itself with status 0 (or, in a sentence, because no round had ended), or bytes or weights differ.

import array
import collections
import concurrent.futures
import csv
import functools
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import threading
import time

from support import benchmark

DEFAULTS = {"schedules": "200", "first": "0", "rate": "30", "policies": "wait,drop,replan",
            "topologies": "p2p,wifi,lte,hybrid", "compute": "analytic", "jobs": str(os.cpu_count())}
LIMIT_S = 900  # of wall time; a run that takes longer counts as hung
TOLERANCE = 1e-5  # of weights, about as large as 1: rounding of float32; an iteration more or less makes 0.05
COMMON = ["--task=translation", "--compare=none", "--progress=none", "--model=16x2x32",
          "--deviceProfiles=flops=2e7:memory=1e9", "--rounds=3", "--clusters=2", "--devices=3",
          "--blocks=4", "--localIterations=6", "--microBatches=2", "--microBatchSize=4",
          "--maxPairs=200", "--maxValidation=10", "--vocabulary=300", "--timelineSize=0",
          "--heartbeat=1", "--patience=3", "--deadline=120",
          "--ns3::collapipe::RecoveryPolicy::Deadline=30s"]
# With --compute=torch SGD with momentum, which has a state to be kept, and not Adam: an attention does not
# depend on its keys' biases, whose gradients are rounding alone, which Adam makes steps of, so that weights of
# the same work differ by 1e-3 where micro-batches are cut another way.
LEARNING = ["--optimizer=sgd", "--momentum=0.9", "--learningRate=0.05"]

Run = collections.namedtuple("Run", "status err rows results left_out rounds weights seconds")


def read_weights(folder):
    """All parameters of a checkpoint, one after the other."""
    data = (folder / "collapipe.safetensors").read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    values = array.array("f")
    for name, entry in sorted(json.loads(data[8:8 + size]).items()):
        if name.split(".")[0] in ("embedding", "encoder", "decoder") and entry["dtype"] == "F32":
            begin, end = entry["data_offsets"]
            values.frombytes(data[8 + size + begin:8 + size + end])
    return values


def run(folder, topology, seed, options):
    """One run: its status, its words on standard error, its faults, the bytes of its results."""
    begin = time.monotonic()
    saved = pathlib.Path(f"{folder}-saved")
    command = [benchmark.BUILD / "collapipe-quickstart", *COMMON, f"--topology={topology}",
               f"--seed={1 + seed % 7}", f"--outputDir={folder}", *options]
    if "--compute=torch" in options:
        command += [*LEARNING, f"--save={saved}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return Run("hung", "", [], b"", 0, 0, None, time.monotonic() - begin)
    rows, results, rounds, left_out = [], b"", 0, 0
    if (folder / "faults.csv").exists():
        with open(folder / "faults.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    if (folder / "clusters.csv").exists():
        with open(folder / "clusters.csv", encoding="utf-8", newline="") as file:
            left_out = sum(row["measured_total_s"] == "" for row in csv.DictReader(file))
    for name in ("faults.csv", "rounds.csv"):
        if (folder / name).exists():
            results += (folder / name).read_bytes()
    if (folder / "rounds.csv").exists():
        rounds = (folder / "rounds.csv").read_bytes().count(b"\n") - 1
    weights = read_weights(saved) if saved.exists() else None
    return Run(done.returncode, done.stderr.strip(), rows, results,
               left_out, rounds, weights, time.monotonic() - begin)


@functools.lru_cache(maxsize=None)
def undisturbed(seed):
    """Weights of a run without faults; on which network and cut how does not matter."""
    with tempfile.TemporaryDirectory() as folder:
        return run(pathlib.Path(folder) / "a", "p2p", seed, ("--compute=torch",)).weights


LOCK = threading.Lock()  # of what is known of undisturbed runs


def check(job):
    policy, topology, seed, is_repeated, chosen, others = job
    options = (f"--compute={chosen['compute']}", f"--recovery={policy}",
               f"--faults=random:{seed},{chosen['rate']}", f"--replicaPeriod={seed % 3}", *others)
    with tempfile.TemporaryDirectory() as folder:
        first = run(pathlib.Path(folder) / "a", topology, seed, options)
        same, error = None, None
        if is_repeated and first.status == 0:
            again = run(pathlib.Path(folder) / "b", topology, seed, options)
            same = again.results == first.results
        if first.weights and not first.left_out and first.rounds == 3:
            with LOCK:
                expected = undisturbed(seed % 7)
            error = max(abs(x - y) for x, y in zip(first.weights, expected, strict=True))
        return policy, topology, seed, first._replace(weights=None), same, error


def has_no_round(first):
    """Did the run end in the sentence that nothing came of it? That is an end too."""
    return first.status == 2 and "no round has ended" in first.err


def number(row, name):
    return float(row[name]) if row[name] else None


def show(results):
    """One line per kind of fault, one per policy and network."""
    kinds = collections.defaultdict(list)
    for *_, first, _, _ in results:
        for row in first.rows:
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
    print(f"\n{'policy':<9}{'network':<9}{'runs':>6}{'faults':>8}{'ended':>7}{'stopped':>9}{'no round':>10}"
          f"{'failed':>8}{'hung':>6}{'same bytes':>12}{'weights':>9}{'longest wall s':>16}")
    groups = collections.defaultdict(list)
    for policy, topology, _, *rest in results:
        groups[policy, topology].append(rest)
    for (policy, topology), runs in groups.items():
        states = [first.status for first, *_ in runs]
        compared = [same for _, same, _ in runs if same is not None]
        errors = [error for *_, error in runs if error is not None]
        faults = sum(len(first.rows) for first, *_ in runs)
        in_vain = sum(has_no_round(first) for first, *_ in runs)
        stopped = sum(1 for first, *_ in runs if first.status == 0 and first.rounds < 3)
        print(f"{policy:<9}{topology:<9}{len(runs):>6}{faults:>8}{states.count(0):>7}{stopped:>9}"
              f"{in_vain:>10}{sum(1 for state in states if state not in (0, 'hung')) - in_vain:>8}"
              f"{states.count('hung'):>6}{f'{sum(compared)}/{len(compared)}':>12}"
              f"{f'{sum(error <= TOLERANCE for error in errors)}/{len(errors)}':>9}"
              f"{max(first.seconds for first, *_ in runs):>16.0f}")


def blame(policy, first, same, error):
    """What is wrong with a run; empty: nothing."""
    if first.status != 0 and not has_no_round(first):
        return f"status {first.status}: {first.err[-300:]}"
    if same is False:
        return "gave other bytes the second time"
    if policy != "drop" and error is not None and not error <= TOLERANCE:
        return f"weights differ by {error:.2g} from those of a run without faults"
    return ""


def main():
    chosen, others = benchmark.parse(DEFAULTS, sys.argv[1:])
    topologies = chosen["topologies"].split(",")
    begin = int(chosen["first"])
    jobs = [(policy, topologies[seed % len(topologies)], seed, seed // len(topologies) % 10 == 0, chosen,
             others)
            for seed in range(begin, begin + int(chosen["schedules"]))
            for policy in chosen["policies"].split(",")]
    results, bad = [], 0
    pool = concurrent.futures.ThreadPoolExecutor(int(chosen["jobs"]))
    try:
        for result in pool.map(check, jobs):
            results.append(result)
            policy, topology, seed, *rest = result
            wrong = blame(policy, *rest)
            if wrong:
                bad += 1
                print(f"\nfaults: {policy} on {topology}, seed {seed}: {wrong}", file=sys.stderr)
            benchmark.show_progress(len(results), len(jobs), "schedules")
    except KeyboardInterrupt:
        bad += 1
        print(file=sys.stderr)
    pool.shutdown(cancel_futures=True)
    show(results)
    return 1 if bad else 0


if __name__ == "__main__":
    benchmark.run(main)
