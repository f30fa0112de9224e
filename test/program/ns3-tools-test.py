#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks ns-3's own tools beside a run: FlowMonitor's and NetAnim's XML, ConfigStore, RngRun, global
# values; and that none of them changes the run. Takes the build directory.

import os
import pathlib
import struct
import sys
import tempfile
import xml.etree.ElementTree

from support.runs import (check, finish, read_csv, report, start, use_program, write_corpus)

CLUSTERS = 2
DEVICES = 2
SMALL = [f"--clusters={CLUSTERS}", f"--devices={DEVICES}", "--rounds=1", "--localIterations=2",
         "--blocks=4", "--memoryShare=0", "--compute=analytic", "--vocabulary=300",
         "--maxValidation=10", "--progress=none", "--compare=none"]


def run(folder, data, *options):
    status, _, err, _ = finish(start(*data, *SMALL, f"--outputDir={folder}", *options))
    return check(status == 0, f"{folder.name} {' '.join(options)}: status {status}: {err}")


def read_packets(path):
    """Source, destination and protocol of the IPv4 packets in a raw IP capture."""
    data = path.read_bytes()[24:]
    packets = []
    while data:
        length = struct.unpack("<I", data[8:12])[0]
        packet = data[16:16 + length]
        packets.append((packet[12:16], packet[16:20], packet[9]))
        data = data[16 + length:]
    return packets


def text(address):
    return ".".join(str(byte) for byte in address)


# ---------------------------------------------------------------- FlowMonitor


def check_flows(name, folder):
    """Every flow is there with as many packets as the captures of its two ends have."""
    tree = xml.etree.ElementTree.parse(folder / "flows.xml").getroot()
    names = {flow.get("flowId"): (flow.get("sourceAddress"), flow.get("destinationAddress"),
                                  flow.get("protocol"))
             for flow in tree.find("Ipv4FlowClassifier")}
    sent = {}
    received = {}
    lost = 0
    for flow in tree.find("FlowStats"):
        key = names[flow.get("flowId")]
        sent[key] = sent.get(key, 0) + int(flow.get("txPackets"))
        received[key] = received.get(key, 0) + int(flow.get("rxPackets"))
        lost += int(flow.get("lostPackets"))
    captured = {}
    for file in folder.glob("collapipe-*.pcap"):
        if file.stem.split("-")[1] not in ("link", "wifi"):
            for source, destination, protocol in read_packets(file):
                key = (text(source), text(destination), str(protocol))
                captured[key] = captured.get(key, 0) + 1
    both = {key: sent[key] + received[key] for key in sent}
    check(both == captured, f"{name}: flows {both} and captures {captured}")
    check(lost == 0, f"{name}: {lost} packets lost")


# ---------------------------------------------------------------- NetAnim


def count_node_packets(folder):
    """By node with an application: packets in its capture."""
    names = ["es"]
    for cluster in range(CLUSTERS):
        names += [f"c{cluster}-cu"] + [f"c{cluster}-d{device}" for device in range(DEVICES)]
    return {name: len(read_packets(folder / f"collapipe-{name}.pcap")) for name in names}


def check_animation(name, folder):
    """Every node with its name, every packet of the links, the nodes' packet counters."""
    root = xml.etree.ElementTree.parse(folder / "netanim.xml").getroot()
    check(root.tag == "anim", f"{name}: root element {root.tag}")
    nodes = {node.get("id") for node in root.iter("node")}
    described = {update.get("id"): update.get("descr") for update in root.iter("nu")
                 if update.get("p") == "d" and update.get("descr")}
    expected = count_node_packets(folder)
    check(set(described.values()) >= set(expected), f"{name}: names {set(described.values())}")
    # Base station, PGW, SGW and MME beside the nodes with applications.
    more = {"p2p": 0, "wifi": 0, "lte": 4, "hybrid": 4}[name]
    check(len(nodes) == len(expected) + more, f"{name}: {len(nodes)} nodes")
    kinds = {counter.get("ncId"): counter.get("n") for counter in root.iter("ncs")}
    last = {}
    for value in root.iter("nc"):
        key = (described.get(value.get("i")), kinds[value.get("c")])
        last[key] = max(last.get(key, 0), int(value.get("v")))
    for node, packets in expected.items():
        counted = last.get((node, "packets sent"), 0) + last.get((node, "packets received"), 0)
        check(counted == packets, f"{name}: {node}: {counted} packets counted, {packets} captured")
    if name == "p2p":
        files = list(folder.glob("collapipe-link-*.pcap"))
        captured = sum(count_frames(file) for file in files)
        shown = sum(1 for _ in root.iter("p"))
        # Captured at both ends, but for those under way when the run ends.
        check(0 <= 2 * shown - captured <= len(files),
              f"p2p: {shown} packets shown, {captured} captured at two ends")
    else:
        check(sum(1 for _ in root.iter("wpr")) > 0, f"{name}: radio packets are shown")


