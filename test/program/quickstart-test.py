#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Runs collapipe-quickstart as users do, and checks what it leaves behind: results, captures,
# exit statuses. Takes the build directory and the source directory.

import collections
import csv
import filecmp
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from support.runs import (check, finish, near, read_csv, report, start, use_program, write_corpus)

TOPOLOGIES = ["p2p", "wifi", "lte", "hybrid"]
CLUSTERS = 2
DEVICES = 4
ROUNDS = 2
SMALL = [
    f"--rounds={ROUNDS}", "--localIterations=2", "--blocks=4", "--microBatches=2",
    "--microBatchSize=4", "--vocabulary=300", "--maxValidation=20", "--progress=none",
]
SUMMARY_KEYS = [
    "ns3_version", "seed", "run", "topology", "controller", "parameters", "rounds", "wall_s",
    "peak_rss_bytes",
]
ROUND_KEYS = ["round", "latency_s", "train_loss", "validation_loss", "bytes_sent"]
QUALITY_KEYS = ["bleu", "accuracy", "macro_f1", "binary_f1"]  # what was learnt
# What is estimated from gradients, and what LibTorch allocates
ESTIMATE_KEYS = ["smoothness", "gradient_variance", "cluster_divergence"]
MEMORY_COLUMNS = ["kept_memory_bytes", "parameter_bytes", "gradient_bytes", "optimizer_bytes",
                  "activation_bytes", "peak_memory_bytes"]
EMPTY_BY_DEFAULT = ["scenario", "clocks", "clusterDistances", "positions", "plugin", "columns", "faults", "trainSource",
                    "trainTarget", "valSource", "valTarget", "train", "validation", "save", "load", "loraTargets", "pretrained", "config", "export"]
DATA_TASK = ["--task=translation"]
LATENCY_PARTS = ["report_s", "distribution_s", "training_s", "upload_s"]
QUICKLY_S = 30  # a loaded machine has a second or two become ten


def train(folder, *options):
    """A run that must succeed: its summary, or None."""
    status, _, err, _ = finish(start(*SMALL, f"--outputDir={folder}", "--compare=none",
                                       *options))
    if not check(status == 0, f"{folder.name} {' '.join(options)}: status {status}: {err}"):
        return None
    with open(folder / "summary.json", encoding="utf-8") as file:
        return json.load(file)


# ---------------------------------------------------------------- what a run leaves behind


def check_summary(name, folder, summary):
    for key in SUMMARY_KEYS:
        check(key in summary, f"{name}: summary.json has {key}")
    check(summary["topology"] == name, f"{name}: summary.json names the topology")
    check(summary["controller"] == "uniform-pipeline", f"{name}: and the controller")
    check(summary["wall_s"] > 0 and summary["peak_rss_bytes"] > 1 << 20, f"{name}: resources")
    check([row["round"] for row in summary["rounds"]] == list(range(1, ROUNDS + 1)),
          f"{name}: all rounds are there")
    for row in summary["rounds"]:
        at = f"{name}, round {row['round']}"
        for key in ROUND_KEYS:
            check(isinstance(row.get(key), (int, float)), f"{at}: {key} is a number")
        check(row["latency_s"] > 0, f"{at}: latency is positive")
        check(all(row[part] > 0 for part in LATENCY_PARTS), f"{at}: parts are positive")
        check(near(sum(row[part] for part in LATENCY_PARTS), row["latency_s"]),
              f"{at}: parts add up to the latency")
        check(math.isfinite(row["train_loss"]) and row["train_loss"] > 0, f"{at}: loss")
    check(summary["rounds"][-1]["validation_loss"] < summary["initial_validation_loss"],
          f"{name}: the validation loss falls")
    check(sum(row["bytes_sent"] for row in summary["rounds"]) == summary["bytes_sent"],
          f"{name}: bytes of the rounds add up")
    check(sum(row["messages_sent"] for row in summary["rounds"])
          == sum(summary["messages"].values()), f"{name}: messages of the rounds add up")
    check_tables(name, folder, summary)


