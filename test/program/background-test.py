#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Other users of the radios: what background.csv says of their packets is what ns3::FlowMonitor counted
# by itself, a line on the screen and a part of the page tell of it, the plan knows what they take, and
# what cannot be is refused. Takes the build directory and the source directory.

import pathlib
import sys
import tempfile
import xml.etree.ElementTree

from support.runs import check, finish, read_csv, report, start, use_program, write_corpus

SMALL = ["--clusters=1", "--devices=2", "--localIterations=4", "--blocks=3", "--microBatches=2",
         "--microBatchSize=4", "--vocabulary=300", "--maxValidation=10", "--progress=lines",
         "--compute=analytic", "--compare=none", "--memoryShare=0", "--rounds=2"]
FIRST_PORT = 40000
UDP = 17  # protocol number
REFUSED = {
    "--background=films": "background",
    "--background=udp:fast": "no traffic",
    "--background=voice,films": "no traffic",
    "--background=video,": "no traffic",
    "--background=voice --topology=p2p": "topology",
    "--backgroundUsers=3": "background",
    "--background=voice --backgroundUsers=0": "backgroundUsers",
    "--background=voice --backgroundLead=-1": "backgroundLead",
}


def run(folder, data, *options):
    return finish(start(*SMALL, *data, f"--outputDir={folder}", *options))


def read_flows(path):
    """Packets sent and received, and sums of delay and jitter in s, of each port of the users'."""
    root = xml.etree.ElementTree.parse(path).getroot()
    seconds = lambda text: float(text.rstrip("ns")) * 1e-9
    ports = {flow.get("flowId"): int(flow.get("destinationPort"))
             for flow in root.find("Ipv4FlowClassifier")
             if int(flow.get("protocol")) == UDP}  # TCP's acknowledgements go to such ports, too
    totals = [0, 0, 0.0, 0.0]
    for flow in root.find("FlowStats"):
        if ports.get(flow.get("flowId"), 0) >= FIRST_PORT:
            values = (int(flow.get("txPackets")), int(flow.get("rxPackets")),
                      seconds(flow.get("delaySum")), seconds(flow.get("jitterSum")))
            totals = [total + value for total, value in zip(totals, values)]
    return totals


def check_counts(work, data, topology, traffic, ways):
    folder = work / f"{topology}-{traffic.replace(':', '').replace(',', '-')}"
    status, out, err, _ = run(folder, data, f"--topology={topology}", f"--background={traffic}",
                              "--backgroundUsers=2", "--flowMonitor")
    if not check(status == 0, f"{topology} {traffic}: status {status}: {err}"):
        return
    rows = read_csv(folder / "background.csv")
    radios = 2 if topology == "hybrid" else 1
    check(len(rows) == 2 * radios * ways * 2, f"{topology}: {len(rows)} rows of 2 users a radio")
    sent, received, delay, jitter = read_flows(folder / "flows.xml")
    total = lambda column: sum(int(row[column]) for row in rows)
    check(total("sent") == sent > 50, f"{topology}: sent {total('sent')}, FlowMonitor {sent}")
    check(total("received") == received, f"{topology}: received {total('received')}, "
          f"FlowMonitor {received}")
    own = sum(float(row["delay_s"] or 0) * int(row["received"]) for row in rows)
    # FlowMonitor writes six digits
    check(abs(own / delay - 1) < 5e-6, f"{topology}: delays {own} s, FlowMonitor {delay} s")
    own = sum(float(row["jitter_s"] or 0) * max(0, int(row["received"]) - 1) for row in rows)
    # FlowMonitor knows no periods: it has one difference more for each user and direction, between the
    # last packet of one and the first of the next. That is no more than the longer of their delays.
    longest = {}
    for row in rows:
        flow = row["user"], row["direction"]
        longest[flow] = max(longest.get(flow, 0), 1.02 * float(row["delay_p99_s"] or 0))
    check(-5e-6 * jitter < jitter - own < sum(longest.values()),
          f"{topology}: jitter {own} s, FlowMonitor {jitter} s, {longest}")
    kinds = traffic.split(",")
    for kind in kinds:
        users = {row["user"] for row in rows if row["traffic"] == kind}
        check(len(users) == 2 * radios // len(kinds), f"{topology}: {users} have {kind}")
        check(f"{len(users)} other users of the radios, {kind}: delay" in out + err,
              f"{topology}: a line tells of {kind}")
    for row in rows:
        check(float(row["goodput_bps"]) >= 0, "a rate")


def check_refused(work, data):
    for options, word in REFUSED.items():
        status, _, err, _ = run(work / "refused", data, "--topology=lte", *options.split())
        check(status == 2, f"{options}: status {status}")
        check(word in err and "\n" not in err.strip(), f"{options}: {err}")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory() as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        check_counts(work, data, "lte", "voice", 2)
        check_counts(work, data, "hybrid", "udp:200kbps,voice", 2)
        check_counts(work, data, "wifi", "video", 1)
        check_refused(work, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
