# SPDX-License-Identifier: GPL-2.0-only
"""The pipeline of a round as a Gantt chart, from timeline.json (Chrome trace format)."""

import collections
import json
import re

import results
import style

#: What is drawn: first letters of a slice's name, its colour and its name in the legend.
KINDS = [("F", "s1", "forward"), ("B", "s3", "backward"), ("activation", "s2", "activations sent"),
         ("gradient", "s4", "gradients sent")]


def read(path):
    """Slices of training, with the node and the kind of each: a list of dictionaries."""
    try:
        with open(path, encoding="utf-8") as file:
            return read_events(json.load(file))
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # no JSON, or other JSON
        raise results.ResultError(f"{path} is damaged: {error!r}; remove it to have the report "
                                  "without the pipeline's chart") from error


def read_events(trace):
    """As read(), from what the file holds."""
    events = trace["traceEvents"] if isinstance(trace, dict) else trace
    nodes, rows, slices = {}, {}, []
    for event in events:
        if event["ph"] == "M" and event["name"] == "process_name":
            nodes[event["pid"]] = event["args"]["name"].split(":")[0]
        elif event["ph"] == "M" and event["name"] == "thread_name":
            rows[event["pid"], event["tid"]] = event["args"]["name"]
        elif event["ph"] == "X" and "iteration" in event.get("args", {}):
            slices.append(event)
    return [{**event["args"], "name": event["name"], "kind": find_kind(event["name"]),
             "compute": event["cat"] == "compute", "node": nodes.get(event["pid"], "?"),
             "row": rows.get((event["pid"], event["tid"]), ""), "start": event["ts"] / 1e6,
             "seconds": event["dur"] / 1e6}
            for event in slices if find_kind(event["name"]) is not None]


def find_kind(name):
    word = re.match(r"[A-Za-z]+", name)
    return next((i for i, kind in enumerate(KINDS) if word and word.group() == kind[0]), None)


def find_cluster(entry):
    """The cluster that a slice belongs to, from its own fields or from who sends to whom."""
    if "cluster" in entry:
        return entry["cluster"]
    match = re.search(r"\bc(\d+)-", entry["node"] + " " + entry["row"])
    return int(match.group(1)) if match else None


def choose(slices, number):
    """One iteration of the pipeline of the cluster that takes longest for it."""
    iterations = sorted({entry["iteration"] for entry in slices if entry["round"] == number})
    if not iterations:
        return []
    iteration = iterations[min(1, len(iterations) - 1)]  # the first begins before all are ready
    clusters = collections.defaultdict(list)
    for entry in slices:
        if entry["round"] == number and entry["iteration"] == iteration:
            clusters[find_cluster(entry)].append(entry)
    clusters.pop(None, None)
    return max(clusters.values(), key=lambda group: max(e["start"] + e["seconds"] for e in group) -
               min(e["start"] for e in group), default=[])


def draw(result, number):
    """(name, figure, caption, wide) of a round, or None where there is no timeline of it."""
    path = result.folder / "timeline.json"
    if not path.exists():
        return None
    chosen = choose(read(path), number)
    if not chosen:
        return None
    stages = {entry["node"]: entry["stage"] for entry in chosen if "stage" in entry}
    order = sorted(stages, key=lambda node: stages[node])
    chosen = [entry for entry in chosen if entry["node"] in stages]
    lanes = [(node, compute) for node in order for compute in (True, False)
             if any(e["node"] == node and e["compute"] == compute for e in chosen)]
    start = min(entry["start"] for entry in chosen)
    figure, axes = style.new(0.9 + 0.24 * len(lanes), 2 * style.WIDTH)
    for kind, (_, colour, label) in enumerate(KINDS):
        for i, lane in enumerate(lanes):
            bars = [(1e3 * (e["start"] - start), 1e3 * e["seconds"]) for e in chosen
                    if (e["node"], e["compute"]) == lane and e["kind"] == kind]
            if bars:
                axes.broken_barh(bars, (i - 0.4, 0.8), facecolor=style.LIGHT[colour], alpha=0.75,
                                 edgecolor=style.LIGHT["ink"], linewidth=0.25)
        axes.broken_barh([], (0, 0), facecolor=style.LIGHT[colour], label=label)
    axes.set_yticks(range(len(lanes)),
                    [f"{node} {'computes' if compute else 'sends'}" for node, compute in lanes])
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("time in the iteration, ms")
    style.add_legend(axes)
    return "pipeline", figure, (
        f"One iteration of round {number} in the cluster that took longest: every micro-batch "
        "forward to the edge server and back. A message is being sent until it has arrived. The "
        "whole run is in timeline.json, which opens in ui.perfetto.dev."), True