def check_tables(name, folder, summary):
    rounds = read_csv(folder / "rounds.csv")
    if check(len(rounds) == len(summary["rounds"]), f"{name}: rounds.csv has every round"):
        for line, row in zip(rounds, summary["rounds"]):
            check(set(line) == set(row), f"{name}: rounds.csv has summary.json's columns")
            check(all(line[key] == "" if row[key] is None else near(float(line[key]), row[key])
                      for key in row if key in line),
                  f"{name}: rounds.csv and summary.json agree in round {row['round']}")
    devices = read_csv(folder / "devices.csv")
    nodes = CLUSTERS * (DEVICES + 1)
    check(len(devices) == ROUNDS * nodes, f"{name}: devices.csv has every node in every round")
    for row in summary["rounds"]:
        lines = [line for line in devices if int(line["round"]) == row["round"]]
        sent = sum(int(line["bytes_sent"]) for line in lines)
        check(len(lines) == nodes and 0 < sent < row["bytes_sent"],
              f"{name}: the nodes send a part of round {row['round']}'s bytes")
        for cluster in range(CLUSTERS):
            chain = sorted((int(line["stage"]), int(line["first_block"]), int(line["last_block"]))
                           for line in lines
                           if int(line["cluster"]) == cluster and int(line["stage"]) >= 0)
            covered = [block for _, first, last in chain for block in range(first, last)]
            check(covered == list(range(4)), f"{name}: cluster {cluster}'s stages cover the model")
        for line in lines:
            check(near(float(line["utilisation"]) * row["latency_s"], float(line["compute_s"]),
                       1e-6), f"{name}: utilisation is computing time over latency")


def check_topologies(work, data):
    """A small run on every topology, with captures; their summaries."""
    summaries = {}
    for name in TOPOLOGIES:
        folder = work / f"{name}"
        summary = train(folder, *data, f"--topology={name}", "--pcap", "--threads=1",
                        "--controller=uniform-pipeline")
        if summary is not None:
            check_summary(name, folder, summary)
            summaries[name] = summary
        chosen = train(work / f"{name}-dssda", *data, f"--topology={name}", "--compute=analytic")
        check(chosen is not None and chosen["controller"] == "dssda",
              f"{name}: the default controller runs")
    if len(summaries) == len(TOPOLOGIES):
        check(len({json.dumps(summary["messages"]) for summary in summaries.values()}) == 1,
              "every topology carries the same messages")
        check(len({summary["parameters_crc32"] for summary in summaries.values()}) <= 2,
              "weights do not depend on the network beyond the order of the clusters")
    return summaries


# ---------------------------------------------------------------- determinism, parity


def same_files(left, right):
    """Names that differ between two folders, summary.json left out."""
    names = {entry.name for folder in (left, right) for entry in folder.iterdir()}
    names.discard("summary.json")
    _, mismatch, errors = filecmp.cmpfiles(left, right, sorted(names), shallow=False)
    return mismatch + errors


def check_repetition(work, data, summaries):
    for name in ("p2p", "hybrid"):
        first = summaries.get(name)
        folder = work / f"{name}-again"
        again = train(folder, *data, f"--topology={name}", "--pcap", "--threads=3",
                      "--controller=uniform-pipeline")
        if first is None or again is None:
            continue
        differing = same_files(work / name, folder)
        check(not differing, f"{name}: the same files with 1 and 3 threads, but {differing}")
        check(list(folder.glob("*.pcap")), f"{name}: there are captures")
        check(first["parameters_crc32"] and
              first["parameters_crc32"] == again["parameters_crc32"], f"{name}: the same weights")
        for summary in (first, again):
            for key in ("wall_s", "wall_s_per_simulated_s", "peak_rss_bytes"):
                summary[key] = None
            for key in ("outputDir", "threads"):
                summary["parameters"][key] = None
        check(first == again, f"{name}: the same summary.json")
        shutil.rmtree(folder)
    other = train(work / "other-run", *data, "--topology=hybrid", "--run=2", "--compute=analytic",
                  "--controller=uniform-pipeline")
    if other is not None and "hybrid" in summaries:
        check([row["latency_s"] for row in other["rounds"]]
              != [row["latency_s"] for row in summaries["hybrid"]["rounds"]],
              "hybrid: another run number gives other latencies")


