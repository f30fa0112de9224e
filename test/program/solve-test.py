#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs collapipe-solve as an independent program would use it: recomputes every part of the objective
# from instance and plan by doc/collapipe-solve.rst alone, checks the constraints, and what bad input
# gets. Takes the build directory and the source directory.

import concurrent.futures
import copy
import json
import os
import pathlib
import random
import subprocess
import sys

from support.random_instance import Maker, send_over_control_units, send_through_cell
from support.recomputation import Recomputation
from support.runs import check, report

CONTROLLERS = [
    "dssda", "uniform-pipeline", "static-pipeline", "fedavg", "splitfed", "random",
    "dssda-uniform-segments", "dssda-fixed-micro-batches", "dssda-equal-bandwidth",
    "dssda-max-power", "dssda-full-clock",
]
PLANS_EACH = 2  # instances per controller
ROOMY = "fedavg", "splitfed", "uniform-pipeline", "dssda-uniform-segments"  # need much memory

program = None


def solve(text, *options):
    """Standard input in, exit status, plan (or None) and standard error out."""
    run = subprocess.run([program, *options], input=text, capture_output=True, text=True)
    try:
        return run.returncode, json.loads(run.stdout), run.stderr
    except ValueError:
        return run.returncode, None, run.stderr


def without_time(plan):
    """The plan but for the seconds that it took."""
    plan = copy.deepcopy(plan)
    plan["solver"].pop("seconds", None)
    return plan


def test_plan(controller, seed, path="direct"):
    """@return whether there was a plan, and its objective"""
    instance = Maker(seed).make(roomy=controller in ROOMY)
    instance["training"]["uploadPath"] = path
    # A control unit sends its devices' parts at once, over one reservation in a cell
    if seed % 4 == 3 and path == "direct":
        send_through_cell(instance)
    if seed % 4 == 1:
        send_over_control_units(instance, random.Random(seed))
    what = f"{controller}, instance {seed}, {path}"
    status, plan, errors = solve(json.dumps(instance), f"--controller={controller}")
    if not check(status in (0, 1) and plan is not None, f"{what}: status {status}: {errors}"):
        return False
    check((status == 1) == bool(plan["infeasible"]), f"{what}: status {status} with a plan")
    if status == 1:
        return False
    Recomputation(instance, plan).run(what)
    check(all(path in ("auto", cluster["uploadPath"]) for cluster in plan["clusters"]),
          f"{what}: the path")
    pairs = [(p["count"], p["size"]) for p in instance["training"]["allowedPairs"]]
    for cluster in plan["clusters"]:
        for chain in cluster["chains"] if controller not in ("fedavg", "splitfed") else []:
            check((chain["microBatches"], chain["microBatchSize"]) in pairs, f"{what}: the pair")
    return True


def test_plans(pool):
    tasks = [(controller, 100 * c + i) for c, controller in enumerate(CONTROLLERS)
             for i in range(PLANS_EACH)]
    planned = list(pool.map(lambda task: test_plan(*task), tasks))
    for c, controller in enumerate(CONTROLLERS):
        check(any(planned[PLANS_EACH * c:PLANS_EACH * (c + 1)]), f"{controller} never has a plan")


def test_collected(pool):
    """Control units carry the parameters; where there is none in the chain, nobody can."""
    alone = "fedavg", "splitfed"
    tasks = [(controller, 100 * c + i, "collected") for c, controller in enumerate(CONTROLLERS)
             for i in range(40, 40 + PLANS_EACH)]
    planned = list(pool.map(lambda task: test_plan(*task), tasks))
    for c, controller in enumerate(CONTROLLERS):
        has_plan = any(planned[PLANS_EACH * c:PLANS_EACH * (c + 1)])
        check(has_plan == (controller not in alone), f"{controller} collects: {has_plan}")


