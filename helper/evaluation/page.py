# SPDX-License-Identifier: GPL-2.0-only
"""A self-contained HTML page of headings, sentences, tables and figures: nothing that is fetched, and
nothing that takes a script to be read; for a phone and for print, in light and dark."""

import html

import style

CSS = """
*{box-sizing:border-box}
:root{--font:system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 var(--font)}
main{max-width:76rem;margin:0 auto;padding:1.5rem 1rem 4rem}
h1{font-size:1.6rem;line-height:1.25;margin:.2rem 0 .4rem}
h2{font-size:1.25rem;margin:2.6rem 0 .4rem;padding-top:.8rem;border-top:1px solid var(--grid)}
h3{font-size:1rem;margin:1.6rem 0 .3rem}
p{max-width:44rem;margin:.4rem 0 .8rem}
.muted,figcaption,nav{color:var(--muted)}
nav a{margin-right:1rem;white-space:nowrap}
a{color:var(--s1)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));gap:.6rem;margin:1rem 0}
.tile{background:var(--raised);border-radius:.5rem;padding:.6rem .8rem}
.tile b{display:block;font-size:1.3rem;font-weight:600;font-variant-numeric:tabular-nums}
.tile span{color:var(--muted);font-size:.85rem}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,25rem),1fr));gap:1.2rem;
align-items:start;margin:1rem 0}
figure{margin:0;min-width:0}
figure.wide{grid-column:1/-1}
figure svg{display:block;width:100%;height:auto}
figure.wide .scroll svg{min-width:44rem}
figcaption{font-size:.85rem;margin-top:.2rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;margin:.6rem 0}
th,td{text-align:right;padding:.25rem .6rem;border-bottom:1px solid var(--grid);white-space:nowrap}
th{color:var(--muted);font-weight:600;vertical-align:bottom;white-space:normal}
th:first-child,td:first-child{text-align:left}
tr.reference td{font-weight:600}
pre{background:var(--raised);padding:.7rem;border-radius:.5rem;overflow-x:auto;font-size:.8rem}
code{font-size:.9em;overflow-wrap:anywhere}
details{margin:.6rem 0}
summary{cursor:pointer;color:var(--muted)}
.warning{border-left:.25rem solid var(--s2);padding:.1rem .8rem;background:var(--raised)}
.choice{grid-column:1/-1;min-width:0}
.choice label{margin:0 1rem 0 .25rem;cursor:pointer}
.choice input{accent-color:var(--s1)}
.choice figure{display:none;margin-top:.6rem}
CHOICE{display:block}
@media print{
body{font-size:10pt}
main{max-width:none;padding:0}
nav,summary,.choice input,.choice label{display:none}
h2,h3{break-after:avoid}
figure,table,.tile{break-inside:avoid}
.figures{grid-template-columns:1fr 1fr}
.scroll{overflow:visible}
figure.wide .scroll svg{min-width:0}
table{font-size:6.6pt}
th,td{padding:.15rem .2rem}
th,td:first-child{white-space:normal}
}
"""


#: Figures that a choice may have: the first is seen while the first button is pressed, and so on.
MOST_CHOICES = 8
CSS = CSS.replace("CHOICE", ",".join(f".choice input:nth-of-type({i}):checked~figure:nth-of-type({i})"
                                     for i in range(1, MOST_CHOICES + 1)))


def escape(text):
    return html.escape(str(text), quote=False)


def make_table(header, rows, marked=()):
    """rows: lists of texts; `marked` are the indices of rows to stand out."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f'<tr{" class=" + chr(34) + "reference" + chr(34) if i in marked else ""}>' +
        "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for i, row in enumerate(rows))
    return ('<div class="scroll"><table><thead><tr>' + head + "</tr></thead><tbody>" + body +
            "</tbody></table></div>")


def make_figure(svg, caption, wide):
    return (f'<figure{" class=" + chr(34) + "wide" + chr(34) if wide else ""}>'
            f'<div class="scroll" role="img" aria-label="{html.escape(caption)}">{svg}</div>'
            f"<figcaption>{escape(caption)}</figcaption></figure>")


class Page:
    """Collects the parts of a page."""

    def __init__(self, title, subtitle=""):
        self.title = title
        self.subtitle = subtitle
        self.parts = []
        self.links = []
        self.choices = 0

    def add(self, part):
        self.parts.append(part)

    def heading(self, text, level=2):
        anchor = f"part-{len(self.links) + 1}"
        if level == 2:
            self.links.append((anchor, text))
            self.add(f'<h2 id="{anchor}">{escape(text)}</h2>')
        else:
            self.add(f"<h{level}>{escape(text)}</h{level}>")

    def text(self, text, kind=""):
        if text:
            self.add(f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>")

    def link(self, text, target):
        """A paragraph that leads to another file beside the page."""
        self.add(f'<p><a href="{html.escape(target)}">{escape(text)}</a></p>')

    def tiles(self, tiles):
        """tiles: pairs of a value with its unit, and what it is."""
        self.add('<div class="tiles">' + "".join(
            f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
            for value, name in tiles) + "</div>")

    def figures(self, figures):
        """figures: tuples of an SVG, a caption and whether it takes the whole width; a list of pairs of a
        name and such a tuple is a choice, of which the reader sees one at a time, the last one first."""
        self.add('<div class="figures">' + "".join(
            self.make_choice(figure) if isinstance(figure, list) else make_figure(*figure)
            for figure in figures) + "</div>")

    def make_choice(self, figures):
        """Buttons that choose among figures, without a script."""
        self.choices += 1
        name = f"choice-{self.choices}"
        buttons = "".join(
            f'<input type="radio" name="{name}" id="{name}-{i}"{" checked" if i == len(figures) else ""}>'
            f'<label for="{name}-{i}">{escape(title)}</label>' for i, (title, _) in enumerate(figures, 1))
        return ('<div class="choice">' + buttons + "".join(make_figure(*figure) for _, figure in figures) +
                "</div>")

    def table(self, header, rows, marked=()):
        self.add(make_table(header, rows, marked))

    def details(self, title, content):
        self.add(f"<details><summary>{escape(title)}</summary>{content}</details>")

    def code(self, title, text):
        self.details(title, f"<pre><code>{escape(text)}</code></pre>")

    def render(self):
        navigation = " ".join(f'<a href="#{anchor}">{escape(text)}</a>'
                              for anchor, text in self.links)
        return ('<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
                '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
                f"<title>{escape(self.title)}</title>\n<style>{style.get_css()}{CSS}</style>\n"
                f"</head>\n<body>\n<main>\n<h1>{escape(self.title)}</h1>\n"
                f'<p class="muted">{escape(self.subtitle)}</p>\n<nav>{navigation}</nav>\n' +
                "\n".join(self.parts) + "\n</main>\n</body>\n</html>\n")
