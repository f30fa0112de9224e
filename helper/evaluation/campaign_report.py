# SPDX-License-Identifier: GPL-2.0-only
"""The report of a campaign: tables that can be read by other programs, report.html and a page for every
scenario, figures."""

import math

import pandas

import campaign
import campaign_figures
import compare
import intervals
import page
import results
import rst_tables
import run_report
import scenarios
import style

#: Bars and curves, in this order, of those that a study has values of.
SHOWN = ["time_to_loss_s", "latency_s", "training_s", "transfer_s", "efficiency_used",
         "efficiency_all", "memory_bytes", "energy_to_loss_j", "energy_j", "queue", "phi",
         "sent_bytes", "bleu", "accuracy", "planning_error"]
PAPER = {"latency_s": "at least −48.98 %", "efficiency_used": "up to +15.09 %",
         "memory_bytes": "below −50 %"}

HEADLINE = """Every cell is the mean of the differences in percent between runs with the same random numbers, with \
its interval; negative: less than the other controller. The first line is what the CollaPipe paper reports. The last \
column compares latency at equal loss: that of the rounds where both came to the same loss in them, else the time to \
the loss."""


def make(folder, description):
    """Writes runs.csv, rounds.csv and results.rst into the folder; returns the pages by their files' names:
    report.html, and one of every scenario where the studies are about several."""
    studies = [(study, *results.read_study(folder, study)) for study in description.studies]
    studies = [(study, table, runs) for study, table, runs in studies if not table.empty]
    if not studies:
        raise results.ResultError(f"{folder} holds no finished run yet")
    everything = pandas.concat([table for _, table, _ in studies], ignore_index=True)
    write_csv(everything, folder / "runs.csv")
    write_csv(results.merge_rounds(studies), folder / "rounds.csv")
    (folder / "results.rst").write_text(rst_tables.make(description, studies), encoding="utf-8")
    finished = everything["name"].nunique()
    document = page.Page(description.title or folder.name,
                         f"{finished} of {len(description.runs())} runs finished; CollaPipe "
                         f"{next(iter(studies[0][2].values())).summary['collapipe_version']}")
    document.text(description.text)
    if finished < len(description.runs()):
        document.text("Some runs are missing; what follows is of those there are. Start the "
                      "campaign again to run the others.", "warning")
    groups = scenarios.group(studies)
    files = scenarios.name_pages(groups)
    pages = {}
    if groups:
        document.text(HEADLINE)
    for name, own in groups.items():
        add_summary(document, name, files[name], own)
        pages[files[name]] = make_scenario(folder, description, name, own)
    for study, table, runs in studies:
        if scenarios.get_scenario(study) not in groups:
            add_study(document, folder, study, table, runs)
    add_end(document, description)
    pages["report.html"] = document.render()
    return pages


def add_summary(document, name, file, studies):
    """What the campaign's page has of a scenario that has a page of its own."""
    title, text = scenarios.describe(name)
    document.heading(title)
    document.link(f"Everything about {name}", file)
    document.text(text, "muted")
    for study, table, _ in studies:
        if study.title != title:
            document.heading(study.title, 3)
        if study.x or table["controller"].nunique() < 2:
            add_means(document, study, table, [results.METRIC["latency_s"]])
        else:
            add_headline(document, study, table, explain=False)


def make_scenario(folder, description, name, studies):
    """The page of a scenario."""
    title, text = scenarios.describe(name)
    runs = sum(len(table) for _, table, _ in studies)
    document = page.Page(title, f"{name}, of {description.title or folder.name}: {runs} runs")
    document.link("All scenarios", "report.html")
    document.text(text)
    for study, table, results_by_name in studies:
        add_study(document, folder, study, table, results_by_name)
    add_commands(document, {run.name: run for study, *_ in studies for run in study.runs})
    return document.render()


def write_csv(table, path):
    temporary = path.with_name(f".{path.name}.partial")
    table.to_csv(temporary, index=False, float_format="%.9g")
    temporary.rename(path)


def add_study(document, folder, study, table, runs):
    document.heading(study.title)
    document.text(study.text)
    document.text(describe(study, table), "muted")
    violating = sorted(set(table[table["violates_memory"]]["controller"]))
    if violating:
        document.text(f"* {', '.join(violating)}: the plan needs more memory than devices have; it "
                      "was simulated all the same, and could not be run on them.", "warning")
    metrics = [results.METRIC[key] for key in SHOWN
               if key in table and table[key].notna().any() and varies(table[key])]
    if study.x:
        add_curves(document, folder, study, table, metrics)
    elif table["controller"].nunique() > 1:
        add_headline(document, study, table)
        add_bars(document, folder, study, table, runs, metrics)
    add_means(document, study, table, metrics)
    if not study.x and study.reference in set(table["controller"]):
        add_inside(document, folder, study, table, runs)


def varies(column):
    return column.nunique() > 1 or (column != 0).any()


