#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
Reads every source file, and every header by itself, with a compiler's eyes and writes nothing: clang with
its own standard library (libc++) stripped of what its headers bring along, so that a file that does not
include what it uses is found; warnings are errors. Files that include LibTorch are read with the
system's standard library, which LibTorch was built for. ./collapipe check runs this.

    check.py BUILD SOURCE [PATTERN...]    PATTERN: only files whose names have one of these in them
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

STRICT = ["-stdlib=libc++", "-D_LIBCPP_REMOVE_TRANSITIVE_INCLUDES", "-Wno-unused-command-line-argument"]
# Where headers are; build directories, which have links to them, may lie beside these.
FOLDERS = ["model", "helper", "examples", "test", "bench"]
# What belongs to an output that is not written.
OUTPUTS = {"-o": 2, "-c": 1, "-MD": 1, "-MT": 2, "-MF": 2}


def syntax_command(command):
    """A compilation's command without its launcher, its outputs and its source file."""
    words = shlex.split(command)
    start = next(i for i, word in enumerate(words) if "++" in os.path.basename(word))
    kept, i = [], start
    while i < len(words):
        if words[i] in OUTPUTS:
            i += OUTPUTS[words[i]]
            continue
        kept.append(words[i])
        i += 1
    return kept[:-1] + ["-fsyntax-only", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def collect(build, source):
    """(name, command) of everything to be read."""
    entries = json.loads((build / "compile_commands.json").read_text(encoding="utf-8"))
    jobs, torch, plain, test = {}, None, None, None
    for entry in entries:
        path = pathlib.Path(entry["file"])
        if not path.is_relative_to(source) or path.is_relative_to(build):
            continue
        name, command = str(path.relative_to(source)), syntax_command(entry["command"])
        if path.name.startswith("collapipe-torch-"):
            torch = torch or command
        else:
            plain = plain or command
            test = command if name.startswith("test/") else test
            command = command + STRICT
        jobs.setdefault(name, command + [str(path)])
    for path in sorted(path for folder in FOLDERS for path in (source / folder).rglob("*.h")):
        if not re.search(r"^#(ifndef|pragma once)", path.read_text(encoding="utf-8"), re.MULTILINE):
            continue
        name = str(path.relative_to(source))
        if path.name.startswith("collapipe-torch-"):
            command = torch
        elif name.startswith("test/"):
            command = (test or plain) + STRICT
        else:
            command = plain + STRICT
        if command:
            jobs[name] = command + ["-Wno-pragma-once-outside-header", "-Wno-unused-const-variable", "-x", "c++", str(path)]
    return jobs


def main():
    build, source = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    patterns = sys.argv[3:]
    jobs = {name: command for name, command in collect(build, source).items()
            if not patterns or any(pattern in name for pattern in patterns)}
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        def read(item):
            return item[0], subprocess.run(item[1], cwd=build, capture_output=True, text=True, check=False)
        for name, result in pool.map(read, sorted(jobs.items())):
            if result.returncode != 0:
                failed += 1
                print(f"{name}:\n{result.stderr}", flush=True)
    print(f"\nFiles and headers read by themselves: {len(jobs) - failed} passed, {failed} failed")
    return 1 if failed or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())
