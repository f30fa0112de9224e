# SPDX-License-Identifier: GPL-2.0-only
"""The figures of one run. Every function takes a RunResult and returns (name, figure, caption,
wide), or None where the run does not hold what it shows."""

import math

import faults
import gantt
import places
import results
import style

MAX_ROWS = 40  #: of a table of cells
#: What is shown of links, its title and its colour.
PANELS = {"share": ("share of the medium, %", "s1"), "power": ("power, dBm", "s2"),
          "channel": ("channel: SNR at full power, dB", "s3")}


def name_node(cluster, node):
    """As the tables' column name, captures and timeline have it: c0-d1 is the second device of the
    first cluster, and node 2 of the tables."""
    return f"c{cluster}-cu" if node == 0 else f"c{cluster}-d{node - 1}"


def draw_loss(result):
    curve = result.get_curve()
    if curve["validation_loss"].isna().all() and curve["train_loss"].isna().all():
        return None
    figure, axes = style.new()
    for i, (column, form, label) in enumerate((("validation_loss", "o-", "validation"),
                                               ("train_loss", "s--", "training, mean of the round"))):
        if curve[column].notna().any():
            axes.plot(curve["time_s"], curve[column], form, color=style.get_colour(i), label=label)
    axes.set(xlabel="simulated time, s", ylabel="loss, nats")
    axes.legend()
    return "loss", figure, "Loss over simulated time; a point per round.", False


def draw_learning(result):
    curve = result.get_curve()
    keys = [key for key in results.LEARNING if key in curve and curve[key].notna().any()]
    if not keys:
        return None
    figure, axes = style.new()
    for i, key in enumerate(keys):
        axes.plot(curve["time_s"], curve[key], style.MARKERS[i] + "-", label=results.LEARNING[key])
    axes.set(xlabel="simulated time, s", ylabel=" and ".join(results.LEARNING[key] for key in keys))
    axes.legend()
    return "quality", figure, "What the model can do, on the validation part.", False


def draw_latency(result):
    rounds = result.rounds
    figure, axes = style.new()
    bottom = 0
    for i, (column, name) in enumerate(results.PHASES.items()):
        if not rounds[column].any():
            continue
        axes.bar(rounds["round"], rounds[column], bottom=bottom, width=0.75, label=name,
                 color=style.get_colour((3, 1, 0, 2)[i]), edgecolor="none")
        bottom = bottom + rounds[column]
    planned = rounds["planned_latency_s"]
    if (planned > 0).any():
        axes.plot(rounds["round"], planned, "D", color=style.LIGHT["ink"], markersize=4,
                  label="as planned")
    mark_faults(axes, result, bottom)
    axes.set(xlabel="round", ylabel="latency, s")
    axes.xaxis.get_major_locator().set_params(integer=True)
    style.add_legend(axes, 3)
    return "latency", figure, ("Latency of every round by phase, of the cluster that ended last; "
                               "the diamond is the controller's own prediction."), False


def mark_faults(axes, result, heights):
    """A cross and some words over the bar of every round in which a fault came."""
    kinds = {}
    for fault in faults.read(result):
        kinds.setdefault(faults.find_round(result, fault), []).append(fault.kind)
    if not kinds:
        return
    tops = dict(zip(result.rounds["round"], heights))
    lift = 0.04 * max(heights)
    axes.plot(list(kinds), [tops[number] + lift for number in kinds], "X", markersize=6,
              color=style.LIGHT["s10"], label="fault", linestyle="none")
    for number, words in kinds.items():
        text = "\n".join(words) if len(words) <= 3 else f"{len(words)} faults"
        axes.annotate(text, (number, tops[number] + lift), xytext=(0, 5), textcoords="offset points",
                      ha="center", va="bottom", fontsize=7)
    axes.set_ylim(0, max(heights) * (1.16 + 0.05 * max(min(len(words), 3) for words in kinds.values())))


