# SPDX-License-Identifier: GPL-2.0-only
"""A campaign's description (TOML) and the runs that it expands into.

A description holds options for all runs and one or more studies:

    title = "What it asks"

    [options]                 # of every run, as ./collapipe run --help lists them
    rounds = 3

    [[study]]
    name = "comparison"       # letters, digits, - and _
    title = "Who is fastest?" # a sentence for the report
    [study.options]           # of this study's runs; win over [options]
    [study.sweep]             # every combination is run; lists, or "1-10" for whole numbers
    controller = ["dssda", "uniform-pipeline", "dssda offload=4"]  # with an option of its own
    seed = "1-10"
    [study.cases.mixed]       # options that are swept together, under a name
    deviceProfiles = "mixed"

Also in a study: reference (the controller whose gains are reported, dssda), x (the option that curves
run over: one that is swept, or that every case sets) and target_loss (for the time to a loss; without it the largest final loss there is).

include = ["name"] at the top adds the studies of name.toml beside it, with that file's options.
"""

import dataclasses
import hashlib
import itertools
import pathlib
import re
import tomllib

#: Options of every run unless the description says otherwise: runs side by side use a core each, and
#: a timeline would take some MB of each.
DEFAULTS = {"compare": "none", "progress": "none", "threads": 1, "timelineSize": 0}
#: Options that say which random numbers a run gets: the same for every controller.
REPLICATION = ("seed", "run")
STUDY_KEYS = {"name", "title", "text", "options", "sweep", "cases", "reference", "x", "target_loss"}
CAMPAIGN_KEYS = {"title", "text", "options", "study", "include"}


class DescriptionError(Exception):
    """Something in a description cannot be; one sentence says what."""


@dataclasses.dataclass
class Run:
    """One run: its options, and the values that tell it from the others of its study."""

    options: dict
    swept: dict
    case: str = ""
    name: str = ""

    @property
    def digest(self):
        """Stands for all options: two runs with the same one are the same run."""
        text = "\n".join(f"{key}={value}" for key, value in sorted(self.options.items()))
        return hashlib.sha1(text.encode()).hexdigest()

    @property
    def controller(self):
        """Who plans, with options that it alone has, as the description says it."""
        return self.swept.get("controller", self.options.get("controller", "dssda"))

    def make_name(self):
        """A folder's name: what was swept, and eight digits that stand for all options."""
        parts = [self.case] if self.case else []
        parts.append(self.controller)
        parts += [f"{key}={value}" for key, value in self.swept.items() if key != "controller"]
        words = "-".join(re.sub(r"[^A-Za-z0-9=.+]+", "_", part.rsplit("::", 1)[-1])
                         for part in parts)
        return f"{words[:120]}-{self.digest[:8]}"

    @property
    def arguments(self):
        """As `./collapipe run` takes them."""
        return [f"--{key}={value}" for key, value in self.options.items()]


@dataclasses.dataclass
class Study:
    """A question that some runs answer."""

    name: str
    title: str
    text: str
    reference: str
    x: str
    target_loss: float | None
    runs: list


@dataclasses.dataclass
class Campaign:
    """Studies under one title."""

    title: str
    text: str
    studies: list

    def __post_init__(self):
        names = {}
        for study in self.studies:
            for run in study.runs:
                run.name = names.setdefault(run.digest, run.make_name())

    def runs(self):
        """All runs by name; one that several studies share is there once."""
        return {run.name: run for study in self.studies for run in study.runs}


