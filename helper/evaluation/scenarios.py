# SPDX-License-Identifier: GPL-2.0-only
"""The scenarios that a campaign's studies are about: which there are, what they say of themselves, and
their pages' names."""

import os
import pathlib
import re
import tomllib

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "examples" / "scenarios"


def get_scenario(study):
    """The scenario of all of a study's runs; "" where they have none, or several."""
    names = {run.options.get("scenario", "") for run in study.runs}
    return names.pop() if len(names) == 1 else ""


def group(studies):
    """Studies, given as tuples that begin with one, by their scenario in the order in which they come. Of
    a single scenario, no page of its own would tell more: then there are none."""
    groups = {}
    for study in studies:
        groups.setdefault(get_scenario(study[0]), []).append(study)
    groups.pop("", None)
    return groups if len(groups) > 1 else {}


def name_pages(names):
    """The file of every scenario's page: report-NAME.html, also for a scenario that is a file somewhere."""
    pages = {}
    for name in names:
        stem = re.sub(r"[^A-Za-z0-9_-]+", "-", pathlib.PurePath(name).stem).strip("-") or "scenario"
        number = 1 + sum(1 for page in pages.values() if re.fullmatch(f"report-{stem}(-[0-9]+)?[.]html", page))
        pages[name] = f"report-{stem}.html" if number == 1 else f"report-{stem}-{number}.html"
    return pages


def describe(name):
    """Title and text of a scenario, as its file has them; its name and nothing where there is no such file."""
    folder = pathlib.Path(os.environ.get("COLLAPIPE_SCENARIOS") or FOLDER)
    path = pathlib.Path(name) if name.endswith(".toml") else folder / f"{name}.toml"
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # it may have gone since, or never have been here
        table = {}
    texts = [table.get("title"), table.get("text")]
    return tuple(text if isinstance(text, str) else otherwise for text, otherwise in zip(texts, (name, "")))
