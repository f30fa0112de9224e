#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What a build without LibTorch is made of links without it: the library and every program but those that
are named for LibTorch know nothing of it, and GoogleTest's program links from the same object files
when those of LibTorch are left out.

    without-torch-test.py BUILD SOURCE
"""

import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

BUILD = pathlib.Path(sys.argv[1]).resolve()
TORCH = ("collapipe-torch", "libtorch", "libc10", "libcaffe2")


def link_command(target):
    """The words of the command that links a program; none where the build is not ninja's."""
    if not (BUILD / "build.ninja").exists():
        return []
    ninja = re.search(r"^CMAKE_MAKE_PROGRAM:[A-Z]+=(.*)$", (BUILD / "CMakeCache.txt").read_text("utf-8"),
                      re.MULTILINE).group(1)
    said = subprocess.run([ninja, "-C", str(BUILD), "-t", "commands", target], check=True,
                          capture_output=True, text=True).stdout
    for part in said.splitlines()[-1].split("&&"):
        words = shlex.split(part)
        if "-o" in words and words[words.index("-o") + 1] == target:
            return words
    return []


def check_link(target):
    words = link_command(target)
    if not words:
        print("skipped: the build is not ninja's, or has no", target)
        sys.exit(77)
    objects = [word for word in words if word.endswith(".o") and "collapipe-torch" not in word]
    assert len(objects) > 10, f"{target} is linked from {len(objects)} files"
    with tempfile.TemporaryDirectory() as folder:
        program = str(pathlib.Path(folder) / target)
        words = [word for word in words if word.startswith("-Wl,-rpath,")
                 or not any(name in word for name in TORCH)]
        words[words.index("-o") + 1] = program
        result = subprocess.run(words, cwd=BUILD, capture_output=True, text=True, check=False)
        assert result.returncode == 0, f"{target} does not link without LibTorch:\n{result.stderr[-3000:]}"
        suites = subprocess.run([program, "--gtest_list_tests"], check=True, capture_output=True, text=True)
        assert "Bleu" in suites.stdout and "TorchModules" not in suites.stdout, suites.stdout
        return check_libraries(program)


def check_libraries(program):
    """The libraries that a program needs are all there, and LibTorch is none of them."""
    needed = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    assert "not found" not in needed, needed
    assert not any(f"{name}." in needed for name in ("libtorch", "libc10", "libcollapipe-torch")), \
        f"{program} needs LibTorch:\n{needed}"
    return program


def main():
    for name in ("collapipe-quickstart", "collapipe-solve", "collapipe-test-runner", "libcollapipe.so"):
        check_libraries(BUILD / name)
    check_link("collapipe-gtest")
    print("the library, the programs and GoogleTest's suites do without LibTorch")


if __name__ == "__main__":
    main()
