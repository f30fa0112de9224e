#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The documentation's tables of formulas and of the parts of the interior point method's step: every formula
# of the system model has a row, the function that a row names is defined in the file it names, and a step
# calls its parts in the page's order. Takes the build directory and the source directory.

import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from runs import check, report  # noqa: E402

FORMULAS = [*range(1, 17), "7'"]
ROW = re.compile(r"^(\(\d+'?\)(?:, \(\d+'?\))*)\s+(\S+\.cc)\s+(\w+)$")

PART = re.compile(r"^(\d)\s+(\S+\.cc)\s+(\w+)$")
METHOD = "model/control/collapipe-radio-method.cc"


def read_table(source, title, row):
    text = (source / "doc" / "collapipe-theory.rst").read_text(encoding="utf-8")
    section = re.split(r"\n\n\n", text.split(f"{title}\n--", 1)[1])[0]
    return [match.groups() for match in map(row.match, section.splitlines()) if match]


def find_body(text, function):
    """@return what the function's body begins with, up to the file's end, or None"""
    match = re.search(rf"\b{function}\([^;{{}}]*\)\s*(const\s*)?(override\s*)?\n?\s*{{", text)
    return match and text[match.end():]


def check_rows(source, rows):
    for what, file, function in rows:
        path = source / file
        if check(path.is_file(), f"{what}: {file} is there"):
            check(find_body(path.read_text(encoding="utf-8"), function) is not None,
                  f"{what}: {file} defines {function}")


def test_formulas(source):
    rows = read_table(source, "Where each formula is", ROW)
    check_rows(source, rows)
    seen = {formula for row in rows for formula in re.findall(r"\((\d+'?)\)", row[0])}
    for formula in map(str, FORMULAS):
        check(formula in seen, f"({formula}) has a row")


def test_parts(source):
    rows = read_table(source, "The interior point method", PART)
    check_rows(source, rows)
    check(len(rows) == 6, "a step has six parts")
    step = find_body((source / METHOD).read_text(encoding="utf-8"), "Iterate").split("\n}\n")[0]
    names = [function for _, _, function in rows]
    calls = [call for call in re.findall(r"\b(\w+)\(", step) if call in names]
    check(calls == names, f"Iterate() calls {calls}; the page has {names}")


def main():
    source = pathlib.Path(sys.argv[2])
    test_formulas(source)
    test_parts(source)
    return report()


if __name__ == "__main__":
    sys.exit(main())
