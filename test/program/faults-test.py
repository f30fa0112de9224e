#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in which things go wrong on request, and files that mean ill: a run ends by itself, says what
# became of every fault, and gives the same bytes again; what cannot be used is refused in one sentence
# with status 2. Takes the build directory and the source directory.

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from support.runs import check, finish, read_csv, report, start, use_program, write_corpus

SMALL = ["--clusters=2", "--devices=3", "--localIterations=4", "--blocks=3", "--microBatches=2",
         "--microBatchSize=4", "--vocabulary=300", "--maxValidation=10", "--progress=none",
         "--compute=analytic", "--compare=none", "--memoryShare=0", "--rounds=3",
         "--heartbeat=1", "--patience=4"]
KINDS = {
    "crash": "",
    "reboot": "for = 6",
    "pause": "for = 8",
    "slow": "for = 5\nfactor = 3",
    "link": "for = 8\npeer = \"cluster0.device1\"",
    "battery": "",
    "corrupt": "count = 1",
    "duplicate": "count = 5",
    "delay": "for = 1\ncount = 2",
}
NOTICED = {"crash", "reboot", "pause", "battery", "corrupt"}
REFUSED = {
    "kind": ("[[fault]]\nkind = \"bang\"\nnode = \"edge\"\nat = 1\n", "there are crash"),
    "node": ("[[fault]]\nkind = \"crash\"\nnode = \"cluster9.device0\"\nat = 1\n", "there is no"),
    "place": ("[[fault]]\nkind = \"crash\"\nnode = \"somewhere\"\nat = 1\n", "cluster0.device1"),
    "time": ("[[fault]]\nkind = \"crash\"\nnode = \"edge\"\n", "neither at"),
    "key": ("[[fault]]\nkind = \"crash\"\nnode = \"edge\"\nat = 1\nfactor = 2\n", "factor"),
    "toml": ("[[fault]\nkind =", "TOML"),
    "depth": ("a = " + "[" * 100000, "brackets"),
    "size": ("#" * 3000000, "1 MiB"),
    "other": ("[x]\ny = 1\n", "[[fault]]"),
}


def run(folder, *options, data=()):
    return finish(start(*SMALL, *data, f"--outputDir={folder}", *options))


def check_kinds(work, data):
    """Every kind of fault on wires, under every policy."""
    for number, (kind, fields) in enumerate(KINDS.items()):
        policy = ("wait", "drop", "replan")[number % 3]
        path = work / f"{kind}.toml"
        path.write_text(f"[[fault]]\nkind = \"{kind}\"\nnode = \"cluster0.device0\"\nround = 1\n"
                        f"phase = \"training\"\nat = 0.05\n{fields}\n", encoding="utf-8")
        results = []
        for again in ("a", "b"):
            folder = work / f"{kind}-{again}"
            status, _, err, _ = run(folder, "--topology=p2p", f"--recovery={policy}",
                                    "--replicaPeriod=1", f"--faults={path}", data=data)
            if check(status == 0, f"{kind}, {policy}: status {status}: {err}"):
                rows = read_csv(folder / "faults.csv")
                check(len(rows) == 1 and rows[0]["kind"] == kind, f"{kind} is in faults.csv")
                check(bool(rows[0]["detected_s"]) or kind not in NOTICED, f"{kind} is noticed")
                check(len(read_csv(folder / "rounds.csv")) == 3, f"{kind}: all rounds end")
                results.append((folder / "rounds.csv").read_bytes() +
                               (folder / "faults.csv").read_bytes())
        check(len(set(results)) <= 1, f"{kind}: the same faults, the same bytes")


def check_files(work, data):
    for name, (text, words) in REFUSED.items():
        path = work / f"bad-{name}.toml"
        path.write_text(text, encoding="utf-8")
        status, _, err, _ = run(work / "refused", "--topology=p2p", f"--faults={path}", data=data)
        check(status == 2 and words in err and len(err.splitlines()) == 1,
              f"faults, {name}: status {status}: {err[:300]}")
    for words in ("random:1", "random:x,1", "random:1,-1", "missing.toml"):
        status, _, err, _ = run(work / "refused", "--topology=p2p", f"--faults={words}", data=data)
        check(status == 2 and "--faults=" in err, f"--faults={words}: status {status}: {err}")


def check_folder(work, data):
    """What a run left that was killed; closed standard streams."""
    folder = work / "shared"
    long = ["--topology=p2p", "--rounds=1000000", "--maxPairs=50"]
    first = start(*SMALL, *data, f"--outputDir={folder}", *long)
    deadline = time.monotonic() + 60
    while not list(work.glob(".shared.partial-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    check(bool(list(work.glob(".shared.partial-*"))), "SIGKILL leaves something behind")
    status, _, err, _ = run(folder, "--topology=p2p", data=data)
    check(status == 0 and not list(work.glob(".shared.partial-*")),
          f"the next run clears it: status {status}: {err}")
    program = first.args[0]
    command = [program, *SMALL, *data, "--topology=p2p", f"--outputDir={work / 'closed'}"]
    closed = subprocess.run(["sh", "-c", '"$@" >&- 2>&- <&-', "sh", *command], check=False,
                            timeout=300)
    check(closed.returncode == 0 and (work / "closed" / "summary.json").exists(),
          f"closed standard streams: status {closed.returncode}")


def check_stuck(work, data):
    """A run that can never go on ends, and says who waits for whom."""
    path = work / "stuck.toml"
    path.write_text("".join(f"[[fault]]\nkind = \"crash\"\nnode = \"cluster{m}.control\"\nround = 2\n"
                            for m in range(2)), encoding="utf-8")
    folder = work / "stuck"
    status, _, err, seconds = run(folder, "--topology=p2p", f"--faults={path}", "--deadline=500",
                                  data=data)
    check(status == 0 and "control unit" in err and "nothing has gone on" in err,
          f"a run without control units: status {status}: {err}")
    if (folder / "rounds.csv").exists():
        check(len(read_csv(folder / "rounds.csv")) == 1, "its finished round is kept")
    check(seconds < 120, f"it ends in good time: {seconds} s")


def main():
    build = sys.argv[1]
    if not use_program(build, "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        os.chdir(work)
        data, _ = write_corpus(work / "corpus")
        check_kinds(work, data)
        check_files(work, data)
        check_folder(work, data)
        check_stuck(work, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
