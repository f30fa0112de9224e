#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Random command lines made from the table of options: valid values, invalid ones, extremes, and
# combinations. Each runs, or is refused in one sentence with status 2 in time; none hangs, aborts or
# ignores an option. Takes the build directory, the source directory and, if wanted, how many lines
# to try and the seed:
#
#     test/program/random-options-test.py build . --lines=300 --seed=7

import json
import os
import pathlib
import random
import sys
import tempfile
import time

from support.runs import check, finish, report, start, use_program, write_corpus

LINES, SEED = 24, 1
REFUSED_S = 3      # on a machine that does nothing else
HANGS_S = 300      # no tiny run takes as long
#: What every line has, so that what runs is small; options that a line has itself come later.
TINY = {"compute": "analytic", "rounds": 1, "localIterations": 1, "microBatches": 2,
        "microBatchSize": 2, "clusters": 2, "devices": 3, "blocks": 4, "vocabulary": 300,
        "maxValidation": 10, "compare": "none", "progress": "none"}
#: Largest values that a line that is to run may have: how long a run takes is not what is tested.
SMALL = {"clusters": 4, "devices": 6, "cells": 3, "rounds": 2, "localIterations": 2, "blocks": 8,
         "decoderBlocks": 3, "microBatches": 6, "microBatchSize": 6, "sequenceLength": 40,
         "vocabulary": 600, "threads": 4, "timelineSize": 50, "beam": 4, "tcpBuffer": 64,
         "maxPairs": 400, "decayRounds": 9, "saveEvery": 2, "warmup": 9, "segmentSize": 60000,
         "backgroundPrograms": 5}
#: Words of options whose values are not listed in the table.
WORDS = {"model": ["nano", "64x4x128", "63x4x128", "colossal", "32x2", "1x1x1", "512x1x512"],
         "deviceProfiles": ["mixed", "raspberry-pi-5", "jetson-nano,raspberry-pi-5", "abacus", ","],
         "language": ["de", "fr", "tlh", "../etc"], "languages": ["de,fr", "de", "de,tlh", ""],
         "train": ["{nowhere}", ""], "validation": ["{nowhere}", ""],
         "trainSource": ["{en}", "{nowhere}", ""], "trainTarget": ["{de}", "{nowhere}", ""],
         "valSource": ["{en}", ""], "valTarget": ["{de}", ""],
         "outputDir": ["{out}", "", "/proc/nobody", "{en}"], "save": ["{save}", "", "/proc/nobody"],
         "load": ["{nowhere}", ""]}
NONSENSE = ["abc", "-1", "nan", "inf", "1e999", "", "99999999999999999999", "0x10", "1.5.2", "tru"]
MISSPELT = ["--roundz=2", "--controler=dssda", "--ns3::TcpSocket::SegmntSize=500", "nonsense",
            "--ns3::TcpSocket::SegmentSize=abc", "--=3", "--", "-x", "--RngRun=abc"]


def draw_number(draw, row, kind):
    """A number: small enough to run, at the ends of its range, beyond, or none at all."""
    least, most = row.get("minimum", -10.0), row.get("maximum", 10.0)
    whole = row["kind"] == "whole number"
    if kind == "invalid":
        beyond = most + 1 if whole else most * 2 + 1
        return draw.choice([*NONSENSE, f"{beyond:.0f}", f"{least - 1:.0f}"])
    if kind == "extreme":
        value = draw.choice([least, most])
        if row["name"] in SMALL or row["name"] in ("rounds", "localIterations"):
            value = least if value == most and most > SMALL.get(row["name"], most) else value
    else:
        top = min(most, SMALL.get(row["name"], 1000 if whole else most))
        value = draw.randint(int(least), int(max(least, top))) if whole else draw.uniform(least, top)
        value = value if whole or draw.random() < 0.5 else draw.choice([least, top, 0.5])
    return f"{value:.0f}" if whole else f"{value:.6g}"


def draw_option(draw, row, places):
    """One option of the table with a value of some kind."""
    kind = draw.choices(["valid", "extreme", "invalid"], [7, 2, 1])[0]
    name = row["name"]
    if row["kind"] == "switch":
        value = draw.choice(NONSENSE[:3] if kind == "invalid" else ["true", "false"])
    elif "names" in row:
        known = [word for word in row["names"] if word]
        value = draw.choice(known) if kind != "invalid" else draw.choice(known)[:-1] + "x"
    elif row["kind"] == "word":
        value = draw.choice(WORDS.get(name, NONSENSE)).format(**places)
    else:
        value = draw_number(draw, row, kind)
    return name, value


