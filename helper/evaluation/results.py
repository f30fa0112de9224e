# SPDX-License-Identifier: GPL-2.0-only
"""Reads what runs leave behind into pandas' tables, and derives the figures that are compared."""

import dataclasses
import json
import math
import pathlib

import pandas

PHASES = {"report_s": "reports", "distribution_s": "distribution", "training_s": "training",
          "upload_s": "upload"}
#: Files of a run, besides summary.json; which of them there are depends on the version.
TABLES = ["rounds", "devices", "control", "clusters", "budgets", "links", "positions", "faults"]
LEARNING = {"bleu": "BLEU", "accuracy": "accuracy", "macro_f1": "macro F1"}


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure of a run."""

    key: str
    title: str
    unit: str
    scale: float = 1
    lower: bool = True  # whether less is better

    @property
    def label(self):
        return f"{self.title}, {self.unit}" if self.unit else self.title


METRICS = [
    Metric("time_to_loss_s", "time to the loss", "s"),
    Metric("latency_s", "latency of a round", "s"),
    Metric("training_s", "training phase", "s"),
    Metric("transfer_s", "distribution and upload", "s"),
    Metric("efficiency_used", "computation efficiency, devices in use", "%", 100, False),
    Metric("efficiency_all", "computation efficiency, all devices", "%", 100, False),
    Metric("memory_bytes", "memory of the fullest device", "MB", 1e-6),
    Metric("energy_to_loss_j", "energy to the loss", "J"),
    Metric("energy_j", "energy of a round", "J"),
    Metric("queue", "longest energy queue at the end", "budgets"),
    Metric("sent_bytes", "sent in a round", "MB", 1e-6),
    Metric("phi", "φ(n), the plan's part of the bound", ""),
    Metric("final_loss", "validation loss after the last round", "nats"),
    Metric("bleu", "BLEU after the last round", "", 1, False),
    Metric("accuracy", "accuracy after the last round", "%", 100, False),
    Metric("planning_error", "planned over measured latency", "%", 100),
]
METRIC = {metric.key: metric for metric in METRICS}
#: What tables quote: the three headline figures, the loss, and time and energy to a loss.
QUOTED = ["latency_s", "final_loss", "time_to_loss_s", "efficiency_used", "efficiency_all", "memory_bytes",
          "energy_to_loss_j"]
#: What curves over a swept parameter trade those for.
TRADED = ["queue", "phi"]


class ResultError(Exception):
    """A folder does not hold what it should; one sentence says what."""


class RunResult:
    """One run's folder."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.slices = None  # of the timeline, which timeline.get_slices() reads when it is asked for
        try:
            with open(self.folder / "summary.json", encoding="utf-8") as file:
                self.summary = json.load(file)
        except FileNotFoundError as error:
            raise ResultError(f"{folder} holds no summary.json: it is no run's folder") from error
        except ValueError as error:  # no JSON, or not UTF-8
            raise ResultError(f"{folder}/summary.json is damaged: {error}") from error
        missing = [key for key in ("parameters", "controller", "rounds", "initial_validation_loss")
                   if not isinstance(self.summary, dict) or key not in self.summary]
        if missing:
            raise ResultError(f"{folder}/summary.json is damaged: it has no {missing[0]}")
        for name in TABLES:
            setattr(self, name, self._read(f"{name}.csv"))
        if self.rounds is None or self.rounds.empty:
            raise ResultError(f"{folder} holds no rounds.csv with rounds in it")

    def _read(self, name):
        path = self.folder / name
        try:
            table = pandas.read_csv(path) if path.exists() else None
        except ValueError as error:  # pandas' own errors, and bytes that are not UTF-8
            raise ResultError(f"{path} is damaged: {error}") from error
        missing = [column for column in self.get_columns(name)
                   if table is not None and column not in table]
        if missing:
            raise ResultError(f"{path} is damaged: it has no column {missing[0]}")
        return table

    def get_columns(self, name):
        """Names of a table's columns, as summary.json has them; of older runs none are known."""
        return [column["name"] for column in self.summary.get("columns", {}).get(name, [])]

    @property
    def parameters(self):
        return self.summary["parameters"]

    @property
    def controller(self):
        return self.summary["controller"]

    def get_curve(self):
        """Time since the first round's start, s, energy so far, J, and losses, from round 0 on."""
        rounds = self.rounds
        start = rounds["start_s"].iloc[0]
        curve = pandas.DataFrame({
            "round": rounds["round"],
            "time_s": rounds["start_s"] + rounds["latency_s"] - start,
            "energy_j": self.get_energy().cumsum().to_numpy(),
            "train_loss": rounds["train_loss"],
            "validation_loss": rounds["validation_loss"]})
        for key in LEARNING:
            column = find_column(rounds, f"validation_{key}", key)
            if column:
                curve[key] = rounds[column]
        first = pandas.DataFrame({"round": [0], "time_s": [0.0], "energy_j": [0.0],
                                  "validation_loss": [self.summary["initial_validation_loss"]]})
        return pandas.concat([first, curve], ignore_index=True)

    def get_energy(self):
        """Energy of all nodes by round, J: computation, and radio where it was metered."""
        return self.get_device_energy().groupby(self.devices["round"]).sum()

    def get_device_energy(self):
        """Energy by row of devices.csv, J: what the budgets count, where the run says that."""
        if "active_energy_j" in self.devices:
            return self.devices["active_energy_j"]
        return self.devices[get_energy_columns(self.devices)].sum(axis=1)


