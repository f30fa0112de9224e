# SPDX-License-Identifier: GPL-2.0-only
"""A map of where nodes were as a round was planned, with the links of training and their shares, from
positions.csv and links.csv."""

import math

from matplotlib import patches

import style

#: Media, their colours and their names in the legend.
MEDIA = {"d2d": ("s1", "within a cluster"), "uplink": ("s2", "to the edge server"),
         "downlink": ("s3", "from the edge server")}
MOST_CLUSTERS = 3  #: that have a panel of their own


def draw(result, number):
    """(name, figure, caption, wide) of a round, or None where positions are not known or mean nothing."""
    if result.positions is None or result.links is None or "from_name" not in result.links:
        return None
    places = get_places(result.positions, number)
    links = result.links[(result.links["round"] == number) & (result.links["phase"] == "training")]
    # Over wires it makes no difference where a node is.
    if not places or links["snr_db"].isna().all():
        return None
    links = [link for link in find_ends(links, result.positions, number)
             if link[0] in places and link[1] in places]
    trails = get_trails(result.positions, number)
    clusters = sorted({get_cluster(name) for name in places} - {""})
    shown = clusters[:MOST_CLUSTERS]
    figure, panels = style.new(2.9, 2 * style.WIDTH, columns=1 + len(shown), squeeze=False)
    for axes, cluster in zip(panels[0], [""] + shown):
        draw_panel(axes, cluster, places, links, trails)
    add_legend(figure, panels[0], links)
    return "map", figure, (
        f"Where the nodes were as round {number} was planned, and the links of its training: the stronger the "
        "line, the larger its share of that medium. Left all of them, beside it " +
        ("the clusters" if len(shown) == len(clusters) else f"the first {len(shown)} clusters") +
        ", from which links to the edge server lead towards it. Small dots are where nodes were before."), True


def get_places(positions, number):
    """x and y by node, m."""
    rows = positions[positions["round"] == number].drop_duplicates("name", keep="last")
    return {row.name: (row.x_m, row.y_m) for row in rows.itertuples(index=False)}


def get_trails(positions, number):
    """By node, where it was from the first round to this one: lists of x and y."""
    rows = positions[positions["round"] <= number].drop_duplicates(["round", "name"], keep="last")
    return {name: (list(group["x_m"]), list(group["y_m"])) for name, group in rows.groupby("name")}


def find_ends(links, positions, number):
    """(from, to, medium, share) of links; an edge server by the name that it has in positions.csv."""
    rows = positions[positions["round"] == number]
    cells = dict(zip(rows["name"], rows["cell"]))
    several = "es" not in cells
    for link in links.itertuples(index=False):
        ends = [link.from_name, link.to_name]
        cell = next((cells[name] for name in ends if name in cells and name != "es"), 0)
        if several:
            ends = [f"es{cell}" if name == "es" else name for name in ends]
        yield (*ends, link.pool, link.share)


def get_cluster(name):
    """c0 for c0-d1; nothing for an edge server."""
    return name.split("-")[0] if "-" in name else ""


def draw_panel(axes, cluster, places, links, trails):
    """All nodes, or those of a cluster, which then have their names."""
    own = {name: place for name, place in places.items() if not cluster or get_cluster(name) == cluster}
    reach = frame(axes, [place for name in own for place in zip(*trails[name])])
    for begin, end, medium, share in sorted(links, key=lambda link: link[3]):
        if begin in own and end in own:
            draw_link(axes, places[begin], places[end], medium, share)
        elif begin in own:
            draw_link(axes, places[begin], go_towards(places[begin], places[end], reach), medium, share)
        elif end in own:
            draw_link(axes, go_towards(places[end], places[begin], reach), places[end], medium, share)
    for name, (x, y) in own.items():
        axes.plot(*trails[name], ".", markersize=2, color=style.LIGHT["muted"], linestyle="none")
        form, size = ("s", 7) if name.startswith("es") else ("^", 7) if name.endswith("-cu") else ("o", 5.5)
        axes.plot([x], [y], form, markersize=size, color=style.LIGHT["ink"])
        if cluster or name.startswith("es"):
            axes.annotate(name.split("-")[-1], (x, y), xytext=(5, 4), textcoords="offset points", fontsize=7.5)
    axes.set(title=f"cluster {cluster[1:]}" if cluster else "all", xlabel="x, m",
             ylabel="" if cluster else "y, m")


def go_towards(begin, end, length):
    """A point that far from one towards another, which may be outside of a panel."""
    distance = math.dist(begin, end)
    part = min(1, length / distance) if distance > 0 else 0
    return tuple(a + part * (b - a) for a, b in zip(begin, end))


def draw_link(axes, begin, end, medium, share):
    """A line that bends, so that the way back has room beside it."""
    colour = style.LIGHT[MEDIA.get(medium, ("s9", ""))[0]]
    strength = min(1, max(0, share)) if share == share else 0
    axes.add_patch(patches.FancyArrowPatch(
        begin, end, arrowstyle="-|>", connectionstyle="arc3,rad=0.12", color=colour, mutation_scale=8,
        linewidth=0.8 + 3 * strength, alpha=0.25 + 0.75 * strength, shrinkA=4, shrinkB=4))


def frame(axes, points):
    """A square around these points, with room for names; how far a link to elsewhere is drawn in it."""
    middles = [(max(values) + min(values)) / 2 for values in zip(*points)]
    half = 0.6 * max(1.0, *(max(values) - min(values) for values in zip(*points)))
    axes.set_xlim(middles[0] - half, middles[0] + half)
    axes.set_ylim(middles[1] - half, middles[1] + half)
    axes.set_aspect("equal")
    return 0.35 * half


def add_legend(figure, panels, links):
    """What the colours of the media that are used mean, and the nodes' forms."""
    for medium, (colour, label) in MEDIA.items():
        largest = max((share for *_, used, share in links if used == medium), default=None)
        if largest is not None:
            panels[0].plot([], [], color=style.LIGHT[colour], linewidth=2.5,
                           label=f"{label}, up to {100 * largest:.0f} %")
    for form, label in (("s", "edge server"), ("^", "control unit"), ("o", "device")):
        panels[0].plot([], [], form, color=style.LIGHT["ink"], linestyle="none", label=label)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.9))  # the legend has the rest
    figure.legend(*panels[0].get_legend_handles_labels(), loc="upper left", ncols=6, handlelength=1.2,
                  columnspacing=1)
