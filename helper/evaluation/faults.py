# SPDX-License-Identifier: GPL-2.0-only
"""Faults on request, and what became of them, from faults.csv."""

import dataclasses
import math
import re

import results

COLUMNS = ["kind", "node", "injected_s", "detected_s", "reason", "recovered_s", "repeated_iterations"]


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault; times are NaN for what never was."""

    kind: str
    node: str
    injected: float
    detected: float
    reason: str
    recovered: float
    repeated: int

    @property
    def cluster(self):
        """The number of its cluster; None for an edge server's."""
        match = re.match(r"cluster(\d+)\.", self.node)
        return int(match.group(1)) if match else None

    @property
    def name(self):
        """The node as charts have it: c0-d1 for cluster0.device1."""
        return self.node.replace("cluster", "c").replace(".control", "-cu").replace(".device", "-d")

    @property
    def moments(self):
        """Times, each with what happened then; what happened at once is there once."""
        times = [(self.injected, f"{self.kind} of {self.name}"), (self.detected, "noticed"),
                 (self.recovered, "goes on")]
        return [(time, word) for time, word in times if math.isfinite(time)]


def read(result):
    """The faults that came to be, in the order of their times; none where none were asked for."""
    table = result.faults
    if table is None:
        return []
    missing = [column for column in COLUMNS if column not in table]
    if missing:
        raise results.ResultError(f"{result.folder}/faults.csv is damaged: it has no column {missing[0]}")
    rows = table[table["injected_s"].notna()].sort_values("injected_s").fillna({"reason": ""})
    return [Fault(*(getattr(row, column) for column in COLUMNS)) for row in rows.itertuples()]


def find_round(result, fault):
    """The round in which a fault came; between two rounds, the later one."""
    rounds = result.rounds
    ends = rounds["start_s"] + rounds["latency_s"]
    later = rounds["round"][ends >= fault.injected]
    return int(later.iloc[0]) if len(later) else int(rounds["round"].iloc[-1])


def tabulate(result, found):
    """Head and rows of the page's table."""
    header = ["fault", "node", "round", "at, s", "noticed after, s", "as", "went on after, s", "iterations again"]
    return header, [[fault.kind, fault.name, str(find_round(result, fault)), f"{fault.injected:.4g}",
                     write(fault.detected - fault.injected), fault.reason or "–",
                     write(fault.recovered - fault.injected), str(fault.repeated)] for fault in found]


def write(seconds):
    return f"{seconds:.3g}" if math.isfinite(seconds) else "–"