def to_text(value):
    """A TOML value as the command line takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, str)):
        return str(value)
    raise DescriptionError(f"{value} is no value of an option: write a number, a word, true or false")


def to_values(key, value):
    """The values that a swept option takes."""
    if isinstance(value, str) and re.fullmatch(r"\d+-\d+", value):
        first, last = map(int, value.split("-"))
        if last < first:
            raise DescriptionError(f"{key} = \"{value}\": the first number must not be the larger one")
        return [str(number) for number in range(first, last + 1)]
    values = value if isinstance(value, list) else [value]
    if not values:
        raise DescriptionError(f"{key} is swept over nothing")
    texts = [to_text(entry) for entry in values]
    if len(set(texts)) < len(texts):
        raise DescriptionError(f"{key} is swept over a value twice")
    return texts


def check_keys(table, known, where):
    for key in table:
        if key not in known:
            raise DescriptionError(f"{where} knows no {key}; there are {', '.join(sorted(known))}")


def take(table, key, kind, otherwise, where):
    """The entry of a table, which must be of a kind."""
    value = table.get(key, otherwise)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = {dict: "a table", list: "a list", str: "a text"}
        raise DescriptionError(f"{where}: {key} must be {words.get(kind, 'a number')}")
    return value


def check_study(entry, where):
    """Holds the entries of a study to their kinds."""
    if not isinstance(entry, dict):
        raise DescriptionError(f"{where} must be a table, that is, stand under [[study]]")
    check_keys(entry, STUDY_KEYS, where)
    for key in ("name", "title", "text", "reference", "x"):
        take(entry, key, str, "", where)
    for key in ("options", "sweep", "cases"):
        take(entry, key, dict, {}, where)
    for case, bundle in entry.get("cases", {}).items():
        take(entry["cases"], case, dict, bundle, f"{where}, cases")
    if entry.get("target_loss") is not None:
        take(entry, "target_loss", (int, float), 0, where)


def split_controller(text, swept):
    """A controller, and the options behind it that it alone has: "dssda offload=4"."""
    if text.startswith("exec:"):  # a command has words of its own
        return {"controller": text}
    name, *words = text.split() or [""]
    own = dict(word.partition("=")[::2] for word in words)
    for key, value in own.items():
        if not key or not value or key in swept:
            raise DescriptionError(f"controller = \"{text}\": write options of its own behind the controller as "
                                   "in \"dssda offload=4\"")
    return {"controller": name, **own}


def expand(common, study, x):
    """The runs of one study, replications innermost so that partial results compare."""
    sweep = {key: to_values(key, value) for key, value in study.get("sweep", {}).items()}
    order = sorted(sweep, key=lambda key: (key not in REPLICATION, key == "controller"))
    runs = []
    for case, bundle in (study.get("cases") or {"": {}}).items():
        for key in bundle.keys() & sweep.keys():
            raise DescriptionError(f"{key} is both swept and set by the case {case}")
        for combination in itertools.product(*(sweep[key] for key in order)):
            options = {key: to_text(value) for key, value in
                       {**DEFAULTS, **common, **study.get("options", {}), **bundle}.items()}
            swept = dict(zip(order, combination))
            options.update(swept)
            if "controller" in swept:
                options.update(split_controller(swept["controller"], swept))
            shown = {key: value for key, value in swept.items()
                     if len(sweep[key]) > 1 or key in ("controller", x)}
            if x in bundle:  # the cases are points of the curve
                shown[x] = to_text(bundle[x])
            runs.append(Run(options, shown, "" if x in bundle else case))
    return runs


def parse(table, folder, including=()):
    """A Campaign from a description's table; `folder` is where included ones are found, and
    `including` are the files that led here."""
    check_keys(table, CAMPAIGN_KEYS, "a campaign")
    for key in ("title", "text"):
        take(table, key, str, "", "a campaign")
    common = take(table, "options", dict, {}, "a campaign")
    names = take(table, "include", list, [], "a campaign")
    studies = [study for name in names
               for study in read(folder / f"{name}.toml", including).studies]
    for number, entry in enumerate(take(table, "study", list, [], "a campaign"), 1):
        check_study(entry, f"study {number}")
        name = entry.get("name", f"study-{number}")
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise DescriptionError(f"{name}: a study's name has letters, digits, - and _ only")
        x = entry.get("x", "")
        cases = entry.get("cases", {})
        if x and x not in entry.get("sweep", {}) and not (
                cases and all(x in bundle for bundle in cases.values())):
            raise DescriptionError(f"study {name}: x = \"{x}\" is swept neither in [study.sweep] "
                                   "nor in every one of [study.cases]")
        runs = expand(common, entry, x)
        for run in runs:
            if "outputDir" in run.options:
                raise DescriptionError(f"study {name}: outputDir is the campaign's own affair")
        studies.append(Study(name, entry.get("title", name), entry.get("text", ""),
                             entry.get("reference", "dssda"), x, entry.get("target_loss"), runs))
    if not studies:
        raise DescriptionError("there is no [[study]] in it")
    if len({study.name for study in studies}) < len(studies):
        raise DescriptionError("two studies have the same name")
    return Campaign(table.get("title", ""), table.get("text", ""), studies)


def read(path, including=()):
    """A Campaign from a file."""
    path = pathlib.Path(path)
    if path.resolve() in including:
        raise DescriptionError(f"{path} includes itself")
    try:
        with open(path, "rb") as file:
            return parse(tomllib.load(file), path.parent, (*including, path.resolve()))
    except OSError as error:
        raise DescriptionError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DescriptionError(f"{path} is not UTF-8 (byte {error.start + 1}); save it as such") \
            from error
    except (tomllib.TOMLDecodeError, DescriptionError) as error:
        raise DescriptionError(f"{path}: {error}") from error


def list_files(path):
    """A description's file and those that it includes."""
    path = pathlib.Path(path)
    with open(path, "rb") as file:
        names = tomllib.load(file).get("include", [])
    return [path] + [file for name in names for file in list_files(path.parent / f"{name}.toml")]


def find(name, folder):
    """The path of a description: a file's own, or the name of one in `folder`."""
    path = pathlib.Path(name)
    if path.suffix == ".toml" or path.exists():
        return path
    path = pathlib.Path(folder) / f"{name}.toml"
    if not path.exists():
        known = ", ".join(sorted(entry.stem for entry in pathlib.Path(folder).glob("*.toml")))
        raise DescriptionError(f"there is no campaign {name}; there are {known}, "
                               "or give a description's path")
    return path
