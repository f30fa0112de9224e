#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Scenarios: every file of examples/scenarios runs, says no option that would be ignored, and gives
# way to the command line; places, distances and traces of nodes; profiles of devices and edge
# servers; LTE schedulers of ns-3. Takes the build directory and the source directory.

import json
import os
import pathlib
import re
import sys
import tempfile
import tomllib

from support.runs import check, finish, read_csv, report, start, use_program

# What makes a run end in seconds; the rest of it stays
SHORT = ["--rounds=1", "--localIterations=1", "--microBatches=1", "--microBatchSize=1",
         "--sequenceLength=8", "--progress=none", "--compare=none", "--timelineSize=0"]
# The same of a scenario
SMALL = [*SHORT, "--clusters=2", "--lora=1"]
# A run over a radio that computes nothing
RADIO = ["--topology=lte", "--compute=analytic", "--clusters=2", "--devices=2", "--blocks=4",
         "--task=translation", "--vocabulary=300", "--maxPairs=500", "--memoryShare=0",
         "--controller=uniform-pipeline", *SHORT]
SECONDS = 500


def run(*options):
    status, out, err, _ = finish(start(*options), SECONDS)
    return status, out, err


def expect_refusal(name, words, *options):
    """One sentence with the words, status 2."""
    status, out, err = run(*options)
    check(status == 2, f"{name}: status {status}: {err}")
    check(len(err.strip().splitlines()) == 1, f"{name}: one line: {err}")
    check(all(word in err for word in words), f"{name}: the sentence says {words}: {err}")
    check(out == "", f"{name}: nothing on standard output")


def test_files_of_the_project_run(work, source):
    files = sorted((source / "examples" / "scenarios").glob("*.toml"))
    check(len(files) >= 6, "there are scenarios")
    for path in files:
        scenario = tomllib.loads(path.read_text(encoding="utf-8"))
        check(len(scenario["title"]) > 10 and len(scenario["text"]) > 100,
              f"{path.stem} says what it is")
        options = [f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
                   for name, value in scenario["options"].items()]
        folder = work / path.stem
        status, _, err = run(f"--scenario={path}", *SMALL, f"--outputDir={folder}")
        check(status == 0, f"{path.stem} runs: {err}")
        if status == 0:
            parameters = json.loads((folder / "summary.json").read_text())["parameters"]
            for name, value in scenario["options"].items():
                is_small = any(option.startswith(f"--{name}=") for option in SMALL)
                is_same = parameters[name] == value or str(parameters[name]) == str(value)
                check(is_small or is_same, f"{path.stem}: {name}")
        # As options of the command line, none would be ignored.
        status, _, err = run(*options, "--deviceProfiles=nothing")
        check("there is no device profile nothing" in err, f"{path.stem}: all options count: {err}")


def test_names_are_found(source):
    os.environ["COLLAPIPE_SCENARIOS"] = str(source / "examples" / "scenarios")
    status, _, err = run("--scenario=at-rest", "--deviceProfiles=nothing")
    check("nothing" in err and status == 2, f"a name is found: {err}")
    expect_refusal("a misspelt name", ["at-rets", "did you mean at-rest?", "phones-lte"],
                   "--scenario=at-rets")
    del os.environ["COLLAPIPE_SCENARIOS"]


def test_the_command_line_wins(work):
    path = work / "own.toml"
    path.write_text('title = "x"\n[options]\nclusters = 3\nrounds = 1\n"localIterations" = 2\n'
                    '"ns3::collapipe::DssdaController::PenaltyWeight" = 7\n', encoding="utf-8")
    folder = work / "own"
    status, _, err = run(*RADIO, f"--scenario={path}", "--topology=p2p", "--clusters=1",
                         f"--outputDir={folder}")
    check(status == 0, f"it runs: {err}")
    parameters = json.loads((folder / "summary.json").read_text())["parameters"]
    check(parameters["clusters"] == 1, "the command line's clusters")
    check(parameters["ns3::collapipe::DssdaController::PenaltyWeight"] in ("7", 7),
          "attributes are set")