def draw_segments(result):
    devices = result.devices[result.devices["node"] > 0].copy()
    devices["blocks"] = devices["last_block"] - devices["first_block"]
    rounds = sorted(devices["round"].unique())
    rows, values, texts, moved = [], [], [], {}
    for (cluster, node), group in list(devices.groupby(["cluster", "node"]))[:MAX_ROWS]:
        group = group.set_index("round")
        moved.update({(len(rows), column): count
                      for column, count in count_moved(group, rounds).items()})
        rows.append(f"{name_node(cluster, node)}: {group['profile'].iloc[0]}")
        values.append([group["blocks"].get(r, math.nan) for r in rounds])
        texts.append([write_segment(group, r) for r in rounds])
    figure, axes = style.new(0.7 + 0.22 * len(rows))
    style.draw_cells(axes, values, rows, rounds, texts)
    style.frame_cells(axes, moved)
    axes.set_xlabel("round")
    return "segments", figure, (
        "Encoder blocks on every device; for example 3-5 where it holds the third to the fifth. " +
        (f"Framed: some of them have come since the round before, {sum(moved.values())} in all."
         if moved else "None of them has moved." if len(rounds) > 1 else "")).strip(), False


def count_moved(group, rounds):
    """By a round's place in the list: how many blocks a device holds that it did not the round before."""
    held = [get_blocks(group, number) for number in rounds]
    came = {i: len(now - before) for i, (before, now) in enumerate(zip(held, held[1:]), 1)}
    return {i: count for i, count in came.items() if count > 0}


def get_blocks(group, number):
    if number not in group.index:
        return set()
    return set(range(group.loc[number, "first_block"], group.loc[number, "last_block"]))


def write_segment(group, number):
    if number not in group.index:
        return ""
    first, last = group.loc[number, "first_block"], group.loc[number, "last_block"]
    return "·" if last <= first else str(last) if last == first + 1 else f"{first + 1}-{last}"


def draw_links(result, phase):
    """Shares and powers over rounds, beside the channel."""
    if result.links is None:
        return None
    links = result.links[(result.links["phase"] == phase) & (result.links["from"] != "es")]
    if links.empty:
        return None
    rounds = sorted(links["round"].unique())
    rows, cells = [], {name: [] for name in PANELS}
    ends = ["from_name", "to_name"] if "from_name" in links else ["from", "to"]
    for (_, sender, receiver), group in list(links.groupby(["cluster", *ends]))[:MAX_ROWS]:
        group = group.drop_duplicates("round").set_index("round").reindex(rounds)
        rows.append(f"{sender} → {receiver.split('-')[-1]}")
        cells["share"].append(list(100 * group["share"]))
        cells["power"].append(list(10 * (1000 * group["power_w"]).apply(safe_log10)))
        cells["channel"].append(list(group["snr_db"]))
    # Wires have neither a power nor a channel.
    shown = [name for name in PANELS if any(value == value for row in cells[name] for value in row)]
    if not shown:
        return None
    figure, axes = style.new(0.9 + 0.19 * len(rows), (len(shown) + 1) * style.WIDTH / 2,
                             columns=len(shown), sharey=True, squeeze=False)
    for ax, name in zip(axes[0], shown):
        title, colour = PANELS[name]
        texts = [["" if value != value else f"{value:.0f}" for value in row] for row in cells[name]]
        style.draw_cells(ax, cells[name], rows, rounds, texts, colour=style.LIGHT[colour])
        ax.set(xlabel="round", title=title)
    beside = ", beside the channel as it was estimated" if "channel" in shown else ""
    return f"links-{phase}", figure, (
        f"Links in the {phase} phase, by cluster: what the controller gave each{beside}. A blank "
        "cell: no such link in that round."), len(shown) > 1


def safe_log10(value):
    return math.log10(value) if value > 0 else math.nan


def draw_queues(result):
    budgets = result.budgets
    if budgets is None or not (budgets["energy_budget_j"] > 0).any():
        return None
    with_budget = budgets[budgets["energy_budget_j"] > 0]
    energy = result.get_device_energy()
    figure, (upper, lower) = style.new(4.4, rows=2, sharex=True)
    for i, ((cluster, node), group) in enumerate(with_budget.groupby(["cluster", "node"])):
        rows = (result.devices["cluster"] == cluster) & (result.devices["node"] == node)
        options = {"color": style.get_colour(i), "marker": style.MARKERS[i % 10], "markersize": 3}
        upper.plot(result.devices[rows]["round"], energy[rows], **options,
                   label=name_node(cluster, node))
        lower.plot(group["round"], group["energy_queue"], **options)
    for budget in sorted(with_budget["energy_budget_j"].unique()):
        upper.axhline(budget, color=style.LIGHT["ink"], linestyle="--", linewidth=1)
    upper.set(ylabel="energy in the round, J")
    lower.set(xlabel="round", ylabel="queue Q, budgets")
    lower.xaxis.get_major_locator().set_params(integer=True)
    if len(upper.get_lines()) <= 10:
        upper.legend(ncols=2, fontsize=7, handlelength=1.2)
    return "queues", figure, ("Measured energy beside the budget (dashed), and the virtual queues "
                              "(12) as they stood when each round was planned."), False


