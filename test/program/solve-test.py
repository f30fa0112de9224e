#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs collapipe-solve as an independent program would use it: recomputes every part of the objective
# from instance and plan by doc/collapipe-solve.rst alone, checks the constraints, and what bad input
# gets. Takes the build directory and the source directory.

import concurrent.futures
import copy
import json
import math
import os
import pathlib
import random
import subprocess
import sys

CONTROLLERS = [
    "dssda", "uniform-pipeline", "static-pipeline", "fedavg", "splitfed", "random",
    "dssda-uniform-segments", "dssda-fixed-micro-batches", "dssda-equal-bandwidth",
    "dssda-max-power", "dssda-full-clock",
]
PLANS_EACH = 2  # instances per controller
ROOMY = "fedavg", "splitfed", "uniform-pipeline", "dssda-uniform-segments"  # need much memory
CLOSE = 1e-9

program = None
failures = 0


def check(condition, what):
    """Says what does not hold, and counts it."""
    global failures
    if not condition:
        failures += 1
        print(f"FAILED: {what}", flush=True)
    return bool(condition)


def check_near(value, expected, scale, what):
    return check(abs(value - expected) <= CLOSE * scale, f"{what}: {value}, expected {expected}")


def solve(text, *options):
    """Standard input in, exit status, plan (or None) and standard error out."""
    run = subprocess.run([program, *options], input=text, capture_output=True, text=True)
    try:
        return run.returncode, json.loads(run.stdout), run.stderr
    except ValueError:
        return run.returncode, None, run.stderr


# ---------------------------------------------------------------- random instances