def check_comparison(work, data):
    """The second run beside the first is what it would be alone, and the table compares them."""
    folder = work / "compared"
    status, out, err, _ = finish(start(*SMALL, *data, f"--outputDir={folder}", "--topology=p2p"))
    if not check(status == 0, f"comparison: status {status}: {err}"):
        return
    alone = train(work / "alone", *data, "--topology=p2p", "--controller=uniform-pipeline")
    with open(folder / "uniform-pipeline" / "summary.json", encoding="utf-8") as file:
        beside = json.load(file)
    check(beside["rounds"] == alone["rounds"], "comparison: the run beside is the run alone")
    with open(folder / "summary.json", encoding="utf-8") as file:
        first = json.load(file)
    check(first["controller"] == "dssda", "comparison: dssda is the first run")
    line = next(line for line in out.splitlines() if line.startswith("latency of a round"))
    figures = [float(word) for word in line.split(",")[1].replace("s", "").split()[:2]]
    latencies = [run["totals"]["latency_s"] for run in (first, beside)]
    check(all(abs(figure - latency) < 6e-4 for figure, latency in zip(figures, latencies)),
          f"comparison: {line} shows {latencies}")
    check(math.isclose(latencies[0], sum(row["latency_s"] for row in first["rounds"]) / ROUNDS),
          "comparison: totals hold the mean latency")


def check_analytic(work, data, summaries):
    for name in ("p2p", "hybrid"):
        torch = summaries.get(name)
        analytic = train(work / f"{name}-analytic", *data, f"--topology={name}",
                         "--controller=uniform-pipeline", "--compute=analytic")
        if torch is None or analytic is None:
            continue
        check(torch["messages"] == analytic["messages"], f"{name}: analytic: the same messages")
        for left, right in zip(torch["rounds"], analytic["rounds"]):
            for key in left:
                if not key.endswith("_loss") and key not in QUALITY_KEYS + ESTIMATE_KEYS:
                    check(left[key] == right[key],
                          f"{name}: analytic: {key} of round {left['round']}: "
                          f"{left[key]} and {right[key]}")
        both = [read_csv(work / folder / "devices.csv") for folder in (name, f"{name}-analytic")]
        check(all(float(row["peak_memory_bytes"]) == 0 for row in both[1]),
              f"{name}: analytic: no tensor is allocated")
        for row in both[0] + both[1]:
            for column in MEMORY_COLUMNS:
                del row[column]
        check(both[0] == both[1],
              f"{name}: analytic: the same devices.csv")


# ---------------------------------------------------------------- captures


def count_payload(tshark, files):
    """TCP payload bytes in captures, each byte of each direction of each connection once."""
    columns = ["ip.src", "tcp.srcport", "ip.dst", "tcp.dstport", "tcp.seq_raw", "tcp.len"]
    command = [tshark, "-n", "-Y", "tcp.len > 0", "-T", "fields",
               "-o", "tcp.analyze_sequence_numbers:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE"]
    for column in columns:
        command += ["-e", column]
    spans = collections.defaultdict(set)
    for file in files:
        result = subprocess.run([*command, "-r", str(file)], stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, encoding="utf-8", check=False)
        if not check(result.returncode == 0, f"tshark reads {file}: {result.stderr}"):
            continue
        for line in result.stdout.splitlines():
            *stream, begin, length = line.split("\t")
            spans[tuple(stream)].add((int(begin), int(begin) + int(length)))
    total = 0
    for intervals in spans.values():
        reached = -1
        for begin, end in sorted(intervals):
            total += max(0, end - max(begin, reached))
            reached = max(reached, end)
    return total


