# SPDX-License-Identifier: GPL-2.0-only
"""Means, intervals and paired differences over the runs of a study."""

import math

import intervals
import results

#: By how much two losses may differ, relative to either, and be called the same.
SAME_LOSS = 0.005


def order_controllers(table, reference):
    """The reference first, then its ablations, then the others, as they were described."""
    names = list(dict.fromkeys(table["controller"]))
    return sorted(names, key=lambda name: (name != reference,
                                           not name.startswith(f"{reference}-"), names.index(name)))


def group(table, keys):
    """The parts of a table that agree in some columns, in the order in which they appear."""
    return table.groupby(keys if len(keys) > 1 else keys[0], sort=False)


def summarise(table, keys, metric):
    """Mean, half width of the interval and number of values for every group, as a dictionary."""
    return {key: (*intervals.mean_and_half_width(group[metric]), int(group[metric].notna().sum()))
            for key, group in table.groupby(keys, sort=False)}


def get_pair_keys(table, study):
    """The columns that two runs with the same random numbers agree in."""
    return [key for key in ("case", "seed", "run", study.x) if key and key in table.columns]


def get_pairs(table, study, other, metric):
    """(reference's value, other's value) of the runs with the same random numbers."""
    keys = get_pair_keys(table, study)
    left = table[table["controller"] == study.reference].set_index(keys)[metric]
    right = table[table["controller"] == other].set_index(keys)[metric]
    both = left.index.intersection(right.index)
    pairs = [(left.loc[key], right.loc[key]) for key in both]
    return [(a, b) for a, b in pairs if math.isfinite(a) and math.isfinite(b)]


def get_change(table, study, other, metric):
    """By how many percent the reference is above the other controller: mean, half width, pairs."""
    changes = [100 * (a - b) / b for a, b in get_pairs(table, study, other, metric) if b != 0]
    return (*intervals.mean_and_half_width(changes), len(changes))


def write_change(change):
    mean, half, count = change
    if count == 0:
        return "–"
    sign = "−" if mean < 0 else "+"
    text = f"{sign}{abs(mean):.1f}"
    return f"{text} ± {half:.1f} %" if math.isfinite(half) else f"{text} %"


def write_interval(mean, half, scale=1.0):
    """A mean and its interval with as many digits as the interval supports."""
    if not math.isfinite(mean):
        return "–"
    mean, half = mean * scale, half * scale
    if not math.isfinite(half):
        return f"{mean:.4g}"
    basis = half if half > 0 else abs(mean) / 100
    digits = 2 if basis == 0 else max(0, min(6, 1 - math.floor(math.log10(basis))))
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def intervals_overlap(first, second):
    """Whether two (mean, half width, count) share a value; with unknown widths they may."""
    if not (math.isfinite(first[1]) and math.isfinite(second[1])):
        return True
    return abs(first[0] - second[0]) <= first[1] + second[1]


def choose_latency(table, study, other):
    """The metric that compares latency at equal loss. Where both controllers came to the same loss in
    the same rounds, it is the rounds' latency; the time to a loss, which lies somewhere between two
    rounds and differs from seed to seed, says the same with less certainty."""
    pairs = get_pairs(table, study, other, "final_loss")
    alike = all(abs(a - b) <= SAME_LOSS * abs(b) for a, b in pairs)
    return "latency_s" if alike else "time_to_loss_s"


def get_verdict(table, study, other, metric):
    """A word on whether the reference is better, and surely so: both intervals apart."""
    rows = {name: summarise(table[table["controller"] == name], lambda _: 0, metric).get(0)
            for name in (study.reference, other)}
    mine, theirs = rows[study.reference], rows[other]
    if mine is None or theirs is None or not (mine[2] and theirs[2]):
        return "unknown"
    if intervals_overlap(mine, theirs):
        change = get_change(table, study, other, metric)
        if math.isfinite(change[1]) and abs(change[0]) > change[1]:
            better = (change[0] < 0) == results.METRIC[metric].lower
            return "better in pairs" if better else "worse in pairs"
        return "no clear difference"
    return "better" if (mine[0] < theirs[0]) == results.METRIC[metric].lower else "worse"
