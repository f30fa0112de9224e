#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs the examples of extension, and checks that each really does what it is an example of. Takes
# the build directory and the source directory.
# Needs LibTorch.

import collections
import json
import pathlib
import re
import sys
import tempfile

from support.runs import (check, finish, read_csv, report, start, use_program, write_corpus)

SMALL = ["--rounds=2", "--localIterations=2", "--microBatches=3", "--microBatchSize=2",
         "--blocks=6", "--vocabulary=300", "--maxValidation=10", "--progress=none"]
LONGEST = 130  # lines, so that an example can be read


def run(work, name, *options, kind="own"):
    """Runs an example: its output and its folder, or None."""
    program = f"collapipe-{kind}-{name}"
    if not check(use_program(BUILD, program), f"{program} is built"):
        return None
    folder = work / name
    status, out, err, _ = finish(start(*options, f"--outputDir={folder}"))
    if not check(status == 0, f"{name}: status {status}: {err}"):
        return None
    check("round" in out, f"{name}: prints its rounds")
    return out, folder, err


def check_controller(work, data):
    """Fastest first: the plan's devices are the fastest, with blocks by speed."""
    found = run(work, "controller", *data, *SMALL, "--topology=p2p", "--compute=analytic")
    if found is None:
        return
    rows = read_csv(found[1] / "devices.csv")
    check("round 2 took" in found[2], "controller: it is told what rounds cost")
    for key in {(row["round"], row["cluster"]) for row in rows}:
        devices = [row for row in rows if (row["round"], row["cluster"]) == key and
                   row["node"] != "0"]
        used = [row for row in devices if int(row["last_block"]) > int(row["first_block"])]
        idle = [row for row in devices if row not in used]
        slowest = min(float(row["flops"]) for row in used)
        check(all(float(row["flops"]) <= slowest for row in idle), f"controller: {key}: fastest")
        check(sum(int(row["last_block"]) - int(row["first_block"]) for row in used) == 6,
              f"controller: {key}: all blocks")


