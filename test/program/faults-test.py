#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs in which things go wrong on request, and files that mean ill: a run ends by itself, says what
# became of every fault, and gives the same bytes again; what cannot be used is refused in one sentence
# with status 2. Takes the build directory and the source directory.

import os
import pathlib
import random
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time

from support.runs import check, finish, near, read_csv, report, start, use_program, write_corpus

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
    "letters": ("a = '\udcff'\n", "UTF-8"),
    "other": ("[x]\ny = 1\n", "[[fault]]"),
}


PHASES = ["report_s", "distribution_s", "training_s", "upload_s"]


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
        path.write_text(text, encoding="utf-8", errors="surrogateescape")
        status, _, err, _ = run(work / "refused", "--topology=p2p", f"--faults={path}", data=data)
        check(status == 2 and words in err and len(err.splitlines()) == 1,
              f"faults, {name}: status {status}: {err[:300]}")
    for words in ("random:1", "random:x,1", "random:1,-1", "missing.toml"):
        status, _, err, _ = run(work / "refused", "--topology=p2p", f"--faults={words}", data=data)
        check(status == 2 and "--faults=" in err, f"--faults={words}: status {status}: {err}")


def wait_for(condition, what):
    deadline = time.monotonic() + 60
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    check(condition(), what)


def list_hidden(work):
    return sorted(path.name for path in work.glob(".*"))


def check_folder(work, data):
    """Row 24: two runs into one folder, and what a run left that was killed."""
    folder = work / "shared"
    long = ["--topology=p2p", "--rounds=1000000", "--maxPairs=50"]
    first = start(*SMALL, *data, f"--outputDir={folder}", *long)
    wait_for(lambda: list(work.glob(".shared.partial-*")), "a run is under way")
    staging = list_hidden(work)
    for name in (folder, f"{folder}/", work / "." / "x" / ".." / "shared"):
        status, _, err, _ = run(name, "--topology=p2p", data=data)
        check(status == 2 and f"process {first.pid}" in err and len(err.splitlines()) == 1,
              f"a second run into its folder: status {status}: {err}")
    check(list_hidden(work) == staging and first.poll() is None, "the first one goes on undisturbed")
    status, _, err, _ = run(work / "beside", "--topology=p2p", data=data)
    check(status == 0, f"another folder is free: status {status}: {err}")
    first.send_signal(signal.SIGKILL)
    first.wait()
    check(list_hidden(work) == staging, "SIGKILL leaves something behind")
    status, _, err, _ = run(folder, "--topology=p2p", data=data)
    check(status == 0 and not list_hidden(work), f"the next run clears it: status {status}: {err}")
    # Without results wanted any number of runs may go on at once, each with one for comparison
    several = [start(*(option for option in SMALL if "compare" not in option), *data,
                     "--compare=static-pipeline", "--topology=p2p", "--outputDir=")
               for _ in range(3)]
    statuses = [finish(process)[0] for process in several]
    check(statuses == [0, 0, 0], f"several runs that keep nothing: {statuses}")


def check_signals(work, data):
    """Row 24: whatever ends a run leaves whole results of it, or none, and nothing hidden."""
    for number, what in enumerate((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)):
        folder = work / f"ended-{number}"
        process = start(*SMALL, *data, "--topology=p2p", f"--outputDir={folder}",
                        "--rounds=1000000")
        wait_for(lambda: list(work.glob(".ended-*.partial-*")), "a run is under way")
        time.sleep(0.3 * number)
        process.send_signal(what)
        status, _, err, _ = finish(process, 60)
        check(status == 128 + what, f"{what.name}: status {status}: {err}")
        check(not list_hidden(work), f"{what.name}: {list_hidden(work)} is left")
        check(not folder.exists() or read_csv(folder / "rounds.csv"), f"{what.name}: whole results")


