#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Checks doc/wireshark/collapipe.lua with tshark: on captures of every topology all messages are
# decoded, as many and as long as summary.json says; messages made here, segmented, reordered and
# sent again at random, come out as they went in; damage is flagged. Takes the build directory and
# the source directory.
# Needs LibTorch.

import collections
import json
import math
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib

from support.runs import check, finish, near, report, start, use_program, write_corpus

TOPOLOGIES = {"p2p": "torch", "wifi": "analytic", "lte": "analytic", "hybrid": "torch"}
CLUSTERS = 2
DEVICES = 3
PORT = 9000
TYPES = {}  # name by number, from the source
ELEMENT_BYTES = {1: 4, 2: 8, 3: 4, 4: 1, 5: 2, 6: 2, 7: 1}
HEAD = struct.Struct(">IBBHIHHHHIIIHHHHQI")  # without its CRC
EDGE_SERVER = 0xffff
ACTIVATION = "7"
GOOD = "1"

NOBODY = 65534  # user and group

script = None


def as_nobody():
    """How root starts tshark, which runs no Lua for root from release 4.4 on."""
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": [],
            "env": {**os.environ, "HOME": "/nonexistent"}, "cwd": "/"}


def tshark(file, *options):
    """What tshark prints; it must not fail and the script must not either."""
    command = ["tshark", "-n", "-X", f"lua_script:{script}", "-r", str(file), *options]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            encoding="utf-8", errors="replace", check=False, **as_nobody())
    check(result.returncode in (0, 2) and "Lua" not in result.stderr,
          f"tshark {file.name} {' '.join(options)}: {result.returncode}: {result.stderr[-500:]}")
    return result.stdout


