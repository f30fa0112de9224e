# SPDX-License-Identifier: GPL-2.0-only
"""The pipeline of a round as a Gantt chart: an iteration of it, or what a fault did to it."""

import faults
import style
import timeline

#: Colours of the timeline's kinds.
COLOURS = ["s1", "s3", "s2", "s4"]
#: How many iterations are drawn before a fault and after it.
AROUND = (0.6, 1.6)


def choose_fault(slices, number, found):
    """The first fault that came while the pipeline was at work in a round; and slices around it."""
    clusters = timeline.group_by_cluster(entry for entry in slices if entry["round"] == number)
    usual = timeline.choose_iteration(slices, number)
    for fault in found:
        of_any = timeline.find_cluster(usual[0]) if usual else None
        group = clusters.get(of_any if fault.cluster is None else fault.cluster, [])
        if not group or not (min(entry["start"] for entry in group) <= fault.injected <=
                             max(map(timeline.get_end, group))):
            continue
        length = timeline.get_length(usual)
        begin, end = fault.injected - AROUND[0] * length, fault.injected + AROUND[1] * length
        near = [entry for entry in group if timeline.get_end(entry) >= begin and entry["start"] <= end]
        if near:
            return fault, near
    return None, []


def draw(result, number):
    """(name, figure, caption, wide) of a round, or None where there is no timeline of it."""
    slices = timeline.get_slices(result)
    if slices is None:
        return None
    found = faults.read(result)
    fault, chosen = choose_fault(slices, number, found)
    chosen = chosen or timeline.choose_iteration(slices, number)
    stages = {entry["node"]: entry["stage"] for entry in chosen if "stage" in entry}
    chosen = [entry for entry in chosen if entry["node"] in stages]
    if not chosen:
        return None
    order = sorted(stages, key=lambda node: stages[node])
    lanes = [(node, compute) for node in order for compute in (True, False)
             if any(e["node"] == node and e["compute"] == compute for e in chosen)]
    figure, axes = style.new(0.9 + 0.24 * len(lanes), 2 * style.WIDTH)
    start = min(entry["start"] for entry in chosen)
    draw_slices(axes, chosen, lanes, start)
    marked = mark_faults(axes, chosen, found, start)
    axes.set_xlabel("time since the first of these, ms" if fault else "time in the iteration, ms")
    style.add_legend(axes, 6)
    return "pipeline", figure, write_caption(timeline.find(result.folder).name, number, fault, marked), True


def draw_slices(axes, chosen, lanes, start):
    """Bars of slices, in ms, in a lane for what every node computes and one for what it sends."""
    for kind, (_, label) in enumerate(timeline.KINDS):
        colour = style.LIGHT[COLOURS[kind]]
        for i, lane in enumerate(lanes):
            bars = [(1e3 * (e["start"] - start), 1e3 * e["seconds"]) for e in chosen
                    if (e["node"], e["compute"]) == lane and e["kind"] == kind]
            if bars:
                axes.broken_barh(bars, (i - 0.4, 0.8), facecolor=colour, alpha=0.75,
                                 edgecolor=style.LIGHT["ink"], linewidth=0.25)
        axes.broken_barh([], (0, 0), facecolor=colour, label=label)
    axes.set_yticks(range(len(lanes)),
                    [f"{node} {'computes' if compute else 'sends'}" for node, compute in lanes])
    axes.set_ylim(len(lanes) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)


def mark_faults(axes, chosen, found, start):
    """A line where a fault came, was noticed, or was over, within what is drawn; how many there are."""
    end = max(map(timeline.get_end, chosen))
    cluster = timeline.find_cluster(chosen[0])
    moments = [moment for fault in found if fault.cluster in (None, cluster) for moment in fault.moments]
    moments = [(time, word) for time, word in moments if start <= time <= end]
    for time, word in moments:
        form = {"noticed": "--", "goes on": ":"}.get(word, "-")
        axes.axvline(1e3 * (time - start), color=style.LIGHT["s10"], linestyle=form, linewidth=1.6,
                     label=word)
    return len(moments)


def write_caption(file, number, fault, marked):
    what = (f"Round {number} as a fault came to it ({fault.kind} of {fault.name} at {fault.injected:.4g} s)"
            if fault else f"One iteration of round {number} in the cluster that took longest: every "
            "micro-batch forward to the edge server and back")
    lines = " Upright lines are faults and what became of them." if marked else ""
    return (f"{what}. A message is being sent until it has arrived.{lines} The whole run is in "
            f"{file}, which opens in ui.perfetto.dev.")
