#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Controllers from outside: a shared library that the stock program loads, and a program that is asked
# in JSON. Takes the build directory and the source directory.

import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

from support.runs import check, finish, read_csv, report, start, use_program, write_corpus

SKIPPED = 77
SMALL = ["--compute=analytic", "--compare=none", "--progress=none", "--rounds=2", "--clusters=2",
         "--devices=3", "--blocks=6", "--localIterations=2", "--microBatches=2", "--microBatchSize=2",
         "--vocabulary=300", "--maxValidation=10", "--memoryShare=0"]
PLUGIN = """
#include "ns3/collapipe-pipeline-plan.h"
#include "ns3/collapipe-controller.h"
#include "ns3/uinteger.h"

namespace ns3
{
class LastDeviceController : public collapipe::Controller
{
  public:
    static TypeId GetTypeId()
    {
        static TypeId tid = TypeId("ns3::LastDeviceController")
                                .SetParent<collapipe::Controller>()
                                .AddConstructor<LastDeviceController>()
                                .AddAttribute("Back", "how far from the last one", UintegerValue(0),
                                              MakeUintegerAccessor(&LastDeviceController::m_back),
                                              MakeUintegerChecker<uint32_t>());
        return tid;
    }

    collapipe::RoundPlan Decide(const collapipe::SystemState& state) override
    {
        collapipe::RoundPlan plan;
        plan.localIterations = state.training.localIterations;
        plan.schedule = state.training.schedule;
        for (const auto& cluster : state.clusters)
        {
            const auto node = static_cast<collapipe::NodeIndex>(cluster.devices.size() - m_back);
            plan.clusters.push_back({{collapipe::MakePipelineChain(
                {{node, state.model.blocks}}, state.training.fixedPair)}, {}});
        }
        collapipe::SetEqualLinks(state, plan);
        return plan;
    }

  private:
    uint32_t m_back{0};
};

NS_OBJECT_ENSURE_REGISTERED(LastDeviceController);
} // namespace ns3
"""


def compile_library(build, source, library):
    """Compiles a file as the project's own examples are compiled, into a shared library."""
    commands = json.loads((pathlib.Path(build) / "compile_commands.json").read_text("utf-8"))
    own = next(entry for entry in commands if entry["file"].endswith("collapipe-own-controller.cc"))
    words = shlex.split(own["command"])
    words = [word for word in words if not word.endswith("ccache")]
    place = words.index("-o")
    del words[place:place + 2]
    words = [word for word in words if word not in ("-c", own["file"])]
    return subprocess.run([*words, "-shared", "-fPIC", str(source), "-o", str(library)],
                          cwd=own["directory"], capture_output=True, text=True, check=False)


def run(folder, *options):
    status, out, err, _ = finish(start(*options, f"--outputDir={folder}"))
    return status, out, err


def used_devices(folder):
    """By cluster, the nodes other than the control unit that held blocks."""
    return {(row["cluster"], row["node"]) for row in read_csv(folder / "devices.csv")
            if int(row["last_block"]) > int(row["first_block"])}


def check_refused(status, err, sentence, what):
    lines = [line for line in err.splitlines() if line]
    check(status == 2, f"{what}: status {status}: {err}")
    check(len(lines) == 1 and sentence in err, f"{what}: one sentence with '{sentence}': {err}")