def check_captures(work, summaries):
    tshark = shutil.which("tshark")
    if tshark is None:
        print("SKIPPED: captures: tshark is not installed")
        return
    for name, summary in summaries.items():
        files = [work / name / "collapipe-es.pcap"]
        for cluster in range(CLUSTERS):
            files.append(work / name / f"collapipe-c{cluster}-cu.pcap")
            files += [work / name / f"collapipe-c{cluster}-d{device}.pcap"
                      for device in range(DEVICES)]
        missing = [file.name for file in files if not file.exists()]
        if not check(not missing, f"{name}: no capture of {missing}"):
            continue
        counted = count_payload(tshark, files)
        check(counted == summary["bytes_sent"],
              f"{name}: {counted} bytes in the captures, {summary['bytes_sent']} in summary.json")
        below = sorted(set((work / name).glob("*.pcap")) - set(files))
        check(below, f"{name}: there are captures of links and radios")
        for file in below[:1] + below[-1:]:
            result = subprocess.run([tshark, "-n", "-c", "20", "-r", str(file)],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                    encoding="utf-8", check=False)
            check(result.returncode == 0, f"{name}: tshark reads {file.name}: {result.stderr}")


# ---------------------------------------------------------------- mistakes


def expect_refusal(work, name, word, *options):
    """A run that must end with one sentence which contains `word`, and leave nothing."""
    place = work / "mistakes"
    before = sorted(place.rglob("*"))
    if not any(option.startswith("--outputDir=") for option in options):
        options = (*options, f"--outputDir={place / 'result'}")
    status, out, err, seconds = finish(start(*SMALL, *options))
    check(status not in (0, None) and status > 0, f"{name}: status {status}")
    check(len(err.strip().splitlines()) == 1 and err.endswith("\n"), f"{name}: one line: {err}")
    check(word in err, f"{name}: the sentence says {word}: {err}")
    check(out == "", f"{name}: nothing on standard output: {out}")
    check(seconds < QUICKLY_S, f"{name}: ends quickly: {seconds:.1f} s")
    left = sorted(set(place.rglob("*")) - set(before))
    check(not left, f"{name}: nothing is left behind: {left}")


def check_wrong_options(work, data):
    expect_refusal(work, "unknown option", "--colour", *data, "--colour=red")
    expect_refusal(work, "stray argument", "fast", *data, "fast")
    expect_refusal(work, "option without value", "--rounds", *data, "--rounds")
    expect_refusal(work, "no number", "--rounds=abc", *data, "--rounds=abc")
    expect_refusal(work, "negative number", "--rounds=-1", *data, "--rounds=-1")
    expect_refusal(work, "no rounds", "--rounds=0", *data, "--rounds=0")
    expect_refusal(work, "unknown topology", "mesh", *data, "--topology=mesh")
    expect_refusal(work, "unknown controller", "clever", *data, "--controller=clever")
    expect_refusal(work, "unknown schedule", "fifo", *data, "--schedule=fifo")
    expect_refusal(work, "unknown task", "poetry", *data, "--task=poetry")
    expect_refusal(work, "unknown profile", "abacus", *data, "--deviceProfiles=abacus")
    expect_refusal(work, "unknown attribute", "NoSuch", *data, "--ns3::TcpSocket::NoSuch=1")
    expect_refusal(work, "impossible model", "heads", *data, "--model=60x7x128")
    expect_refusal(work, "unknown comparison", "clever", *data, "--compare=clever")
    expect_refusal(work, "segments", "blocks", *data, "--controller=uniform-pipeline", "--blocks=2")
    expect_refusal(work, "memory share", "memory", *data, "--memoryShare=0.1")
    expect_refusal(work, "memory", "memory", *data, "--model=4096x16x16384")


