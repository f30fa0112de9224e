#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Holds the sources to the architecture and to the style: a room includes only those that
# doc/figures/rooms.json lets it include, its own headers as "collapipe-x.h" and others' as
# "ns3/collapipe-x.h", only collapipe-torch-* includes LibTorch, and every file is as clang-format
# would have it. Takes the build directory and the source directory.

import concurrent.futures
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from support.runs import check, report

INCLUDE = re.compile(r'^#include ([<"])([^>"]+)[>"]', re.MULTILINE)
#: The version whose ideas of a line's layout the sources follow; another's differ here and there.
FORMAT_VERSION = "14"
FORMATTED = ("model", "helper", "examples", "test", "bench")


def find_sources(source, *bases):
    return sorted(path for base in bases for path in (source / base).rglob("*")
                  if path.suffix in (".h", ".cc"))


def find_header_rooms(source):
    """The room of every header of the module, by the header's name."""
    return {path.name: str(path.parent.relative_to(source))
            for path in find_sources(source, "model", "helper") if path.suffix == ".h"}


def check_rooms(source):
    with open(source / "doc" / "figures" / "rooms.json", encoding="utf-8") as file:
        rooms = {room["name"]: room for room in json.load(file)["rooms"]}
    order = list(rooms)
    for name, room in rooms.items():
        for other in room["may"]:
            check(order.index(other) > order.index(name),
                  f"rooms.json: the arrow from {name} to {other} goes up")
    headers = find_header_rooms(source)
    for path in find_sources(source, "model", "helper"):
        room = str(path.parent.relative_to(source))
        if room == "model":
            continue
        if not check(room in rooms, f"{room} is a room of rooms.json"):
            continue
        allowed = {"model", room, *rooms[room]["may"]}
        for bracket, include in INCLUDE.findall(path.read_text(encoding="utf-8")):
            other = headers.get(pathlib.PurePath(include).name)
            if other is None or not include.split("/")[-1].startswith("collapipe-"):
                continue
            check(other in allowed, f"{path.name} ({room}) includes {include} ({other})")
            check(include.startswith("ns3/") == (other != room) and bracket == '"',
                  f"{path.name} includes {include}: of its own room without ns3/, of others with")


def check_torch(source):
    """Only files that say so include LibTorch."""
    for path in find_sources(source, "model", "helper", "examples", "bench"):
        includes = [include for _, include in INCLUDE.findall(path.read_text(encoding="utf-8"))]
        torch = [name for name in includes if name.startswith(("torch/", "ATen/", "c10/"))]
        check(not torch or path.name.startswith("collapipe-torch-"), f"{path.name}: {torch}")


def check_json(source):
    """JSON that somebody else may have written is read to a bounded depth alone."""
    for path in find_sources(source, "model", "helper"):
        text = path.read_text(encoding="utf-8")
        check(path.name == "collapipe-bounded-json.h" or not re.search(r"\b[Jj]son::parse\(", text),
              f"{path.name} reads JSON by ParseBoundedJson()")


def check_names(source):
    """Only the room of schedules knows their names, and only that of models the names of families."""
    for room, names in {"model/pipeline": "gpipe|1f1b", "model/learning": "transformer|bert|gpt2|llama"}.items():
        literal = re.compile(f'"({names})"')
        for path in find_sources(source, "model", "helper"):
            if str(path.parent.relative_to(source)) != room:
                code = re.sub(r"//.*|/\*[\s\S]*?\*/", "", path.read_text(encoding="utf-8"))
                check(not literal.search(code), f"{path.name} names one of {names}")


def check_heads(source):
    for path in find_sources(source, *FORMATTED):
        text = path.read_text(encoding="utf-8")
        check("SPDX-License-Identifier: GPL-2.0-only" in text[:200], f"{path} names its licence")


def check_format(source):
    program = next((name for name in (f"clang-format-{FORMAT_VERSION}", "clang-format")
                    if shutil.which(name)), None)
    words = subprocess.run([program, "--version"], capture_output=True, encoding="utf-8",
                           check=False).stdout if program else ""
    if f"version {FORMAT_VERSION}." not in words:
        print(f"SKIPPED: layout: there is no clang-format {FORMAT_VERSION}")
        return

    def is_formatted(path):
        return subprocess.run([program, "--dry-run", "--Werror", "--style=file", path],
                              capture_output=True, check=False, cwd=source).returncode == 0

    files = find_sources(source, *FORMATTED)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, formatted in zip(files, pool.map(is_formatted, files)):
            check(formatted, f"clang-format -i {path.relative_to(source)}")


def main():
    source = pathlib.Path(sys.argv[2]).resolve()
    check_rooms(source)
    check_torch(source)
    check_json(source)
    check_names(source)
    check_heads(source)
    check_format(source)
    return report()


if __name__ == "__main__":
    sys.exit(main())
