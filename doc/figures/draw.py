#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Draws the documentation's figures as SVG files beside this script. With --check it writes nothing
# and fails where a file is not as this script would draw it.

import html
import json
import pathlib
import sys

INK = "#22313f"
FAINT = "#7b8794"
LINE = "#c5ced6"
FORWARD = "#2f7ed8"
BACKWARD = "#d9822b"
PARAMETERS = "#3d9970"
STYLES = {
    "device": ("#e8f1fb", FORWARD), "control": ("#fdf1e2", BACKWARD),
    "server": ("#e6f4ec", PARAMETERS), "plain": ("#f5f7f9", LINE),
}


class Figure:
    """An SVG picture on a white ground, so that it can be read on dark pages."""

    def __init__(self, width, height, title):
        self.width, self.height = width, height
        self.parts = [f"<title>{html.escape(title)}</title>",
                      f'<rect width="{width}" height="{height}" rx="10" fill="#ffffff"/>']
        self.colours = set()

    def box(self, x, y, width, height, style="plain", radius=7, dashed=False):
        fill, stroke = STYLES[style]
        dash = ' stroke-dasharray="6 4"' if dashed else ""
        self.parts.append(f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}" '
                          f'fill="{fill}" stroke="{stroke}" stroke-width="1.5"{dash}/>')

    def bar(self, x, y, width, height, colour, opacity=1.0):
        self.parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" rx="2" '
                          f'fill="{colour}" fill-opacity="{opacity}"/>')

    def text(self, x, y, content, size=14, colour=INK, anchor="middle", bold=False):
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(f'<text x="{x:.1f}" y="{y}" font-size="{size}" fill="{colour}" '
                          f'text-anchor="{anchor}"{weight}>{html.escape(content)}</text>')

    def labelled(self, x, y, width, height, style, title, *lines):
        self.box(x, y, width, height, style)
        top = y + height / 2 - 8.5 * len(lines) + 5
        self.text(x + width / 2, top, title, bold=True)
        for number, line in enumerate(lines):
            self.text(x + width / 2, top + 17 * (number + 1), line, 12, FAINT)

    def arrow(self, points, colour=INK, dashed=False, both=False):
        self.colours.add(colour)
        path = " ".join(f"{'M' if i == 0 else 'L'}{x:.1f} {y:.1f}"
                        for i, (x, y) in enumerate(points))
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        start = f' marker-start="url(#head{colour[1:]})"' if both else ""
        self.parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"{dash}'
                          f'{start} marker-end="url(#head{colour[1:]})"/>')

    def line(self, x1, y1, x2, y2, colour=LINE, width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def render(self):
        heads = "".join(
            f'<marker id="head{colour[1:]}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
            f'markerHeight="7" orient="auto-start-reverse"><path d="M0 0.5L8 4L0 7.5Z" '
            f'fill="{colour}"/></marker>' for colour in sorted(self.colours))
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" '
                f'width="{self.width}" height="{self.height}" '
                f'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">\n'
                f"<defs>{heads}</defs>\n" + "\n".join(self.parts) + "\n</svg>\n")


def legend(figure, x, y, entries):
    for colour, content in entries:
        figure.arrow([(x, y), (x + 34, y)], colour)
        figure.text(x + 42, y + 4, content, 12, INK, "start")
        x += 60 + 7.0 * len(content)


def draw_system():
    """The README's picture: two clusters, an edge server."""
    figure = Figure(860, 430, "A Transformer, cut over the devices of two clusters")
    for number, top in enumerate((20, 232)):
        figure.box(20, top, 610, 178, "plain", 10, dashed=True)
        figure.text(36, top + 22, f"cluster {number + 1}", 13, FAINT, "start", True)
        figure.text(614, top + 22, "Wi-Fi (802.11ax), device to device", 12, FAINT, "end")
        middle = top + 96
        figure.labelled(36, top + 56, 118, 80, "control", "control unit", "data,", "embedding")
        names = [("device 1", "blocks 1-3"), ("device 2", "blocks 4-5"), ("device 3", "blocks 6-8")]
        for k, (name, blocks) in enumerate(names):
            figure.labelled(206 + 148 * k, top + 56, 104, 80, "device", name, blocks)
        for x in (154, 310, 458):
            figure.arrow([(x + 3, middle - 12), (x + (50 if x == 154 else 42), middle - 12)], FORWARD)
            figure.arrow([(x + (50 if x == 154 else 42), middle + 12), (x + 3, middle + 12)], BACKWARD)
        figure.arrow([(606, middle - 12), (690, middle - 12)], FORWARD)
        figure.arrow([(690, middle + 12), (606, middle + 12)], BACKWARD)
        for x in (95, 258, 406, 554):
            figure.arrow([(x, top + 165), (x, top + 138)], PARAMETERS, both=True)
        figure.line(94, top + 166, 690, top + 166, PARAMETERS, 2)
    figure.labelled(692, 36, 148, 376, "server", "edge server", "decoder, loss", "averaging",
                    "controller: who", "holds which blocks,", "micro-batches,",
                    "bandwidth, power")
    figure.text(660, 217, "LTE", 13, FAINT)
    legend(figure, 30, 421, [])
    return figure


