#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# How far is --fidelity=flow from packets, and how much faster is it? Runs the same scenarios at both
# fidelities and prints a table: how long a round takes, and what sending and receiving costs.
#
# Options are collapipe-quickstart's and go to all runs. COLLAPIPE_BUILD names the build directory.

import csv
import json
import statistics
import subprocess
import sys
import tempfile

from support import benchmark

COMMON = ["--compute=analytic", "--compare=none", "--run=2", "--rounds=3", "--localIterations=4",
          "--controller=uniform-pipeline", "--progress=none", "--timelineSize=0"]
SMALL = ["--clusters=2", "--devices=4"]
LARGE = ["--clusters=4", "--devices=4"]  # with the control units 20 UEs
LARGER = ["--model=128x4x512", "--sequenceLength=32"]
REPEATS = 3  # of a run over flows, which takes so little time that others disturb it
FIRST_ROUND = 2  # in the first, connections are new


def list_scenarios():
    """Names and options."""
    for topology in ("lte", "hybrid"):
        for distance in (50, 150, 240):
            yield (f"{topology}, {distance} m",
                   [f"--topology={topology}", *SMALL, f"--clusterDistance={distance}", "--cellRadius=300"])
    for radius in (5, 10, 15):
        yield f"wifi, {radius} m", ["--topology=wifi", *SMALL, f"--clusterRadius={radius}"]
    for topology in ("lte", "hybrid", "wifi"):
        yield f"{topology}, larger messages", [f"--topology={topology}", *SMALL, *LARGER]
    for topology in ("lte", "hybrid", "wifi"):
        yield f"{topology}, 20 nodes", [f"--topology={topology}", *LARGE]


def run(options, fidelity):
    """Mean round time in s, mean radio energy of a round in J, wall time of the simulation in s."""
    with tempfile.TemporaryDirectory() as folder:
        command = [benchmark.BUILD / "collapipe-quickstart", *COMMON, *options, f"--fidelity={fidelity}",
                   f"--outputDir={folder}/run"]
        result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if result.returncode != 0:
            sys.exit(f"flow: {' '.join(map(str, command))}:\n{result.stdout}")
        with open(f"{folder}/run/summary.json", encoding="utf-8") as file:
            wall = json.load(file)["wall_s"]
        with open(f"{folder}/run/rounds.csv", encoding="utf-8") as file:
            rounds = [row for row in csv.DictReader(file) if int(row["round"]) >= FIRST_ROUND]
        with open(f"{folder}/run/devices.csv", encoding="utf-8") as file:
            devices = [row for row in csv.DictReader(file) if int(row["round"]) >= FIRST_ROUND]
    energy = sum(float(row["active_energy_j"]) - float(row["compute_energy_j"]) for row in devices)
    return statistics.mean(float(row["latency_s"]) for row in rounds), energy / len(rounds), wall


def main():
    others = benchmark.parse({}, sys.argv[1:])[1]
    print(f"{'scenario':30} {'packets':>9} {'flow':>9} {'error':>7} {'radio':>8} {'flow':>8} {'error':>7} "
          f"{'faster':>7}")
    errors, energies = [], []
    for name, options in list_scenarios():
        packets, packets_j, packets_s = run([*options, *others], "packets")
        flow, flow_j, flow_s = min((run([*options, *others], "flow") for _ in range(REPEATS)),
                                   key=lambda result: result[2])
        error, energy = 100 * (flow / packets - 1), 100 * (flow_j / packets_j - 1)
        errors.append(abs(error))
        energies.append(abs(energy))
        print(f"{name:30} {packets:7.3f} s {flow:7.3f} s {error:5.1f} % {packets_j:6.2f} J {flow_j:6.2f} J "
              f"{energy:5.1f} % {packets_s / flow_s:7.0f}", flush=True)
    print(f"round: median error {statistics.median(errors):.1f} %, 90th percentile "
          f"{statistics.quantiles(errors, n=10)[-1]:.1f} %; radio energy: median error "
          f"{statistics.median(energies):.1f} %")


if __name__ == "__main__":
    benchmark.run(main)
