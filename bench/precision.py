#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# What a smaller type on the wire saves, and what it costs in learning: one run per setting.
#
# Options are collapipe-quickstart's. COLLAPIPE_BUILD names the build directory.

import json
import pathlib
import subprocess
import sys
import tempfile

from support import benchmark

PRECISIONS = ["fp32", "fp16", "bf16", "int8"]
KINDS = ["activation", "gradient", "parameter"]


def train(options):
    """The summary of a run."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([benchmark.BUILD / "collapipe-quickstart", *options, "--progress=none",
                        "--compare=none", f"--outputDir={folder}"],
                       check=True, stdout=subprocess.DEVNULL)
        with open(pathlib.Path(folder) / "summary.json", encoding="utf-8") as file:
            return json.load(file)


def describe(setting):
    return " ".join(f"{setting.get(kind, 'fp32'):>10}" for kind in KINDS)


def main():
    options = benchmark.parse({}, sys.argv[1:])[1] or ["--task=translation", "--topology=p2p"]
    settings = [{kind: precision for kind in KINDS} for precision in PRECISIONS]
    settings += [{kind: precision} for kind in KINDS for precision in PRECISIONS[1:]]
    print(" ".join(f"{kind:>10}" for kind in KINDS),
          "     MB sent   latency s   train loss   valid. loss")
    first = None
    for setting in settings:
        summary = train([*options,
                         *(f"--{kind}Precision={value}" for kind, value in setting.items())])
        last = summary["rounds"][-1]
        sent = summary["bytes_sent"] / 1e6
        latency = sum(row["latency_s"] for row in summary["rounds"])
        first = first or (sent, latency)
        print(describe(setting),
              f"{sent:8.2f} {100 * sent / first[0] - 100:+3.0f}%",
              f"{latency:7.2f} {100 * latency / first[1] - 100:+3.0f}%",
              f"{last['train_loss']:12.4f} {last['validation_loss']:13.4f}", flush=True)


if __name__ == "__main__":
    benchmark.run(main)
