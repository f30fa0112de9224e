#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Is a node that is gone noticed in time, and no node that is not? On every network, with losses.
#
# Options: --runs=N undisturbed runs in all (default 100), --crashes=N runs in all in which a device loses power
# for ever (20), --heartbeat=S (10), --patience=S (30), --topologies=p2p,wifi,lte,hybrid, --jobs=N runs at a
# time (one a processor), --help; other options are collapipe-quickstart's. Wires lose 5 % of their packets,
# radios fade and nodes move. Ends with status 1 where a failure was noticed that was none, or one later than a
# patience and a heartbeat.

import concurrent.futures
import csv
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

from faults import COMMON, LIMIT_S
from support import benchmark

DEFAULTS = {"runs": "100", "crashes": "20", "topologies": "p2p,wifi,lte,hybrid",
            "jobs": str(os.cpu_count()), "heartbeat": "10", "patience": "30"}
ON_THE_WAY_S = 0.5  # the last heartbeat's, with a retransmission or two
LOSSES = ["--packetErrorRate=0.05"]
RADIO = ["--fading", "--mobility=gauss-markov", "--speed=1.5"]


def run(job):
    """A run's network, status, words, failures that were none, and seconds to notice; None: it was not."""
    topology, seed, is_crash, chosen, others = job
    with tempfile.TemporaryDirectory() as folder:
        options = [*COMMON, "--compute=analytic", f"--topology={topology}", f"--seed={seed}",
                   f"--heartbeat={chosen['heartbeat']}", f"--patience={chosen['patience']}", *LOSSES,
                   *(RADIO if topology != "p2p" else []), f"--outputDir={folder}/out", *others]
        if is_crash:
            place = random.Random(seed)
            faults = pathlib.Path(folder) / "faults.toml"
            faults.write_text(f"[[fault]]\nkind = \"crash\"\nnode = \"cluster{place.randrange(2)}.device"
                              f"{place.randrange(3)}\"\nround = 2\nphase = \"training\"\n"
                              f"at = {place.random()}\n", encoding="utf-8")
            options.append(f"--faults={faults}")
        try:
            done = subprocess.run([benchmark.BUILD / "collapipe-quickstart", *options], capture_output=True,
                                  text=True, timeout=LIMIT_S, check=False)
        except subprocess.TimeoutExpired:
            return job, "hung", "", 0, None
        out = pathlib.Path(folder) / "out"
        alarms, words, noticed = 0, "", None
        if (out / "summary.json").exists():
            failures = json.loads((out / "summary.json").read_text(encoding="utf-8"))[
                "unexplained_failures"]
            alarms = len(failures)
            words = ", ".join(f"{failure['node']} {failure['reason']} at {failure['at_s']:.3f} s"
                              for failure in failures)
        if (out / "faults.csv").exists():
            with open(out / "faults.csv", encoding="utf-8", newline="") as file:
                rows = list(csv.DictReader(file))
            noticed = float(rows[0]["detection_s"]) if rows and rows[0]["detection_s"] else None
        return job, done.returncode, f"{words} {done.stderr.strip()}", alarms, noticed


def main():
    chosen, others = benchmark.parse(DEFAULTS, sys.argv[1:])
    topologies = chosen["topologies"].split(",")
    jobs = [(topologies[seed % len(topologies)], 1 + seed, is_crash, chosen, others)
            for is_crash, count in ((False, int(chosen["runs"])), (True, int(chosen["crashes"])))
            for seed in range(count)]
    results, is_bad = [], False
    limit = float(chosen["patience"]) + float(chosen["heartbeat"]) + ON_THE_WAY_S
    with concurrent.futures.ThreadPoolExecutor(int(chosen["jobs"])) as pool:
        for result in pool.map(run, jobs):
            results.append(result)
            benchmark.show_progress(len(results), len(jobs), "runs")
            (topology, seed, is_crash, *_), status, err, alarms, noticed = result
            late = is_crash and (noticed is None or noticed > limit)
            if status != 0 or alarms > 0 or late:
                is_bad = True
                print(f"alarms: {topology}, seed {seed}{', crash' if is_crash else ''}: status {status}, "
                      f"{alarms} failures that are none, noticed after {noticed} s: {err[-300:]}",
                      file=sys.stderr)
    print(f"{'network':<9}{'runs':>6}{'false alarms':>14}{'crashes':>9}{'noticed':>9}{'longest s':>11}")
    for topology in topologies:
        mine = [result for result in results if result[0][0] == topology]
        crashes = [result[4] for result in mine if result[0][2]]
        waits = [wait for wait in crashes if wait is not None]
        print(f"{topology:<9}{len(mine) - len(crashes):>6}{sum(result[3] for result in mine):>14}"
              f"{len(crashes):>9}{len(waits):>9}{max(waits, default=float('nan')):>11.2f}")
    return 1 if is_bad else 0


if __name__ == "__main__":
    benchmark.run(main)
