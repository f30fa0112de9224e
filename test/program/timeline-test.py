#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Checks timeline.json: its form (Chrome's trace event format), and that what it shows is what
# happened: its intervals give the latencies of rounds.csv, to the last digit. Takes the build
# directory.

import collections
import decimal
import gzip
import itertools
import json
import pathlib
import random
import sys
import tempfile

from support.runs import (check, finish, near, read_csv, report, start, use_program, write_corpus)

MICROSECONDS = decimal.Decimal(1000000)
MAX_POWER_W = 10 ** ((23 - 30) / 10)  # 23 dBm, of a UE; Wi-Fi has less
CSV_DIGITS = decimal.Context(prec=12)

# By kind of event: the members it must have beside ph and name.
MEMBERS = {
    "X": {"cat", "ts", "dur", "pid", "tid", "args"},
    "s": {"cat", "ts", "pid", "tid", "id"},
    "f": {"cat", "ts", "pid", "tid", "id", "bp"},
    "C": {"ts", "pid", "tid", "args"},
    "M": {"pid", "tid", "args"},
    "i": {"ts", "pid", "tid", "s"},
}


def run(folder, data, *options):
    """A run that must succeed: its timeline's events and its folder, or None."""
    status, _, err, _ = finish(start(*data, f"--outputDir={folder}", "--compare=none",
                                     "--progress=none", "--vocabulary=300", "--maxValidation=10",
                                     *options))
    if not check(status == 0, f"{folder.name} {' '.join(options)}: status {status}: {err}"):
        return None
    with open(folder / "timeline.json", encoding="utf-8") as file:
        return json.load(file, parse_float=decimal.Decimal)


def seconds(microseconds):
    """As rounds.csv would have it."""
    return str(CSV_DIGITS.plus(decimal.Decimal(microseconds) / MICROSECONDS).normalize())


def same(left, right):
    return decimal.Decimal(left) == decimal.Decimal(right)


class Trace:
    """A timeline, sorted out."""

    def __init__(self, timeline):
        self.events = timeline["traceEvents"]
        self.notes = timeline["otherData"]
        self.processes = {event["pid"]: event["args"]["name"].split(":")[0]
                          for event in self.events if event["name"] == "process_name"}
        self.tracks = {(event["pid"], event["tid"]): event["args"]["name"]
                       for event in self.events if event["name"] == "thread_name"}
        self.slices = collections.defaultdict(list)
        for event in self.events:
            if event["ph"] == "X":
                self.slices[event["cat"]].append(event)

    def process(self, event):
        return self.processes[event["pid"]]

    def counter(self, process, name, series):
        """Times and values."""
        return [(event["ts"], float(event["args"][series])) for event in self.events
                if event["ph"] == "C" and self.process(event) == process and
                event["name"] == name and series in event["args"]]


# ---------------------------------------------------------------- form


def check_form(name, timeline):
    check(timeline["displayTimeUnit"] == "ms", f"{name}: unit")
    wrong = collections.Counter()
    trace = Trace(timeline)
    for event in trace.events:
        kind = event.get("ph")
        wrong["unknown kind"] += kind not in MEMBERS
        missing = MEMBERS.get(kind, set()) - set(event)
        wrong[f"{kind} without {missing}"] += bool(missing)
        wrong["name"] += not isinstance(event.get("name"), str) or not event["name"]
        wrong["negative time"] += event.get("ts", 0) < 0 or event.get("dur", 0) < 0
        wrong["no whole number"] += not all(isinstance(event.get(key, 0), int)
                                            for key in ("pid", "tid", "id"))
        if kind == "C":
            wrong["counter"] += not event["args"] or not all(
                isinstance(value, (int, decimal.Decimal)) for value in event["args"].values())
        if kind in "XsfC":
            wrong["nameless process"] += event["pid"] not in trace.processes
        if kind in "Xsf":
            wrong["nameless track"] += (event["pid"], event["tid"]) not in trace.tracks
    check(not +wrong, f"{name}: form: {dict(+wrong)}")
    check(len(set(trace.processes.values())) == len(trace.processes), f"{name}: names are unique")
    return trace