def puts_in_order():
    """Whether TCP's dissector puts together what came late or twice. That of Wireshark 4.4 loses
    some of the bytes that follow, whoever reads them: Debian 13's 4.4.19 found 1 of 40 messages in a
    stream in which segments of up to 9 bytes were exchanged and sent twice, 4.0 all 40."""
    text = subprocess.run(["tshark", "--version"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, encoding="utf-8", check=False).stdout
    version = re.search(r"\(Wireshark\) (\d+)\.(\d+)", text)
    return version is None or tuple(map(int, version.groups())) < (4, 4)


Message = collections.namedtuple("Message", "frame source destination type length sender status")


class Capture:
    """The messages that tshark finds in a file."""

    FIELDS = ["frame.number", "ip.src", "ip.dst", "collapipe.type", "collapipe.length",
              "collapipe.sender", "collapipe.payload_crc.status", "collapipe.header_crc.status",
              "collapipe.stray", "_ws.malformed", "_ws.lua.error"]

    def __init__(self, file, *options, display="collapipe"):
        command = ["-Y", display, "-T", "fields", "-E", "separator=|", "-E", "aggregator=;"]
        for field in self.FIELDS:
            command += ["-e", field]
        self.messages = []
        self.strays = self.bad_heads = self.malformed = 0
        for line in tshark(file, *command, *options).splitlines():
            frame, source, destination, *columns = line.split("|")
            types, lengths, senders, statuses, heads, strays, malformed, errors = \
                (column.split(";") if column else [] for column in columns)
            for message in zip(types, lengths, senders, statuses):
                self.messages.append(Message(int(frame), source.split(";")[-1],
                                             destination.split(";")[-1], TYPES.get(int(message[0]), message[0]),
                                             int(message[1]), message[2], message[3]))
            self.strays += len(strays)
            self.bad_heads += heads.count("0")
            self.malformed += len(malformed) + len(errors)
            check(len(types) == len(lengths) == len(senders) == len(statuses),
                  f"{file.name}: frame {frame} has all fields of each message")

    def bad(self):
        return sum(message.status != GOOD for message in self.messages)

    def is_clean(self):
        return not (self.bad() or self.strays or self.bad_heads or self.malformed)

    def count(self, condition=lambda message: True):
        return collections.Counter((message.sender, message.type)
                                   for message in self.messages if condition(message))


def describe(capture):
    return (f"{len(capture.messages)} messages, {capture.bad()} bad, {capture.bad_heads} bad heads, "
            f"{capture.strays} strays, {capture.malformed} malformed")


# ---------------------------------------------------------------- captures of runs


def check_nodes(name, folder, summary):
    """IP level: every message in its sender's capture, and in its receiver's."""
    captures = {}
    for file in sorted(folder.glob("collapipe-*.pcap")):
        node = file.stem[len("collapipe-"):]
        if node == "es" or node[0] == "c" and node[1].isdigit():
            captures[node] = Capture(file)
            check(captures[node].is_clean(), f"{name}: {node}: {describe(captures[node])}")
    check(len(captures) == 1 + CLUSTERS * (DEVICES + 1), f"{name}: {len(captures)} nodes")
    for what, is_sent in (("sent", True), ("received", False)):
        messages = [message for node, capture in captures.items() for message in capture.messages
                    if (message.sender == node) == is_sent]
        types = collections.Counter(message.type for message in messages)
        check(types == collections.Counter(summary["messages"]),
              f"{name}: {what}: {dict(types)}, not {summary['messages']}")
        check(sum(message.length for message in messages) == summary["bytes_sent"],
              f"{name}: {what}: bytes")
    return captures


def check_links(name, folder, nodes):
    """Below IP: wired links, LTE's interfaces (GTP-U among them), radios."""
    links = [Capture(file) for file in sorted(folder.glob("collapipe-link-*.pcap"))]
    for number, link in enumerate(links):
        check(link.is_clean() or not puts_in_order(), f"{name}: link {number}: {describe(link)}")
    with_es = nodes["es"].count()
    if name == "p2p":
        both = sum((link.count() for link in links), collections.Counter())
        once = sum((capture.count(lambda message, node=node: message.sender == node)
                    for node, capture in nodes.items()), collections.Counter())
        check(both == once + once, f"{name}: every message on one link, captured at both ends")
    elif name == "wifi":
        both = sum((link.count() for link in links), collections.Counter())
        check(both == with_es + with_es, f"{name}: the edge server's messages on its links")
    else:
        check(sum(link.count() == with_es for link in links) >= (1 if name == "lte" else 3),
              f"{name}: the edge server's messages on the core's links: "
              f"{[len(link.messages) for link in links]}")
    radios = sorted(folder.glob("collapipe-wifi-*.pcap"))
    check(bool(radios) == (name in ("wifi", "hybrid")), f"{name}: radiotap captures")
    compared = 0
    for node, capture in nodes.items():
        own = {message.source for message in capture.messages
               if message.sender == node and message.source.startswith("10.")}
        if "-d" not in node or not own:
            continue
        address = own.pop()
        expected = capture.count(lambda message, address=address:
                                 address in (message.source, message.destination))
        cluster, device = node[1:].split("-d")
        node_id = 1 + int(cluster) * (DEVICES + 1) + 1 + int(device)
        files = [file for file in radios if f"-wifi-{node_id}-" in file.name]
        if not files:
            continue
        # A radio hears others, too, but not always: its own frames are all there.
        radio = Capture(files[0], display=f"collapipe && ip.addr == {address}")
        missed = expected - radio.count()
        check(radio.is_clean() and not radio.count() - expected and
              (not missed or not puts_in_order()),
              f"{name}: radio of {node}: {describe(radio)}, {sum(expected.values())} expected")
        compared += 1
    check(compared >= CLUSTERS or not radios, f"{name}: {compared} radios compared")


def check_statistics(name, folder, nodes):
    file = folder / "collapipe-es.pcap"
    rows = {}
    for line in tshark(file, "-q", "-z", "collapipe,types").splitlines():
        words = line.split()
        if len(words) >= 3 and words[0] in [*TYPES.values(), "all"] and words[1].isdigit():
            rows[words[0]] = (int(words[1]), int(words[2]))
    expected = collections.defaultdict(lambda: [0, 0])
    for message in nodes["es"].messages:
        for row in (message.type, "all"):
            expected[row][0] += 1
            expected[row][1] += message.length
    check(rows == {row: tuple(values) for row, values in expected.items()},
          f"{name}: statistics {rows}")
    lines = tshark(file, "-q", "-z", "collapipe,types,collapipe.sender == \"es\"").splitlines()
    sent = sum(message.sender == "es" for message in nodes["es"].messages)
    shown = [line.split()[1] for line in lines if line.startswith("all ")]
    check(shown and int(shown[0]) >= sent, f"{name}: statistics with a filter: {shown}, {sent}")
    fields = tshark(file, "-Y", "collapipe", "-T", "fields", "-E", "aggregator=;",
                    "-e", "collapipe.type", "-e", "collapipe.microbatch").splitlines()
    wanted = sum(any(pair == (ACTIVATION, "1")
                     for pair in zip(*(column.split(";") for column in line.split("\t"))))
                 for line in fields)
    found = tshark(file, "-Y", 'collapipe.type == "activation" && collapipe.microbatch == 1')
    check(wanted > 0 and len(found.splitlines()) >= wanted,
          f"{name}: filter by type and micro-batch: {len(found.splitlines())}, {wanted}")


def check_runs(work):
    data, _ = write_corpus(work / "corpus")
    for name, compute in TOPOLOGIES.items():
        folder = work / name
        status, _, err, _ = finish(start(
            *data, f"--outputDir={folder}", f"--topology={name}", f"--compute={compute}",
            "--compare=none", "--pcap", f"--clusters={CLUSTERS}", f"--devices={DEVICES}",
            "--blocks=4", "--rounds=2", "--localIterations=2", "--vocabulary=300",
            "--maxValidation=10", "--progress=none", "--controller=uniform-pipeline"))
        if not check(status == 0, f"{name}: status {status}: {err}"):
            continue
        with open(folder / "summary.json", encoding="utf-8") as file:
            summary = json.load(file)
        nodes = check_nodes(name, folder, summary)
        check_links(name, folder, nodes)
        if name in ("p2p", "lte"):
            check_statistics(name, folder, nodes)


# ---------------------------------------------------------------- messages made here


def make_message(draw, **fixed):
    """A random message: its fields and its bytes."""
    tensors = []
    payload = b""
    for _ in range(draw.choice([0, 1, 1, 2, 3])):
        element = draw.choice(list(ELEMENT_BYTES))
        extents = [draw.randint(0, 9) for _ in range(draw.randint(0, 4))]
        size = ELEMENT_BYTES[element] * math.prod(extents)
        payload += bytes(-len(payload) % 8) + draw.randbytes(size)
        tensors.append(struct.pack(">BBH4I", element, len(extents), 0,
                                   *extents, *[0] * (4 - len(extents))))
    values = {"type": draw.choice([1, 2, 5, 6, 7, 8, 9, 10, 11]), "run": draw.getrandbits(32),
              "cluster": draw.randint(0, 500), "node": draw.choice([0, 1, 7, EDGE_SERVER]),
              "chain": draw.randint(0, 99), "stage": draw.randint(0, 99),
              "round": draw.getrandbits(32), "iteration": draw.getrandbits(32),
              "microbatch": draw.getrandbits(32), "first_block": draw.randint(0, 9),
              "last_block": draw.randint(9, 99), "version": 1, **fixed}
    descriptors = b"".join(tensors)
    crc = values.get("payload_crc", zlib.crc32(descriptors + payload))
    head = HEAD.pack(0x436f4c50, values["version"], values["type"], 0, values["run"],
                     values["cluster"], values["node"], values["chain"], values["stage"],
                     values["round"], values["iteration"], values["microbatch"],
                     values["first_block"], values["last_block"],
                     values.get("tensors", len(tensors)), 0,
                     values.get("payload_length", len(payload)), crc)
    head += struct.pack(">I", values.get("head_crc", zlib.crc32(head)))
    return values, head + descriptors + payload


def make_packet(data, sequence, source=1, port=50000):
    """An IPv4 packet with a TCP segment to the protocol's port."""
    tcp = struct.pack(">HHIIBBHHH", port, PORT, sequence % 2 ** 32, 1, 5 << 4, 0x10, 60000, 0, 0)
    length = 20 + len(tcp) + len(data)
    return struct.pack(">BBHHHBBH4B4B", 0x45, 0, length, 0, 0, 64, 6, 0, 10, 0, 0, source,
                       10, 0, 0, 99) + tcp + data


def write_capture(path, packets, limit=65535):
    """Raw IP packets, a millisecond apart, each cut to a length."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, limit, 101))
        for number, packet in enumerate(packets):
            cut = packet[:limit]
            file.write(struct.pack("<IIII", number // 1000, number % 1000 * 1000, len(cut),
                                   len(packet)) + cut)


def segment(draw, stream, longest=1400):
    """Packets that carry a stream."""
    packets, begin = [make_packet(stream[:1], 1000)], 1  # the first shows where the stream begins
    while begin < len(stream):
        end = min(len(stream), begin + draw.randint(1, longest))
        packets.append(make_packet(stream[begin:end], 1000 + begin))
        begin = end
    return packets


def check_fields(work):
    """Random messages in random segments, late and twice, come out field by field."""
    draw = random.Random(42)
    names = ["type", "run", "cluster", "node", "chain", "stage", "round", "iteration",
             "microbatch", "first_block", "last_block"]
    for trial in range(6):
        messages = [make_message(draw) for _ in range(40)]
        packets = segment(draw, b"".join(data for _, data in messages), draw.choice([9, 100, 1400]))
        if trial % 2:
            for _ in range(len(packets) // 10):
                i = draw.randrange(1, len(packets) - 1)
                packets[i], packets[i + 1] = packets[i + 1], packets[i]
            for _ in range(len(packets) // 10):
                i = draw.randrange(1, len(packets))
                packets.insert(draw.randint(i, min(i + 5, len(packets))), packets[i])
        path = work / f"fields-{trial}.pcap"
        write_capture(path, packets)
        command = ["-Y", "collapipe", "-T", "fields", "-E", "aggregator=;"]
        for name in names:
            command += ["-e", f"collapipe.{name}"]
        rows = []
        for line in tshark(path, *command).splitlines():
            rows += zip(*(column.split(";") for column in line.split("\t")))
        expected = [tuple(str(values[name]) for name in names) for values, _ in messages]
        is_all = rows == expected if puts_in_order() or trial % 2 == 0 else set(rows) <= set(expected)
        check(is_all, f"trial {trial}: {len(rows)} of {len(expected)} messages")
        capture = Capture(path)
        check(capture.is_clean(), f"trial {trial}: {describe(capture)}")


def check_report_and_duration(work):
    """A state report's values; how long a message took."""
    values = [1.5e9, 0.002, 3e8, 7.25, 1e4, 12345.0]
    payload = struct.pack("<6d", *values)
    descriptor = struct.pack(">BBH4I", 2, 1, 0, 6, 0, 0, 0)
    head = HEAD.pack(0x436f4c50, 1, 3, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, len(payload),
                     zlib.crc32(descriptor + payload))
    data = head + struct.pack(">I", zlib.crc32(head)) + descriptor + payload
    path = work / "report.pcap"
    write_capture(path, [make_packet(data[:30], 1000), make_packet(data[30:60], 1030),
                         make_packet(data[60:], 1060)])
    names = ["flops", "overhead", "memory", "power", "battery", "samples"]
    command = ["-Y", "collapipe", "-T", "fields"]
    for name in names:
        command += ["-e", f"collapipe.report.{name}"]
    words = tshark(path, *command, "-e", "collapipe.duration").split()
    check(len(words) == 7 and all(near(float(word), value) for word, value in
                                  zip(words, values + [0.002])), f"state report: {words}")


# ---------------------------------------------------------------- damage


def check_damage(work):
    draw = random.Random(7)
    messages = [make_message(draw, type=7) for _ in range(30)]
    lengths = [len(data) for _, data in messages]
    stream = b"".join(data for _, data in messages)
    total = len(messages)

    def look(name, packets, **options):
        path = work / f"damage-{name}.pcap"
        write_capture(path, packets, **options)
        return Capture(path)

    def flip(position):
        return stream[:position] + bytes([stream[position] ^ 1 << draw.randint(0, 7)]) + \
            stream[position + 1:]

    victim = max(range(5, total - 5), key=lambda i: lengths[i])
    begin = sum(lengths[:victim])
    capture = look("payload", segment(draw, flip(begin + lengths[victim] - 1)))
    check(len(capture.messages) == total and capture.bad() == 1 and not capture.strays,
          f"a byte of a payload: {describe(capture)}")
    shown = tshark(work / "damage-payload.pcap", "-Y", "collapipe.payload_crc.bad", "-V")
    check("CRC-32 does not match" in shown and "Error/Checksum" in shown,
          "expert information tells of the CRC")
    for position in (0, 5, 20, 40, 52):
        capture = look(f"head-{position}", segment(draw, flip(begin + position)))
        check(len(capture.messages) == total - 1 and capture.bad() == 0 and capture.strays >= 1,
              f"byte {position} of a head: {describe(capture)}")
        check(capture.bad_heads == (position > 3), f"byte {position}: {capture.bad_heads} bad heads")

    packets = segment(draw, stream, 200)
    capture = look("begun", packets[len(packets) // 2:])
    check(0 < len(capture.messages) < total and capture.strays >= 1 and capture.bad() == 0,
          f"a capture that begins within the stream: {describe(capture)}")
    capture = look("short", segment(draw, stream), limit=150)
    check(capture.malformed == 0 and 0 < len(capture.messages) < total and capture.bad(),
          f"packets cut short: {describe(capture)}")
    capture = look("shorter", packets, limit=90)
    check(capture.malformed == 0 and capture.strays, f"packets cut shorter: {describe(capture)}")
    path = work / "damage-cut.pcap"
    write_capture(path, packets)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    capture = Capture(path)
    check(0 < len(capture.messages) < total and capture.is_clean(),
          f"a file that was cut: {describe(capture)}")

    text = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" * 20
    capture = look("text", segment(draw, text))
    check(not capture.messages and capture.strays >= 1, f"another protocol: {describe(capture)}")

    _, data = make_message(draw, type=77)
    capture = look("type", segment(draw, stream + data + stream))
    shown = tshark(work / "damage-type.pcap", "-Y", "collapipe.type.unknown")
    check(len(capture.messages) == 2 * total + 1 and capture.is_clean() and shown,
          f"an unknown type: {describe(capture)}")

    hostile = [{"version": 9}, {"payload_length": 2 ** 50}, {"tensors": 65535},
               {"payload_length": 2 ** 31}, {"payload_crc": 1}, {"head_crc": 1}]
    for number, fixed in enumerate(hostile):
        _, data = make_message(draw, **fixed)
        capture = look(f"hostile-{number}", segment(draw, stream + data + stream))
        is_flagged = capture.strays or capture.bad()
        check(len(capture.messages) >= total and (is_flagged or len(capture.messages) == total),
              f"a head with {fixed}: {describe(capture)}")

    for trial in range(20):
        noisy = bytearray(stream)
        for _ in range(draw.randint(1, 60)):
            noisy[draw.randrange(len(noisy))] = draw.getrandbits(8)
        capture = look(f"noise-{trial}", segment(draw, bytes(noisy)))
        check(capture.malformed == 0 and not capture.is_clean(),
              f"noise {trial}: {describe(capture)}")


def read_types(source):
    """The message types in the module's own header, and that the dissector has them all."""
    text = (source / "model" / "network" / "collapipe-message.h").read_text("utf-8")
    body = text[text.index("enum class MessageType"):]
    for name, number in re.findall(r"^    ([A-Z_]+) = (\d+),", body[:body.index("};")], re.M):
        TYPES[int(number)] = name.lower().replace("_", "-")
    lua = script.read_text("utf-8")
    table = lua[lua.index("local TYPES"):lua.index("local STATE_REPORT")]
    lua = {int(number): name for number, name in re.findall(r'\[(\d+)\] = "([a-z-]+)",', table)}
    for number, name in TYPES.items():
        check(lua.get(number) == name, f"the dissector knows type {number}, {name}")


def main():
    global script
    script = pathlib.Path(sys.argv[2]).resolve() / "doc" / "wireshark" / "collapipe.lua"
    if shutil.which("tshark") is None:
        print("tshark is not installed")
        return 77
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    read_types(pathlib.Path(sys.argv[2]))
    with tempfile.TemporaryDirectory(prefix="collapipe-captures-") as name:
        work = pathlib.Path(name)
        work.chmod(0o755)  # for as_nobody()
        script = pathlib.Path(shutil.copy(script, work))
        check_fields(work)
        check_report_and_duration(work)
        check_damage(work)
        check_runs(work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