def draw_system_with_legend():
    figure = draw_system()
    figure.height = 466
    figure.parts[1] = f'<rect width="{figure.width}" height="466" rx="10" fill="#ffffff"/>'
    legend(figure, 60, 442, [(FORWARD, "activations, micro-batch by micro-batch"),
                             (BACKWARD, "gradients"), (PARAMETERS, "parameters, once a round")])
    return figure


def simulate_pipeline(times, transfer, count):
    """Start and end of every pass under GPipe: [stage][(kind, micro-batch, start, end)]."""
    stages = len(times)
    rows = [[] for _ in times]
    free = [0.0] * stages
    ready = [0.0] * count
    for kind, order, factor in (("F", range(stages), 1), ("B", range(stages - 1, -1, -1), 2)):
        for stage in order:
            for batch in range(count):
                start = max(free[stage], ready[batch])
                end = start + factor * times[stage]
                rows[stage].append((kind, batch, start, end))
                free[stage] = end
                ready[batch] = end + transfer
    return rows


def draw_round():
    """One round: its phases, and the pipeline of one iteration."""
    figure = Figure(860, 400, "One round")
    phases = [("report", 70, FAINT), ("distribute", 130, PARAMETERS),
              ("train: H local iterations", 420, FORWARD), ("upload", 130, PARAMETERS)]
    x = 90
    figure.text(80, 58, "round", 13, INK, "end", True)
    for name, width, colour in phases:
        figure.bar(x, 38, width - 3, 32, colour, 0.22)
        figure.text(x + width / 2, 59, name, 12)
        if name.startswith("train"):
            begin, end = x, x + width
        x += width
    figure.line(begin, 72, 90, 118)
    figure.line(end - 3, 72, 840, 118)
    figure.text(90, 108, "", 12)
    figure.text(465, 112, "one iteration: 4 micro-batches forward (F), backward (B), optimizer step",
                12, FAINT)
    names = ["control unit", "device 1", "device 2", "device 3", "edge server"]
    rows = simulate_pipeline([0.4, 1.0, 0.8, 1.0, 0.5], 0.25, 4)
    total = max(end for row in rows for *_, end in row)
    scale = 735 / total
    for stage, row in enumerate(rows):
        y = 128 + 44 * stage
        figure.text(80, y + 20, names[stage], 12, INK, "end")
        figure.line(90, y + 30, 840, y + 30)
        for kind, batch, start, end in row:
            left, width = 92 + start * scale, (end - start) * scale - 1.5
            figure.bar(left, y, width, 28, FORWARD if kind == "F" else BACKWARD, 0.85)
            if width > 17:
                figure.text(left + width / 2, y + 19, f"{kind}{batch}", 11, "#ffffff")
    last = max(end for *_, end in rows[0])
    figure.bar(92 + last * scale, 128, 8, 28, PARAMETERS)
    figure.arrow([(90, 362), (840, 362)], INK)
    figure.text(465, 384, "simulated time", 12, FAINT)
    return figure


def reduce_arrows(rooms):
    """The arrows that no others imply: where a room may include what another that it may include
    may, the short way is left out."""
    may = {room["name"]: set(room["may"]) for room in rooms}
    return [(name, other) for name, others in may.items() for other in sorted(others)
            if not any(other in may[between] for between in others - {other})]


def draw_rooms():
    """The folders, and who may include whom: rooms.json, to which a test holds the includes."""
    path = pathlib.Path(__file__).resolve().parent / "rooms.json"
    rooms = json.loads(path.read_text(encoding="utf-8"))["rooms"]
    levels = 1 + max(room["level"] for room in rooms)
    figure = Figure(860, 96 * levels + 110, "The module's rooms")
    figure.labelled(30, 14, 800, 40, "plain", "examples, programs of one's own")
    styles = {"helper": "control", "model": "device"}
    boxes = {}
    for room in rooms:
        x, y = 70 + 400 * room["column"], 78 + 96 * room["level"]
        boxes[room["name"]] = (x, y)
        figure.labelled(x, y, 320, 62, styles[room["name"].split("/")[0]], room["name"],
                        " ".join(room["words"]))
    for name, other in reduce_arrows(rooms):
        (x1, y1), (x2, y2) = boxes[name], boxes[other]
        if y1 == y2:
            continue
        shift = 26 * ((x2 > x1) - (x2 < x1))
        figure.arrow([(x1 + 160 + shift, y1 + 62), (x2 + 160 - shift, y2 - 1)], FAINT)
    bottom = 96 * levels + 70
    figure.labelled(30, bottom, 390, 30, "plain", "ns-3, Eigen, C++17")
    figure.labelled(440, bottom, 390, 30, "plain", "LibTorch (model/learning alone)")
    return figure


FIGURES = {"system": draw_system_with_legend, "round": draw_round, "rooms": draw_rooms}


def main():
    folder = pathlib.Path(__file__).resolve().parent
    stale = 0
    for name, draw in FIGURES.items():
        path = folder / f"{name}.svg"
        text = draw().render()
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                print(f"{path} is not what {__file__} draws")
                stale += 1
        else:
            path.write_text(text, encoding="utf-8")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