def count_frames(path):
    data = path.read_bytes()
    place, frames = 24, 0
    while place < len(data):
        place += 16 + struct.unpack_from("<I", data, place + 8)[0]
        frames += 1
    return frames


# ---------------------------------------------------------------- settings


def check_config_store(work, data):
    """Saved attributes, with one of them changed, make another run when loaded."""
    store = work / "store.txt"
    save = ["--ns3::ConfigStore::Mode=Save", "--ns3::ConfigStore::FileFormat=RawText",
            f"--ns3::ConfigStore::Filename={store}"]
    load = ["--ns3::ConfigStore::Mode=Load", *save[1:]]
    plain = ["--topology=p2p"]
    if not run(work / "saved", data, *plain, *save):
        return
    lines = store.read_text(encoding="utf-8").splitlines(keepends=True)
    check(any("ns3::collapipe::Processor" in line for line in lines), "our attributes are stored")
    # ns-3.37 aborts when it reads what it wrote of its underwater modes.
    lines = [line for line in lines if "ns3::Uan" not in line]
    store.write_text("".join(lines), encoding="utf-8")
    if run(work / "loaded", data, *plain, *load):
        check(read_csv(work / "saved" / "rounds.csv") == read_csv(work / "loaded" / "rounds.csv"),
              "a stored configuration gives the same run")
    changed = [line for line in lines if not line.startswith("value ")]
    store.write_text("".join(changed).replace("default ns3::TcpSocket::DelAckCount \"2\"",
                                              "default ns3::TcpSocket::DelAckCount \"1\""), "utf-8")
    if run(work / "changed", data, *plain, *load):
        check(read_csv(work / "saved" / "rounds.csv") != read_csv(work / "changed" / "rounds.csv"),
              "a changed attribute changes the run")


def check_numbers(work, data):
    """RngRun and RngSeed are our run and seed; global values are taken; wrong ones refused."""
    pairs = [("--RngRun=3", "--run=3"), ("--RngSeed=5", "--seed=5")]
    for number, options in enumerate(pairs):
        folders = [work / f"number-{number}-{side}" for side in (0, 1)]
        if all(run(folder, data, "--topology=wifi", option)
               for folder, option in zip(folders, options)):
            rows = [read_csv(folder / "rounds.csv") for folder in folders]
            check(rows[0] == rows[1], f"{options[0]} is {options[1]}")
    run(work / "checksums", data, "--topology=p2p", "--ChecksumEnabled=true")
    status, _, err, _ = finish(start(*data, *SMALL, "--ChecksumEnabled=maybe"))
    check(status == 2 and "ChecksumEnabled" in err, f"a wrong global value: {status}: {err}")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory(prefix="collapipe-ns3-tools-") as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        os.chdir(work)
        for topology in ("p2p", "wifi", "lte", "hybrid"):
            folder = work / topology
            plain = work / f"{topology}-plain"
            if run(folder, data, f"--topology={topology}", "--flowMonitor", "--netAnim", "--pcap") \
                    and run(plain, data, f"--topology={topology}"):
                check_flows(topology, folder)
                check_animation(topology, folder)
                for file in ("rounds.csv", "devices.csv"):
                    check(read_csv(folder / file) == read_csv(plain / file),
                          f"{topology}: {file} is the same with and without observers")
        check_config_store(work, data)
        check_numbers(work, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