def check_wrong_files(work, data, pairs):
    bad = work / "bad"
    bad.mkdir()
    good = {option.split("=")[0]: option.split("=", 1)[1] for option in data}
    source, target = good["--trainSource"], good["--trainTarget"]
    lines = pathlib.Path(target).read_bytes().splitlines(keepends=True)

    def write(name, content):
        (bad / name).write_bytes(content)
        return f"--trainTarget={bad / name}"

    expect_refusal(work, "missing file", "nowhere", f"--trainSource={bad / 'nowhere.en'}",
                   f"--trainTarget={target}")
    expect_refusal(work, "folder as file", "bad", f"--trainSource={bad}", f"--trainTarget={target}")
    expect_refusal(work, "one file of two", "--trainTarget", f"--trainSource={source}")
    expect_refusal(work, "line counts", str(pairs), data[0], write("short.de", b"".join(lines[:-3])))
    expect_refusal(work, "invalid UTF-8", "7", data[0],
                   write("latin.de", b"".join([*lines[:6], b"M\xfcller isst\n", *lines[7:]])))
    (bad / "empty.en").write_bytes(b"")
    expect_refusal(work, "empty files", "empty.en", f"--trainSource={bad / 'empty.en'}",
                   write("empty.de", b""))
    (bad / "two.en").write_text("We see a house.\nThey buy a car.\n", encoding="utf-8")
    expect_refusal(work, "too few sentences", "", f"--trainSource={bad / 'two.en'}",
                   write("two.de", "Wir sehen ein Haus.\nSie kaufen ein Auto.\n".encode()))
    if os.getuid() != 0:
        (bad / "secret.de").write_bytes(b"".join(lines))
        (bad / "secret.de").chmod(0)
        expect_refusal(work, "unreadable file", "secret.de", data[0],
                       f"--trainTarget={bad / 'secret.de'}")


def check_wrong_places(work, data):
    file = work / "mistakes" / "file"
    file.write_text("mine\n", encoding="utf-8")
    expect_refusal(work, "output is a file", "file", *data, f"--outputDir={file}")
    expect_refusal(work, "output below a file", "file", *data, f"--outputDir={file / 'sub'}")
    expect_refusal(work, "output where nobody writes", "/proc", *data, "--outputDir=/proc/nobody/x")
    check(file.read_text(encoding="utf-8") == "mine\n", "the file is as it was")
    if os.getuid() != 0:
        locked = work / "mistakes" / "locked"
        locked.mkdir(mode=0o500)
        expect_refusal(work, "unwritable output", "locked", *data, f"--outputDir={locked / 'x'}")


def check_interruption(work, data):
    """Before the first round has ended there is nothing to keep."""
    place = work / "interrupted"
    place.mkdir()
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start(*SMALL, *data, f"--outputDir={place / 'result'}", "--topology=lte",
                        "--rounds=1000", "--localIterations=100000", "--pcap")
        deadline = time.monotonic() + QUICKLY_S
        while time.monotonic() < deadline and process.poll() is None:
            if list(place.glob(".*partial*/*.pcap")):
                break
            time.sleep(0.05)
        check(list(place.iterdir()), "a run in progress has a folder of its own")
        time.sleep(0.5)
        process.send_signal(number)
        code, _, err, seconds = finish(process)
        check(code == status, f"{number.name}: status {code}: {err}")
        check(seconds < 10, f"{number.name}: ends quickly: {seconds:.1f} s")
        check(not list(place.iterdir()), f"{number.name}: nothing is left: {list(place.iterdir())}")


# ---------------------------------------------------------------- the rest


def read_help(*options):
    """The help's options with their texts, and its whole text."""
    status, out, _, _ = finish(start(*options))
    check(status == 0, f"{options}: status {status}")
    lines = {}
    name = ""
    for line in out.splitlines():
        if line.startswith("  --"):
            name, _, text = line[4:].partition(":")
            lines[name] = text.strip()
        elif line.startswith("      ") and name:
            lines[name] += " " + line.strip()
        else:
            name = ""
    check(all(len(line) <= 90 for line in out.splitlines()), f"{options}: lines fit a terminal")
    return lines, out