def draw_convergence(result):
    control = result.control
    if control is None or not (control["phi_target"] > 0).any():
        return None
    figure, (upper, lower) = style.new(3.6, rows=2, sharex=True)
    upper.plot(control["round"], control["phi"], "o-", label="φ(n)")
    upper.plot(control["round"], control["phi_target"], "--", color=style.LIGHT["ink"],
               label="its target")
    upper.legend()
    lower.plot(control["round"], control["convergence_queue"], "o-")
    upper.set(ylabel="φ")
    lower.set(xlabel="round", ylabel="queue Z")
    return "convergence", figure, "The convergence requirement (10) and its queue (12).", False


def draw_energy(result):
    devices = result.devices
    sums = get_energy_of_round(devices, results.get_energy_parts(devices)).iloc[:MAX_ROWS]
    if sums.empty or sums.to_numpy().sum() <= 0:
        return None
    figure, axes = style.new(0.8 + 0.21 * len(sums))
    left = 0
    for i, name in enumerate(sums.columns):
        colour = style.LIGHT["s9"] if name.endswith("idle") else style.get_colour(i)
        axes.barh(range(len(sums)), sums[name], left=left, label=name, color=colour, height=0.7)
        left = left + sums[name].to_numpy()
    axes.set_yticks(range(len(sums)), [name_node(*key) for key in sums.index])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("energy of a round, J, mean")
    style.add_legend(axes)
    idle = " An idle radio takes the same under all plans of equal length." if "radios idle" in sums else ""
    return "energy", figure, f"What every node spends in a round: computation, and radio.{idle}", False


def get_energy_of_round(devices, parts):
    """The mean of a round by cluster and node, J, without what is nothing for all."""
    sums = parts.groupby([devices["cluster"], devices["node"]]).sum() / devices["round"].nunique()
    return sums[[name for name in sums if sums[name].sum() > 1e-9 * sums.to_numpy().sum()]]


def draw_memory(result):
    devices = result.devices[result.devices["node"] > 0]
    measured = results.get_memory_column(devices)
    bars = {"planned, formula (8)": devices.groupby(["cluster", "node"])["planned_memory_bytes"].max()}
    if measured:
        bars["measured peak"] = devices.groupby(["cluster", "node"])[measured].max()
    if bars["planned, formula (8)"].max() <= 0:
        return None
    rows = bars["planned, formula (8)"].index[:MAX_ROWS]
    figure, axes = style.new(0.9 + 0.26 * len(rows))
    height = 0.8 / len(bars)
    for i, (name, values) in enumerate(bars.items()):
        axes.barh([row + (i - (len(bars) - 1) / 2) * height for row in range(len(rows))],
                  values.loc[rows] / 1e6, height=height * 0.9, label=name,
                  color=style.get_colour(i))
    if result.budgets is not None:
        limits = result.budgets[result.budgets["node"] > 0].groupby(["cluster", "node"])[
            "memory_limit_bytes"].max() / 1e6
        axes.plot(limits.loc[rows], range(len(rows)), "|", color=style.LIGHT["ink"], markersize=11,
                  markeredgewidth=1.6, label="what the device can give")
    axes.set_yticks(range(len(rows)), [name_node(*key) for key in rows])
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel("peak memory, MB")
    style.add_legend(axes, 2)
    return "memory", figure, "Memory of every device: its largest need over all rounds.", False


def draw_all(result, number):
    """All figures of a run that it holds the data for; `number` is the round of the Gantt chart."""
    figures = [draw_loss(result), draw_learning(result), draw_latency(result),
               draw_segments(result), gantt.draw(result, number), draw_links(result, "training"),
               draw_links(result, "upload"), places.draw(result, number), draw_queues(result),
               draw_convergence(result), draw_energy(result), draw_memory(result)]
    return [figure for figure in figures if figure]
