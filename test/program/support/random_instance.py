# SPDX-License-Identifier: GPL-2.0-only
#
# Random instances as doc/collapipe-solve.rst describes them.

import math
import random


class Maker:
    """A random instance: one to three clusters, every kind of pool, both schedules."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.limits = random.Random(seed + 1)  # apart, so that all else is as it is without them
        self.overheads = random.Random(seed + 2)
        self.states = random.Random(seed + 3)

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
            **self.overhead(pool),
        }

    def overhead(self, pool):
        """What a message takes beside its payload: bits, and time where that is shared out."""
        found = {}
        if self.overheads.random() < 0.3:
            found["overheadBits"] = math.exp(self.overheads.uniform(math.log(1e2), math.log(1e6)))
        if self.overheads.random() < 0.3 and pool["mode"] != "frequency":
            found["overheadS"] = math.exp(self.overheads.uniform(math.log(1e-5), math.log(1e-2)))
        return found

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
                **({"distributedPart": self.states.uniform(0.2, 1)} if self.states.random() < 0.3 else {}),
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
