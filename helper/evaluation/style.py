# SPDX-License-Identifier: GPL-2.0-only
"""How figures look: colours with a light and a dark value, fonts, and saving them as SVG and PDF.

Figures are drawn in the light colours. For the page every one of these becomes a CSS variable, so
that one drawing serves both light and dark."""

import io
import re

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402 (a backend that needs no display is chosen before)

#: Name, light, dark.
COLOURS = [("s1", "#2f6fbf", "#6ea8fe"), ("s2", "#d9711c", "#f0a05a"),
           ("s3", "#1f8a5b", "#4fc38f"), ("s4", "#b0387a", "#e57fb5"),
           ("s5", "#6b57c8", "#a899f5"), ("s6", "#8a7a12", "#cdb93f"),
           ("s7", "#0f8a99", "#4cc4d3"), ("s8", "#7a5a45", "#c39b80"),
           ("s9", "#66737f", "#9aa7b4"), ("s10", "#a83232", "#f07a7a"),
           ("ink", "#1c2733", "#e6eaee"), ("muted", "#5d6b78", "#98a5b2"),
           ("grid", "#dde3e8", "#303b45")]
LIGHT = {name: light for name, light, _ in COLOURS}
SERIES = [LIGHT[f"s{i}"] for i in range(1, 11)]
WIDTH = 4.4  #: inches: what a phone shows without shrinking the letters
MARKERS = "osD^vPX*<>"

pyplot.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 8.5, "axes.titlesize": 9, "axes.labelsize": 8.5,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8,
    "text.color": LIGHT["ink"], "axes.labelcolor": LIGHT["ink"], "axes.titlecolor": LIGHT["ink"],
    "xtick.color": LIGHT["muted"], "ytick.color": LIGHT["muted"],
    "xtick.labelcolor": LIGHT["ink"], "ytick.labelcolor": LIGHT["ink"],
    "axes.edgecolor": LIGHT["muted"], "axes.linewidth": 0.8, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": LIGHT["grid"],
    "grid.linewidth": 0.8, "axes.axisbelow": True, "lines.linewidth": 1.6, "lines.markersize": 4,
    "axes.prop_cycle": matplotlib.cycler(color=SERIES), "legend.frameon": False,
    "figure.facecolor": "none", "axes.facecolor": "none", "savefig.facecolor": "none",
    "svg.fonttype": "none", "svg.hashsalt": "collapipe", "pdf.fonttype": 42,
    "figure.constrained_layout.use": True, "axes.titlelocation": "left"})


def new(height=2.7, width=WIDTH, rows=1, columns=1, **options):
    """A figure and its axes."""
    return pyplot.subplots(rows, columns, figsize=(width, height), **options)


def add_legend(axes, columns=4):
    """A legend above the axes, where it covers nothing that is drawn."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(ncols=columns, loc="lower left", bbox_to_anchor=(0, 1), handlelength=1.2,
                    columnspacing=1, borderaxespad=0.2)


def get_colour(index):
    return SERIES[index % len(SERIES)]


def save(figure, folder, name):
    """Saves NAME.svg and NAME.pdf for papers; returns the SVG for the page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.svg").write_text(text.getvalue(), encoding="utf-8")
        figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None})
    pyplot.close(figure)
    return make_inline(text.getvalue())


def make_inline(svg):
    """Without prologue and size of its own, colours and fonts those of the page."""
    svg = svg[svg.index("<svg"):]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    width = float(re.search(r'width="([\d.]+)pt"', svg).group(1)) * 4 / 3
    svg = re.sub(r'\s(width|height)="[\d.]+pt"', "", svg, count=2)
    svg = svg.replace("<svg ", f'<svg style="max-width:{width:.0f}px" ', 1)
    svg = re.sub(r"font: ([^;\"]*?)([\d.]+)px [^;\"]*", r"font: \1\2px var(--font)", svg)
    for name, light, _ in COLOURS:
        svg = svg.replace(light, f"var(--{name})")
    return svg


def get_css():
    """The colours as CSS variables: light, dark where the reader prefers that, light in print."""
    light = "".join(f"--{name}:{value};" for name, value, _ in COLOURS)
    dark = "".join(f"--{name}:{value};" for name, _, value in COLOURS)
    return (f":root{{{light}--paper:#ffffff;--raised:#f5f7f9;color-scheme:light dark}}"
            f"@media screen and (prefers-color-scheme:dark){{:root{{{dark}"
            "--paper:#14191f;--raised:#1d242c}}")


def label_bars(axes, bars, texts):
    """Writes a text at the end of every horizontal bar."""
    right = axes.get_xlim()[1]
    for bar, text in zip(bars, texts):
        axes.annotate(text, (bar.get_width(), bar.get_y() + bar.get_height() / 2),
                      xytext=(3, 0), textcoords="offset points", va="center", fontsize=7.5,
                      color=LIGHT["ink"])
    axes.set_xlim(right=right * 1.18)


def draw_cells(axes, values, rows, columns, texts=None, maximum=None, colour=LIGHT["s1"]):
    """A table of cells, the fuller the larger the value; readable on light and dark alike."""
    top = maximum or max((value for row in values for value in row if value == value), default=1)
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            if value != value:
                continue
            share = min(1, max(0, value / top)) if top > 0 else 0
            axes.add_patch(matplotlib.patches.Rectangle(
                (j - 0.5, i - 0.5), 1, 1, facecolor=colour, alpha=0.05 + 0.6 * share,
                edgecolor="none"))
            if texts is not None and len(columns) <= 12:
                axes.text(j, i, texts[i][j], ha="center", va="center", fontsize=7)
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks(range(len(rows)), rows)
    step = max(1, len(columns) // 10)
    axes.set_xticks(range(0, len(columns), step), columns[::step])
    axes.grid(False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def frame_cells(axes, cells, colour=LIGHT["s2"]):
    """Draws a frame into some cells of draw_cells(), given by their row and column."""
    for row, column in cells:
        axes.add_patch(matplotlib.patches.Rectangle(
            (column - 0.45, row - 0.42), 0.9, 0.84, facecolor="none", edgecolor=colour, linewidth=1.5))