def test_auto(pool):
    """Left to the controller, the paths are no worse than either one, and recomputed like these."""
    def solve_all(seed):
        instance, totals = Maker(seed).make(roomy=False), {}
        for path in ("direct", "collected", "auto"):
            instance["training"]["uploadPath"] = path
            status, plan, _ = solve(json.dumps(instance))
            if status == 0:
                totals[path] = Recomputation(instance, plan).run(f"{path}, instance {seed}")
                totals["scale"] = plan["objective"]["latency"]
        return totals
    found = list(pool.map(solve_all, range(4000, 4012)))
    for totals in filter(None, found):
        least = min(totals["direct"], totals["collected"])
        check(totals["auto"] <= least + 1e-5 * totals["scale"], f"auto is worse: {totals}")
    check(sum(bool(totals) for totals in found) > 6, "hardly any plan")


def test_chains(pool):
    """Where chains may begin at devices the plan is no worse, and recomputed like others."""
    def solve_both(seed):
        instance, found = Maker(seed).make(roomy=True), {}
        instance["training"]["mostEdgeBlocks"] = seed % 9
        for there in (False, True):
            instance["training"]["dataOnDevices"] = there
            status, plan, _ = solve(json.dumps(instance))
            if status != 0:
                return {}
            # The time of chains that step together is not a closed form
            if not any(cluster.get("synchronous") for cluster in plan["clusters"]):
                Recomputation(instance, plan).run(f"data on devices: {there}, instance {seed}")
            found[there] = plan["objective"]["total"]
            found["scale"] = plan["objective"]["latency"]
            found["begins"] = any(chain["stages"][0]["node"] != "controlUnit" for cluster in plan["clusters"]
                                  for chain in cluster["chains"])
        return found
    found = list(filter(None, pool.map(solve_both, range(5000, 5016))))
    for totals in found:
        check(totals[True] <= totals[False] + 1e-9 * totals["scale"], f"with data on devices it is worse: {totals}")
    check(sum(totals["begins"] for totals in found) > 4, "hardly any chain begins at a device")


def test_repeats(pool):
    text = json.dumps(Maker(7).make(roomy=False))
    first, second = pool.map(lambda _: solve(text), range(2))
    check(first[0] == 0 and without_time(first[1]) == without_time(second[1]),
          "two runs have two plans")


def change(path, value=None):
    """An instance as text in which one field is another, or gone."""
    instance = Maker(7).make(roomy=False)
    place = instance
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return json.dumps(instance)


BAD = [
    (change(("model", "blocks")), "model.blocks"),
    (change(("clusters", 0, "devices", 1, "flops")), "clusters[0].devices[1].flops"),
    (change(("edge", "flops"), "fast"), "edge.flops"),
    (change(("model", "blocks"), 2.5), "model.blocks"),
    (change(("model", "backwardRatio"), float("nan")), "model.backwardRatio"),
    (change(("clusters", 0, "controlUnit", "downlink", "latencyS"), -1),
     "clusters[0].controlUnit.downlink.latencyS"),
    (change(("clusters", 0, "controlUnit", "downlink", "overheadS"), -1),
     "clusters[0].controlUnit.downlink.overheadS"),
    (change(("model", "distributedPart"), 1.5), "model.distributedPart"),
    (change(("model", "distributedPart"), -1), "model.distributedPart"),
    (change(("training", "allowedPairs", 0, "count"), -2), "training.allowedPairs[0].count"),
    (change(("training", "allowedPairs"), {}), "training.allowedPairs"),
    (change(("training", "uploadPath"), "by mail"), "training.uploadPath"),
    (change(("uplink",), {"mode": "airtime", "bandwidthHz": -1}), "uplink.bandwidthHz"),
    (change(("queues", "energyJ", 0), [1]), "queues.energyJ[0]"),
    (json.dumps(Maker(7).make(roomy=False))[:2000], "clusters[0]"),
    ("", "document"),
]


