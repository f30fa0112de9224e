# SPDX-License-Identifier: GPL-2.0-only
"""The figures of a study: bars with 95 % intervals, curves over what was swept, losses over time."""

import math

import compare
import results
import style


def get_label(name, table):
    mark = " *" if table[table["controller"] == name]["violates_memory"].any() else ""
    return name + mark


def draw_bars(study, table, metric):
    """A bar for every controller, in every case."""
    controllers = compare.order_controllers(table, study.reference)
    cases = list(dict.fromkeys(table["case"]))
    figure, axes = style.new(0.55 + 0.26 * len(controllers) * len(cases))
    means, halves, labels, colours = [], [], [], []
    for case in cases:
        rows = table[table["case"] == case]
        summary = compare.summarise(rows, "controller", metric.key)
        for name in controllers:
            mean, half, _ = summary.get(name, (math.nan, math.nan, 0))
            means.append(mean * metric.scale)
            halves.append(half * metric.scale if math.isfinite(half) else 0)
            labels.append((f"{case}: " if case else "") + get_label(name, table))
            colours.append(style.LIGHT["s1" if name == study.reference else
                                       "s7" if name.startswith(f"{study.reference}-") else "s9"])
    bars = axes.barh(range(len(means)), means, height=0.7, color=colours)
    axes.errorbar(means, range(len(means)), xerr=halves, fmt="none", ecolor=style.LIGHT["ink"],
                  elinewidth=1.1, capsize=2.5)
    axes.set_yticks(range(len(means)), labels)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(metric.label)
    write_ends(axes, bars, means, halves)
    return figure


def write_ends(axes, bars, means, halves):
    """Writes every mean behind its interval."""
    top = max((mean + half for mean, half in zip(means, halves) if math.isfinite(mean)), default=1)
    for bar, mean, half in zip(bars, means, halves):
        text = "not reached" if not math.isfinite(mean) else f"{mean:.3g}"
        axes.annotate(text, ((mean if math.isfinite(mean) else 0) + half,
                             bar.get_y() + bar.get_height() / 2),
                      xytext=(4, 0), textcoords="offset points", va="center", fontsize=7.5)
    low = min((mean - half for mean, half in zip(means, halves) if math.isfinite(mean)), default=0)
    axes.set_xlim(min(0, low * 1.1), max(top, 1e-12) * 1.2)


def draw_curves(study, table, metric):
    """A line over x for every controller and case, with 95 % intervals."""
    figure, axes = style.new()
    numeric = is_numeric(table[study.x])
    points = sorted(set(table[study.x]), key=float) if numeric else list(dict.fromkeys(table[study.x]))
    places = [float(point) for point in points] if numeric else list(range(len(points)))
    groups = list(table.groupby(["case", "controller"], sort=False))
    for i, ((case, controller), rows) in enumerate(groups):
        summary = compare.summarise(rows, study.x, metric.key)
        values = [summary.get(point, (math.nan, math.nan, 0)) for point in points]
        halves = [half * metric.scale if math.isfinite(half) else 0 for _, half, _ in values]
        label = (f"{case}: " if case else "") + get_label(controller, table)
        axes.errorbar(places, [mean * metric.scale for mean, _, _ in values], yerr=halves,
                      marker=style.MARKERS[i % 10], color=style.get_colour(i), capsize=2.5,
                      elinewidth=1, label=label)
    if numeric and min(places) > 0 and max(places) / min(places) >= 16:
        axes.set_xscale("log")
    if not numeric or (len(places) <= 8 and axes.get_xscale() == "linear"):
        axes.set_xticks(places, points)
    elif axes.get_xscale() == "log" and len(places) <= 8:
        axes.set_xticks(places, points, minor=False)
        axes.minorticks_off()
    axes.set(xlabel=study.x.rsplit("::", 1)[-1], ylabel=metric.label)
    if len(groups) > 1:
        axes.legend(fontsize=7, ncols=2 if len(groups) > 5 else 1)
    return figure


def is_numeric(column):
    try:
        [float(value) for value in column]
    except (TypeError, ValueError):
        return False
    return True


def draw_losses(study, table, runs):
    """Mean validation loss over mean simulated time, a point for every round."""
    rows = table[table["final_loss"].notna()]
    cases = list(dict.fromkeys(rows["case"]))
    if rows.empty:
        return None
    figure, panels = style.new(2.9 * len(cases), rows=len(cases), squeeze=False)
    for (axes,), case in zip(panels, cases):
        for i, controller in enumerate(compare.order_controllers(rows, study.reference)):
            chosen = rows[(rows["case"] == case) & (rows["controller"] == controller)]["name"]
            curves = [runs[name].get_curve() for name in chosen]
            if not curves:
                continue
            count = min(len(curve) for curve in curves)
            times = [sum(c["time_s"].iloc[t] for c in curves) / len(curves) for t in range(count)]
            losses = [sum(c["validation_loss"].iloc[t] for c in curves) / len(curves)
                      for t in range(count)]
            axes.plot(times, losses, style.MARKERS[i % 10] + "-", color=style.get_colour(i),
                      label=controller, linewidth=1.2)
        axes.set(xlabel="simulated time, s", ylabel="validation loss, nats", title=case)
        axes.legend(fontsize=6.5, ncols=1 if len(axes.get_lines()) <= 6 else 2)
    return figure


def draw_phases(study, table, runs):
    """The latency of a round by phase, mean over the runs of every controller."""
    controllers = compare.order_controllers(table, study.reference)
    cases = list(dict.fromkeys(table["case"]))
    figure, axes = style.new(0.85 + 0.26 * len(controllers) * len(cases))
    labels, left = [], []
    for case in cases:
        for name in controllers:
            chosen = table[(table["case"] == case) & (table["controller"] == name)]["name"]
            if chosen.empty:
                continue
            means = [sum(runs[run].rounds[column].mean() for run in chosen) / len(chosen)
                     for column in results.PHASES]
            labels.append((f"{case}: " if case else "") + get_label(name, table))
            left.append(means)
    start = [0.0] * len(left)
    for i, phase in enumerate(results.PHASES.values()):
        widths = [means[i] for means in left]
        if not any(widths):
            continue
        axes.barh(range(len(left)), widths, left=start, height=0.7, label=phase,
                  color=style.get_colour((3, 1, 0, 2)[i]))
        start = [a + b for a, b in zip(start, widths)]
    axes.set_yticks(range(len(left)), labels)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("latency of a round, s")
    style.add_legend(axes)
    return figure
