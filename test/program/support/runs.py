# SPDX-License-Identifier: GPL-2.0-only
#
# What the program tests share: counting checks, running a program, a small corpus.

import csv
import itertools
import math
import os
import random
import subprocess
import time

_program = None
_passed = _failed = 0


def use_program(build, name):
    """Chooses the program that start() runs; whether it is built."""
    global _program
    _program = os.path.join(os.path.abspath(build), name)
    if not os.access(_program, os.X_OK):
        print(f"{_program} is not built")
        return False
    return True


def report():
    """Prints how many checks there were; the exit status."""
    print(f"{_passed + _failed} checks: {_passed} passed, {_failed} failed")
    return 1 if _failed else 0


def check(condition, what):
    """Counts a check, and says which where it fails."""
    global _passed, _failed
    if condition:
        _passed += 1
    else:
        _failed += 1
        print(f"FAILED: {what}", flush=True)
    return bool(condition)


def near(left, right, relative=1e-9):
    return math.isclose(left, right, rel_tol=relative, abs_tol=1e-9)


def start(*options, **how):
    """A process of the program; `how` is subprocess.Popen's."""
    how = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "encoding": "utf-8",
           "errors": "replace", **how}
    return subprocess.Popen([_program, *options], **how)


def finish(process, timeout=400):
    """Status, standard output, standard error, seconds; the status is None after a timeout."""
    begin = time.monotonic()
    try:
        out, err = process.communicate(timeout=timeout)
        return process.returncode, out, err, time.monotonic() - begin
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        return None, out, err, time.monotonic() - begin


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_corpus(base):
    """Aligned files of a little grammar: base.en and base.de, every sentence once."""
    subjects = [("the old man", "der alte Mann"), ("a young woman", "eine junge Frau"),
                ("my brother", "mein Bruder"), ("the small dog", "der kleine Hund"),
                ("our neighbour", "unser Nachbar"), ("the teacher", "die Lehrerin")]
    verbs = [("sees", "sieht"), ("buys", "kauft"), ("paints", "malt"), ("finds", "findet")]
    objects = [("a red house", "ein rotes Haus"), ("the blue car", "das blaue Auto"),
               ("an apple", "einen Apfel"), ("the long letter", "den langen Brief"),
               ("two books", "zwei Bücher")]
    places = [("in the garden", "im Garten"), ("near the river", "am Fluss"),
              ("on Sunday", "am Sonntag"), ("every day", "jeden Tag"),
              ("behind the school", "hinter der Schule")]
    pairs = []
    for parts in itertools.product(subjects, verbs, objects, places):
        pairs.append((" ".join(part[0] for part in parts), " ".join(part[1] for part in parts)))
    random.Random(1).shuffle(pairs)
    for side, ending in enumerate(("en", "de")):
        text = "".join(pair[side] + ".\n" for pair in pairs)
        base.with_suffix("." + ending).write_text(text, encoding="utf-8")
    return [f"--trainSource={base}.en", f"--trainTarget={base}.de"], len(pairs)