def find_column(table, *names):
    """The first of the names that the table has, or None."""
    return next((name for name in names if name in table.columns), None)


def get_energy_columns(devices):
    """Measured energies of devices.csv: what ends in energy_j and is no plan, budget, queue or sum."""
    return [column for column in devices.columns if column.endswith("energy_j") and
            not any(word in column for word in ("planned", "budget", "queue", "total", "active"))]


def get_energy_parts(devices):
    """What nodes spent, J, by row of devices.csv: a table of computing, radios in use, and radios that only
    stand by, where the run says what was idle; else of computing and every radio."""
    columns = get_energy_columns(devices)
    if "active_energy_j" not in devices or "compute_energy_j" not in columns:
        return devices[columns].rename(columns=name_energy)
    active = devices["active_energy_j"]
    return pandas.DataFrame({
        "computing": devices["compute_energy_j"],
        "radios in use": (active - devices["compute_energy_j"]).clip(lower=0),
        "radios idle": (devices[columns].sum(axis=1) - active).clip(lower=0)})


def name_energy(column):
    """The words for a column of energy."""
    word = column.removesuffix("_energy_j")
    return {"compute": "computing", "wifi": "Wi-Fi", "lte": "LTE"}.get(word, word.replace("_", " "))


def get_memory_column(devices):
    """The column of devices.csv with measured memory, or None: the analytic backend has none."""
    return next((column for column in devices.columns if column.endswith("bytes") and
                 "memory" in column and "planned" not in column and "limit" not in column and
                 devices[column].max() > 0), None)


def is_finished(folder, name):
    return (pathlib.Path(folder) / "runs" / name / "summary.json").exists()


def interpolate_to_loss(curve, loss, column):
    """The value of `column` where the validation loss first came down to `loss`; NaN: never."""
    losses = [math.nan if value is None else value for value in curve["validation_loss"]]
    values = list(curve[column])
    for i, value in enumerate(losses):
        if value <= loss:
            if i == 0 or losses[i - 1] == value:
                return values[i]
            share = (losses[i - 1] - loss) / (losses[i - 1] - value)
            return values[i - 1] + share * (values[i] - values[i - 1])
    return math.nan


def measure(result):
    """A run's figures, apart from those that need a loss to reach."""
    rounds, devices = result.rounds, result.devices
    workers = devices[devices["node"] > 0]
    curve = result.get_curve()
    measured = get_memory_column(devices)
    figures = {
        "latency_s": rounds["latency_s"].mean(),
        "training_s": rounds["training_s"].mean(),
        "transfer_s": (rounds["distribution_s"] + rounds["upload_s"]).mean(),
        "planned_memory_bytes": workers["planned_memory_bytes"].max(),
        "memory_bytes": workers[measured or "planned_memory_bytes"].max(),
        "energy_j": result.get_energy().mean(),
        "sent_bytes": rounds["bytes_sent"].mean(),
        "final_loss": curve["validation_loss"].iloc[-1],
        "planning_error": (rounds["planned_latency_s"] / rounds["latency_s"]).mean() - 1,
    }
    figures.update(measure_efficiency(result))
    for key in LEARNING:
        if key in curve:
            figures[key] = curve[key].iloc[-1]
    if result.control is not None:
        # 0 where nothing is known of the gradients: in a first round, or where nothing is computed
        phi = result.control["phi"]
        figures["phi"] = phi[phi > 0].mean()
    if result.budgets is not None and (result.budgets["energy_budget_j"] > 0).any():
        figures.update(measure_budgets(result))
    return figures


