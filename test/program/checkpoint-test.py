#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Saves, loads and goes on: the continued run must leave the same bytes as one that was never
# interrupted. Damaged and foreign checkpoints must be refused in one sentence. Takes the build
# directory and the source directory.

import json
import os
import pathlib
import random
import resource
import struct
import subprocess
import sys
import tempfile
import time

from support.runs import check, finish, report, start, use_program, write_corpus

SMALL = [
    "--localIterations=2", "--blocks=4", "--microBatches=2", "--microBatchSize=4",
    "--vocabulary=300", "--maxValidation=20", "--maxPairs=300", "--progress=none",
    "--compare=none",
]
FILE = "collapipe.safetensors"

def run(*options):
    """Status and standard error of a run."""
    status, _, err, _ = finish(start(*options), 600)
    return status, err


def train(folder, *options):
    """A run that must succeed: what it left, or None."""
    status, err = run(f"--outputDir={folder}", *options)
    if not check(status == 0, f"{folder.name} {' '.join(options)}: status {status}: {err}"):
        return None
    with open(folder / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    return {
        "rounds.csv": (folder / "rounds.csv").read_bytes(),
        "devices.csv": (folder / "devices.csv").read_bytes(),
        "weights": summary["parameters_crc32"],
        "simulated time": summary["simulated_s"],
        "evaluations": [summary["initial_validation_loss"]]
        + [row["validation_loss"] for row in summary["rounds"]],
    }


def check_continuation(base, name, *options, half=()):
    """Four rounds in one go, against two rounds, a checkpoint, and two rounds more; and one more."""
    whole = train(base / f"{name}-whole", *options, "--rounds=4")
    train(base / f"{name}-half", *options, *half, "--rounds=2", f"--save={base}/{name}-saved")
    again = train(base / f"{name}-again", f"--load={base}/{name}-saved", "--rounds=3",
                  "--progress=none", f"--save={base}/{name}-saved")
    rest = train(base / f"{name}-rest", f"--load={base}/{name}-saved", "--rounds=4",
                 "--progress=none", "--threads=3")
    if whole and again and rest:
        for key, value in whole.items():
            check(rest[key] == value, f"{name}: {key} of the continued run differ")
        check(whole["weights"] != again["weights"], f"{name}: nothing was learnt in round 4")


def check_decay(base, data):
    """A linear decay goes over the rounds of the saved run: others are refused, unless that run was
    told how many there will be."""
    options = [*SMALL, *data, "--topology=p2p", "--decay=linear"]
    train(base / "decay-half", *options, "--rounds=2", f"--save={base}/decay")
    status, err = run(f"--load={base}/decay", "--rounds=4", f"--outputDir={base}/decay-rest",
                      "--progress=none")
    check(status == 2 and "--decayRounds" in err and len(err.splitlines()) == 1,
          f"more rounds than the decay knew of: status {status}: {err}")
    check_continuation(base, "decay", *options, half=["--decayRounds=4"])


def read_head(data):
    size = struct.unpack("<Q", data[:8])[0]
    return 8 + size, json.loads(data[8:8 + size])


def check_refusals(base, data):
    """Every kind of damage gets one sentence, status 2, and leaves everything as it was."""
    saved = base / "damage"
    train(base / "damage-run", *SMALL, *data, "--rounds=1", "--topology=p2p", f"--save={saved}")
    good = (saved / FILE).read_bytes()
    begin, head = read_head(good)
    check(head["__metadata__"]["format"] == "collapipe-checkpoint", "the file says what it is")
    names = [name for name in head if name != "__metadata__"]
    check("embedding.0" in names and "text.tokenizer" in names, "tensors have their names")

    def expect_refusal(what, content, load=saved):
        (saved / FILE).write_bytes(content)
        output = base / "refused"
        status, err = run(f"--load={load}", "--rounds=2", f"--outputDir={output}",
                          f"--save={saved}", "--progress=none")
        lines = [line for line in err.splitlines() if line.strip()]
        check(status == 2, f"{what}: status {status}: {err}")
        check(len(lines) == 1 and len(lines[0]) < 400, f"{what}: not one sentence: {err}")
        check((saved / FILE).read_bytes() == content, f"{what}: the file was overwritten")
        check(not output.exists(), f"{what}: results were left")
        check([p.name for p in saved.iterdir()] == [FILE], f"{what}: files were left")

    draw = random.Random(2)
    for name in draw.sample(names, 3) + ["text.rounds"]:
        first, last = head[name]["data_offsets"]
        if first < last:
            place = begin + draw.randrange(first, last)
            damaged = bytearray(good)
            damaged[place] ^= 1 << draw.randrange(8)
            expect_refusal(f"a flipped bit in {name}", bytes(damaged))
    for place in draw.sample(range(begin), 5):
        damaged = bytearray(good)
        damaged[place] ^= 1
        expect_refusal(f"a flipped bit in byte {place} of the head", bytes(damaged))
    for size in [0, 5, begin, len(good) - 1]:
        expect_refusal(f"cut to {size} bytes", good[:size])
    expect_refusal("random bytes", draw.randbytes(5000))
    expect_refusal("a text", b"This is no checkpoint.\n" * 100)
    foreign = json.dumps({"__metadata__": {"format": "pt"},
                          "w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    expect_refusal("another program's tensors", struct.pack("<Q", len(foreign)) + foreign + bytes(4))
    expect_refusal("a folder that is not there", good, base / "nowhere")

    # What is no checkpoint is not written over; a new run's options are told.
    (saved / FILE).write_bytes(b"precious")
    status, err = run(*SMALL, *data, "--rounds=1", "--topology=p2p", f"--outputDir={base}/precious",
                      f"--save={saved}")
    check(status == 2 and (saved / FILE).read_bytes() == b"precious",
          f"a foreign file in the way of --save: status {status}: {err}")
    (saved / FILE).write_bytes(good)
    status, err = run(f"--load={saved}", f"--outputDir={base}/few", "--rounds=1", "--progress=none")
    check(status == 2 and "--rounds" in err, f"no rounds left: status {status}: {err}")
    source = base / "corpus.en"
    source.write_text(source.read_text(encoding="utf-8").replace("house", "hut"), encoding="utf-8")
    status, err = run(f"--load={saved}", f"--outputDir={base}/other", "--rounds=2",
                      "--progress=none")
    check(status == 2 and "data" in err, f"other data: status {status}: {err}")


def check_targets(base, data):
    """Row 19: where a checkpoint cannot be left is found out before anything is computed."""
    small = [*SMALL, *data, "--rounds=1", "--topology=p2p"]
    (base / "file").write_text("precious", encoding="utf-8")
    closed = base / "closed"
    closed.mkdir()
    closed.chmod(0o555)
    free = base / "free"
    free.mkdir()
    base.chmod(0o755)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.getuid() == 0 else {}
    targets = {"a file": base / "file", "in a file": base / "file" / "sub" / "folder",
               "no file system for files": pathlib.Path("/proc/collapipe/checkpoint"),
               "no permission": closed / "checkpoint", "a folder without permission": closed,
               "in the results": base / "targets" / "checkpoint", "the results": base / "targets",
               "a name that is too long": base / ("x" * 300)}
    for what, target in targets.items():
        output = base / "targets"
        who = nobody if "permission" in what else {}
        if who:
            output = free / "targets"
            free.chmod(0o777)
        began = time.monotonic()
        try:
            process = start(*small, f"--outputDir={output}", f"--save={target}", **who)
        except PermissionError as error:
            print(f"{what}: skipped, another user cannot run the program: {error}")
            continue
        status, _, err, _ = finish(process)
        if who and status is not None and "Permission denied" not in err and "--save" not in err:
            print(f"{what}: skipped, another user cannot run the program: {err}")
            continue
        check(status == 2 and "--save=" in err and len(err.splitlines()) == 1,
              f"{what}: status {status}: {err}")
        check(time.monotonic() - began < 20 and not output.exists(), f"{what}: before all else")
    check((base / "file").read_text(encoding="utf-8") == "precious", "what is there stays")
    closed.chmod(0o755)
    # What a run makes for a checkpoint and does not come to fill goes again
    made = base / "made" / "of" / "folders"
    status, err = run(*small, f"--save={made}", f"--outputDir={base}/file")
    check(status == 2 and not (base / "made").exists(), f"folders that it made: {status}: {err}")

    # Two runs; what one leaves that was killed
    saved = base / "both"
    first = start(*SMALL, *data, "--rounds=100000", "--topology=p2p", "--saveEvery=1",
                  f"--outputDir={base}/first", f"--save={saved}")
    deadline = time.monotonic() + 120
    while not (saved / FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    status, err = run(*small, f"--outputDir={base}/second", f"--save={saved}")
    check(status == 2 and f"process {first.pid}" in err and len(err.splitlines()) == 1,
          f"two runs that save to one folder: status {status}: {err}")
    first.kill()
    first.wait()
    (saved / f".{FILE}.partial-1").write_bytes(b"half")
    status, err = run(*small, f"--outputDir={base}/second", f"--save={saved}")
    check(status == 0 and [path.name for path in saved.iterdir()] == [FILE],
          f"after one that was killed: status {status}: {err}")

    # A disk that is full at the end
    before = (saved / FILE).read_bytes()

    def limit():
        # The next one's options are a few bytes shorter or longer.
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) - 200, len(before) - 200))

    status, _, err, _ = finish(start(*small, "--timelineSize=0", f"--outputDir={base}/full",
                                     f"--save={saved}", preexec_fn=limit))
    check(status == 2 and "is the disk full" in err and len(err.splitlines()) == 1,
          f"a checkpoint that cannot be written: status {status}: {err}")
    check((base / "full" / "summary.json").exists(), "the results are kept")
    check((saved / FILE).read_bytes() == before and len(list(saved.iterdir())) == 1,
          "the earlier checkpoint is whole, and alone")


def check_warm_start(base, data):
    """With other options a run starts from the saved model, and says so."""
    first = train(base / "warm-first", *SMALL, *data, "--rounds=2", "--topology=p2p",
                  f"--save={base}/warm")
    status, err = run(f"--load={base}/warm", "--rounds=1", "--topology=p2p", "--schedule=1f1b",
                      f"--outputDir={base}/warm-second", "--progress=none")
    check(status == 0 and "--schedule" in err, f"warm start: status {status}: {err}")
    with open(base / "warm-second" / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    check(first and abs(summary["initial_validation_loss"] - first["evaluations"][-1]) < 1e-9,
          "a warm start begins at the loss where the saved run ended")


def check_example(base, build):
    """A program of LibTorch's alone translates with what was saved."""
    program = build / "collapipe-torch-apply"
    lines = "the old man sees a red house in the garden.\nmy brother buys an apple every day.\n"
    done = subprocess.run([program, base / "warm"], input=lines, capture_output=True,
                          encoding="utf-8", timeout=120)
    check(done.returncode == 0 and len(done.stdout.splitlines()) == 2,
          f"translating with a saved model: status {done.returncode}: {done.stderr}")
    done = subprocess.run([program, base / "nowhere"], input=lines, capture_output=True,
                          encoding="utf-8", timeout=120)
    check(done.returncode == 2 and len(done.stderr.splitlines()) == 1, "no model to translate with")


def main():
    build = pathlib.Path(sys.argv[1]).absolute()
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory(prefix="collapipe-checkpoint-") as folder:
        base = pathlib.Path(folder)
        data, _ = write_corpus(base / "corpus")
        check_continuation(base, "p2p", *SMALL, *data, "--topology=p2p", "--clipNorm=0.5",
                           "--keepOptimizerState")
        check_continuation(base, "hybrid", *SMALL, *data, "--fading", "--mobility=waypoint",
                           "--ns3::TcpSocket::SegmentSize=1000")
        check_continuation(base, "base", *SMALL, *data, "--topology=p2p", "--lora=2",
                           "--base=distributed", "--basePrecision=int8")
        check_decay(base, data)
        check_warm_start(base, data)
        check_example(base, build)
        check_refusals(base, data)
        check_targets(base, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