def check_rows(name, trace):
    """On one row nothing overlaps."""
    rows = collections.defaultdict(list)
    for event in itertools.chain(*trace.slices.values()):
        rows[event["pid"], event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for row, spans in rows.items():
        spans.sort()
        overlaps = sum(left[1] > right[0] for left, right in zip(spans, spans[1:]))
        check(overlaps == 0, f"{name}: {overlaps} overlaps on {trace.tracks[row]}")


def check_arrows(name, trace):
    """Every message has one arrow, from where it was sent to where it was received."""
    begins = {category: collections.Counter((event["pid"], event["tid"], event["ts"])
                                            for event in trace.slices[category])
              for category in ("send", "receive")}
    ends = collections.defaultdict(dict)
    for event in trace.events:
        if event["ph"] in "sf":
            check(event["ph"] not in ends[event["id"]], f"{name}: arrow {event['id']} once")
            ends[event["id"]][event["ph"]] = event
    loose = backwards = 0
    for arrow in ends.values():
        if set(arrow) != {"s", "f"}:
            loose += 1
            continue
        backwards += arrow["f"]["ts"] < arrow["s"]["ts"]
        for kind, category in (("s", "send"), ("f", "receive")):
            event = arrow[kind]
            loose += begins[category][event["pid"], event["tid"], event["ts"]] == 0
    check(loose == 0 and backwards == 0, f"{name}: {loose} arrows loose, {backwards} backwards")
    check(len(ends) == len(trace.slices["send"]) == len(trace.slices["receive"]),
          f"{name}: an arrow for every message")


# ---------------------------------------------------------------- what happened


def check_rounds(name, trace, folder):
    rows = read_csv(folder / "rounds.csv")
    rounds = trace.slices["round"]
    check(len(rounds) == len(rows), f"{name}: {len(rounds)} rounds of {len(rows)}")
    for event, row in zip(rounds, rows):
        what = f"{name}: round {row['round']}"
        check(same(seconds(event["ts"]), row["start_s"]), f"{what}: start")
        check(same(seconds(event["dur"]), row["latency_s"]),
              f"{what}: latency {seconds(event['dur'])}, not {row['latency_s']}")
        mine = [message for category in ("send", "receive") for message in trace.slices[category]
                if event["ts"] <= message["ts"] and
                message["ts"] + message["dur"] <= event["ts"] + event["dur"]]
        begin = min(message["ts"] for message in mine)
        end = max(message["ts"] + message["dur"] for message in mine)
        check(same(seconds(end - begin), row["latency_s"]),
              f"{what}: messages span {seconds(end - begin)}, not {row['latency_s']}")
        phases = collections.defaultdict(dict)
        for phase in trace.slices["phase"]:
            if phase["args"]["round"] == event["args"]["round"]:
                phases[phase["tid"]][phase["name"]] = phase
        last = max(phases.values(),
                   key=lambda cluster: cluster["upload"]["ts"] + cluster["upload"]["dur"])
        for part in ("report", "distribution", "training", "upload"):
            check(same(seconds(last[part]["dur"]), row[f"{part}_s"]),
                  f"{what}: {part} {seconds(last[part]['dur'])}, not {row[part + '_s']}")


def node_name(row):
    cluster, node = int(row["cluster"]), int(row["node"])
    return f"c{cluster}-cu" if node == 0 else f"c{cluster}-d{node - 1}"


def check_computing(name, trace, folder):
    busy = collections.Counter()
    for event in trace.slices["compute"]:
        busy[event["args"]["round"], trace.process(event)] += event["dur"]
    for row in read_csv(folder / "devices.csv"):
        time = busy[int(row["round"]), node_name(row)]
        check(near(float(time) / 1e6, float(row["compute_s"])),
              f"{name}: {node_name(row)} computes {row['compute_s']} s, shown {time} us")
        peak = max((value for _, value in
                    trace.counter(node_name(row), "memory (bytes)", "model")), default=0)
        check(peak >= float(row["planned_memory_bytes"]) * (1 - 1e-9),
              f"{name}: {node_name(row)} holds up to {peak} bytes, planned were "
              f"{row['planned_memory_bytes']}")
    for process in trace.processes.values():
        planned = [float(row["planned_memory_bytes"]) for row in read_csv(folder / "devices.csv")
                   if node_name(row) == process]
        peak = max((value for _, value in trace.counter(process, "memory (bytes)", "model")),
                   default=0)
        check(not planned or near(peak, max(planned)), f"{name}: {process}: peak memory {peak}")


def check_messages(name, trace, folder):
    with open(folder / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    shown = collections.Counter(event["name"].split(" ")[0] for event in trace.slices["send"])
    check(shown == collections.Counter(summary["messages"]),
          f"{name}: messages {dict(shown)}, not {summary['messages']}")
    check(sum(event["args"]["bytes"] for event in trace.slices["send"]) == summary["bytes_sent"],
          f"{name}: bytes of all messages")
    # A pass begins once its input has been received.
    arrived = {}
    for event in trace.slices["send"]:
        key = event["args"]
        if "micro_batch" in key:
            kind = event["name"].split(" ")[0]
            peer = trace.tracks[event["pid"], event["tid"]].split()[2]
            arrived[kind, peer, key["round"], key["iteration"], key["micro_batch"]] = \
                event["ts"] + event["dur"]
    early = missing = 0
    for event in trace.slices["compute"]:
        key = event["args"]
        is_forward = event["name"][0] == "F"
        process = trace.process(event)
        if process == "es" and not is_forward or key["stage"] == 0 and is_forward:
            continue
        if process == "es":
            continue  # one edge server serves several clusters: the key is not unique
        time = arrived.get(("activation" if is_forward else "gradient", process, key["round"],
                            key["iteration"], key["micro_batch"]))
        missing += time is None
        early += time is not None and event["ts"] < time
    check(early == 0 and missing == 0,
          f"{name}: {early} passes before their input, {missing} without")


def check_counters(name, trace, rounds, budget):
    """Queues follow (12) from the energy shown; shares and powers are possible."""
    for process in trace.processes.values():
        if "-d" not in process:
            continue  # only devices have a budget
        spent = dict(trace.counter(process, "energy (J)", "spent"))
        queue = dict(trace.counter(process, "virtual queue (budgets)", "energy"))
        total = expected = shown = 0.0
        for event in rounds:
            end = event["ts"] + event["dur"]
            now = spent.get(end, total)
            expected = max(0.0, expected + (now - total) / budget - 1)
            total = now
            shown = queue.get(end, shown)
            check(near(shown, expected, 1e-6),
                  f"{name}: {process}: queue {shown} after {event['name']}, not {expected}")
    shares = [float(value) for event in trace.events
              if event["ph"] == "C" and event["name"] == "share"
              for value in event["args"].values()]
    powers = [float(value) for event in trace.events
              if event["ph"] == "C" and event["name"] == "power (W)"
              for value in event["args"].values()]
    check(shares and all(0 <= share <= 1 for share in shares), f"{name}: shares lie in 0..1")
    check(powers and all(0 <= power <= MAX_POWER_W * (1 + 1e-9) for power in powers),
          f"{name}: powers are at most the radio's")


# ---------------------------------------------------------------- the tests


def check_run(name, work, data, *options):
    timeline = run(work / name, data, *options)
    if timeline is None:
        return None
    trace = check_form(name, timeline)
    check(trace.notes["left_out"] == 0, f"{name}: all is shown")
    check_rows(name, trace)
    check_arrows(name, trace)
    check_rounds(name, trace, work / name)
    check_computing(name, trace, work / name)
    check_messages(name, trace, work / name)
    return trace


def check_random(work, data):
    """Runs of random form: topology, size, schedule, controller."""
    draw = random.Random(20251)
    for number in range(4):
        devices = draw.randint(2, 5)
        options = [f"--topology={['p2p', 'wifi', 'lte', 'hybrid'][number]}",
                   f"--devices={devices}", f"--clusters={draw.randint(1, 3)}",
                   f"--blocks={devices + draw.randint(0, 4)}",
                   f"--microBatches={draw.randint(1, 5)}",
                   f"--microBatchSize={draw.randint(1, 4)}", f"--rounds={draw.randint(1, 3)}",
                   f"--localIterations={draw.randint(1, 3)}", f"--seed={draw.randint(1, 1000)}",
                   f"--schedule={draw.choice(['gpipe', '1f1b'])}", "--memoryShare=0",
                   f"--controller={draw.choice(['uniform-pipeline', 'random'])}",
                   "--compute=analytic"]
        check_run(f"random-{number}", work, data, *options)


def check_dssda(work, data):
    """Power, shares and queues are shown where a controller decides them."""
    budget = 0.5
    trace = check_run("dssda", work, data, "--topology=hybrid", "--rounds=3",
                      "--localIterations=2", "--blocks=4", f"--energyBudget={budget}")
    if trace is None:
        return
    check_counters("dssda", trace, trace.slices["round"], budget)


def check_bound(work, data):
    """A file that is full goes on with rounds; 0 writes none."""
    folder = work / "bound"
    timeline = run(folder, data, "--topology=p2p", "--rounds=4", "--localIterations=50",
                   "--blocks=4", "--compute=analytic", "--timelineSize=1",
                   "--controller=uniform-pipeline")
    if timeline is not None:
        size = (folder / "timeline.json").stat().st_size
        check(0.9e6 < size < 1.1e6, f"bound: {size} bytes")
        trace = check_form("bound", timeline)
        check(trace.notes["left_out"] > 0, "bound: it says that some is left out")
        check(len(trace.slices["round"]) == 4, "bound: all rounds are there")
        check(any(event["ph"] == "i" for event in trace.events), "bound: a mark says where")
    folder = work / "none"
    status, _, err, _ = finish(start(*data, f"--outputDir={folder}", "--compare=none",
                                     "--topology=p2p", "--rounds=1", "--localIterations=1",
                                     "--compute=analytic", "--timelineSize=0", "--progress=none"))
    check(status == 0 and not (folder / "timeline.json").exists(), f"no timeline: {err}")


def check_compressed(work, data):
    """Compressed it is the same file, a small part as large, and the other is not there."""
    options = ["--topology=p2p", "--rounds=1", "--localIterations=5", "--compute=analytic", "--compare=none",
               "--progress=none", "--vocabulary=300"]
    for name, more in (("plain", []), ("packed", ["--timelineGzip"])):
        status, _, err, _ = finish(start(*data, *options, *more, f"--outputDir={work / name}"))
        check(status == 0, f"{name}: status {status}: {err}")
    plain = (work / "plain" / "timeline.json").read_bytes()
    packed = (work / "packed" / "timeline.json.gz").read_bytes()
    check(gzip.decompress(packed) == plain, "compressed: the same bytes")
    check(len(packed) < len(plain) / 5, f"compressed: {len(packed)} of {len(plain)} bytes")
    check(not (work / "packed" / "timeline.json").exists(), "compressed: one file only")
    with open(work / "packed" / "summary.json", encoding="utf-8") as file:
        check("timeline.json.gz" in json.load(file)["files"], "compressed: summary.json names it")
    status, _, err, _ = finish(start(*data, *options, "--timelineSize=0", "--timelineGzip",
                                     f"--outputDir={work / 'neither'}"))
    check(status == 2 and len(err.splitlines()) == 1 and "timelineGzip" in err, f"without a timeline: {err}")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory(prefix="collapipe-timeline-") as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        check_random(work, data)
        check_dssda(work, data)
        check_bound(work, data)
        check_compressed(work, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
