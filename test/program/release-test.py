#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""
What a release must not lack: one version everywhere, a licence for every file, the same archive from
the same commit, no file of LibTorch's outside those that are named for it, and help for its benchmarks.

    release-test.py BUILD SOURCE
"""

import fnmatch
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BUILD, SOURCE = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])


def run(*command, **options):
    """What a command prints."""
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def read(name):
    return (SOURCE / name).read_text(encoding="utf-8")


def git(*words):
    """What git says of the checkout; None where there is no git, or no repository of this checkout's."""
    try:
        root = run("git", "-C", str(SOURCE), "rev-parse", "--show-toplevel").strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    if pathlib.Path(root).resolve() != SOURCE:
        return None  # an unpacked archive inside somebody's own repository
    return run("git", "-C", str(SOURCE), *words)


def walk():
    """The files of the checkout, relative to it, without what git would leave out."""
    ignored = [line.strip("/") for line in read(".gitignore").splitlines()] + [".git"]

    def is_ours(path):
        if path == BUILD or (path / "CMakeCache.txt").exists():
            return False
        return not any(fnmatch.fnmatch(path.name, pattern) for pattern in ignored)

    names = []
    for place, folders, files in os.walk(SOURCE):
        here = pathlib.Path(place)
        folders[:] = [name for name in folders if is_ours(here / name)]
        names += [str((here / name).relative_to(SOURCE)) for name in files if is_ours(here / name)]
    return names


def list_files():
    """The files of the checkout, relative to it: those git knows where there is git."""
    tracked, others = git("ls-files", "-z"), git("ls-files", "-z", "--others", "--exclude-standard")
    if tracked is None:
        return walk()
    # What is new counts, what is built does not, wherever COLLAPIPE_BUILD is.
    names = set(tracked.split("\0")) | (set(others.split("\0")) & set(walk()))
    return sorted(name for name in names if (SOURCE / name).is_file())


def test_version():
    """The version stands in CMakeLists.txt; whatever else says it says the same."""
    version = re.search(r"set\(COLLAPIPE_VERSION ([^)]+)\)", read("CMakeLists.txt")).group(1)
    assert re.fullmatch(r"\d+\.\d+\.\d+(-[0-9a-z.]+)?", version), version
    assert run(str(SOURCE / "collapipe"), "version").split() == ["collapipe", version]
    assert re.search(rf"^version: {re.escape(version)}$", read("CITATION.cff"), re.MULTILINE)
    assert re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE).group(1) == version
    for program in ("collapipe-solve", "collapipe-quickstart"):
        said = run(str(BUILD / program), "--version")
        assert version in said.split(",")[0].split(), f"{program} --version says {said}"
    cmake = run("find", str(BUILD), "-maxdepth", "1", "-name", "collapipeConfigVersion.cmake").strip()
    assert f'"{version.split("-")[0]}"' in pathlib.Path(cmake).read_text(encoding="utf-8")


def without_licence(names):
    """Those of the files that neither say their licence nor are listed by name or kind."""
    tables = read("REUSE.toml").split("[[annotations]]")[1:]
    listed = [pattern for table in tables if "SPDX-License-" + "Identifier =" in table
              for pattern in re.findall(r'"([^"]+)"', table.split("precedence")[0])]
    assert "**" not in listed and "*" not in listed
    missing = []
    for name in names:
        if name == "LICENSE" or name.startswith("LICENSES/"):
            continue
        if any(fnmatch.fnmatch(name, pattern) or fnmatch.fnmatch("/" + name, pattern)
               for pattern in listed):
            continue
        head = (SOURCE / name).read_bytes()[:1000].decode("utf-8", "replace")
        if "SPDX-License-" + "Identifier: GPL-2.0-only" not in head:
            missing.append(name)
    return missing


def test_licences():
    missing = without_licence(list_files())
    assert not missing, "say no licence, and REUSE.toml does not either: " + ", ".join(missing)
    assert read("LICENSE") == read("LICENSES/GPL-2.0-only.txt")
    with tempfile.NamedTemporaryFile(dir=SOURCE, suffix=".cc", prefix="no-licence-") as file:
        name = pathlib.Path(file.name).name
        assert without_licence([name]) == [name], "a file without a licence is not seen"
    reuse = shutil.which("reuse")
    if reuse and int(re.search(r"(\d+)\.\d+", run(reuse, "--version")).group(1)) >= 4:
        result = subprocess.run([reuse, "--root", str(SOURCE), "lint"], capture_output=True, text=True,
                                check=False)
        assert result.returncode == 0, result.stdout
        return "REUSE lint agrees"
    return "no reuse 4 or newer here to ask"


