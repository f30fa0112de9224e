#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# LibTorch is loaded when something is computed and not before: what programs are linked to, how long
# they take to say their version, and what they say where the library with LibTorch is missing, is
# damaged or is another release's. And which malloc they have. Takes the build directory and the source
# directory.

import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "support"))
import runs  # noqa: E402
from runs import check  # noqa: E402

SMALL = ["--task=translation", "--topology=p2p", "--blocks=4", "--devices=2",
         "--microBatches=2", "--microBatchSize=2", "--localIterations=1", "--rounds=1",
         "--vocabulary=300", "--maxPairs=100", "--maxValidation=10", "--compare=none", "--progress=none"]
VERSION_S = 0.1  # of processor time


def linked(path):
    """What the linker loads for this file: names, and where each was found."""
    run = subprocess.run(["ldd", path], capture_output=True, text=True)
    return run.stdout


def version_seconds(program):
    """Processor time to say the version, the least of five."""
    least = None
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([program, "--version"], capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        least = seconds if least is None else min(least, seconds)
    return least


def check_programs(build):
    for name in "libcollapipe.so", "collapipe-solve", "collapipe-quickstart":
        found = linked(build / name)
        check("libcollapipe" in found or "libns3" in found, f"{name} is linked to ns-3: {found}")
        check("libtorch" not in found and "libc10" not in found, f"{name} is linked to LibTorch")
    if "libasan" in linked(build / "collapipe-solve"):
        return
    for name in "collapipe-solve", "collapipe-quickstart":
        seconds = version_seconds(build / name)
        check(seconds < VERSION_S, f"{name} --version took {seconds:.3f} s of processor time")
        print(f"{name} --version: {seconds:.3f} s")


def check_malloc(build):
    """Programs have a quick malloc, where the build found one; the library has none of its own."""
    cache = (build / "CMakeCache.txt").read_text()
    found = re.search(r"^COLLAPIPE_QUICK_MALLOC:[A-Z]*=(/.*)$", cache, re.M)
    is_sought = "COLLAPIPE_MALLOC:STRING=AUTO\n" in cache and "fsanitize" not in cache
    check(not is_sought or "COLLAPIPE_QUICK_MALLOC:" in cache, "the build has looked for a quick malloc")
    for name in ["libcollapipe.so", *(["libcollapipe-torch.so"]
                                      if (build / "libcollapipe-torch.so").exists() else [])]:
        check(not re.search("mimalloc|tcmalloc", linked(build / name)), f"{name} brings a malloc")
    program = linked(build / "collapipe-solve")
    if found and "libasan" not in program and "libtsan" not in program:
        name = re.sub("[.]so.*", "", os.path.basename(found.group(1)))
        first = re.findall(r"^\s+(lib\S+)", program, re.M)[0]
        check(first.startswith(name), f"{first} is found before {name}: {program}")


def run(program, library, *options):
    """Status, standard output and error of the program with that copy of the module's library."""
    environment = dict(os.environ, LD_PRELOAD=str(library))
    done = subprocess.run([program, *SMALL, *options], capture_output=True, text=True,
                          env=environment)
    return done.returncode, done.stdout, done.stderr


def check_refusal(program, library, what, *words):
    """One sentence, status 2, nothing written."""
    results = library.parent / "results"
    status, _, error = run(program, library, f"--outputDir={results}")
    check(status == 2, f"{what}: status {status}")
    check(error.count("\n") == 1, f"{what}: not one line: {error}")
    for word in *words, "--compute=analytic":
        check(word in error, f"{what}: no word of {word}: {error}")
    check(not results.exists(), f"{what}: {results} was written")


def check_without(build, folder):
    """Without the library, with a damaged one, with that of another release; and with it again."""
    program = build / "collapipe-quickstart"
    soname = re.search(r"libcollapipe[.]so[.0-9]*", linked(program)).group(0)
    library = folder / soname
    shutil.copy(os.path.realpath(build / soname), library)
    backend = folder / soname.replace("libcollapipe", "libcollapipe-torch")
    check_refusal(program, library, "no library", backend.name, "not beside", "install it again")
    status, output, error = run(program, library, "--compute=analytic", "--outputDir=")
    check(status == 0, f"analytic without the library: status {status}: {error}")

    backend.write_bytes(b"\x7fELF")
    check_refusal(program, library, "a damaged library", str(backend), "cannot be loaded")
    backend.unlink()

    code = folder / "other.c"
    code.write_text("static const char* library[3] = {\"0.0.0\"};\n"
                    "const void* CollapipeGetComputeLibrary(void) { return library; }\n")
    if subprocess.run(["cc", "-shared", "-fPIC", "-o", backend, code]).returncode == 0:
        check_refusal(program, library, "another release", str(backend), "another release")
        backend.unlink()

    shutil.copy(os.path.realpath(build / backend.name), backend)
    status, output, error = run(program, library, "--outputDir=")
    check(status == 0, f"with the library again: status {status}: {error}")
    check(re.search(r"^ +1 .* [0-9]+[.][0-9]+ +[0-9]+[.][0-9]+ +[0-9.]+$", output, re.M),
          f"nothing was learnt with the library: {output}")


def check_type(build):
    """The type is known by name to those who have not loaded LibTorch."""
    done = subprocess.run([build / "collapipe-quickstart", "--PrintGroup=CollaPipe"],
                          capture_output=True, text=True)
    check("ns3::collapipe::TorchBackend" in done.stdout, "TorchBackend is not in its group")


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    check_programs(build)
    check_malloc(build)
    if not list(build.glob("libcollapipe-torch.so*")):
        print("no LibTorch in this build")
        done = subprocess.run([build / "collapipe-quickstart", *SMALL, "--outputDir="],
                              capture_output=True, text=True)
        check(done.returncode == 2 and "no LibTorch" in done.stderr, f"no refusal: {done.stderr}")
        return runs.report()
    check_type(build)
    with tempfile.TemporaryDirectory() as folder:
        check_without(build, pathlib.Path(folder).resolve())
    return runs.report()


if __name__ == "__main__":
    sys.exit(main())