def measure_efficiency(result):
    """The model's FLOPs that devices did over those that there was time for; fixed costs, though
    time, are none. Of the devices in use, and of all."""
    if result.budgets is None or "useful_flops" not in result.budgets:
        return {"efficiency_used": math.nan, "efficiency_all": math.nan}
    work = result.devices[result.devices["node"] > 0].merge(
        result.budgets[["round", "cluster", "node", "useful_flops"]]).merge(
        result.rounds[["round", "latency_s"]])
    possible = work["flops"] * work["latency_s"]
    used = work["useful_flops"] > 0
    return {"efficiency_used": work["useful_flops"].sum() / possible[used].sum(),
            "efficiency_all": work["useful_flops"].sum() / possible.sum()}


def measure_budgets(result):
    """How the energy constraint of (11) was kept: queues, excess over the budget, memory."""
    budgets = result.budgets
    last = budgets[budgets["round"] == budgets["round"].max()]
    energy = result.get_device_energy().groupby(
        [result.devices["cluster"], result.devices["node"]]).mean()
    budget = budgets.groupby(["cluster", "node"])["energy_budget_j"].mean()
    budget = budget[budget > 0]
    return {"queue": last["energy_queue"].max(),
            "energy_over_budget": (energy / budget).dropna().max() - 1}


def violates_memory(result):
    """Whether a device's plan needs more memory than the device can give."""
    if result.budgets is None:
        return False
    workers = result.budgets[result.budgets["node"] > 0]
    return bool((workers["planned_memory_bytes"] > workers["memory_limit_bytes"] * 1.000001).any())


def read_study(folder, study):
    """(table, results): a row for every finished run of a study, and the runs by name."""
    rows, runs = [], {}
    for run in study.runs:
        if not is_finished(folder, run.name):
            continue
        result = RunResult(pathlib.Path(folder) / "runs" / run.name)
        runs[run.name] = result
        rows.append({"study": study.name, "name": run.name, "case": run.case,
                     **{key: run.options.get(key, result.parameters.get(key))
                        for key in {"controller": 0, "seed": 0, "run": 0, **run.swept}},
                     "controller": run.controller,
                     **measure(result), "violates_memory": violates_memory(result)})
    table = pandas.DataFrame(rows)
    if not table.empty:
        add_time_to_loss(table, runs, study)
    return table, runs


def add_time_to_loss(table, runs, study):
    """Time and energy to the study's loss; each case, and each point of x, has one of its own."""
    keys = ["case"] + ([study.x] if study.x in table else [])
    target = study.target_loss
    table["target_loss"] = (target if target is not None else
                            table.groupby(keys)["final_loss"].transform("max"))
    for key, column in (("time_to_loss_s", "time_s"), ("energy_to_loss_j", "energy_j")):
        table[key] = [interpolate_to_loss(runs[row["name"]].get_curve(), row["target_loss"], column)
                      for _, row in table.iterrows()]


def merge_rounds(studies):
    """All rounds of all runs in one tidy table, which says of each what was swept in any study, and
    its seed and run. `studies` are (study, table, runs) as read_study() has them."""
    swept = dict.fromkeys(key for study, _, _ in studies for run in study.runs for key in run.swept)
    tables = {}
    for study, _, runs in studies:
        for run in study.runs:
            if run.name not in runs or run.name in tables:
                continue
            result = runs[run.name]
            values = {key: run.options.get(key, result.parameters.get(key))
                      for key in dict.fromkeys(["seed", "run", *swept])}
            values = {"name": run.name, **values, "controller": run.controller}
            tables[run.name] = result.rounds.assign(**values)
    merged = pandas.concat(tables.values(), ignore_index=True)
    first = list(dict.fromkeys(["name", "controller", "seed", "run", *swept, "round"]))
    return merged[first + [column for column in merged.columns if column not in first]]
