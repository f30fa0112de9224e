#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""A controller outside the simulator: gives every device encoder blocks in proportion to its speed.

    ./collapipe run --controller="exec:python3 examples/collapipe-exec-controller.py"

A line of JSON with what is known comes in before every round, a line with the plan goes out. What is
left out of a plan has a default: links get equal shares of their medium at full power.
"""

import json
import sys


def cut(devices, blocks, bytes_of_block):
    """How many blocks each device holds: the next one goes where it costs the least time."""
    held = [0] * len(devices)
    for _ in range(blocks):
        able = [k for k, device in enumerate(devices)
                if (held[k] + 1) * bytes_of_block <= device.get("memoryBytes", float("inf"))]
        held[min(able, key=lambda k: (held[k] + 1) / devices[k]["flops"])] += 1
    return held


def decide(state):
    model, pair = state["model"], state["training"]["fixedPair"]
    bytes_of_block = (model["weightCopies"] * model["blockParameterBits"] / 8
                      + model.get("frozenBlockBytes", 0)
                      + pair["count"] * pair["size"] * model["activationBytesPerBlock"])
    clusters = []
    for cluster in state["clusters"]:
        stages, first = [{"node": "controlUnit", "embedding": True, "firstBlock": 0, "lastBlock": 0}], 0
        for device, blocks in enumerate(cut(cluster["devices"], model["blocks"], bytes_of_block)):
            if blocks > 0:
                stages.append({"node": device, "firstBlock": first, "lastBlock": first + blocks})
                first += blocks
        stages.append({"node": "edgeServer", "decoder": True, "firstBlock": first, "lastBlock": first})
        clusters.append({"chains": [{"stages": stages, "microBatches": pair["count"],
                                     "microBatchSize": pair["size"]}]})
    return {"clusters": clusters}


for line in sys.stdin:
    try:
        plan = decide(json.loads(line))
    except ValueError:  # min() of nothing: no device has room for another block
        plan = {"infeasible": "the devices of a cluster do not hold the model together"}
    print(json.dumps(plan), flush=True)
