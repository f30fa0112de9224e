# SPDX-License-Identifier: GPL-2.0-only
"""The pipeline to zoom into, in a run's page: data of the last rounds, pipeline_view.js, and D3, all within
the page, which fetches nothing."""

import json
import pathlib

import faults
import gantt
import page
import timeline

#: D3, version 3, as Debian's package libjs-d3 has it, and its notice.
D3 = pathlib.Path("/usr/share/javascript/d3/d3.min.js")
NOTICE = pathlib.Path("/usr/share/doc/libjs-d3/copyright")
MOST_SLICES = 20000  #: in a page; rounds before the last are left out first
CSS = """
.view canvas{width:100%;display:block;cursor:grab}
.view button{font:inherit;font-size:.85rem;margin:0 .4rem .4rem 0;padding:.15rem .7rem;color:var(--ink);
background:var(--raised);border:1px solid var(--grid);border-radius:.4rem;cursor:pointer}
.view output{display:block;min-height:3em;font-size:.85rem}
@media print{.view{display:none}}
"""


def add(document, result, rounds):
    """Adds the view of these rounds to a page; where there is no D3, a sentence that says so."""
    slices = timeline.get_slices(result)
    if not slices:
        return
    if not D3.exists():
        document.text("A view to zoom into takes D3, which is not here: install libjs-d3, or have "
                      "./collapipe report do that.", "muted")
        return
    data = collect(slices, faults.read(result), rounds)
    if data is None:
        return
    numbers = [number for number, _, _ in data["rounds"]]
    buttons = [('data-zoom="in"', "closer"), ('data-zoom="out"', "farther"), ("", "all"),
               *((f'data-round="{number}"', f"round {number}") for number in numbers)]
    document.add(
        '<div class="view" id="view" hidden><h3>To zoom into</h3>' +
        "".join(f'<button type="button" {what}>{name}</button>' for what, name in buttons) +
        '<canvas></canvas><output>&nbsp;</output><p class="muted">Drag to move. Closer and farther: the buttons, '
        "Ctrl and the wheel, or two fingers. What the pointer is on is said below the lanes. Drawn with D3 "
        "(M. Bostock; its licence stands in the page's source).</p></div>")
    document.add(f"<style>{CSS}</style>\n<script>\n/*\n{read_notice()}\n*/\n{read_script(D3)}\n</script>\n"
                 f"<script>\n{read_script(pathlib.Path(__file__).with_suffix('.js'))}\n"
                 f'pipelineView.start(document.getElementById("view"), {write_json(data)});\n</script>')


def read_notice():
    """D3's copyright and licence, which go wherever D3 goes."""
    if NOTICE.exists():
        return NOTICE.read_text(encoding="utf-8").replace("*/", "* /")
    return "D3.js, Copyright (C) Michael Bostock, BSD-3-Clause, https://d3js.org"


def read_script(path):
    """A script such that it can stand within a page."""
    return path.read_text(encoding="utf-8").replace("</script", "<\\/script")


def write_json(data):
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False).replace("</", "<\\/")


def collect(slices, found, rounds):
    """What the view draws, times in microseconds from the first slice's start on; None: nothing."""
    chosen = choose(slices, rounds)
    stages = {}
    for entry in chosen:
        if "stage" in entry:
            key = timeline.find_cluster(entry), entry["stage"], entry["node"]
            stages.setdefault(entry["node"], key)
    chosen = [entry for entry in chosen if entry["node"] in stages]
    if not chosen:
        return None
    # An edge server, which all clusters share, comes after them.
    order = sorted(stages, key=lambda node: ("-" not in node, stages[node]))
    rows = {lane: i for i, lane in enumerate(
        (node, compute) for node in order for compute in (True, False)
        if any(entry["node"] == node and entry["compute"] == compute for entry in chosen))}
    start = min(entry["start"] for entry in chosen)
    usual = timeline.choose_iteration(chosen, max(entry["round"] for entry in chosen))
    return {
        "start": shorten(start), "lanes": [f"{node} {'computes' if compute else 'sends'}" for node, compute in rows],
        "kinds": [name for _, name in timeline.KINDS], "colours": gantt.COLOURS,
        "slices": [[rows[entry["node"], entry["compute"]], entry["kind"], shorten(entry["start"] - start),
                    shorten(entry["seconds"]), entry["round"], entry["iteration"], entry["micro_batch"]]
                   for entry in chosen],
        "rounds": find_spans(chosen, start), "first": find_span(usual or chosen, start),
        "faults": [[shorten(time - start), page.escape(word)] for fault in found
                   for time, word in fault.moments]}


def shorten(seconds):
    """Microseconds, to the nanosecond."""
    value = round(seconds * 1e6, 3)
    return int(value) if value == int(value) else value


def choose(slices, rounds):
    """Slices of the last of these rounds that there is room for, in the order of their times."""
    chosen = []
    for number in sorted(rounds, reverse=True):
        more = sorted((entry for entry in slices if entry["round"] == number), key=lambda entry: entry["start"])
        if chosen and len(chosen) + len(more) > MOST_SLICES:
            break
        chosen = more[:MOST_SLICES] + chosen
    return chosen


def find_span(slices, start):
    return [shorten(min(entry["start"] for entry in slices) - start),
            shorten(max(map(timeline.get_end, slices)) - start)]


def find_spans(chosen, start):
    """Of every round, its number and from when to when it trains."""
    numbers = sorted({entry["round"] for entry in chosen})
    return [[number, *find_span([entry for entry in chosen if entry["round"] == number], start)]
            for number in numbers]