def check_tokenizing(work):
    """What ends a run while its tokenizer is trained leaves no directory of it, and a kill leaves one
    that the next run removes."""
    temporary, empty = work / "temporary", work / "no-cache"
    temporary.mkdir()
    rng = random.Random(5)
    for side in ("en", "de"):
        (work / f"much.{side}").write_text("".join(
            " ".join("".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 9))) for _ in range(12))
            + "\n" for _ in range(20000)), encoding="utf-8")
    data = [f"--trainSource={work}/much.en", f"--trainTarget={work}/much.de", "--vocabulary=4000",
            "--maxPairs=20000", f"--outputDir={work}/tokenized", "--topology=p2p", "--rounds=1"]
    how = {"env": {**os.environ, "TMPDIR": str(temporary), "COLLAPIPE_CACHE": str(empty)}}
    for what in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        process = start(*SMALL, *data, **how)
        wait_for(lambda: list(temporary.glob("collapipe-tokenizer-*/output")), "it is tokenizing")
        process.send_signal(what)
        status, _, err, _ = finish(process, 60)
        left = list(temporary.iterdir())
        expected = -what if what == signal.SIGKILL else 128 + what
        check(status == expected, f"tokenizing, {what.name}: status {status}: {err}")
        check(len(left) == (what == signal.SIGKILL), f"tokenizing, {what.name}: {left} is left")
    # Its programs may go on for some time; who is new may not be locked yet
    for path in temporary.iterdir():
        os.utime(path, (0, 0))
    (temporary / "collapipe-tokenizer-mine").mkdir()
    status, _, err, _ = finish(start(*SMALL, *data[:-5], *data[-3:], "--vocabulary=300", **how), 60)
    left = [path.name for path in temporary.iterdir()]
    check(status == 0 and left == ["collapipe-tokenizer-mine"],
          f"after a kill: status {status}, {left} is left: {err}")


def start_both(work, data, name, *more):
    """A run and, once it is there, the process of the run that it is compared with."""
    options = [option for option in SMALL if "compare" not in option]
    first = start(*options, *data, "--compare=static-pipeline", "--topology=p2p",
                  f"--outputDir={work / name}", *more)
    tasks = pathlib.Path(f"/proc/{first.pid}/task")
    children = []

    def find():
        # Not what it, or a library, starts for a moment
        children[:] = [int(child) for file in tasks.glob("*/children")
                       for child in file.read_text().split()
                       if "--compare=none" in read_arguments(child)]
        return children

    wait_for(find, "a run for comparison is under way")
    return first, children


def read_arguments(process):
    """The words that a process was started with."""
    try:
        return pathlib.Path(f"/proc/{process}/cmdline").read_text(encoding="utf-8").split("\0")
    except OSError:
        return []


def check_late_signal(work, data):
    """Who ends a run that waits for nothing but the one it is compared with keeps its results."""
    first, children = start_both(work, data, "late", "--progress=lines")
    for child in children:
        os.kill(child, signal.SIGSTOP)
    for line in first.stderr:
        if line.startswith("round 3/3"):
            break
    first.send_signal(signal.SIGTERM)
    for child in children:
        os.kill(child, signal.SIGCONT)
    status, _, err, _ = finish(first, 60)
    check(status == 128 + signal.SIGTERM and "static-pipeline for comparison has not ended" in err,
          f"a late signal: status {status}: {err}")
    check(len(read_csv(work / "late" / "rounds.csv")) == 3, "a late signal: all rounds are kept")
    check(not list_hidden(work), f"a late signal: {list_hidden(work)} is left")


def check_comparison(work, data):
    """Row 24: a run for comparison does not outlive the one that it is compared with."""
    first, children = start_both(work, data, "orphan", "--rounds=1000000")
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: not any(is_alive(child) for child in children), "it ends with the other")
    run(work / "orphan", "--topology=p2p", data=data)
    check(not list_hidden(work), f"{list_hidden(work)} is left")


def is_alive(process):
    """Whether a process runs; what nobody has waited for does not."""
    try:
        status = pathlib.Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rsplit(")", 1)[1].split()[0] not in "ZX"


