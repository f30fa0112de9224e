#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# What users do wrong, and what happens to a run from outside: every mistake gets one sentence and
# status 2; signals keep what was finished; no folder ever holds the files of two runs; files appear
# whole or not at all. Takes the build directory and the source directory.

import json
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time

from support.runs import check, finish, read_csv, report, start, use_program, write_corpus

# A run that computes nothing and ends in a second
TINY = ["--compute=analytic", "--topology=p2p", "--rounds=1", "--localIterations=1", "--blocks=4",
        "--model=nano", "--microBatches=2", "--microBatchSize=4", "--vocabulary=300",
        "--maxValidation=20", "--compare=none", "--progress=none", "--task=translation"]
LIMIT = 400000  # bytes of a file; more than the tokenizer takes, less than the captures
SECONDS = 30  # a loaded machine has a second or two become ten


def run(*options, **how):
    """Status, standard output and standard error of a tiny run."""
    status, out, err, _ = finish(start(*TINY, *options, **how), SECONDS * 4)
    return status, out, err


def expect_refusal(name, word, *options):
    """One sentence that contains `word`, status 2, nothing on standard output."""
    status, out, err = run(*options)
    check(status == 2, f"{name}: status {status}: {err}")
    check(len(err.strip().splitlines()) == 1, f"{name}: one line: {err}")
    check(word in err, f"{name}: the sentence says {word}: {err}")
    check(out == "", f"{name}: nothing on standard output: {out}")


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


# ---------------------------------------------------------------- the folder of results


def test_results_of_two_runs_do_not_mix(work, data):
    folder = work / "mixed"
    status, _, err = run(*data, "--pcap", "--clusters=2", f"--outputDir={folder}")
    check(status == 0, f"the first run: {err}")
    check(any(name.endswith(".pcap") for name in names_in(folder)), "it leaves captures")
    (folder / "report.html").write_text("of the first run", encoding="utf-8")
    (folder / "figures").mkdir()
    status, _, err = run(*data, "--clusters=1", f"--outputDir={folder}")
    check(status == 0, f"the second run: {err}")
    names = names_in(folder)
    check(not any(name.endswith(".pcap") for name in names) and "report.html" not in names,
          f"nothing of the first run is left: {names}")
    with open(folder / "summary.json", encoding="utf-8") as file:
        check(json.load(file)["files"] == [name for name in names if name != "summary.json"],
              "summary.json lists what the run left")
    check({row["cluster"] for row in read_csv(folder / "devices.csv")} == {"0"}, "one cluster")

    (folder / "notes.txt").write_text("mine", encoding="utf-8")
    expect_refusal("a folder with the user's own file", "notes.txt", *data,
                   f"--outputDir={folder}")
    check((folder / "notes.txt").read_text(encoding="utf-8") == "mine", "which is left alone")
    home = work / "home"
    home.mkdir()
    (home / "letter").write_text("mine", encoding="utf-8")
    expect_refusal("a folder that is no run's", "letter", *data, f"--outputDir={home}")
    (work / "empty").mkdir()
    status, _, err = run(*data, f"--outputDir={work / 'empty'}")
    check(status == 0 and (work / "empty" / "rounds.csv").exists(), f"an empty folder: {err}")


def test_killed_runs_leave_nothing_for_ever(work, data):
    folder = work / "stale"
    killed = subprocess.Popen(["true"])
    killed.wait()
    host = os.uname().nodename
    stale = work / f".stale.partial-{killed.pid}@{host}"
    other = work / f".stale.partial-{killed.pid}@another-machine"
    for place in (stale, other):
        place.mkdir()
        (place / "rounds.csv").write_text("", encoding="utf-8")
    status, _, err = run(*data, f"--outputDir={folder}")
    check(status == 0, f"a run beside what a killed one left: {err}")
    check(not stale.exists(), "what a killed run left is removed")
    check(other.exists(), "another machine's is not: its process may be alive")


