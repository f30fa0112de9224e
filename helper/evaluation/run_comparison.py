# SPDX-License-Identifier: GPL-2.0-only
"""The part of a run's page about the run that was played beside it, by another controller
(--compare): a table of both and their differences, and both over time."""

import math

import results
import style

#: Figures of a run that are put side by side, besides its phases and what it learnt.
KEYS = ["efficiency_used", "efficiency_all", "memory_bytes", "energy_j", "sent_bytes", "final_loss",
        *results.LEARNING]


def get_name(result):
    """The other controller; "" where none was asked for."""
    name = result.parameters.get("compare") or "none"
    return "" if name == "none" else name


def add(document, result, figures):
    """Adds the part to a page; its figures go to the folder `figures`, too."""
    name = get_name(result)
    if not name:
        return
    document.heading(f"Against {name}")
    if not (result.folder / name / "summary.json").exists():
        document.text(f"The comparison is missing: this run left no folder {name}, or an incomplete one.",
                      "muted")
        return
    other = results.RunResult(result.folder / name)
    document.text(f"The same network, data and random numbers, played by {name} as well. A report of "
                  f"its own: ./collapipe report {result.folder}/{name}")
    if len(other.rounds) != len(result.rounds):
        document.text(f"{result.controller} has {len(result.rounds)} rounds and {name} has "
                      f"{len(other.rounds)}; every mean is over its own rounds.", "warning")
    document.table(["", result.controller, name, "difference"], tabulate(result, other))
    pair = [result, other]
    document.figures([(style.save(figure, figures, f"comparison-{key}"), caption, False)
                      for key, figure, caption in (draw_phases(pair), *draw_curves(pair))])


def tabulate(result, other):
    """Rows of the table: what it is, both values, and the difference in percent."""
    pairs = [("latency of a round, s", *(mean(run, "latency_s") for run in (result, other)))]
    pairs += [(f"{name}, s", mean(result, column), mean(other, column))
              for column, name in results.PHASES.items()]
    pairs.append(("as planned, s", *(mean(run, "planned_latency_s") for run in (result, other))))
    curves = [run.get_curve() for run in (result, other)]
    loss = max(curve["validation_loss"].iloc[-1] for curve in curves)
    pairs.append((f"time to a validation loss of {loss:.3g}, s",
                  *(results.interpolate_to_loss(curve, loss, "time_s") for curve in curves)))
    mine, others = results.measure(result), results.measure(other)
    for key in KEYS:
        metric = results.METRIC.get(key, results.Metric(key, results.LEARNING.get(key, key), ""))
        pairs.append((metric.label, *(metric.scale * figures.get(key, math.nan)
                                      for figures in (mine, others))))
    return [[title, write(first), write(second), write_difference(first, second)]
            for title, first, second in pairs if math.isfinite(first) or math.isfinite(second)]


def mean(run, column):
    return run.rounds[column].mean()


def write(value):
    return f"{value:.4g}" if math.isfinite(value) else "–"


def write_difference(first, second):
    """By how many percent the first is above the second."""
    if not (math.isfinite(first) and math.isfinite(second)) or second == 0:
        return "–"
    change = 100 * (first - second) / abs(second)
    sign = "" if round(change, 1) == 0 else "−" if change < 0 else "+"
    return f"{sign}{abs(change):.1f} %"


def draw_phases(runs):
    """Where the time of a round goes, a bar for each."""
    figure, axes = style.new(1.5)
    left = [0.0] * len(runs)
    for i, (column, name) in enumerate(results.PHASES.items()):
        widths = [mean(run, column) for run in runs]
        if not any(widths):
            continue
        axes.barh(range(len(runs)), widths, left=left, height=0.7, label=name,
                  color=style.get_colour((3, 1, 0, 2)[i]))
        left = [a + b for a, b in zip(left, widths)]
    axes.set_yticks(range(len(runs)), [run.controller for run in runs])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("latency of a round, s, mean")
    style.add_legend(axes)
    return "latency", figure, "Where the time of a round goes, means over the rounds."


def draw_curves(runs):
    """What both have learnt over simulated time: a figure for each measure of it."""
    names = {"validation_loss": ("loss", "validation loss, nats"),
             **{key: (key, f"{name}, validation part") for key, name in results.LEARNING.items()}}
    curves = [(run.controller, run.get_curve()) for run in runs]
    for column, (key, label) in names.items():
        if not all(column in curve and curve[column].notna().any() for _, curve in curves):
            continue
        figure, axes = style.new()
        for i, (controller, curve) in enumerate(curves):
            axes.plot(curve["time_s"], curve[column], style.MARKERS[i] + "-", label=controller)
        axes.set(xlabel="simulated time, s", ylabel=label)
        axes.legend()
        yield key, figure, f"{label[0].upper()}{label[1:]}; a point per round."