def check_help(summary):
    lines, basic = read_help("--help")
    for name in ("topology controller clusters devices blocks microBatches microBatchSize "
                 "localIterations rounds schedule compute task model outputDir pcap seed run "
                 "trainSource trainTarget valSource valTarget").split():
        check(name in lines, f"--help lists --{name}")
    status, version, _, _ = finish(start("--version"))
    check(status == 0 and "ns-3" in version, f"--version: {version}")
    if summary is None:
        return
    lines, everything = read_help("--help=all", *DATA_TASK)
    check(len(basic) < len(everything) / 1.5, "--help is shorter than --help=all")
    for name, value in summary["parameters"].items():
        text = lines.get(name, "")
        check(text, f"--help=all explains --{name}")
        has_default = text.endswith("]") and "[" in text
        is_empty = name in EMPTY_BY_DEFAULT
        check(has_default or is_empty, f"--help=all gives --{name}'s default: {text}")
    for name in ("controller", "clusters", "devices", "schedule", "compute"):  # not set above
        check(f"[{summary['parameters'][name]}]" in lines[name], f"--{name}'s default is as said")
    check(summary["parameters"]["clusters"] == 2 and summary["parameters"]["shadowing"] is True,
          "summary.json has numbers as numbers and switches as truth values")


def check_own_data(work, data, pairs):
    """Aligned files that the user gives, with validation files of their own."""
    validation, _ = write_corpus(work / "validation")
    for option in validation:
        path = pathlib.Path(option.split("=", 1)[1])
        path.write_text("".join(path.read_text(encoding="utf-8").splitlines(True)[:40]), "utf-8")
    options = [option.replace("--train", "--val") for option in validation]
    summary = train(work / "own", *data, *options, "--topology=p2p", "--rounds=3",
                    "--localIterations=5", "--maxValidation=0", "--schedule=1f1b")
    if summary is None:
        return
    check(summary["data"]["validation_samples"] == 40, "the validation files are used as they are")
    check(summary["data"]["training_samples"] <= pairs - 40, "and left out of the training")
    check(summary["rounds"][-1]["validation_loss"] < 0.9 * summary["initial_validation_loss"],
          "aligned files train")
    # A second run into the same folder replaces the results.
    again = train(work / "own", *data, "--topology=p2p", "--rounds=1")
    check(again is not None and len(read_csv(work / "own" / "rounds.csv")) == 1,
          "a second run replaces the results of the first")
    check(not list(work.glob(".*")), "no hidden folder is left")


def check_catalogs(work):
    """The default data: the gettext catalogs."""
    summary = train(work / "catalogs", "--topology=p2p", "--maxPairs=1000", "--rounds=1",
                    "--outputDir=" + str(work / "catalogs"))
    check(summary is not None and summary["data"]["training_samples"] >= 900,
          "the catalogs give sentences")
    return summary


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    begin = time.monotonic()

    def said(name):
        print(f"{time.monotonic() - begin:6.1f} s  {name}", flush=True)

    with tempfile.TemporaryDirectory(prefix="collapipe-quickstart-") as name:
        work = pathlib.Path(name)
        (work / "mistakes").mkdir()
        data, pairs = write_corpus(work / "corpus")
        summaries = check_topologies(work, data)
        said("every topology ran")
        check_captures(work, summaries)
        said("captures")
        check_analytic(work, data, summaries)
        said("analytic")
        check_repetition(work, data, summaries)
        check_comparison(work, data)
        said("repetition")
        check_own_data(work, data, pairs)
        check_help(check_catalogs(work))
        said("data, help")
        check_wrong_options(work, data)
        check_wrong_files(work, data, pairs)
        check_wrong_places(work, data)
        said("mistakes")
        check_interruption(work, data)
        said("interruption")
    return report()


if __name__ == "__main__":
    sys.exit(main())
