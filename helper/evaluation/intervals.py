# SPDX-License-Identifier: GPL-2.0-only
"""Means with confidence intervals, by Student's t."""

import math

CONFIDENCE = 0.95


def t_probability(t, freedom):
    """P(|T| <= t) for Student's t, by Simpson's rule after x = sqrt(freedom) tan(angle)."""
    limit = math.atan(t / math.sqrt(freedom))
    steps = 400
    total = 0.0
    for i in range(steps + 1):
        weight = 1 if i in (0, steps) else 4 if i % 2 else 2
        total += weight * math.cos(limit * i / steps) ** (freedom - 1)
    constant = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    return 2 * constant / math.sqrt(math.pi) * total * limit / steps / 3


def t_quantile(freedom, confidence=CONFIDENCE):
    """t with P(|T| <= t) = confidence."""
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        if t_probability(middle, freedom) < confidence:
            low = middle
        else:
            high = middle
    return high


def mean_and_half_width(values, confidence=CONFIDENCE):
    """Mean and half the width of its interval; NaN for the width of fewer than two values."""
    values = [float(value) for value in values if math.isfinite(value)]
    count = len(values)
    if count == 0:
        return math.nan, math.nan
    mean = math.fsum(values) / count
    if count == 1:
        return mean, math.nan
    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    return mean, t_quantile(count - 1, confidence) * math.sqrt(variance / count)
