#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# The default run, as a newcomer starts it: without an option. It is to convince: the model gets over
# 90 % of the test part right, accuracy rises from round to round, the comparison shows both controllers,
# and all that in two minutes of two cores and 1.5 GiB. Takes the build directory.

import json
import os
import pathlib
import resource
import sys
import tempfile

from support.runs import check, finish, read_csv, report, start, use_program

CORES, MINUTES, BYTES = 2, 2, 1.5 * 2**30
ACCURACY = 0.9


def check_learning(summary, rounds):
    quality = summary["quality"]
    classes = len(summary["data"]["classes"])
    check(quality["test"]["accuracy"] > ACCURACY, f"the test part: {quality['test']}")
    check(quality["untrained"]["accuracy"] < 2 / classes, f"before: {quality['untrained']}")
    accuracies = [float(row["accuracy"]) for row in rounds]
    check(accuracies[-1] > accuracies[0] and len(accuracies) == len(summary["rounds"]),
          f"accuracy rises over the rounds: {accuracies}")
    check(summary["topology"] == "hybrid" and summary["controller"] == "dssda", "the usual network")


def check_table(out, summary, beside):
    lines = out.splitlines()
    head = next((line for line in lines if line.startswith(" round")), "")
    check(all(word in head for word in ("time", "latency", "accuracy")), f"the table's head: {head}")
    last = next((line.split() for line in lines
                 if line.startswith(f"{len(summary['rounds']):6d} ")), [])
    shown = f"{100 * summary['rounds'][-1]['accuracy']:.2f}"
    check(shown in last, f"{shown} % stands in the last round's line: {last}")
    check(any(line.startswith("test part: accuracy") for line in lines), "the test part's accuracy")
    compared = next((line for line in lines if line.startswith("accuracy, validation part")), "")
    figures = compared.split(", %")[-1].split()[:2]
    check(figures == [f"{100 * run['rounds'][-1]['accuracy']:.2f}" for run in (summary, beside)],
          f"both accuracies are compared: {compared}")
    check(any(line.startswith("time to accuracy") for line in lines), "the times to an accuracy")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory(prefix="collapipe-default-") as name:
        os.chdir(name)
        status, out, err, wall = finish(start(), 1800)
        if not check(status == 0, f"status {status}: {err}"):
            return report()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime
        folder = pathlib.Path("collapipe-output")
        with open(folder / "summary.json", encoding="utf-8") as file:
            summary = json.load(file)
        with open(folder / "uniform-pipeline" / "summary.json", encoding="utf-8") as file:
            beside = json.load(file)
        print(out)
        print(f"{wall:.0f} s of wall time, {cpu:.0f} s of processor time, "
              f"{used.ru_maxrss / 1024:.0f} MiB at most in one of its two processes")
        check_learning(summary, read_csv(folder / "rounds.csv"))
        check_table(out, summary, beside)
        # What other programs do beside it does not count.
        check(cpu < CORES * MINUTES * 60, f"{cpu:.0f} s of processor time")
        check(summary["peak_rss_bytes"] + beside["peak_rss_bytes"] < BYTES, "the memory of both")
    return report()


if __name__ == "__main__":
    sys.exit(main())
