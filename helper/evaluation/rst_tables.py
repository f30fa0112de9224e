# SPDX-License-Identifier: GPL-2.0-only
"""A campaign's tables as reStructuredText, for doc/: every row with the command behind it."""

import shlex

import campaign_figures
import compare
import intervals
import results


def make(description, studies):
    """The text; studies are triples of a study, its table and its runs."""
    parts = [".. SPDX-License-" "Identifier: GPL-2.0-only",
             ".. Made by ./collapipe evaluate (results.rst in a campaign's folder); not edited."]
    for study, table, _ in studies:
        metrics = [results.METRIC[key] for key in results.QUOTED + (results.TRADED if study.x else [])
                   if key in table and table[key].notna().any()]
        parts += [f"{study.title}\n{'~' * len(study.title)}", describe(study, table)]
        parts.append(make_means(study, table, metrics))
        if not study.x and table["controller"].nunique() > 1:
            parts.append(make_changes(study, table, metrics))
        parts.append(make_command(study, table))
    return "\n\n".join(parts) + "\n"


def describe(study, table):
    seeds = table["seed"].nunique()
    sentence = f"{len(table)} runs, {seeds} {'seed' if seeds == 1 else 'seeds'}."
    losses = table["target_loss"].dropna().unique()
    if len(losses) == 1:
        sentence += f" The loss to reach is {losses[0]:.4g} nats."
    violating = sorted(set(table[table["violates_memory"]]["controller"]))
    if violating:
        sentence += f" \\* {', '.join(violating)}: needs more memory than the devices have."
    return sentence


def make_list_table(header, rows):
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [header, *rows]:
        lines += [f"   {'* -' if i == 0 else '  -'} {cell}" for i, cell in enumerate(row)]
    return "\n".join(lines)


def make_means(study, table, metrics):
    keys = [key for key in ("case", study.x, "controller")
            if key and (key == "controller" or table[key].nunique() > 1)]
    rows = []
    for _, part in compare.group(table, keys):
        cells = [compare.write_interval(
            *intervals.mean_and_half_width(part[metric.key]), metric.scale)
            for metric in metrics]
        rows.append([str(part[key].iloc[0]) for key in keys] + cells)
    return make_list_table([key.rsplit("::", 1)[-1] for key in keys] +
                           [metric.label for metric in metrics], rows)


def make_changes(study, table, metrics):
    rows = []
    for case in dict.fromkeys(table["case"]):
        part = table[table["case"] == case]
        for other in compare.order_controllers(part, study.reference)[1:]:
            rows.append([(f"{case}: " if case else "") + campaign_figures.get_label(other, part)
                         .replace("*", "\\*"),
                         *(compare.write_change(compare.get_change(part, study, other, metric.key))
                           for metric in metrics),
                         compare.get_verdict(part, study, other,
                                             compare.choose_latency(part, study, other))])
    return (f"{study.reference} against the others, mean of the paired differences:\n\n" +
            make_list_table(["against", *(metric.title for metric in metrics), "verdict"], rows))


def make_command(study, table):
    """The command of the first row's first run; the others differ in what was swept."""
    run = next(run for run in study.runs if run.name == table["name"].iloc[0])
    swept = ", ".join(f"``--{key}``" for key in run.swept)
    words = [shlex.quote(word) for word in run.arguments]
    lines, line = [], "./collapipe run"
    for word in words:
        if len(line) + len(word) > 88:
            lines.append(line + " \\")
            line = "   "
        line += " " + word
    return (f"A row's runs are this command with other values of {swept}::\n\n" +
            "\n".join("    " + text for text in [*lines, line]))