def check_streams(work, data):
    """Row 20: standard streams that are closed, or full, cost no results."""
    program = start("--version")
    finish(program)
    command = [program.args[0], *SMALL, *data, "--topology=p2p", "--progress=lines"]
    for name, how, expected in (("closed", ">&- 2>&- <&-", 0), ("no-output", ">&-", 0),
                                ("no-errors", "2>&-", 0), ("full-errors", "2>/dev/full", 0),
                                ("full-output", ">/dev/full", 2),
                                ("full", ">/dev/full 2>/dev/full", 2)):
        folder = work / name
        done = subprocess.run(["sh", "-c", f'"$@" {how}', "sh", *command, f"--outputDir={folder}"],
                              check=False, timeout=300, capture_output=True)
        check(done.returncode == expected, f"{name}: status {done.returncode}: {done.stderr}")
        rows = read_csv(folder / "rounds.csv") if folder.exists() else []
        check(len(rows) == 3, f"{name}: the results are whole")
        check(not list_hidden(work), f"{name}: {list_hidden(work)} is left")


def check_limits(work, data):
    """Row 13: a file that cannot be written to its end ends the run with a sentence, and leaves
    nothing; earlier results stay."""
    folder = work / "limited"
    everything = ["--topology=p2p", "--pcap", "--flowMonitor", "--netAnim", f"--faults={work}/one.toml"]
    (work / "one.toml").write_text("[[fault]]\nkind = \"slow\"\nnode = \"cluster0.device0\"\nat = 1\n",
                                   encoding="utf-8")
    status, _, err, _ = run(folder, *everything, data=data)
    check(status == 0, f"without a limit: status {status}: {err}")
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    before = {name: (folder / name).read_bytes() for name in sizes if (folder / name).exists()}
    refused = set()
    for limit in sorted({max(1, size - 1) for size in sizes.values()}):
        process = start(*SMALL, *data, f"--outputDir={folder}", *everything,
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
        status, _, err, _ = finish(process)
        words = re.search(r"[cC]annot write '?\S*?([\w.-]+)[';:]* ", err.splitlines()[-1] if err else "")
        check(status == 2 and words, f"files of {limit} bytes at most: status {status}: {err}")
        refused.add(words.group(1) if words else "")
        check(all((folder / name).read_bytes() == data_before for name, data_before in before.items()),
              f"{limit} bytes at most: earlier results stay")
        check(not list_hidden(work), f"{limit} bytes at most: {list_hidden(work)} is left")
    check(len(refused) > 3, f"several files are found out: {refused}")


def check_descriptors(work, data):
    """Who may open few files is told so in a sentence, and nothing is left."""
    folder = work / "few"
    ended = set()
    for limit in (4, 6, 8, 12, 20, 32, 64, 256):
        process = start(*SMALL, *data, f"--outputDir={folder}", "--topology=p2p", "--pcap",
                        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        status, _, err, _ = finish(process)
        # Below that a program does not even begin: its libraries are files, too
        check(status == 0 or limit == 4 and status == 127 or
              status == 2 and len(err.splitlines()) == 1, f"{limit} files: status {status}: {err}")
        check(not list_hidden(work), f"{limit} files: {list_hidden(work)} is left")
        ended.add(status)
    check({0, 2} <= ended, f"some limits are enough, some are not: {ended}")


def check_memory(work, data):
    """Who may have little memory is told so in a sentence, with LibTorch and without, soon and not by
    an abort; nothing is left."""
    folder = work / "little"
    ended = set()
    for limit in (150, 170, 200, 300, 700, 900, 1100, 1300, 8000):
        for compute in ("analytic", "torch"):
            size = limit << 20
            process = start(*SMALL, *data, f"--outputDir={folder}", "--topology=p2p",
                            f"--compute={compute}", preexec_fn=lambda: resource.setrlimit(
                                resource.RLIMIT_AS, (size, size)))
            status, _, err, _ = finish(process, 60)
            what = f"{limit} MiB, {compute}: status {status}: {err}"
            # Below that a program does not even begin: its libraries are mapped, too
            check(status == 0 or status in (1, 2) and len(err.splitlines()) == 1 or
                  limit < 200 and status == 127, what)
            check(not list_hidden(work), f"{what}: {list_hidden(work)} is left")
            ended.add((compute, status))
    check({("analytic", 0), ("torch", 0), ("torch", 2)} <= ended,
          f"some limits are enough, some are not: {ended}")


#: By name: fault, node, fields; whether the cell is left out of the round
OF_CELLS = {
    "edge-for-ever": ("crash", "edge0", "round = 2", True),
    "edge": ("reboot", "edge0", "round = 2\nfor = 20", False),
    "backhaul-for-ever": ("link", "edge0", "round = 2\nfor = 100000\npeer = \"lead\"", True),
    "backhaul": ("link", "edge0", "round = 2\nfor = 20\npeer = \"lead\"", False),
    "lead": ("reboot", "lead", "round = 2\nfor = 20", False),
}


def check_cells(work, data):
    """Several cells: what fails is an edge server, the wire to the lead, the lead. A cell that is not
    there in time is left out of the round; without a lead the rounds that had ended are kept."""
    for name, (kind, node, fields, is_left_out) in OF_CELLS.items():
        path, folder = work / f"cells-{name}.toml", work / f"cells-{name}"
        path.write_text(f"[[fault]]\nkind = \"{kind}\"\nnode = \"{node}\"\n{fields}\n", encoding="utf-8")
        status, _, err, _ = run(folder, "--topology=p2p", "--cells=2", f"--faults={path}", data=data)
        if not check(status == 0, f"cells, {name}: status {status}: {err}"):
            continue
        row = read_csv(folder / "faults.csv")[0]
        check(len(read_csv(folder / "rounds.csv")) == 3, f"cells, {name}: all rounds end")
        check(row["recovered_s"] and row["left_out"] == str(int(is_left_out)),
              f"cells, {name}: what became of it: {row}")
        # The patience, a heartbeat, and some on the wire; of the lead, only its return is noticed
        check(node == "lead" or float(row["detection_s"]) <= 4 + 1 + 0.1 and row["failed"] == node,
              f"cells, {name}: noticed in time: {row}")
    path, folder = work / "cells-no-lead.toml", work / "cells-no-lead"
    path.write_text("[[fault]]\nkind = \"crash\"\nnode = \"lead\"\nround = 2\n", encoding="utf-8")
    status, _, err, _ = run(folder, "--topology=p2p", "--cells=2", f"--faults={path}",
                            "--deadline=300", data=data)
    check(status == 0 and "the lead server is down" in err, f"no lead: status {status}: {err}")
    check(len(read_csv(folder / "rounds.csv")) == 1, "no lead: the finished round is kept")


def check_stuck(work, data):
    """A run that can never go on ends, and says who waits for whom."""
    path = work / "stuck.toml"
    path.write_text("".join(f"[[fault]]\nkind = \"crash\"\nnode = \"cluster{m}.control\"\nround = 2\n"
                            for m in range(2)), encoding="utf-8")
    folder = work / "stuck"
    status, _, err, seconds = run(folder, "--topology=p2p", f"--faults={path}", "--deadline=500",
                                  data=data)
    check(status == 0 and "c0-cu" in err and "c1-cu" in err and "nothing has gone on" in err,
          f"a run without control units: status {status}: {err}")
    if (folder / "rounds.csv").exists():
        check(len(read_csv(folder / "rounds.csv")) == 1, "its finished round is kept")
    check(seconds < 120, f"it ends in good time: {seconds} s")


def check_out_of_reach(work, data):
    """Who leaves between his report and the plan is planned with, for years: the run ends nevertheless."""
    path, folder = work / "reach.toml", work / "reach"
    options = ("--topology=wifi", "--clusters=1", "--devices=4", "--blocks=4", "--recovery=wait",
               "--heartbeat=10", "--patience=30", "--deadline=60")
    run(folder, *options, "--faults=random:1,0.0001", data=data)
    second = read_csv(folder / "rounds.csv")[1]
    reported = float(second["start_s"]) + float(second["report_s"])
    path.write_text(f"[[fault]]\nkind = \"away\"\nnode = \"cluster0.control\"\nat = {reported - 1e-4:.9f}\n"
                    "for = 1e8\n", encoding="utf-8")
    status, out, err, seconds = run(folder, *options, f"--faults={path}", data=data)
    check(status == 0 and "nothing has gone on" in err, f"out of reach: status {status}: {err}")
    check(len(read_csv(folder / "rounds.csv")) == 1, "out of reach: the finished round is kept")
    simulated = re.search(r"([\d.]+) s simulated", out)
    check(simulated and 60 < float(simulated.group(1)) < 100, f"out of reach: after the deadline: {out}")
    check(seconds < 120, f"out of reach: it ends in good time: {seconds} s")


def check_gone(work, data):
    """The only cluster has lost its control unit: the run ends, says who is gone, and keeps what it has."""
    path = work / "gone.toml"
    path.write_text("[[fault]]\nkind = \"crash\"\nnode = \"cluster0.control\"\nround = 2\n",
                    encoding="utf-8")
    for policy in ("drop", "wait"):
        folder = work / f"gone-{policy}"
        status, out, err, seconds = run(folder, "--topology=p2p", "--clusters=1", f"--faults={path}",
                                        f"--recovery={policy}", data=data)
        check(status == 0 and "nothing has gone on" in err and "c0-cu" in err,
              f"a control unit gone for ever, {policy}: status {status}: {err}")
        simulated = re.search(r"([\d.]+) s simulated", out)
        # Who waits does so for the policy's 300 s; nobody waits for the deadline of 3600 s
        check(simulated and float(simulated.group(1)) < (400 if policy == "wait" else 100),
              f"gone, {policy}: it ends when it is known: {out}")
        check(len(read_csv(folder / "rounds.csv")) == 1, f"gone, {policy}: its finished round is kept")
        check(seconds < 60, f"gone, {policy}: it ends in good time: {seconds} s")


def check_lossy(work, data):
    """Wires that lose so much that nothing gets through are named where the run ends."""
    status, _, err, seconds = run(work / "lossy", "--topology=p2p", "--packetErrorRate=0.4",
                                  "--deadline=300", data=data)
    check(status == 2 and "no round has ended" in err and "wires lose 40 %" in err and
          len(err.splitlines()) == 1, f"wires that lose much: status {status}: {err}")
    check(seconds < 60, f"it ends in good time: {seconds} s")


# ---------------------------------------------------------------- faults of earlier releases, by number


def row_12_whoever_has_the_decoder_tells_the_loss(work, data):
    """A lone device's training loss hardly depends on whether it has the decoder or the edge server has
    it: the samples are the same, in another order."""
    losses = {}
    for controller in ("fedavg", "uniform-pipeline"):
        folder = work / f"loss-{controller}"
        status, _, err, _ = run(folder, "--topology=p2p", f"--controller={controller}", "--clusters=1",
                                "--devices=1", "--rounds=2", "--compute=torch", data=data)
        if status == 2 and "no LibTorch" in err:
            return
        if not check(status == 0, f"row 12: {controller}: status {status}: {err}"):
            return
        losses[controller] = [float(row["train_loss"] or "nan")
                              for row in read_csv(folder / "rounds.csv")]
    check(len(losses["fedavg"]) == 2 and all(0 < loss < 20 for loss in losses["fedavg"]),
          f"row 12: losses under fedavg: {losses['fedavg']}")
    check(all(near(*both, 0.03) for both in zip(*losses.values())), f"row 12: {losses}")
    folder = work / "loss-analytic"
    status, _, err, _ = run(folder, "--topology=p2p", "--controller=fedavg", data=data)
    check(status == 0 and all(row["train_loss"] == "" for row in read_csv(folder / "rounds.csv")),
          f"row 12: nothing computed, no loss: status {status}: {err}")


def row_14_recomputation_charges_blocks_alone(work, data):
    """What a device computes again grows with its blocks, though it has the embedding and the decoder."""
    again = {}
    for blocks in (2, 4):
        spent = []
        for mode in ("never", "always"):
            folder = work / f"again-{blocks}-{mode}"
            status, _, err, _ = run(folder, "--topology=p2p", "--controller=fedavg",
                                    f"--blocks={blocks}", f"--recompute={mode}", "--rounds=1",
                                    data=data)
            if not check(status == 0, f"row 14: {folder.name}: status {status}: {err}"):
                return
            spent.append({row["name"]: float(row["compute_s"])
                          for row in read_csv(folder / "devices.csv")})
        again[blocks] = {name: spent[1][name] - spent[0][name] for name in spent[0]}
    trained = [name for name in again[2] if again[2][name] > 0]
    check(len(trained) == 6, f"row 14: all devices compute again: {again[2]}")
    for name in trained:
        check(abs(again[4][name] / again[2][name] - 2) < 1e-3,
              f"row 14: {name}: {again[2][name]} s with 2 blocks, {again[4][name]} s with 4")


def row_21_fewer_samples_than_devices_are_refused(work, data):
    for controller in ("fedavg", "splitfed"):
        status, _, err, _ = run(work / "row21", "--topology=p2p", f"--controller={controller}",
                                "--maxPairs=20", "--devices=30", "--microBatches=4",
                                "--microBatchSize=8", data=data)
        check(status == 2 and "has none" in err and len(err.splitlines()) == 1,
              f"row 21: {controller}: status {status}: {err}")


def row_22_many_nodes_attach_to_a_narrow_band(work, data):
    status, _, err, _ = run(work / "row22", "--topology=lte", "--lteResourceBlocks=6", "--devices=8",
                            "--rounds=1", "--localIterations=1", "--blocks=1", "--model=8x1x8",
                            data=data)
    check(status == 0, f"row 22: status {status}: {err}")


def check_phases(work, data):
    """A round in which a cluster is given up has phases, too: none is negative, and they add up."""
    path = work / "phases.toml"
    path.write_text("[[fault]]\nkind = \"crash\"\nnode = \"cluster0.control\"\nround = 2\n",
                    encoding="utf-8")
    folder = work / "phases"
    status, _, err, _ = run(folder, "--topology=p2p", "--clusters=2", f"--faults={path}",
                            "--recovery=drop", data=data)
    check(status == 0, f"phases: status {status}: {err}")
    rows = read_csv(folder / "rounds.csv")
    check(len(rows) > 1, "phases: there is a round without one of the clusters")
    for row in rows:
        parts = [float(row[name]) for name in PHASES]
        check(min(parts) >= 0 and abs(sum(parts) - float(row["latency_s"])) < 1e-6,
              f"phases of round {row['round']}: {parts}, {row['latency_s']}")
    # Of a cluster that was left out nothing is measured
    left_out = {(row["round"], row["cluster"]) for row in read_csv(folder / "clusters.csv")
                if row["measured_total_s"] == ""}
    check(left_out == {("2", "0"), ("3", "0")}, f"phases: left out: {left_out}")


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
        check_signals(work, data)
        check_tokenizing(work)
        check_comparison(work, data)
        check_late_signal(work, data)
        check_streams(work, data)
        check_limits(work, data)
        check_descriptors(work, data)
        check_memory(work, data)
        check_stuck(work, data)
        check_out_of_reach(work, data)
        check_gone(work, data)
        check_phases(work, data)
        check_lossy(work, data)
        row_12_whoever_has_the_decoder_tells_the_loss(work, data)
        row_14_recomputation_charges_blocks_alone(work, data)
        row_21_fewer_samples_than_devices_are_refused(work, data)
        row_22_many_nodes_attach_to_a_narrow_band(work, data)
        check_cells(work, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