def test_bad_input(pool):
    for (text, name), (status, _, errors) in zip(BAD, pool.map(lambda b: solve(b[0]), BAD)):
        lines = errors.strip().splitlines()
        check(status == 2, f"bad {name}: status {status}")
        check(len(lines) == 1 and name in errors, f"bad {name}: said {errors!r}")
    negative = change(("uplink",), {"mode": "dedicated"}).replace('"fixedRateBps": ',
                                                                 '"fixedRateBps": -')
    spectrum = json.loads(change(("uplink",), {"mode": "frequency", "bandwidthHz": 1e7}))
    spectrum["clusters"][0]["controlUnit"]["uplink"]["overheadS"] = 1e-3  # no airtime is shared out there
    for text, options, name in [(negative, [], "fixedRateBps"),
                                (json.dumps(spectrum), [], "clusters[0].controlUnit.uplink.overheadS"),
                                (change(("round",), 1), ["--controller=oracle"], "oracle"),
                                ("", ["--instance=/no/such/file"], "/no/such/file")]:
        status, _, errors = solve(text, *options)
        check(status == 2 and len(errors.strip().splitlines()) == 1 and name in errors,
              f"bad {name}: status {status}, said {errors!r}")


def test_infeasible(_):
    instance = Maker(7).make(roomy=False)
    for device in instance["clusters"][0]["devices"]:
        device["memoryBytes"] = 1
    status, plan, _ = solve(json.dumps(instance))
    check(status == 1 and "memory" in plan["infeasible"], f"too little memory: status {status}")


def test_stream(pool):
    """A line each: plans as of a program each, errors in their place, answers as soon as made."""
    good = [json.dumps(Maker(seed).make(roomy=True)) for seed in (7, 8, 9)]
    lines = [good[0], BAD[1][0], "", good[1], "\xff{", good[2]]
    run = subprocess.run([program, "--stream"], input="\n".join(lines), capture_output=True,
                         encoding="latin-1")
    answers = [json.loads(line) for line in run.stdout.splitlines()]
    check(run.returncode == 2, f"a stream with a bad line: status {run.returncode}")
    check(len(answers) == 5, f"{len(answers)} answers to 5 instances")
    alone = list(pool.map(solve, good))
    for place, (status, plan, _) in zip((0, 2, 4), alone):
        check(status == 0 and without_time(plan) == without_time(answers[place]),
              f"instance {place} of a stream has another plan than alone")
    check(answers[1]["error"].startswith("line 2: ") and BAD[1][1] in answers[1]["error"],
          f"the answer to a bad line: {answers[1]}")
    check(answers[3]["error"].startswith("line 5: "), f"the answer to a bad line: {answers[3]}")
    with subprocess.Popen([program, "--stream"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True, bufsize=1) as process:
        for text, (_, plan, _) in zip(good, alone):
            process.stdin.write(text + "\n")
            answer = json.loads(process.stdout.readline())
            check(without_time(answer) == without_time(plan), "an answer in a conversation")
        process.stdin.close()
        check(process.wait() == 0, "the end of a conversation")


def test_stream_status(_):
    starved = Maker(7).make(roomy=False)
    for device in starved["clusters"][0]["devices"]:
        device["memoryBytes"] = 1
    for lines, options, expected in [([], [], 0), ([starved], [], 1), ([], ["--controller=oracle"], 2),
                                     ([starved], ["--output=/dev/full"], 2)]:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        status, _, errors = solve(text, "--stream", *options)
        check(status == expected, f"{len(lines)} lines, {options}: status {status}: {errors}")
        check((status == 2) == (len(errors.splitlines()) == 1), f"{options}: said {errors!r}")
    status, _, errors = solve(json.dumps(Maker(7).make(roomy=True)), "--output=/dev/full")
    check(status == 2 and "full" in errors, f"a full disk: status {status}, said {errors!r}")


def main():
    global program
    program = os.path.join(sys.argv[1], "collapipe-solve")
    if not pathlib.Path(program).exists():
        print("collapipe-solve was not built")
        return 77
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for test in (test_plans, test_collected, test_auto, test_chains, test_repeats, test_bad_input,
                     test_infeasible, test_stream, test_stream_status):
            test(pool)
    return report()


if __name__ == "__main__":
    sys.exit(main())