def test_files_are_whole_or_not_there(work, data):
    folder = work / "cut"

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    small = ["--timelineSize=0", "--devices=20", "--memoryShare=0", *data]
    status, _, err = run(*small, "--pcap", f"--outputDir={folder}", preexec_fn=limit)
    check(status == 2 and "cannot write" in err and ".pcap" in err,
          f"a capture beyond a limit: status {status}: {err}")
    check(not folder.exists(), "leaves no folder")
    check(not list(work.glob(".cut*")), "nothing hidden is left")
    with open("/dev/full", "w", encoding="utf-8") as full:
        status, _, err = run(*data, "--outputDir=", stdout=full)
    check(status == 2 and "standard output" in err, f"> /dev/full: status {status}: {err}")


def test_closed_standard_streams(work, data):
    def close():
        os.close(1)
        os.close(2)

    folder = work / "closed"
    process = start(*TINY, *data, f"--outputDir={folder}", "--progress=lines", stdout=None,
                    stderr=None, preexec_fn=close)
    check(process.wait(SECONDS * 4) == 0 and (folder / "summary.json").exists(),
          "a run without standard streams leaves its results")


# ---------------------------------------------------------------- signals


def wait_for_rounds(process, count):
    """Reads the progress until so many rounds have ended."""
    for line in process.stderr:
        if line.startswith(f"round {count}/"):
            return True
    return False


def test_signals_keep_finished_rounds(work, data):
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        folder = work / number.name
        process = start(*TINY, *data, "--rounds=100000", "--progress=lines", "--pcap",
                        f"--outputDir={folder}")
        if not check(wait_for_rounds(process, 3), f"{number.name}: rounds end"):
            continue
        begin = time.monotonic()
        process.send_signal(number)
        status, _, err, _ = finish(process, SECONDS)
        check(status == 128 + number, f"{number.name}: status {status}: {err}")
        check(time.monotonic() - begin < SECONDS, f"{number.name}: ends quickly")
        check("interrupted in round" in err and folder.name in err, f"{number.name}: says so: {err}")
        rounds = read_csv(folder / "rounds.csv")
        with open(folder / "summary.json", encoding="utf-8") as file:
            summary = json.load(file)
        check(len(rounds) >= 3 and [row["round"] for row in summary["rounds"]] ==
              list(range(1, len(rounds) + 1)), f"{number.name}: finished rounds are there")
        check(summary["interrupted"] is True, f"{number.name}: summary.json tells")
        check(all(row["latency_s"] for row in rounds), f"{number.name}: whole rounds only")
    ignored = start(*TINY, *data, f"--outputDir={work / 'nohup'}",
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    ignored.send_signal(signal.SIGHUP)
    check(finish(ignored, SECONDS * 4)[0] == 0, "under nohup a hang-up ends nothing")


# ---------------------------------------------------------------- sentences


def test_sentences(work, data):
    expect_refusal("an attribute of the wrong type", "SegmentSize=abc",
                   "--ns3::TcpSocket::SegmentSize=abc")
    expect_refusal("a misspelt controller", "did you mean dssda?", "--controller=dsda")
    expect_refusal("too little memory", "--memoryShare=0.01", *data, "--memoryShare=0.01")
    expect_refusal("frozen weights' precision, and nothing frozen", "--basePrecision=int8",
                   "--basePrecision=int8")
    expect_refusal("frozen weights sent, and nothing frozen", "--base=distributed",
                   "--base=distributed")
    expect_refusal("captures without a folder", "--outputDir", *data, "--pcap", "--outputDir=")
    expect_refusal("more lost than TCP makes good", "less than 0.5", "--packetErrorRate=0.9")
    expect_refusal("per cent for a share", "--memoryShare=50", "--memoryShare=50")
    expect_refusal("more clusters than there can be", "from 1 to 250", "--clusters=251")
    expect_refusal("clusters too far away", "clusterDistance of 20000 m", "--topology=lte",
                   "--clusterDistance=20000")
    expect_refusal("clusters too wide", "clusterRadius of 3000 m", "--topology=wifi",
                   "--clusterRadius=3000")
    same = [data[0], data[1], data[0].replace("--train", "--val"),
            data[1].replace("--train", "--val")]
    expect_refusal("training and validation alike", "validation file", *same)
    long = work / "long.en"
    letters = "abcdefghijklmnopqrstuvwxyz"
    for path, word in ((long, "word"), (work / "long.de", "Wort")):
        path.write_text("".join(f"{word}{first}{second} " * 900 + "\n" for first in letters[:8]
                                for second in letters[:8]), encoding="utf-8")
    expect_refusal("lines all too long", "4192 bytes", f"--trainSource={long}",
                   f"--trainTarget={work / 'long.de'}")


def test_part_of_the_actuators(work, data):
    """Of two radios one may be actuated alone."""
    for radio in ("lte", "wifi"):
        status, _, err = run(*data, "--topology=hybrid", f"--actuator={radio}",
                             f"--outputDir={work / radio}")
        check(status == 0, f"--actuator={radio}: status {status}: {err}")


def test_what_was_left_out_is_told(work, data):
    """The corpus's warnings reach the user and summary.json."""
    source, target = (pathlib.Path(option.split("=", 1)[1]) for option in data)
    some = {}
    for side, path in (("Source", source), ("Target", target)):
        some[side] = work / f"some{side}"
        some[side].write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[:30]),
                              encoding="utf-8")
    folder = work / "told"
    status, _, err = run(*data, f"--valSource={some['Source']}", f"--valTarget={some['Target']}",
                         f"--outputDir={folder}")
    check(status == 0 and "30 training sentences were left out" in err, f"overlap: {err}")
    with open(folder / "summary.json", encoding="utf-8") as file:
        check(len(json.load(file)["data"]["warnings"]) == 1, "summary.json holds the warning")


