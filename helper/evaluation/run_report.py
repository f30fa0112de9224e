# SPDX-License-Identifier: GPL-2.0-only
"""The report of one run: report.html and the single figures as SVG and PDF."""

import csv
import math

import faults
import gantt
import hops
import run_figures
import page
import pipeline_view
import results
import run_comparison
import style
import timeline

HEADINGS = [("What it learnt, and when", ("loss", "quality")),
            ("Where the time goes", ("latency", "pipeline")),
            ("What was decided", ("segments", "links-training", "links-upload", "map")),
            ("What it cost", ("energy", "queues", "convergence", "memory"))]
#: How many rounds' pipelines a page has.
LAST_ROUNDS = 4


def draw(result, folder, prefix="", number=None):
    """SVG, caption and width of every figure by name; also saves them in a folder."""
    number = number if number is not None else get_last_round(result)
    return {name: (style.save(figure, folder, prefix + name), caption, wide)
            for name, figure, caption, wide in run_figures.draw_all(result, number)}


def get_last_round(result):
    return int(result.rounds["round"].iloc[-1])


def make(result, folder, number=None):
    """The page of a run; figures go to folder/figures."""
    rounds = result.rounds
    number = number if number is not None else get_last_round(result)
    if number not in set(rounds["round"]):
        raise results.ResultError(f"there is no round {number}; there are "
                                  f"{rounds['round'].min()} to {rounds['round'].max()}")
    drawn = draw(result, folder / "figures", number=number)
    if "pipeline" in drawn:
        drawn["pipeline"] = choose_rounds(result, folder / "figures", number, drawn["pipeline"])
    parameters = result.parameters
    document = page.Page(
        f"{result.controller}: {parameters['clusters']} clusters of {parameters['devices']} devices",
        f"{parameters.get('task', 'training')}, model {parameters['model']} with "
        f"{parameters['blocks']} encoder blocks, {parameters['topology']} topology, "
        f"seed {parameters['seed']}, run {parameters['run']}; CollaPipe "
        f"{result.summary['collapipe_version']}, ns-3 {result.summary['ns3_version']}")
    document.tiles(get_tiles(result))
    run_comparison.add(document, result, folder / "figures")
    for heading, names in HEADINGS:
        if any(name in drawn for name in names):
            document.heading(heading)
            document.figures([drawn[name] for name in names if name in drawn])
        if "pipeline" in names and "pipeline" in drawn:
            pipeline_view.add(document, result, list_rounds(result, number))
            add_hops(document, result, number)
        for sentence in get_missing(result, names, drawn, number):
            document.text(sentence, "muted")
        if "energy" in names and "energy" in drawn:
            document.details("The energy of every node", page.make_table(*tabulate_energy(result)))
    found = faults.read(result)
    if found:
        document.heading("What went wrong, as asked for")
        document.table(*faults.tabulate(result, found))
    if (result.folder / "background.csv").exists():
        document.heading("What it did to other users of the radios")
        document.table(*tabulate_background(result.folder / "background.csv"))
    document.heading("Rounds and settings")
    add_tables(document, result)
    return document.render()


def list_rounds(result, number):
    """The last rounds up to this one."""
    return [int(other) for other in result.rounds["round"] if number - LAST_ROUNDS < other <= number]


def choose_rounds(result, folder, number, last):
    """The pipeline's charts of the last rounds up to this one, whose chart is `last`, to choose from."""
    choice = []
    for earlier in list_rounds(result, number)[:-1]:
        chart = gantt.draw(result, earlier)
        if chart:
            name, figure, caption, wide = chart
            saved = style.save(figure, folder, f"{name}-round-{earlier}")
            choice.append((f"round {earlier}", (saved, caption, wide)))
    return [*choice, (f"round {number}", last)]


def add_hops(document, result, number):
    """The table of hops of a round."""
    table = hops.tabulate(result, number)
    if table is None:
        return
    header, rows, cluster = table
    document.heading(f"Hop by hop, round {number}, cluster {cluster}", 3)
    document.text("Down the chain: when the first and the last micro-batch's activations arrived, since the "
                  "iteration began, and gradients on the way back; how long each waited until the node computed "
                  "on it, how long that took, and how long the result took to arrive at the next node. Means over "
                  "the round's iterations and micro-batches.")
    document.table(header, rows)