def test_packages():
    """The container to work in and the documentation name every package that ./collapipe installs."""
    lists = re.findall(r"\bpackages_(?:build|run|report|evaluate|test)\+?=\(([^)]*)\)", read("collapipe"))
    needed = {name for words in lists for name in words.split() if re.fullmatch(r"[a-z0-9+.-]+", name)}
    assert len(lists) == 7 and {"g++", "libns3-dev", "libtorch-dev", "tshark"} <= needed, needed
    for place in ("Containerfile", "doc/collapipe-systems.rst"):
        missing = needed - set(re.findall(r"[a-z0-9+.-]+", read(place)))
        assert not missing, f"{place} does not name {sorted(missing)}"
    return f"{len(needed)} packages"


def test_torch_is_apart():
    """Only files of that name may include LibTorch, or a build without it does not link."""
    for name in list_files():
        base = os.path.basename(name)
        if not name.endswith((".cc", ".h")) or base.startswith("collapipe-torch-"):
            continue
        lines = re.findall(r'^#include +[<"](torch/|ATen/|c10/|ns3/collapipe-torch-|collapipe-torch-).*',
                           read(name), re.MULTILINE)
        assert not lines, f"{name} includes what is not there without LibTorch"
        if name.startswith(("test/gtest/", "test/judge/")):
            assert "TorchBackend>" not in read(name), f"{name} uses TorchBackend, but is not named for it"


def test_compatibility_is_in_one_place():
    """Conditions on releases of ns-3 and of LibTorch stand in their two headers."""
    for name in list_files():
        if name.endswith((".cc", ".h")) and not name.endswith("-compat.h"):
            found = re.search(r"^#.*\b(COLLAPIPE_NS3_\d+|NS_DEPRECATED_3_\d+|TORCH_VERSION_\w+)", read(name),
                              re.MULTILINE)
            assert not found, f"{name} asks for a release: {found.group(0)}"
            assert not re.search(r"\bat::(NoGradGuard|AutoGradMode|GradMode)\b", read(name)), \
                f"{name}: these are torch::'s and c10::'s in every release, see collapipe-torch-compat.h"


def archive(repository, folder):
    """SHA-256 of the archive of a repository's commit, and where it was unpacked."""
    data = subprocess.run(["git", "-C", repository, "-c", "tar.umask=0022", "archive", "--prefix=c/", "HEAD"],
                          check=True, capture_output=True).stdout
    (folder / "a.tar").write_bytes(data)
    run("tar", "-C", str(folder), "-xf", str(folder / "a.tar"))
    return hashlib.sha256(data).hexdigest(), folder / "c"


def test_files():
    """What is looked at without git is what git knows."""
    known = git("ls-files", "-z", "--cached")
    if known is None:
        return "skipped: no git, or no repository, to compare with"
    tracked = {name for name in known.split("\0") if (SOURCE / name).is_file()}
    missed = tracked - set(walk())
    assert not missed, f"without git these would not be looked at: {sorted(missed)}"
    return f"{len(tracked)} files"


def test_archive():
    """Two clones give the same archive, and it has all that the checkout has."""
    if git("rev-parse", "HEAD") is None:
        return "skipped: no git, or no repository, to make archives of"
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "first").mkdir()
        (folder / "second").mkdir()
        first, unpacked = archive(str(SOURCE), folder / "first")
        old = os.umask(0o077)
        run("git", "clone", "-q", "-c", "core.autocrlf=true", str(SOURCE), str(folder / "clone"))
        os.umask(old)
        second, _ = archive(str(folder / "clone"), folder / "second")
        assert first == second, "two clones give different archives"
        tracked = git("ls-tree", "-r", "--name-only", "HEAD").splitlines()
        assert [name for name in tracked if not (unpacked / name).exists()] == []
    return first


def test_benchmarks_help():
    """Help of every benchmark in Python, also where nobody reads it to its end."""
    benchmarks = sorted((SOURCE / "bench").glob("*.py"))
    assert benchmarks
    for benchmark in benchmarks:
        assert len(run(sys.executable, str(benchmark), "--help").splitlines()) > 1, benchmark
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run([sys.executable, str(benchmark), "--help"], stdout=write_end,
                              stderr=subprocess.PIPE, text=True, check=False)
        os.close(write_end)
        assert (done.returncode, done.stderr) == (0, ""), f"{benchmark}: {done.stderr}"
    return f"{len(benchmarks)} benchmarks"


def main():
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(name, test() or "passed")


if __name__ == "__main__":
    main()
