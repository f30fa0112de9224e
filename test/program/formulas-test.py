#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The documentation's table of formulas: every formula of the system model has a row, and the function it
# names is defined in the file it names. Takes the build directory and the source directory.

import os
import pathlib
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
from runs import check, report  # noqa: E402

FORMULAS = [*range(1, 17), "7'"]
ROW = re.compile(r"^(\(\d+'?\)(?:, \(\d+'?\))*)\s+(\S+\.cc)\s+(\w+)$")


def read_table(source):
    text = (source / "doc" / "collapipe-theory.rst").read_text(encoding="utf-8")
    section = text.split("Where each formula is\n", 1)[1]
    return [match.groups() for match in map(ROW.match, section.splitlines()) if match]


def main():
    source = pathlib.Path(sys.argv[2])
    seen = set()
    for formulas, file, function in read_table(source):
        seen.update(re.findall(r"\((\d+'?)\)", formulas))
        path = source / file
        if check(path.is_file(), f"{formulas}: {file} is there"):
            defined = re.search(rf"\b{function}\([^;{{}}]*\)\s*(const\s*)?(override\s*)?\n?\s*{{",
                                path.read_text(encoding="utf-8"))
            check(defined, f"{formulas}: {file} defines {function}")
    for formula in map(str, FORMULAS):
        check(formula in seen, f"({formula}) has a row")
    return report()


if __name__ == "__main__":
    sys.exit(main())