def test_bad_scenarios(work):
    bad = {"no table": ("rounds = 3\n", ["rounds", "[options]"]),
           "no options": ('title = "x"\n', ["no [options]"]),
           "no TOML": ("[options\n", ["no TOML"]),
           "an unknown option": ("[options]\nround = 3\n", ["--round", "did you mean --rounds?"]),
           "a wrong value": ('[options]\nrounds = "many"\n', ["rounds", "many"]),
           "a list": ("[options]\nrounds = [1, 2]\n", ["rounds", "no value of an option"]),
           "itself": ('[options]\nscenario = "x.toml"\n', ["scenario cannot stand"]),
           "too deep": ("[options]\nrounds = " + "[" * 100 + "\n", ["brackets"]),
           "too long": ("#" * (2 << 20), ["longer than 1 MiB"]),
           "an unknown attribute": ('[options]\n"ns3::collapipe::DssdaController::Weight" = 1\n',
                                    ["Weight"])}
    for name, (text, words) in bad.items():
        path = work / "bad.toml"
        path.write_text(text, encoding="utf-8")
        expect_refusal(name, ["bad.toml", *words], f"--scenario={path}")
    expect_refusal("a folder", ["no such scenario"], f"--scenario={work}")
    good = work / "good.toml"
    good.write_text("[options]\nrounds = 1\n", encoding="utf-8")
    expect_refusal("with a checkpoint", ["--load"], f"--scenario={good}", f"--load={work}")


def test_profiles(work):
    status, out, _ = run("--deviceProfiles=list")
    check(status == 0 and "raspberry-pi-4" in out and "data sheet" in out and "measured" in out,
          "profiles are listed")
    names = re.findall(r"^([a-z0-9-]+) +[0-9.]+ +[0-9.]+ ", out, re.MULTILINE)
    check(len(names) > 10 and run("--edge=list")[1] == out, "so are edge servers")
    expect_refusal("an edge server", ["a10", "a100"], "--edge=a10")
    expect_refusal("no workers", ["workers"], "--edge=flops=1e9:workers=0")
    expect_refusal("a wrong key", ["speed", "flops"], "--edge=flops=1e9:speed=0")
    expect_refusal("no adapters' speed", ["not negative"],
                   "--deviceProfiles=flops=1e9:memory=1e9:adapterFlops=-1")
    # The time of training is that of the speed for what is trained.
    seconds = {}
    for name, profile, edge, lora in (("slow", "flops=1e8:memory=1e9", "flops=1e15", 0),
                                      ("fast", "flops=2e8:memory=1e9", "flops=1e15", 0),
                                      ("edge", "flops=1e15:memory=1e9", "flops=1e6:workers=9", 0),
                                      ("edge2", "flops=1e15:memory=1e9", "flops=2e6:workers=9", 0)):
        folder = work / name
        status, _, err = run(*RADIO, "--topology=p2p", f"--deviceProfiles={profile}",
                             f"--edge={edge}", f"--outputDir={folder}", "--clusters=1")
        check(status == 0, f"{name} runs: {err}")
        seconds[name] = float(read_csv(folder / "rounds.csv")[-1]["training_s"])
    check(1.7 < seconds["slow"] / seconds["fast"] < 2.1, f"devices of twice the speed: {seconds}")
    check(1.7 < seconds["edge"] / seconds["edge2"] < 2.1, f"an edge of twice the speed: {seconds}")


def test_adapters_have_their_speed(work):
    seconds = {}
    for name, trained in (("all", "--trained=all"), ("adapters", "--lora=2")):
        folder = work / f"speed-{name}"
        status, _, err = run(*RADIO, "--topology=p2p", "--clusters=1", "--task=lm", trained,
                             "--deviceProfiles=flops=1e7:memory=1e9:adapterFlops=1e9",
                             f"--outputDir={folder}")
        check(status == 0, f"{name} runs: {err}")
        seconds[name] = float(read_csv(folder / "rounds.csv")[-1]["training_s"])
    check(seconds["all"] > 10 * seconds["adapters"], f"adapters go at their speed: {seconds}")


