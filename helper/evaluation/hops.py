# SPDX-License-Identifier: GPL-2.0-only
"""Hop by hop along the chain of a round: when messages arrived, how long they waited, were computed on
and were under way to the next."""

import collections
import math
import re

import timeline

#: The kinds of timeline.KINDS that a direction is made of: the pass, and what it sends on.
DIRECTIONS = {"activations": (0, 2), "gradients": (1, 3)}


def tabulate(result, number):
    """Head and rows of the cluster that takes longest, and its number; None where nothing is known of it."""
    slices = timeline.get_slices(result) or []
    usual = timeline.choose_iteration(slices, number)
    if not usual:
        return None
    cluster = timeline.find_cluster(usual[0])
    iterations = split_iterations(slices, number, cluster)
    stages = {entry["node"]: entry["stage"] for entry in usual if "stage" in entry}
    nodes = sorted(stages, key=lambda node: stages[node])
    if len(nodes) < 2:
        return None
    header = ["node"]
    for name in DIRECTIONS:
        header += [f"{name} arrive, ms", "wait, ms", "computing, ms", "sending, ms"]
    rows = [[node] + [cell for kinds in DIRECTIONS.values()
                      for cell in write_hop([measure(entries, node, *kinds) for entries in iterations])]
            for node in nodes]
    return header, rows, cluster


def split_iterations(slices, number, cluster):
    """The last attempts at all iterations of a cluster's round, each a list of slices."""
    iterations = collections.defaultdict(list)
    for entry in slices:
        if entry["round"] == number and timeline.find_cluster(entry) == cluster:
            iterations[entry["iteration"]].append(entry)
    return [timeline.get_last_attempt(entries) for entries in iterations.values()]


def measure(entries, node, computing, sending):
    """Of one iteration: arrivals since its start, waiting, computing and sending times at a node, s."""
    start = min(entry["start"] for entry in entries)
    arrivals = collections.defaultdict(list)
    for entry in entries:
        if entry["kind"] == sending and find_receiver(entry) == node:
            arrivals[entry["micro_batch"]].append(timeline.get_end(entry))
    passes = [entry for entry in entries if entry["kind"] == computing and entry["node"] == node]
    # Where several chains end at one node, which of them a pass belongs to cannot be told.
    waits = [entry["start"] - arrivals[entry["micro_batch"]][0] for entry in passes
             if len(arrivals[entry["micro_batch"]]) == 1]
    return ([time - start for times in arrivals.values() for time in times],
            [max(0.0, wait) for wait in waits], [entry["seconds"] for entry in passes],
            [entry["seconds"] for entry in entries if entry["kind"] == sending and entry["node"] == node])


def find_receiver(entry):
    """The node that a message goes to, from the name of its row."""
    match = re.search(r" to (\S+)", entry["row"])
    return match.group(1) if match else None


def write_hop(measured):
    """The cells of a node and a direction: first and last arrival, means of the other times; in ms."""
    firsts = [min(arrivals) for arrivals, *_ in measured if arrivals]
    lasts = [max(arrivals) for arrivals, *_ in measured if arrivals]
    cells = [f"{write(mean(firsts))} to {write(mean(lasts))}" if firsts else "–"]
    for part in range(1, 4):
        cells.append(write(mean([time for parts in measured for time in parts[part]])))
    return cells


def mean(values):
    return sum(values) / len(values) if values else math.nan


def write(seconds):
    return f"{1e3 * round(seconds, 9):.4g}" if math.isfinite(seconds) else "–"
