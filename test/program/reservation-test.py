#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Where LTE's shares are reserved, planned, enforced and measured are one quantity: rounds take what
# they were planned to take, with packets and over flows, and shares that DSSDA decides are not worse
# than equal ones. Takes the build directory and the source directory.

import pathlib
import sys
import tempfile
import tomllib

from support.runs import check, finish, read_csv, report, start, use_program

COMMON = ["--compute=analytic", "--compare=none", "--progress=none"]
RESERVED = ["--sharing=reserved"]
PACKETS = [*RESERVED, "--topology=lte", "--clusters=1", "--devices=2", "--model=128x4x512", "--blocks=4",
           "--sequenceLength=24", "--localIterations=8", "--rounds=3", "--task=translation",
           "--maxPairs=300", "--maxValidation=10", "--vocabulary=300", "--heartbeat=0"]
# Targets of 100 bytes, of which headers are the larger part, over a cell from its middle to its edge
WIDE = [*RESERVED, "--topology=hybrid", "--clusters=4", "--devices=2", "--clusterDistances=50,100,150,230",
        "--localIterations=8", "--rounds=3", "--model=128x4x512", "--blocks=4", "--sequenceLength=24",
        "--task=translation", "--maxPairs=300", "--maxValidation=10", "--vocabulary=300", "--heartbeat=0"]
UPLINK = "examples/campaigns/contested-uplink.toml"  # four clusters far and near, Adam's state on its way
# Relative, over flows, which go by what is planned by; but where what is not used goes to others, a node that has
# ended its training uploads at once, beside others' gradients, and in the model when its cluster has ended it
# Parameters are much larger than activations, which leave their node as fast as they come
LARGE = {"topology": "hybrid", "clusters": 2, "devices": 3, "model": "128x4x512", "blocks": 4, "sequenceLength": 24,
         "task": "translation", "maxPairs": 300, "maxValidation": 10, "vocabulary": 300, "localIterations": 4,
         "rounds": 3, "keepOptimizerState": "true", "seed": 4}
EXACT = {"reserved": 0.02, "work-conserving": 0.05}
FIRST = 0.2  # relative, of planned and measured latencies at the cell's edge before anything was measured
CLOSE = 0.1  # relative, of planned and measured latencies


def run(folder, controller, what, *options, first=CLOSE, later=CLOSE):
    """The mean latency of a round; checks each one's forecast."""
    status, _, err, _ = finish(start(*COMMON, *options, f"--controller={controller}",
                                     f"--outputDir={folder / controller}"))
    if not check(status == 0, f"{what}, {controller}: status {status}: {err}"):
        return None
    rows = read_csv(folder / controller / "rounds.csv")
    for row in rows:
        planned, measured = float(row["planned_latency_s"]), float(row["latency_s"])
        tolerance = first if row["round"] == "1" else later
        check(abs(planned / measured - 1) < tolerance,
              f"{what}, {controller}, round {row['round']}: {measured} s, planned {planned} s")
    return sum(float(row["latency_s"]) for row in rows) / len(rows)


def draw(folder, seed):
    """Plans whose shares and powers no controller would choose; what a round has shown of the links holds in
    the next one, whose shares are others."""
    run(folder / str(seed), "random", f"packets, plans of seed {seed}", *PACKETS, "--clusters=2", "--devices=3",
        f"--seed={seed}")


def follow(folder, chosen):
    """Over flows a round takes what was planned, the first one without an optimizer's state and those after it
    with it, to the last gradient and whatever the clusters' phases are meanwhile."""
    options = [f"--{name}={value}" for name, value in chosen.items() if name != "compute"]
    for sharing in ("reserved", "work-conserving"):
        for controller in ("dssda", "dssda-equal-bandwidth"):
            run(folder / sharing, controller, f"flows on one uplink, {sharing}", *options, "--fidelity=flow",
                f"--sharing={sharing}", first=EXACT[sharing], later=EXACT[sharing])


def compare(folder, what, *options):
    best, equal = (run(folder, controller, what, *options)
                   for controller in ("dssda", "dssda-equal-bandwidth"))
    if best and equal:
        check(best < equal, f"{what}: a round takes {best} s, {equal} s with equal shares")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    scenario = pathlib.Path(sys.argv[2]) / "examples/scenarios/phones-lte.toml"
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        compare(work / "packets", "packets", *PACKETS)
        run(work / "wide", "dssda", "packets, to the edge", *WIDE, first=FIRST)
        for seed in (1, 3):
            draw(work / "random", seed)
        # With adapters the control unit has no backward pass, and is done long before the others
        compare(work / "flow", "flows", *RESERVED, f"--scenario={scenario}", "--fidelity=flow")
        with open(pathlib.Path(sys.argv[2]) / UPLINK, "rb") as file:
            follow(work / "uplink", tomllib.load(file)["options"])
        follow(work / "large", LARGE)
    return report()


if __name__ == "__main__":
    sys.exit(main())