def test_places(work):
    def upload(name, *options):
        folder = work / name
        status, _, err = run(*RADIO, "--shadowing=false", *options, f"--outputDir={folder}")
        check(status == 0, f"{name} runs: {err}")
        return [float(row["upload_s"]) for row in read_csv(folder / "rounds.csv")][-1]

    near = upload("near", "--clusterDistance=50")
    far = upload("far", "--clusterDistances=50,500", "--cellRadius=600")
    check(far > 1.2 * near, f"a far cluster takes longer: {near} {far}")
    places = work / "places.csv"
    places.write_text("node,x,y\n" + "".join(
        f"c1-{name},{500 + i},0\n" for i, name in enumerate(("cu", "d0", "d1"))))
    moved = upload("moved", "--clusterDistance=50", f"--positions={places}")
    check(abs(moved / far - 1) < 0.2, f"so does one that a file puts there: {moved} {far}")
    check(upload("random", "--placement=random") > 0, "places may be random")
    trace = work / "trace.tcl"
    trace.write_text("".join(f"$node_({i}) set X_ {x}.0\n$node_({i}) set Y_ 0.0\n"
                             f"$node_({i}) set Z_ 0.0\n"
                             for i, x in enumerate((50, 51, 52, 500, 501, 502))))
    traced = upload("traced", f"--mobility=ns2:{trace}")
    check(abs(traced / far - 1) < 0.2, f"so does one that a trace puts there: {traced} {far}")

    places.write_text("node,x,y\nc7-cu,1,1\n")
    expect_refusal("no such node", ["c7-cu"], *RADIO, f"--positions={places}")
    for name, text in (("no number", "node,x,y\nc0-cu,far,1\n"), ("no columns", "x,y\n1,2\n"),
                       ("twice", "node,x,y\nc0-cu,1,1\nc0-cu,1,1\n"),
                       ("a field less", "node,x,y\nc0-cu,1\n"), ("not finite", "node,x,y\nc0-cu,nan,1\n")):
        places.write_text(text)
        expect_refusal(name, ["places.csv"], *RADIO, f"--positions={places}")
    expect_refusal("no file", ["nowhere.csv"], *RADIO, "--positions=nowhere.csv")
    trace.write_text("$node_(0) set X_ 50.0\n$node_(0) set Y_ 0.0\n$node_(0) set Z_ 0.0\n")
    expect_refusal("a trace that lacks nodes", ["$node_(1)"], *RADIO, f"--mobility=ns2:{trace}")
    expect_refusal("no trace", ["nowhere.tcl"], *RADIO, "--mobility=ns2:nowhere.tcl")
    for value in ("50,,60", "0", "50;60", "nan"):
        expect_refusal("distances", ["--clusterDistances"], *RADIO, f"--clusterDistances={value}")
    expect_refusal("out of reach", ["c1-cu, 5000 m from the base station", "nearer"], *RADIO,
                   "--shadowing=false", "--clusterDistances=50,5000", "--cellRadius=6000")
    expect_refusal("beyond the cell", ["900 m", "cellRadius"], *RADIO, "--clusterDistances=50,900")


def test_schedulers(work):
    rounds = {}
    for name in ("weighted", "proportional-fair", "round-robin", "ns3::TdMtFfMacScheduler"):
        folder = work / name.replace(":", "")
        status, _, err = run(*RADIO, "--controller=dssda", "--localIterations=2",
                             f"--lteScheduler={name}", f"--outputDir={folder}")
        check(status == 0, f"{name} runs: {err}")
        rounds[name] = (folder / "rounds.csv").read_text()
    check(rounds["weighted"] != rounds["proportional-fair"], "it makes a difference")
    expect_refusal("no scheduler", ["weighted"], *RADIO, "--lteScheduler=fair")


def main():
    build, source = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    if not use_program(build, "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        test_bad_scenarios(work)
        test_names_are_found(source)
        test_the_command_line_wins(work)
        test_profiles(work)
        test_adapters_have_their_speed(work)
        test_places(work)
        test_schedulers(work)
        test_files_of_the_project_run(work, source)
    return report()


if __name__ == "__main__":
    sys.exit(main())
