# SPDX-License-Identifier: GPL-2.0-only
"""What timeline.json or timeline.json.gz (Chrome trace format) holds of training: passes, activations
and gradients."""

import collections
import gzip
import json
import re
import zlib

import results

#: What is read: the words that slices' names begin with, and what they are called.
KINDS = [("F", "forward"), ("B", "backward"), ("activation", "activations sent"), ("gradient", "gradients sent")]


def get_slices(result):
    """The slices of a run, read once; None where it left no timeline."""
    path = find(result.folder)
    if result.slices is None and path is not None:
        result.slices = read(path)
    return result.slices


def find(folder):
    """The timeline's file, compressed or not; None where there is none."""
    paths = [folder / "timeline.json", folder / "timeline.json.gz"]
    return next((path for path in paths if path.exists()), None)


def read(path):
    """Slices of training, with the node and the kind of each: a list of dictionaries."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
            return read_events(json.load(file))
    # no JSON, or other JSON; not compressed, or not to its end
    except (ValueError, KeyError, TypeError, AttributeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
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


def get_end(entry):
    return entry["start"] + entry["seconds"]


def group_by_cluster(slices):
    """Slices by cluster, without those that are of none."""
    clusters = collections.defaultdict(list)
    for entry in slices:
        clusters[find_cluster(entry)].append(entry)
    clusters.pop(None, None)
    return clusters


def get_last_attempt(slices):
    """Those of an iteration's slices that count: after a failure it was begun anew."""
    begins = [entry["start"] for entry in slices
              if entry["compute"] and entry["kind"] == 0 and entry.get("stage") == 0 and
              entry.get("micro_batch") == 0]
    first = max(begins, default=-1)
    return [entry for entry in slices if entry["start"] >= first]


def choose_iteration(slices, number):
    """One iteration of a round, of the cluster that takes longest for it."""
    iterations = sorted({entry["iteration"] for entry in slices if entry["round"] == number})
    if not iterations:
        return []
    iteration = iterations[min(1, len(iterations) - 1)]  # the first begins before all are ready
    clusters = group_by_cluster(entry for entry in slices
                                if entry["round"] == number and entry["iteration"] == iteration)
    attempts = [get_last_attempt(group) for group in clusters.values()]
    return max(attempts, key=get_length, default=[])


def get_length(slices):
    """The time from the first slice's start to the last one's end, s."""
    return max(map(get_end, slices)) - min(entry["start"] for entry in slices)