def get_missing(result, names, drawn, number):
    """A sentence for everything that a part cannot show, with what to do."""
    if "pipeline" in names and "pipeline" not in drawn:
        if timeline.find(result.folder):
            yield f"The pipeline's chart is missing: the timeline holds nothing of round {number}."
        else:
            yield "The pipeline's chart is missing: this run left no timeline.json."
    if "links-training" in names and result.links is None:
        yield "Shares and powers are missing: this run left no links.csv."
    if "queues" in names and "queues" not in drawn:
        yield "No node had an energy budget (--energyBudget), so there are no queues to show."
    if "memory" in names and results.get_memory_column(result.devices) is None:
        yield "Memory is as planned by formula (8): this run measured none."


def get_tiles(result):
    figures = results.measure(result)
    curve = result.get_curve()
    tiles = [(figures["final_loss"], ".3f", "", "validation loss at the end"),
             *((figures.get(key, math.nan), ".3g", "", f"{name} at the end")
               for key, name in reversed(results.LEARNING.items())),
             (figures["latency_s"], ".3g", " s", "latency of a round, mean"),
             (curve["time_s"].iloc[-1], ".4g", " s", f"simulated, {len(result.rounds)} rounds"),
             (100 * figures["efficiency_used"], ".3g", " %", "computation efficiency, devices in use"),
             (figures["energy_j"], ".3g", " J", "energy of a round, all nodes"),
             (figures["memory_bytes"] / 1e6, ".3g", " MB", "memory of the fullest device"),
             (figures["sent_bytes"] / 1e6, ".3g", " MB", "sent in a round")]
    return [(f"{value:{digits}}{unit}", name) for value, digits, unit, name in tiles
            if math.isfinite(value)]


def add_tables(document, result):
    rounds = result.rounds
    columns = {"latency_s": "latency, s",
               **{column: f"{name}, s" for column, name in results.PHASES.items()},
               "planned_latency_s": "planned, s", "train_loss": "training loss",
               "validation_loss": "validation loss"}
    shown = [column for column in columns if rounds[column].notna().any()]
    rows = [[str(row["round"]), *(write_number(row[column], 4) for column in shown),
             f"{row['bytes_sent'] / 1e6:.2f}"] for row in rounds.to_dict("records")]
    document.table(["round", *(columns[column] for column in shown), "sent, MB"], rows)
    options = " ".join(f"--{name}={value}" for name, value in result.parameters.items())
    document.code("Every option of this run", options)


def tabulate_energy(result):
    """Head and rows: what every node spent in a round, and how much of that its radios would have idle."""
    devices = result.devices
    columns = results.get_energy_columns(devices)
    parts = devices[columns].rename(columns=results.name_energy)
    whole = results.get_energy_parts(devices)
    if "radios idle" in whole:
        parts = parts.assign(**{"of these idle": whole["radios idle"]})
    sums = run_figures.get_energy_of_round(devices, parts)
    rows = [[run_figures.name_node(*key), *(write_number(value, 4) for value in row)]
            for key, row in zip(sums.index, sums.to_numpy())]
    return ["node", *(f"{name}, J" for name in sums)], rows


def tabulate_background(path):
    """Head and rows: how every other user fared, before the training and beside it."""
    header = ["user", "traffic", "direction", "period", "received", "lost, %", "goodput, kb/s", "delay, ms",
              "95 % of delays, ms", "jitter, ms"]
    words = "user", "traffic", "direction", "period"
    rows = []
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            number = {name: float(row[name] or math.nan) for name in row if name not in words}
            sent = number["received"] + number["lost"]
            rows.append([*(row[word] for word in words), row["received"],
                         write_number(100 * number["lost"] / sent if sent else math.nan, 3),
                         write_number(number["goodput_bps"] / 1e3, 4),
                         *(write_number(1e3 * number[name], 3)
                           for name in ("delay_s", "delay_p95_s", "jitter_s"))])
    return header, rows


def write_number(value, digits):
    return "–" if value != value else f"{value:.{digits}g}"