def draw_line(draw, table, places):
    """A command line of a few options."""
    chosen = draw.sample(table, draw.choices([1, 2, 3, 5, 8], [3, 4, 4, 3, 1])[0])
    options = {name: str(value) for name, value in TINY.items()}
    own = dict(draw_option(draw, row, places) for row in chosen)
    # Half of the lines translate the little corpus, which loads at once.
    if draw.random() < 0.5:
        options.update(task="translation", trainSource=places["en"], trainTarget=places["de"])
    if own.get("topology") is None and draw.random() < 0.6:
        options["topology"] = draw.choice(["p2p", "wifi", "lte", "hybrid"])
    options["outputDir"] = places["out"]
    options.update(own)
    line = [f"--{name}={value}" for name, value in options.items()]
    if draw.random() < 0.05:
        line.append(draw.choice(MISSPELT))
    return line, own


def check_line(line, own, out):
    """Runs a line; 'ran' or 'refused', or what was wrong."""
    begin = time.monotonic()
    status, _, err, seconds = finish(start(*line), HANGS_S)
    text = " ".join(line)
    if not check(status is not None, f"hangs: {text}"):
        return "hung", seconds
    if status == 0:
        summary = out / "summary.json"
        if summary.exists():
            with open(summary, encoding="utf-8") as file:
                parameters = json.load(file)["parameters"]
            for name, value in own.items():
                check(is_same(parameters.get(name), value),
                      f"--{name}={value} became {parameters.get(name)}: {text}")
        return "ran", seconds
    lines = [entry for entry in err.splitlines()
             if entry.strip() and not entry.startswith("warning: ")]
    check(status == 2, f"status {status}: {text}: {err[-400:]}")
    check(len(lines) == 1, f"not one sentence: {text}: {err[-400:]}")
    return "refused", time.monotonic() - begin


def is_same(known, value):
    if isinstance(known, bool):
        return known == (value == "true")
    if isinstance(known, (int, float)):
        return abs(known - float(value)) <= 1e-9 * max(1.0, abs(known))
    return known == value


def main():
    lines = next((int(a[8:]) for a in sys.argv if a.startswith("--lines=")), LINES)
    seed = next((int(a[7:]) for a in sys.argv if a.startswith("--seed=")), SEED)
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    status, out, err, _ = finish(start("--help=json"))
    if not check(status == 0, f"--help=json: {err}"):
        return report()
    table, draw = json.loads(out), random.Random(seed)
    counts, slow = {}, []
    with tempfile.TemporaryDirectory(prefix="collapipe-random-") as name:
        os.chdir(name)  # where results go whose folder has any name
        work = pathlib.Path(name)
        write_corpus(work / "corpus")
        for number in range(lines):
            places = {"en": f"{work}/corpus.en", "de": f"{work}/corpus.de",
                      "out": f"{work}/out{number}", "save": f"{work}/save{number}",
                      "nowhere": f"{work}/nowhere"}
            line, own = draw_line(draw, table, places)
            outcome, seconds = check_line(line, own, work / f"out{number}")
            counts[outcome] = counts.get(outcome, 0) + 1
            if outcome == "refused":
                slow.append((seconds, " ".join(line)))
            if outcome != "ran":
                check(not (work / f"out{number}").exists(), f"leaves a folder: {' '.join(line)}")
            if "-v" in sys.argv:
                print(f"{outcome:8s} {seconds:6.1f} s  {' '.join(f'--{n}={v}' for n, v in own.items())}",
                      flush=True)
    slow.sort(reverse=True)
    late = sum(seconds > REFUSED_S for seconds, _ in slow)
    print(f"{counts}; refusals took up to {slow[0][0] if slow else 0:.1f} s, {late} more than "
          f"{REFUSED_S} s")
    for seconds, line in slow[:3]:
        print(f"  {seconds:.1f} s: {line}")
    check(counts.get("ran", 0) > lines // 10 and counts.get("refused", 0) > lines // 10,
          f"both kinds are tried: {counts}")
    return report()


if __name__ == "__main__":
    sys.exit(main())
