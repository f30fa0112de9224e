#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Runs every command of doc/tutorial/index.rst in a folder with its files, in order, and compares what
# it prints with what the page shows; there "..." stands for anything. Takes the build directory and
# the source directory.

import doctest
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

from support.runs import check, report

PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
#: ./collapipe in the tutorial's folder: what is there is built already, and must stay as it is.
COMMAND = """#!/bin/bash
case $1 in
    evaluate | report) script=$1; shift; exec {python} -B {source}/helper/evaluation/$script.py "$@" ;;
    *) exec {source}/collapipe "$@" ;;
esac
"""
BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:   .*\n|\n)+)", re.MULTILINE)
SECONDS = 600


def read_commands(page):
    """Pairs of a command and what it is said to print."""
    commands = []
    for block in BLOCK.findall(page):
        for line in block.splitlines():
            line = line[3:]
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif line:
                commands[-1][1].append(line)
    return [(command, "\n".join(lines) + "\n" if lines else "") for command, lines in commands]


def matches(wanted, printed):
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(wanted, printed, flags)


def run_all(source, work):
    page = (source / "doc" / "tutorial" / "index.rst").read_text(encoding="utf-8")
    commands = read_commands(page)
    check(len(commands) > 8, "the page has commands")
    for command, wanted in commands:
        result = subprocess.run(["bash", "-c", command], cwd=work, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                                errors="replace", timeout=SECONDS, check=False)
        if not check(result.returncode == 0, f"{command}: {result.returncode}: {result.stderr}"):
            return
        check(matches(wanted, result.stdout),
              f"{command}: printed\n{result.stdout}\nthe page says\n{wanted}")
    for file in ("first/report.html", "answer/report.html", "answer/results.rst"):
        check((work / file).is_file(), f"{file} is there")
    figures = {path.suffix for path in (work / "answer" / "figures").iterdir()}
    check({".svg", ".pdf"} <= figures, f"figures for a paper: {figures}")


def main():
    build, source = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    missing = subprocess.run([PYTHON, "-c", "import pandas, matplotlib"], check=False,
                             stderr=subprocess.DEVNULL).returncode
    if shutil.which("parallel") is None or missing or not (build / "collapipe-quickstart").exists():
        print("GNU parallel, pandas, matplotlib or the program is not there")
        return 77
    os.environ.update(COLLAPIPE_BUILD=str(build), COLLAPIPE_BUILT="yes", LC_ALL="C.UTF-8")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder) / "question"
        shutil.copytree(source / "doc" / "tutorial", work)
        shutil.copy(source / "examples" / "collapipe-exec-controller.py", work)
        (work / "collapipe").write_text(COMMAND.format(python=PYTHON, source=source))
        (work / "collapipe").chmod(0o755)
        run_all(source, work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