def describe(study, table):
    counts = table.groupby([*(["case"] if table["case"].any() else []), "controller",
                            *([study.x] if study.x else [])]).size()
    words = (f"{counts.min()}" if counts.min() == counts.max() else
             f"{counts.min()} to {counts.max()}")
    sentence = (f"{len(table)} runs, {words} for every bar or point, all with the same random "
                "numbers for every controller; intervals are 95 % (Student's t).")
    losses = table.dropna(subset=["target_loss"])
    if not losses.empty and losses["target_loss"].nunique() == 1:
        sentence += f" The loss to reach is {losses['target_loss'].iloc[0]:.4g} nats"
        sentence += "." if study.target_loss is not None else ", which every run came down to."
    return sentence


def get_cases(table):
    return list(dict.fromkeys(table["case"]))


def add_headline(document, study, table, explain=True):
    """By how much the reference differs from every other controller, in pairs."""
    if study.reference not in set(table["controller"]):
        return
    shown = [results.METRIC[key] for key in results.QUOTED if key in table and table[key].notna().any()]
    document.heading(f"{study.reference} against the others", 3)
    if explain:
        document.text(HEADLINE)
    header = ["against", *(metric.title for metric in shown), "at equal loss"]
    rows = [["the paper", *(PAPER.get(metric.key, "–") for metric in shown), ""]]
    for case in get_cases(table):
        part = table[table["case"] == case]
        for other in compare.order_controllers(part, study.reference)[1:]:
            rows.append([(f"{case}: " if case else "") + campaign_figures.get_label(other, part),
                         *(compare.write_change(compare.get_change(part, study, other, metric.key))
                           for metric in shown),
                         compare.get_verdict(part, study, other,
                                             compare.choose_latency(part, study, other))])
    document.table(header, rows)


def add_bars(document, folder, study, table, runs, metrics):
    figures = []
    losses = campaign_figures.draw_losses(study, table, runs)
    if losses is not None:
        figures.append((style.save(losses, folder / "figures", f"{study.name}-loss"),
                        "Validation loss over simulated time, means over all runs.", False))
    phases = campaign_figures.draw_phases(study, table, runs)
    figures.append((style.save(phases, folder / "figures", f"{study.name}-phases"),
                    "Where the time of a round goes, means over all runs.", False))
    for metric in metrics:
        figure = campaign_figures.draw_bars(study, table, metric)
        figures.append((style.save(figure, folder / "figures", f"{study.name}-{metric.key}"),
                        f"{capitalise(metric.title)}, mean and 95 % interval"
                        f"{'' if metric.lower else '; more is better'}.", False))
    document.figures(figures)


def add_curves(document, folder, study, table, metrics):
    figures = []
    for metric in metrics:
        figure = campaign_figures.draw_curves(study, table, metric)
        figures.append((style.save(figure, folder / "figures", f"{study.name}-{metric.key}"),
                        f"{capitalise(metric.title)} over {study.x.rsplit('::', 1)[-1]}, mean and "
                        "95 % interval.", False))
    document.figures(figures)


def capitalise(text):
    return text[0].upper() + text[1:]


def add_means(document, study, table, metrics):
    keys = [key for key in ("case", study.x, "controller") if key and
            (key == "controller" or table[key].nunique() > 1)]
    header = [key.rsplit("::", 1)[-1] for key in keys] + ["runs"] + [m.label for m in metrics]
    rows, marked = [], []
    for _, part in compare.group(table, keys):
        values = [part[key].iloc[0] for key in keys]
        if part["controller"].iloc[0] == study.reference and table["controller"].nunique() > 1:
            marked.append(len(rows))
        cells = [compare.write_interval(*intervals.mean_and_half_width(part[metric.key]),
                                        metric.scale) for metric in metrics]
        rows.append([*map(str, values), str(len(part)), *cells])
    document.heading("All means with their intervals", 3)
    document.table(header, rows, marked)


def add_inside(document, folder, study, table, runs):
    """One run of the reference from inside."""
    name = table[table["controller"] == study.reference]["name"].iloc[0]
    drawn = run_report.draw(runs[name], folder / "figures", f"{study.name}-")
    if not drawn:
        return
    document.heading(f"One run of {study.reference} from inside", 3)
    document.text(f"runs/{name}; a report of its own: ./collapipe report {folder}/runs/{name}",
                  "muted")
    wanted = ["latency", "pipeline", "segments", "links-training", "map", "queues", "memory"]
    document.figures([drawn[key] for key in wanted if key in drawn])


def add_end(document, description):
    document.heading("Every run is one command")
    document.text("The same command gives the same numbers, whatever the machine's number of cores. "
                  "runs.csv has a line for every run, rounds.csv for every round.")
    add_commands(document, description.runs())
    document.text("The runs were started by GNU parallel (O. Tange, GNU Parallel, "
                  "doi:10.5281/zenodo.1146014).", "muted")


def add_commands(document, runs):
    commands = "\n".join("./collapipe run " + " ".join(run.arguments) for run in runs.values())
    document.code(f"The {len(runs)} commands", commands)


def read_description(folder):
    try:
        return campaign.read(folder / "campaign.toml")
    except campaign.DescriptionError as error:
        raise results.ResultError(str(error)) from error