def check_schedule(work, data):
    """Backward passes come in the order that the schedule says, at every node."""
    found = run(work, "schedule", *data, *SMALL, "--topology=p2p", "--compute=analytic")
    if found is None:
        return
    check("2F0 2F1 2F2 2F3 2B3 2B2 2B1 2B0" in found[0], "schedule: its text form")
    with open(found[1] / "timeline.json", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    order = collections.defaultdict(list)
    for event in events:
        if event["ph"] == "X" and event["cat"] == "compute":
            key = event["args"]
            order[event["pid"], key["cluster"], key["round"], key["iteration"]].append(event["name"])
    check(order and all(names == ["F0", "F1", "F2", "B2", "B1", "B0"]
                        for names in order.values()), f"schedule: {list(order.values())[:1]}")


def check_topology(work, data):
    """The own network carries the messages that p2p carries, in another time."""
    found = run(work, "topology", *data, *SMALL, "--compute=analytic", "--pcap",
                "--controller=uniform-pipeline")
    if found is None or not use_program(BUILD, "collapipe-quickstart"):
        return
    check(list(found[1].glob("*-ethernet-*.pcap")), "topology: its captures")
    folder = work / "topology-p2p"
    status, _, err, _ = finish(start(*data, *SMALL, "--compute=analytic", "--topology=p2p",
                                     "--controller=uniform-pipeline", "--compare=none",
                                     f"--outputDir={folder}"))
    check(status == 0, f"p2p: {err}")
    own, other = (json.loads((path / "summary.json").read_text("utf-8"))
                  for path in (found[1], folder))
    for summary in (own, other):
        del summary["messages"]["hello"]  # as many as neighbours call each other at once
    check(own["messages"] == other["messages"], "topology: the messages of a run")
    check(own["totals"]["latency_s"] != other["totals"]["latency_s"], "topology: its own times")


def check_network(work, data):
    """On a network of one's own the queues move, the radios obey, and a run's results are there."""
    options = [option for option in SMALL if not option.startswith("--blocks")]
    found = run(work, "network", *data, *options, "--blocks=4", "--compute=analytic",
                "--energyBudget=0.01")
    if found is None:
        return
    out, folder, _ = found
    changes = re.search(r"^(\d+) changes of shares and powers; (\d+) flows$", out, re.M)
    check(changes and int(changes[1]) > 0 and int(changes[2]) > 5, f"network: radios obey: {out}")
    queues = [float(row["energy_queue"]) for row in read_csv(folder / "budgets.csv") if row["round"] == "2"]
    check(any(queue > 0 for queue in queues), f"network: queues in the second round: {queues}")
    links = read_csv(folder / "links.csv")
    shared = [row for row in links if row["pool"] == "d2d"]
    check(shared and all(0 < float(row["share"]) <= 1 for row in shared), "network: shares")
    check(any(row["measured_snr_db"] for row in shared), "network: the radios' SNR is measured")
    check(any(row["measured_goodput_bps"] for row in links if row["pool"] == "uplink"),
          "network: goodput to the edge server")
    energy = [float(row["wifi_energy_j"]) for row in read_csv(folder / "devices.csv")]
    check(energy and all(joules > 0 for joules in energy), f"network: energy of the radios: {energy}")
    names = {path.name for path in folder.iterdir()}
    check({"rounds.csv", "devices.csv", "links.csv", "control.csv", "clusters.csv", "budgets.csv",
           "summary.json", "timeline.json"} <= names, f"network: files: {sorted(names)}")
    check(list(folder.parent.glob(folder.name + "-radio-*.pcap")), "network: its captures")
    for option in ("--topology=lte", "--devices=3", "--pcap", "--clusterRadius=3"):
        status, _, err, _ = finish(start(*data, *options, option, "--outputDir="))
        check(status == 2 and len(err.strip().splitlines()) == 1 and option.split("=")[0] in err,
              f"network: {option} is refused: {status}: {err}")


def check_task(work):
    """Digits are learnt: the loss falls well below that of guessing."""
    found = run(work, "task", "--topology=p2p", "--rounds=3", "--localIterations=15",
                "--progress=none", "--maxValidation=50")
    if found is None:
        return
    summary = json.loads((found[1] / "summary.json").read_text("utf-8"))
    check("sorted" in summary["data"]["description"] and summary["data"]["vocabulary"] == 14,
          "task: its data")
    losses = [row["validation_loss"] for row in summary["rounds"]]
    check(losses[-1] < 0.85 * summary["initial_validation_loss"] and losses[-1] < 2.3,
          f"task: validation loss {losses} after {summary['initial_validation_loss']}")


def check_family(work):
    """A family of one's own learns, is cut anywhere, takes adapters, and is held to what it says."""
    small = ["--topology=p2p", "--progress=none", "--rounds=2", "--maxPairs=800",
             "--maxValidation=40", "--vocabulary=400", "--model=32x2x64", "--blocks=4", "--devices=2"]
    losses = {}
    for case, options in {"devices": ["--localIterations=12", "--learningRate=0.01"],
                          "edge": ["--localIterations=12", "--learningRate=0.01", "--edgeBlocks=2"],
                          "adapters": ["--localIterations=1", "--lora=3"]}.items():
        found = run(work, "own-family", *small, *options, kind="torch")
        if found is None:
            return
        with open(found[1] / "summary.json", encoding="utf-8") as file:
            summary = json.load(file)
        losses[case] = [row["validation_loss"] for row in summary["rounds"]]
        check(losses[case][-1] < summary["initial_validation_loss"],
              f"family, {case}: validation loss {losses[case]}")
    check(all(abs(left - right) < 1e-4 for left, right in zip(losses["devices"], losses["edge"])),
          f"family: who holds a block changes nothing: {losses}")


def check_sources(source):
    """Examples stay short, and each says in its first comment how to run it."""
    for file in sorted((source / "examples").glob("collapipe-own-*.cc")):
        lines = file.read_text("utf-8").splitlines()
        check(len(lines) <= LONGEST, f"{file.name}: {len(lines)} lines")
        name = file.stem.replace("collapipe-", "")
        check(any(re.match(rf"// +\./collapipe run {name}\b", line) for line in lines[:14]),
              f"{file.name}: says how to run it")


def main():
    global BUILD
    BUILD = sys.argv[1]
    if not use_program(BUILD, "collapipe-quickstart"):
        return 77
    check_sources(pathlib.Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(prefix="collapipe-examples-") as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        check_controller(work, data)
        check_schedule(work, data)
        check_topology(work, data)
        check_network(work, data)
        check_task(work)
        check_family(work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
