#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Does learning run beside the simulation? Wall time and memory of a run, and of its parts alone.
#
# Options are collapipe-quickstart's, with --compare=none unless it is given: a second run beside the
# first one would be measured, too. COLLAPIPE_BUILD names the build directory.

import collections
import ipaddress
import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import time

from support import benchmark

HELPERS = ["bench-collapipe-unsplit", "bench-collapipe-bulk-send"]
ROUNDS = 10
FLAT_ROUNDS = [2, 5, 10]

Measurement = collections.namedtuple("Measurement", "wall work cpu peak simulated output")


def measure(program, options, text=""):
    """Runs a program as a process of its own."""
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("w+") as out:
        given.write(text)
        given.seek(0)
        begin = time.monotonic()
        with subprocess.Popen([benchmark.BUILD / program, *options], stdin=given, stdout=out) as process:
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.monotonic() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        output = out.read()
    if process.returncode != 0:
        sys.exit(f"overlap: {program} {' '.join(options)} ended with status {process.returncode}")
    return Measurement(wall, 0, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, None, output)


def train(folder, options):
    """A run of collapipe-quickstart."""
    result = measure("collapipe-quickstart", [*options, "--progress=none", f"--outputDir={folder}"])
    with open(folder / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    return result._replace(work=summary["wall_s"], simulated=summary["simulated_s"]), summary


def read_segments(path):
    """Connection, first and last sequence number of every TCP segment in a capture of raw IP."""
    data = path.read_bytes()
    offset = 24
    while offset < len(data):
        length = struct.unpack_from("<I", data, offset + 8)[0]
        packet = offset + 16
        offset = packet + length
        if data[packet + 9] != 6:
            continue
        tcp = packet + 4 * (data[packet] & 15)
        payload = struct.unpack_from(">H", data, packet + 2)[0] - (tcp - packet) \
            - 4 * (data[tcp + 12] >> 4)
        if payload > 0:
            begin = struct.unpack_from(">I", data, tcp + 4)[0]
            yield data[packet + 12:packet + 20] + data[tcp:tcp + 4], begin, begin + payload


def count_transfers(folder):
    """Bytes from one address to another that the nodes' captures hold, each byte once."""
    spans = collections.defaultdict(set)
    for path in folder.glob("collapipe-*.pcap"):
        if path.stem == "collapipe-es" or path.stem.startswith("collapipe-c"):
            for stream, begin, end in read_segments(path):
                spans[stream].add((begin, end))
    transfers = collections.Counter()
    for stream, intervals in spans.items():
        pair = tuple(str(ipaddress.IPv4Address(stream[i:i + 4])) for i in (0, 4))
        reached = 0
        for begin, end in sorted(intervals):
            transfers[pair] += max(0, end - max(begin, reached))
            reached = max(reached, end)
    return transfers


def get_transfers(work, options, rounds):
    """What a run sends from whom to whom: an analytic round's captures, times the rounds."""
    folder = work / "captures"
    _, summary = train(folder, [*options, "--rounds=1", "--compute=analytic", "--pcap"])
    transfers = count_transfers(folder)
    if sum(transfers.values()) != summary["bytes_sent"]:
        sys.exit("overlap: the captures do not hold what the run sent")
    shutil.rmtree(folder)
    return {pair: rounds * count for pair, count in transfers.items()}


def bulk_send(options, transfers):
    text = "".join(f"{source} {sink} {count}\n" for (source, sink), count in transfers.items())
    result = measure(HELPERS[1], options, text)
    work, simulated = map(float, result.output.split())
    return result._replace(work=work, simulated=simulated)


def print_row(name, result):
    simulated = "" if result.simulated is None else f"{result.simulated:.1f}"
    print(f"{name:<36}{result.wall:>9.1f}{result.work:>9.1f}{result.cpu:>9.1f}"
          f"{result.peak / 2 ** 20:>10.0f}{simulated:>12}", flush=True)


def build_helpers():
    command = ["cmake", "--build", str(benchmark.BUILD), "--target", *HELPERS]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            encoding="utf-8", check=False)
    if result.returncode != 0:
        sys.exit(result.stdout + "\noverlap: could not build " + ", ".join(HELPERS))


def main():
    given = benchmark.parse({}, sys.argv[1:])[1]
    rounds = ROUNDS
    for option in given:
        if option.startswith("--rounds="):
            rounds = int(option.split("=")[1])
    options = [option for option in given if not option.startswith("--rounds=")]
    if not any(option.startswith("--compare=") for option in options):
        options.insert(0, "--compare=none")
    if not any(option.startswith("--task=") for option in options):
        options.insert(0, "--task=translation")
    run = [*options, f"--rounds={rounds}"]
    build_helpers()
    with tempfile.TemporaryDirectory(prefix="collapipe-overlap-") as name:
        work = pathlib.Path(name)
        print(f"{rounds} rounds on {os.cpu_count()} cores; options: {' '.join(options) or 'none'}\n")
        print(f"{'':<36}{'process':>9}{'work':>9}{'CPU':>9}{'memory':>10}{'simulated':>12}")
        print(f"{'':<36}{'s':>9}{'s':>9}{'s':>9}{'MiB':>10}{'s':>12}")
        whole, summary = train(work / "run", run)
        print_row("a run", whole)
        network, _ = train(work / "network", [*run, "--compute=analytic"])
        print_row("its network alone (analytic)", network)
        compute = measure(HELPERS[0], run)
        compute = compute._replace(work=float(compute.output))
        print_row("its computation alone (unsplit loop)", compute)
        transfers = get_transfers(work, options, rounds)
        bulk = bulk_send(run, transfers)
        print_row("BulkSend of the same bytes", bulk)
        larger = max(network.work, compute.work)
        print(f"\nThe run sent {summary['bytes_sent'] / 1e6:.1f} MB, BulkSend "
              f"{sum(transfers.values()) / 1e6:.1f} MB between {len(transfers)} pairs of nodes.")
        print(f"Work: run / larger of network and computation {whole.work / larger:.2f}, "
              f"run / their sum {whole.work / (network.work + compute.work):.2f}, "
              f"network / BulkSend {network.work / bulk.work:.2f}\n")
        print("Peak memory of the run: ", end="", flush=True)
        peaks = [f"{train(work / f'flat-{count}', [*options, f'--rounds={count}'])[0].peak / 2 ** 20:.0f}"
                 f" MiB after {count} rounds" for count in FLAT_ROUNDS]
        print(", ".join(peaks))


if __name__ == "__main__":
    benchmark.run(main)