def test_other_programs(build, source):
    """collapipe-solve, and ./collapipe's own help."""
    solve = pathlib.Path(build) / "collapipe-solve"
    if solve.exists():
        done = subprocess.run([solve, "--bogus=1"], capture_output=True, encoding="utf-8",
                              stdin=subprocess.DEVNULL, check=False)
        check(done.returncode == 2 and len(done.stderr.splitlines()) == 1 and not done.stdout,
              f"collapipe-solve --bogus=1: {done.returncode}: {done.stdout}{done.stderr}")
        done = subprocess.run([solve, "--controler=dssda"], capture_output=True, encoding="utf-8",
                              stdin=subprocess.DEVNULL, check=False)
        check("--controller?" in done.stderr, f"collapipe-solve suggests: {done.stderr}")
    for command in ("test", "bench", "tree", "doc"):
        done = subprocess.run([pathlib.Path(source) / "collapipe", command, "--help"],
                              capture_output=True, encoding="utf-8", timeout=SECONDS, check=False,
                              env={**os.environ, "COLLAPIPE_BUILD": "/nonexistent/build"})
        check(done.returncode == 0 and "Usage" in done.stdout,
              f"./collapipe {command} --help only helps: {done.returncode}: {done.stderr}")


def main():
    build, source = sys.argv[1:3]
    if not use_program(build, "collapipe-quickstart"):
        return 77
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="collapipe-options-") as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        for test in (test_results_of_two_runs_do_not_mix, test_killed_runs_leave_nothing_for_ever,
                     test_files_are_whole_or_not_there, test_closed_standard_streams,
                     test_signals_keep_finished_rounds, test_sentences,
                     test_part_of_the_actuators, test_what_was_left_out_is_told):
            test(work, data)
            print(f"{time.monotonic() - begin:6.1f} s  {test.__name__}", flush=True)
        test_other_programs(build, source)
    return report()


if __name__ == "__main__":
    sys.exit(main())
