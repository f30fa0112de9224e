#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in which devices' batteries become empty: the run goes on without them, or ends in good order;
# and in which devices slow down to keep to a budget.
# Takes the build directory and the source directory.

import pathlib
import sys
import tempfile

from support.runs import check, finish, near, read_csv, report, start, use_program, write_corpus

BLOCKS = 4
SMALL = [
    "--clusters=1", "--devices=4", "--localIterations=1", f"--blocks={BLOCKS}", "--microBatches=2",
    "--microBatchSize=4", "--vocabulary=300", "--maxValidation=20", "--progress=none",
    "--compute=analytic", "--compare=none", "--memoryShare=0",
]


def train(folder, *options):
    """Rows of devices.csv and what the run said; None where it failed."""
    status, _, err, _ = finish(start(*SMALL, f"--outputDir={folder}", *options))
    if not check(status == 0, f"{folder.name} {' '.join(options)}: status {status}: {err}"):
        return None, err
    return read_csv(folder / "devices.csv"), err


def check_rows(name, rows, battery):
    """Nobody works with an empty battery, and batteries lose what their devices consumed."""
    left = {}
    for row in rows:
        node = int(row["node"])
        drawn = sum(float(row[key]) for key in ("compute_energy_j", "wifi_energy_j",
                                                "lte_energy_j"))
        if node == 0:
            check(row["battery_j"] == "inf", f"{name}: the control unit has no battery")
            continue
        at = f"{name}, round {row['round']}, device {node - 1}"
        before = left.get(node)
        left[node] = float(row["battery_j"])
        if before is not None and before <= 0:
            check(int(row["stage"]) == -1, f"{at}: out of the plan")
            check(drawn < 1e-6, f"{at}: consumes nothing")
        elif before is not None and left[node] > 0:
            check(near(before - left[node], drawn, 1e-4), f"{at}: the battery lost {drawn} J")
        check(0 <= left[node] <= battery, f"{at}: {left[node]} J left")
    for number in {row["round"] for row in rows}:
        blocks = sum(int(row["last_block"]) - int(row["first_block"]) for row in rows
                     if row["round"] == number and int(row["stage"]) > 0)
        check(blocks == BLOCKS, f"{name}: round {number} has the whole encoder")
    return left


def check_controller(work, data, controller):
    options = [*data, f"--controller={controller}", "--topology=p2p"]
    rows, _ = train(work / f"{controller}-mains", *options, "--rounds=1")
    if rows is None:
        return
    spent = sorted(float(row["compute_energy_j"]) for row in rows if int(row["node"]) > 0)
    check(spent[-1] > 0, f"{controller}: computing costs energy")
    # The most demanding device lasts into its second round
    battery = 1.5 * spent[-1]
    name = f"{controller}-battery"
    rows, err = train(work / name, *options, "--rounds=4", f"--battery={battery}")
    if rows is None:
        return
    left = check_rows(name, rows, battery)
    check(min(left.values()) <= 0, f"{name}: a battery became empty")
    check("the battery of c" in err, f"{name}: the user is told by its name")
    last = max(int(row["round"]) for row in rows)
    check(last == 4 or "the run ended after round" in err, f"{name}: {last} rounds")


def check_clocks(work, data):
    """Under a tight budget devices slow down, for the energy that their clocks take."""
    power, fixed = 8, 0.2
    options = [*data, "--topology=p2p", "--rounds=6",
               f"--deviceProfiles=flops=2e10:memory=1e10:power={power}:clocks=0.5/0.75:staticPart={fixed}"]
    rows, _ = train(work / "clocks-free", *options)
    if rows is None:
        return
    check(all(float(row["clock"]) == 1 for row in rows), "no budget: full clocks")
    budget = 0.5 * max(float(row["compute_energy_j"]) for row in rows)
    energy = {}
    for controller in ("dssda", "dssda-full-clock"):
        rows, _ = train(work / f"clocks-{controller}", *options, f"--energyBudget={budget}",
                        f"--controller={controller}")
        if rows is None:
            return
        slow = [row for row in rows if float(row["clock"]) < 1]
        check(bool(slow) == (controller == "dssda"), f"{controller}: {len(slow)} slow rows")
        for row in rows:
            clock, seconds = float(row["clock"]), float(row["compute_s"])
            check(clock in (1, 0.5, 0.75), f"{controller}: clock {clock}")
            wanted = power * (fixed + (1 - fixed) * clock ** 3) * seconds
            check(near(float(row["compute_energy_j"]), wanted, 1e-6),
                  f"{controller}: {row['compute_energy_j']} J for {wanted}")
        energy[controller] = sum(float(row["compute_energy_j"]) for row in rows)
    check(energy["dssda"] < 0.99 * energy["dssda-full-clock"], f"energy is saved: {energy}")


def check_plans(work, data):
    """What radios and processors of devices are planned to take is what they take: (7') with the constants
    that the energy models charge, and with what rounds before have told. Medians over all that train."""
    for topology, bound in (("wifi", 0.02), ("hybrid", 0.04), ("lte", 0.1)):
        folder = work / f"planned-{topology}"
        rows, _ = train(folder, *data, f"--topology={topology}", "--rounds=6", "--energyBudget=1000")
        if rows is None:
            return
        taken = {(row["round"], row["cluster"], row["node"]): float(row["active_energy_j"])
                 for row in rows}
        errors = []
        for row in read_csv(folder / "budgets.csv"):
            planned = float(row["planned_compute_energy_j"]) + float(row["planned_radio_energy_j"])
            key = (row["round"], row["cluster"], row["node"])
            if row["node"] != "0" and int(row["round"]) > 1 and planned > 0.05 * max(taken.values()):
                errors.append(abs(planned / taken[key] - 1))
        median = sorted(errors)[len(errors) // 2] if errors else None
        check(median is not None and median < bound,
              f"{topology}: planned energy is off by {median} in the median of {len(errors)}")


def check_all_empty(work, data, topology, battery, rounds):
    name = f"empty-{topology}"
    rows, err = train(work / name, *data, f"--topology={topology}",
                      f"--rounds={rounds}", f"--battery={battery}")
    if rows is not None:
        check(max(int(row["round"]) for row in rows) < rounds, f"{name}: the run ended early")
        check("the run ended after round" in err, f"{name}: and says so")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 1
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data, _ = write_corpus(work / "corpus")
        for controller in ("dssda", "uniform-pipeline", "static-pipeline"):
            check_controller(work, data, controller)
        check_clocks(work, data)
        check_plans(work, data)
        check_all_empty(work, data, "p2p", 0.001, 3)
        # Idle radios empty it as well, but not before the first round
        check_all_empty(work, data, "wifi", 1, 30)
    return report()


if __name__ == "__main__":
    sys.exit(main())