def check_plugin(build, work, data):
    source, library = work / "mine.cc", work / "libmine.so"
    source.write_text(PLUGIN, "utf-8")
    built = compile_library(build, source, library)
    if not check(built.returncode == 0, f"plugin: compiles: {built.stderr[-2000:]}"):
        return
    status, _, err = run(work / "plugin", *data, *SMALL, "--topology=p2p", f"--plugin={library}",
                         "--controller=ns3::LastDeviceController")
    if check(status == 0, f"plugin: {err}"):
        check(used_devices(work / "plugin") == {("0", "3"), ("1", "3")}, "plugin: its controller decides")
    status, _, err = run(work / "attribute", *data, *SMALL, "--topology=p2p",
                         "--ns3::LastDeviceController::Back=1", f"--plugin={library}",
                         "--controller=ns3::LastDeviceController")
    if check(status == 0, f"plugin: with an attribute: {err}"):
        check(used_devices(work / "attribute") == {("0", "2"), ("1", "2")}, "plugin: its attribute")
    # Without a slash: from the current folder.
    program = [os.path.join(os.path.abspath(build), "collapipe-quickstart"), *data, *SMALL, "--topology=p2p",
               "--plugin=libmine.so", "--controller=ns3::LastDeviceController", "--outputDir="]
    here = subprocess.run(program, cwd=work, capture_output=True, text=True, check=False)
    check(here.returncode == 0, f"plugin: by name: {here.stderr}")
    status, _, err = run(work / "x", *data, *SMALL, "--plugin=no-such.so")
    check_refused(status, err, "--plugin=no-such.so cannot be loaded", "no such library")
    (work / "text.so").write_text("not a library", "utf-8")
    status, _, err = run(work / "x", *data, *SMALL, f"--plugin={work / 'text.so'}")
    check_refused(status, err, "cannot be loaded", "no library")
    status, _, err = run(work / "x", *data, *SMALL, "--plugin=libz.so.1")
    check_refused(status, err, "registers no class", "library without a class")
    check(not (work / "x").exists(), "plugin: nothing is written where it is refused")


def check_exec(source, work, data):
    python = shutil.which("python3")
    example = pathlib.Path(source).resolve() / "examples" / "collapipe-exec-controller.py"
    lines = example.read_text("utf-8").splitlines()
    check(len(lines) <= 60, f"exec: the example has {len(lines)} lines")
    for topology in ("p2p", "wifi"):
        folder = work / f"exec-{topology}"
        status, _, err = run(folder, *data, *SMALL, f"--topology={topology}",
                             f"--controller=exec:{python} '{example}'")
        if check(status == 0, f"exec: {topology}: {err}"):
            rows = read_csv(folder / "rounds.csv")
            check(len(rows) == 2 and float(rows[0]["planned_latency_s"]) > 0, "exec: its rounds")
            check(used_devices(folder), "exec: its devices")
    program = work / "twice.sh"
    for command, sentence in (("exit 3", "ended with status 3"), ("echo nonsense", "gave no plan"),
                              ("kill -9 $$", "signal 9")):
        status, _, err = run(work / "y", *data, *SMALL, "--topology=p2p",
                             f"--controller=exec:sh -c 'read line; {command}'")
        check_refused(status, err, sentence, f"exec: {command}")
    status, _, err = run(work / "y", *data, *SMALL, "--topology=p2p", "--controller=exec:sleep 60",
                         "--ns3::collapipe::ExecController::Timeout=300ms")
    check_refused(status, err, "did not answer within", "exec: silence")
    check(not (work / "y").exists(), "exec: nothing is written where it is refused")
    # Later on: the rounds that have ended stay, and the reason is said.
    program.write_text(f"""#!/bin/sh
read first
printf '%s\\n' "$first" | "{python}" "{example}"
read second
exit 7
""", "utf-8")
    status, _, err = run(work / "late", *data, *SMALL, "--topology=p2p", "--rounds=3",
                         f"--controller=exec:sh {program}")
    check(status == 0 and "ended after round 1" in err and "ended with status 7" in err,
          f"exec: ends in the second round: {status}: {err}")
    if (work / "late").exists():
        check(len(read_csv(work / "late" / "rounds.csv")) == 1, "exec: the first round is kept")


def main():
    build, source = sys.argv[1], sys.argv[2]
    if not use_program(build, "collapipe-quickstart"):
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="collapipe-controllers-") as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        data = [*data, "--task=translation"]
        check_plugin(build, work, data)
        check_exec(source, work, data)
    return report()


if __name__ == "__main__":
    sys.exit(main())
