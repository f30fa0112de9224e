# SPDX-License-Identifier: GPL-2.0-only
#
# What follows from an instance and a plan's decisions, by doc/collapipe-solve.rst alone.

import math

from support.runs import check

CLOSE = 1e-9  # relative error of what is recomputed


def check_near(value, expected, scale, what):
    return check(abs(value - expected) <= CLOSE * scale, f"{what}: {value}, expected {expected}")


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
        """{(phase, from, to): (bits, messages)}; the control unit's own links carry all that it collects"""
        stages, size, found = chain["stages"], chain["microBatchSize"], {}

        def add(phase, source, target, bits):
            if bits > 0 and source != target:
                key = phase, source, target
                before, messages = found.get(key, (0, 0))
                # Targets beside activations are of the same message
                found[key] = before + bits, max(1, messages + (phase != "training"))

        for stage in stages:
            bits = (self.blocks(stage) * self.model["blockParameterBits"] +
                    stage["embedding"] * self.model["embeddingParameterBits"] +
                    stage["decoder"] * self.model["decoderParameterBits"])
            down = self.model.get("distributedPart", 1) * bits
            carrier = "controlUnit" if collected else stage["node"]
            if stage["node"] != "edgeServer":
                add("distribution", "edgeServer", carrier, down)
                add("upload", carrier, "edgeServer", bits)
                add("distribution", carrier, stage["node"], down)
                add("upload", stage["node"], carrier, bits)
        for here, there in zip(stages, stages[1:]):
            add("training", here["node"], there["node"], size * self.model["activationBits"])
            add("training", there["node"], here["node"], size * self.model["activationBits"])
        if stages[-1]["node"] == "edgeServer":
            add("training", stages[0]["node"], "edgeServer", size * self.model["targetBits"])
        return found

    def transfer(self, m, decision, bits, messages):
        """d, a / r and the sender's energy for one transfer."""
        pool, key, link = self.medium(m, decision["from"], decision["to"])
        wire = math.inf
        if self.is_relayed(m, decision["from"], decision["to"]):
            pool, wire = self.instance["clusters"][m]["d2d"], link["fixedRateBps"]
        bits += messages * link.get("overheadBits", 0)
        if pool["mode"] == "dedicated":
            seconds = bits / link["fixedRateBps"] + messages * link.get("overheadS", 0)
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
        if pool["mode"] == "airtime":
            bits += messages * link.get("overheadS", 0) * rate / share
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
        for key, (bits, messages) in self.payloads(chain, collected).items():
            phase, source, target = key
            if not check(key in decisions, f"no link for {key}"):
                continue
            latency, seconds, joules = self.transfer(m, decisions[key], bits, messages)
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
            distribution, iteration = (max(part[i] for part in parts) for i in range(2))
            own = max(self.iterations * part[1] + part[2] for part in parts)  # each uploads when it has ended
            taus.append(distribution + own)
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