class Maker:
    """A random instance: one to three clusters, every kind of pool, both schedules."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.limits = random.Random(seed + 1)  # apart, so that all else is as it is without them

    def log(self, low, high):
        return math.exp(self.random.uniform(math.log(low), math.log(high)))

    def chance(self, probability):
        return self.random.random() < probability

    def pool(self):
        mode = self.random.choice(["frequency", "frequency", "airtime", "airtime", "dedicated"])
        return {"mode": mode, "bandwidthHz": self.log(5e6, 8e7)}

    def link(self, pool):
        power, gap, noise = self.log(0.05, 0.5), self.random.uniform(1, 3), self.log(1e-20, 1e-19)
        return {
            "latencyS": self.log(1e-4, 0.1) if self.chance(0.6) else 0,
            "maxPowerW": power,
            "gain": self.log(1, 1000) * gap * noise * pool["bandwidthHz"] / power,
            "efficiency": self.random.uniform(0.4, 0.9),
            "snrGap": gap,
            "noiseDensityWPerHz": noise,
            "fixedRateBps": self.log(5e6, 5e8),
            **({"maxSpectralEfficiency": self.limits.uniform(2, 8)} if self.limits.random() < 0.3 else {}),
        }

    def clocks(self):
        """Nothing, or parts of its clock at which a node can compute."""
        count = self.limits.randint(0, 3)
        return {"clocks": [self.limits.uniform(0.3, 1) for _ in range(count)],
                "staticPart": self.limits.choice([0, self.limits.uniform(0, 0.5)])} if count else {}

    def device(self, instance, bytes_needed):
        return {
            "flops": self.log(1e10, 1e12),
            "overheadS": self.log(1e-4, 1e-2),
            "memoryBytes": bytes_needed * self.log(0.5, 5),
            "computePowerW": self.log(1, 20),
            "energyBudgetJ": self.log(1, 100),
            **self.clocks(),
            "uplink": self.link(instance["uplink"]),
            "downlink": self.link(instance["downlink"]),
        }

    def cluster(self, instance, roomy):
        model, most = instance["model"], instance["training"]["allowedPairs"][-1]
        per_block = (model["weightCopies"] * model["blockParameterBits"] / 8 +
                     most["count"] * most["size"] * model["activationBytesPerBlock"])
        devices = self.random.randint(2, 4)
        needed = per_block * model["blocks"] * (3 if roomy else 1 / devices)
        d2d = self.pool()
        return {
            "weight": self.random.uniform(0.5, 1),
            "controlUnit": self.device(instance, needed),
            "devices": [self.device(instance, needed) for _ in range(devices)],
            "d2d": d2d,
            "d2dLinks": [[self.link(d2d) for _ in range(devices + 1)]
                         for _ in range(devices + 1)],
        }

    def make(self, roomy):
        size = self.random.randint(2, 8)
        counts = range(1, self.random.randint(1, 5) + 1)
        instance = {
            "model": {
                "blocks": self.random.randint(3, 8),
                "blockForwardFlops": self.log(1e8, 3e9),
                "backwardRatio": self.random.uniform(1.5, 2.5),
                "embeddingForwardFlops": self.log(1e5, 1e8),
                "decoderForwardFlops": self.log(1e8, 1e10),
                "activationBits": self.log(1e5, 1e7),
                "targetBits": self.log(1e4, 1e7) if self.chance(0.7) else 0,
                "blockParameterBits": self.log(1e7, 3e8),
                "embeddingParameterBits": self.log(1e7, 3e8),
                "decoderParameterBits": self.log(1e6, 1e8),
                "weightCopies": self.random.choice([2, 3, 4]),
                "activationBytesPerBlock": self.log(1e5, 1e7),
            },
            "training": {
                "localIterations": self.random.randint(1, 8),
                "allowedPairs": [{"count": n, "size": size} for n in counts],
                "schedule": self.random.choice(["gpipe", "1f1b"]),
            },
            "learning": {"stepSize": 0.01, "smoothness": self.log(1, 10),
                         "gradientVariance": self.log(0.1, 10)},
            "edge": {"flops": self.log(1e12, 1e13), "overheadS": self.log(1e-5, 1e-3),
                     "workers": self.random.randint(1, 2)},
            "uplink": self.pool(),
            "downlink": self.pool(),
            "control": {"penaltyWeight": self.log(0.1, 10),
                        "convergenceTarget": self.random.choice([0, self.log(1e-3, 1e-1)])},
        }
        instance["training"]["fixedPair"] = instance["training"]["allowedPairs"][-1]
        instance["clusters"] = [self.cluster(instance, roomy)
                                for _ in range(self.random.randint(1, 3))]
        total = sum(cluster["weight"] for cluster in instance["clusters"])
        for cluster in instance["clusters"]:
            cluster["weight"] /= total
        instance["queues"] = {
            "energyJ": [[self.log(1e-3, 1) if self.chance(0.6) else 0
                         for _ in range(len(cluster["devices"]) + 1)]
                        for cluster in instance["clusters"]],
            "convergence": self.log(1, 1e3),
        }
        return instance


def send_through_cell(instance):
    """All that nodes send, they send over a reserved uplink, with one reservation each."""
    if instance["uplink"]["mode"] == "dedicated":
        instance["uplink"]["mode"] = "frequency"
    # No two links of a node are then active together
    instance["training"]["schedule"], instance["model"]["targetBits"] = "gpipe", 0
    for cluster in instance["clusters"]:
        cluster["d2d"] = dict(instance["uplink"])
        for row in cluster["d2dLinks"]:
            for link in row:
                link["relay"] = "baseStation"


def send_over_control_units(instance, random):
    """Devices reach the edge server over reserved Wi-Fi to their control unit, and a wire."""
    instance["uplink"] = instance["downlink"] = {"mode": "dedicated"}
    instance["training"]["schedule"] = "gpipe"
    for cluster in instance["clusters"]:
        if cluster["d2d"]["mode"] == "dedicated":
            cluster["d2d"]["mode"] = "airtime"
        for number, device in enumerate(cluster["devices"]):
            hops = {"uplink": cluster["d2dLinks"][number + 1][0],
                    "downlink": cluster["d2dLinks"][0][number + 1]}
            for name, hop in hops.items():
                device[name] = {**hop, "relay": "controlUnit", "fixedRateBps": 10 ** random.uniform(6, 9)}


# ---------------------------------------------------------------- the objective, recomputed


class Recomputation:
    """Every number of the plan that follows from instance and decisions."""

    def __init__(self, instance, plan):
        self.instance, self.plan, self.model = instance, plan, instance["model"]
        self.iterations = instance["training"]["localIterations"]
        self.pipelines = sum(chain["stages"][-1]["node"] == "edgeServer"
                             for cluster in plan["clusters"] for chain in cluster["chains"])
        self.shares = {}

    def node(self, m, name):
        cluster = self.instance["clusters"][m]
        return cluster["controlUnit"] if name == "controlUnit" else cluster["devices"][name]

    @staticmethod
    def index(name):
        return 0 if name == "controlUnit" else name + 1

    def medium(self, m, source, target):
        """Pool, its key among all pools, and the link's parameters."""
        instance, cluster = self.instance, self.instance["clusters"][m]
        if target == "edgeServer":
            return instance["uplink"], "uplink", self.node(m, source)["uplink"]
        if source == "edgeServer":
            return instance["downlink"], "downlink", self.node(m, target)["downlink"]
        return (cluster["d2d"], f"d2d {m}",
                cluster["d2dLinks"][self.index(source)][self.index(target)])

    def blocks(self, stage):
        return stage["lastBlock"] - stage["firstBlock"]

    def stage_times(self, m, chain, stage):
        edge = stage["node"] == "edgeServer"
        node = self.instance["edge"] if edge else self.node(m, stage["node"])
        work = (self.blocks(stage) * self.model["blockForwardFlops"] +
                stage["embedding"] * self.model["embeddingForwardFlops"] +
                stage["decoder"] * self.model["decoderForwardFlops"])
        seconds = chain["microBatchSize"] * work / node["flops"]
        slow = (max(1, self.pipelines / self.instance["edge"]["workers"]) if edge
                else 1 / stage.get("clock", 1))
        return (slow * (node["overheadS"] + seconds),
                slow * (node["overheadS"] + self.model["backwardRatio"] * seconds))

    def payloads(self, chain, collected):
        """{(phase, from, to): bits}; the control unit's own links carry the whole of what it collects"""
        stages, size, found = chain["stages"], chain["microBatchSize"], {}

        def add(phase, source, target, bits):
            if bits > 0 and source != target:
                key = phase, source, target
                found[key] = found.get(key, 0) + bits

        for stage in stages:
            bits = (self.blocks(stage) * self.model["blockParameterBits"] +
                    stage["embedding"] * self.model["embeddingParameterBits"] +
                    stage["decoder"] * self.model["decoderParameterBits"])
            carrier = "controlUnit" if collected else stage["node"]
            if stage["node"] != "edgeServer":
                add("distribution", "edgeServer", carrier, bits)
                add("upload", carrier, "edgeServer", bits)
                add("distribution", carrier, stage["node"], bits)
                add("upload", stage["node"], carrier, bits)
        for here, there in zip(stages, stages[1:]):
            add("training", here["node"], there["node"], size * self.model["activationBits"])
            add("training", there["node"], here["node"], size * self.model["activationBits"])
        if stages[-1]["node"] == "edgeServer":
            add("training", stages[0]["node"], "edgeServer", size * self.model["targetBits"])
        return found

    def transfer(self, m, decision, bits):
        """d, a / r and the sender's energy for one transfer."""
        pool, key, link = self.medium(m, decision["from"], decision["to"])
        wire = math.inf
        if self.is_relayed(m, decision["from"], decision["to"]):
            pool, wire = self.instance["clusters"][m]["d2d"], link["fixedRateBps"]
        if pool["mode"] == "dedicated":
            seconds = bits / link["fixedRateBps"]
            return link["latencyS"], seconds, link["maxPowerW"] * seconds
        key, decisions = self.reservation(m, decision, key, link)
        share, band = max(d["share"] for d in decisions), pool["bandwidthHz"]
        power = max(decision["powerW"],
                    *(min(d["powerW"], link["maxPowerW"]) for d in decisions))
        hop = [end if end != "edgeServer" else "controlUnit" for end in
               (decision["from"], decision["to"])]
        holder = ((m, *hop) if key.startswith("d2d") else
                  (m, decision["from"], None if len(decisions) > 1 else decision["to"]))
        self.shares.setdefault((key, decision["phase"]), {})[holder] = share
        width = share * band if pool["mode"] == "frequency" else band
        snr = power * link["gain"] / (link["snrGap"] * link["noiseDensityWPerHz"] * width)
        most = link.get("maxSpectralEfficiency", math.inf)
        rate = link["efficiency"] * share * band * min(most, math.log2(1 + snr))
        check(0 < power <= link["maxPowerW"] * (1 + CLOSE), f"a power of {power} W")
        check(decision["from"] != "edgeServer" or math.isclose(power, link["maxPowerW"]),
              "the edge server does not send with full power")
        duty = 1 if pool["mode"] == "frequency" else share
        return link["latencyS"], bits / min(rate, wire), power * duty * bits / rate

    def is_relayed(self, m, source, target):
        """Whether a control unit relays a link between a wire and a reserved medium."""
        pool, _, link = self.medium(m, source, target)
        return pool["mode"] == "dedicated" and link.get("relay") == "controlUnit"

    def reservation(self, m, decision, key, link):
        """The pool of whose budget a link's share is, and all links that have it in turn."""
        def is_in_cell(other):
            ends = other["from"], other["to"]
            relay = "edgeServer" not in ends and self.medium(m, *ends)[2].get("relay")
            return ends[1] == "edgeServer" or relay == "baseStation"

        def hop(one):
            return [end if end != "edgeServer" else "controlUnit"
                    for end in (one["from"], one["to"])]

        if key.startswith("d2d") or self.is_relayed(m, decision["from"], decision["to"]):
            if not any(self.is_relayed(m, *ends) for ends in
                       ((d, "edgeServer") for d in range(len(self.instance["clusters"][m]["devices"])))):
                return key, [decision]
            return f"d2d {m}", [other for other in self.plan["clusters"][m]["links"]
                                if other["phase"] == decision["phase"] and "share" in other and
                                hop(other) == hop(decision)]
        cells = "baseStation" in (link.get("relay") for row in
                                  self.instance["clusters"][m]["d2dLinks"] for link in row)
        if not cells or not is_in_cell(decision):
            return key, [decision]
        return "uplink", [other for other in self.plan["clusters"][m]["links"]
                          if other["phase"] == decision["phase"] and "share" in other and
                          other["from"] == decision["from"] and is_in_cell(other)]

    def iteration(self, chain, computes, links, targets):
        """The longest path through the task graph, task by task."""
        count, stages = chain["microBatches"], len(computes)
        orders = []
        for s in range(1, stages + 1):
            if self.plan["schedule"] == "gpipe":
                warm_up = count
            else:
                warm_up = min(count, stages - s)
            order = [("F", i) for i in range(warm_up)]
            for i in range(count):
                if warm_up + i < count:
                    order.append(("F", warm_up + i))
                order.append(("B", i))
            orders.append(order)
        arrived = {("F", 0, i): 0 for i in range(count)}
        if targets:
            waits = {i: targets[0] + (i + 1) * targets[1] for i in range(count)}
        link_free, free, done = {}, [0] * stages, [0] * stages
        while any(done[s] < len(orders[s]) for s in range(stages)):
            before = list(done)
            for s in range(stages):
                while done[s] < len(orders[s]) and (orders[s][done[s]][0], s,
                                                    orders[s][done[s]][1]) in arrived:
                    kind, i = orders[s][done[s]]
                    start = max(free[s], arrived[kind, s, i])
                    if kind == "F" and s == stages - 1 and targets:
                        start = max(start, waits[i])
                    free[s] = start + computes[s][kind == "B"]
                    done[s] += 1
                    if kind == "F" and s == stages - 1:
                        arrived["B", s, i] = free[s]
                    other = s + 1 if kind == "F" else s - 1
                    if 0 <= other < stages:
                        latency, seconds = links.get((s, other), (0, 0))
                        begin = max(free[s], link_free.get((s, other), 0))
                        link_free[s, other] = begin + seconds
                        arrived[kind, other, i] = begin + seconds + latency
            assert before != done, "the schedule does not end"
        return max(free)

    def chain(self, m, chain, energy):
        """tau_dist, tau_iter and the upload of one chain; adds the nodes' energies."""
        cluster = self.plan["clusters"][m]
        decisions = {(d["phase"], d["from"], d["to"]): d for d in cluster["links"]}
        place = {stage["node"]: s for s, stage in enumerate(chain["stages"])}
        computes = [self.stage_times(m, chain, stage) for stage in chain["stages"]]
        times = self.iterations * chain["microBatches"]
        for stage, (forward, backward) in zip(chain["stages"], computes):
            if stage["node"] != "edgeServer":
                node, clock = self.node(m, stage["node"]), stage.get("clock", 1)
                check(clock in [1, *node.get("clocks", [])], f"a clock of its own, not {clock}")
                fixed = node.get("staticPart", 0)
                power = node["computePowerW"] * (fixed + (1 - fixed) * clock ** 3)
                energy[self.index(stage["node"])] += times * (forward + backward) * power
        slowest, whole = {"distribution": 0, "upload": 0}, {"distribution": 0, "upload": 0}
        links, targets, collected = {}, None, cluster["uploadPath"] == "collected"
        for key, bits in self.payloads(chain, collected).items():
            phase, source, target = key
            if not check(key in decisions, f"no link for {key}"):
                continue
            latency, seconds, joules = self.transfer(m, decisions[key], bits)
            check_near(decisions[key]["occupationS"], seconds, seconds, "a transfer's occupation")
            if source != "edgeServer":
                joules *= times if phase == "training" else 1
                energy[self.index(source)] += joules
            if phase != "training" and collected and "edgeServer" in (source, target):
                whole[phase] = latency + seconds
            elif phase != "training":
                slowest[phase] = max(slowest[phase], latency + seconds)
            elif abs(place[source] - place[target]) > 1:
                targets = latency, seconds
            else:
                links[place[source], place[target]] = latency, seconds
        return (slowest["distribution"] + whole["distribution"],
                self.iteration(chain, computes, links, targets),
                slowest["upload"] + whole["upload"])

    def check_memory(self, m, chain):
        stages = chain["stages"]
        for s, stage in enumerate(stages, 1):
            if stage["node"] in ("controlUnit", "edgeServer"):
                continue
            live = chain["microBatches"]
            if self.plan["schedule"] == "1f1b":
                live = min(live, len(stages) - s + 1)
            used = self.blocks(stage) * (
                self.model["weightCopies"] * self.model["blockParameterBits"] / 8 +
                live * chain["microBatchSize"] * self.model["activationBytesPerBlock"])
            check(used <= self.node(m, stage["node"])["memoryBytes"] * (1 + CLOSE),
                  f"a device holds {used} bytes")

    def check_blocks(self, chain):
        place = 0
        for stage in chain["stages"]:
            check(stage["firstBlock"] == place, "the blocks are not in order")
            place = stage["lastBlock"]
        check(place == self.model["blocks"], "the blocks are not all placed")

    def phi(self):
        learning, phi = self.instance["learning"], 0
        eta_l = learning["stepSize"] * learning["smoothness"]
        for m, cluster in enumerate(self.plan["clusters"]):
            rho = self.instance["clusters"][m]["weight"]
            n = sum(c["microBatches"] * c["microBatchSize"] for c in cluster["chains"])
            phi += 4 * eta_l * learning["gradientVariance"] * rho ** 2 / n
            phi += 10 * eta_l ** 2 * self.iterations * learning["gradientVariance"] * rho / n
        return phi

    def run(self, what):
        """Checks all that the plan says."""
        taus, energy_term = [], 0
        for m, cluster in enumerate(self.plan["clusters"]):
            queues = self.instance["queues"]["energyJ"][m]
            energy = [0.0] * len(queues)
            parts = [self.chain(m, chain, energy) for chain in cluster["chains"]]
            for chain in cluster["chains"]:
                self.check_blocks(chain)
                self.check_memory(m, chain)
            distribution, iteration, upload = (max(part[i] for part in parts) for i in range(3))
            taus.append(distribution + self.iterations * iteration + upload)
            check_near(cluster["iterationS"], iteration, iteration, f"{what}: tau_iter of {m}")
            check_near(cluster["totalS"], taus[m], taus[m], f"{what}: tau_m of {m}")
            for k, joules in enumerate(energy):
                check_near(cluster["nodes"][k]["energyJ"], joules, 1 + joules,
                           f"{what}: energy of node {k} of {m}")
                budget = self.node(m, "controlUnit" if k == 0 else k - 1)["energyBudgetJ"]
                energy_term += queues[k] * (joules - budget)
        for key, shares in self.shares.items():
            check(sum(shares.values()) <= 1 + CLOSE,
                  f"{what}: the shares of {key} sum to {sum(shares.values())}")
        control = self.instance["control"]
        goal, phi = control["convergenceTarget"], self.phi()
        convergence = self.instance["queues"]["convergence"] * (phi - goal) if goal > 0 else 0
        latency = control["penaltyWeight"] * max(taus)
        scale = latency + abs(energy_term) + abs(convergence)
        total = latency + energy_term + convergence
        check_near(self.plan["objective"]["total"], total, scale, f"{what}: the objective")
        check_near(self.plan["objective"]["latency"], latency, scale, f"{what}: V tau")
        check_near(self.plan["objective"]["energy"], energy_term, scale, f"{what}: its energies")
        check_near(self.plan["phi"], phi, phi, f"{what}: phi")
        return total


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
    for text, options, name in [(negative, [], "fixedRateBps"),
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
        for test in (test_plans, test_collected, test_auto, test_repeats, test_bad_input, test_infeasible,
                     test_stream, test_stream_status):
            test(pool)
    print(f"{failures} failures")
    return failures > 0


if __name__ == "__main__":
    sys.exit(main())
