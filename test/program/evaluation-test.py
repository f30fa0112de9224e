#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Runs a tiny campaign as users do: kills it, goes on with it, repeats single rows of it, reads its
# report. Takes the build directory and the source directory.

import csv
import fcntl
import importlib.util
import json
import math
import os
import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
DESCRIPTION = """
title = "Tiny"
[options]
topology = "p2p"
rounds = 2
localIterations = 2
blocks = 4
microBatches = 2
microBatchSize = 4
vocabulary = 300
maxPairs = 400
maxValidation = 20
"ns3::collapipe::FedAvgController::EnforceMemory" = false
[[study]]
name = "who"
title = "Who is fastest?"
[study.sweep]
controller = ["dssda", "uniform-pipeline", "fedavg", "dssda offload=3"]
seed = "1-2"
[[study]]
name = "budget"
title = "What a budget costs"
x = "energyBudget"
[study.options]
compute = "analytic"
[study.sweep]
energyBudget = [0.05, 0.5]
"""
RUNS = 10
SCENARIO = """
title = "Wires to the {name}"
text = "What is said of {name} & its wires."
[options]
topology = "p2p"
rounds = 1
localIterations = 1
blocks = 2
devices = 2
clusters = 1
compute = "analytic"
"""
build = source = None
passed = failed = 0


def check(condition, what):
    """Counts a check, and says which where it fails."""
    global passed, failed
    if condition:
        passed += 1
    else:
        failed += 1
        print(f"FAILED: {what}", flush=True)
    return bool(condition)


def start(script, *arguments, **options):
    return subprocess.Popen([PYTHON, "-B", source / "helper" / "evaluation" / script, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
                            start_new_session=True, **options)


def run(script, *arguments):
    """Status, standard output and standard error."""
    process = start(script, *arguments)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def get_marks(folder):
    """Which results there are: inode and time of every finished run's summary."""
    marks = {}
    for path in folder.glob("runs/*/summary.json"):
        stat = path.stat()
        marks[path.parent.name] = (stat.st_ino, stat.st_mtime_ns)
    return marks


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_jobs(folder):
    return [line.split("\t") for line in
            (folder / "jobs.tsv").read_text(encoding="utf-8").splitlines()]


# ---------------------------------------------------------------- killing and going on


def test_killing(description, folder):
    """Killed without warning twice, jobs and all or not; what was finished is never repeated."""
    for everything in (True, False):
        before = get_marks(folder)
        process = start("evaluate.py", description, "--dir", folder, "--jobs", "2")
        deadline = time.monotonic() + 300
        while len(get_marks(folder)) < len(before) + 2 and time.monotonic() < deadline:
            time.sleep(0.02)
        check(process.poll() is None, "the campaign was still running when it was killed")
        kill_tree(process.pid, everything)
        process.communicate()
        marks = get_marks(folder)
        check(len(marks) < RUNS, "and had not run everything")
        check(all(marks[name] == mark for name, mark in before.items()),
              "going on repeats nothing that was finished")
    before = get_marks(folder)
    status, out, err = run("evaluate.py", description, "--dir", folder, "--jobs", "2")
    check(status == 0, f"a killed campaign goes on to its end: {err}")
    after = get_marks(folder)
    check(len(after) == RUNS, f"all {RUNS} runs are there: {sorted(after)}")
    check(all(after[name] == mark for name, mark in before.items()), "nothing was repeated")
    check(not list(folder.glob("unfinished/*/summary.json")), "nothing is left half done")
    check(not (folder / "unfinished").exists(), "nothing is left of jobs that are done")
    check(out.strip() == str(folder / "report.html"), f"it names its report: {out}")
    again, _, err = run("evaluate.py", description, "--dir", folder)
    check(again == 0 and get_marks(folder) == after, f"a finished campaign runs nothing: {err}")


def test_two(description, folder):
    """Into a folder in which a campaign is under way, no second one goes."""
    folder.mkdir()
    with open(folder / ".lock", "a", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        status, out, err = run("evaluate.py", description, "--dir", folder, "--jobs", "1")
        check(status == 2 and not out and len(err.splitlines()) == 1 and "another" in err,
              f"a second campaign in a folder: status {status}: {err}")
        check([path.name for path in folder.iterdir()] == [".lock"], "and it leaves nothing there")
    process = start("evaluate.py", description, "--dir", folder, "--jobs", "1", "--no-report")
    deadline = time.monotonic() + 300
    while not get_marks(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    check(process.poll() is None, "a campaign is under way")
    status, _, err = run("evaluate.py", description, "--dir", folder, "--jobs", "1")
    check(status == 2 and "another" in err, f"it holds its folder: status {status}: {err}")
    kill_tree(process.pid, True)
    process.communicate()


def kill_tree(pid, everything):
    """SIGKILL for a process and its children; `everything`: also for what these started."""
    children = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        children.setdefault(int(fields[1]), []).append(int(path.parent.name))
    tree, level = [pid], [pid]
    for _ in range(20 if everything else 1):
        level = [child for parent in level for child in children.get(parent, [])]
        tree += level
    for process in tree:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_removed_run(description, folder):
    """Results that were removed are made again, and are the same."""
    name = sorted(get_marks(folder))[0]
    old = (folder / "runs" / name / "rounds.csv").read_bytes()
    shutil.rmtree(folder / "runs" / name)
    status, _, err = run("evaluate.py", description, "--dir", folder)
    check(status == 0, f"a removed run is run again: {err}")
    path = folder / "runs" / name / "rounds.csv"
    check(path.exists() and path.read_bytes() == old, "with the same result")


# ---------------------------------------------------------------- a row is a command


def test_rows(folder):
    """The command that the campaign names for a row gives that row's numbers."""
    rows = {row["name"]: row for row in read_csv(folder / "runs.csv")}
    check(len(rows) == RUNS, f"runs.csv has a row for each of {RUNS} runs")
    for name, command in read_jobs(folder)[:3]:
        again = folder / "again"
        words = [*shlex.split(command), f"--outputDir={again}"]
        subprocess.run(words, cwd=source, check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "COLLAPIPE_BUILT": "yes"})
        for file in ("rounds.csv", "devices.csv", "control.csv", "budgets.csv", "links.csv"):
            check((again / file).read_bytes() == (folder / "runs" / name / file).read_bytes(),
                  f"{name}: {file} again, byte for byte")
        latencies = [float(row["latency_s"]) for row in read_csv(again / "rounds.csv")]
        check(math.isclose(sum(latencies) / len(latencies), float(rows[name]["latency_s"]),
                           rel_tol=1e-6), f"{name}: runs.csv has its mean latency")
        shutil.rmtree(again)


def test_queues(folder):
    """(12): every queue is the one before plus what was spent over the budget, never negative."""
    for path in folder.glob("runs/*energyBudget*"):
        devices, budgets = read_csv(path / "devices.csv"), read_csv(path / "budgets.csv")
        spent = {tuple(row[key] for key in ("round", "cluster", "node")):
                 float(row["active_energy_j"]) for row in devices}
        queues = {tuple(row[key] for key in ("round", "cluster", "node")):
                  (float(row["energy_queue"]), float(row["energy_budget_j"])) for row in budgets}
        for (number, cluster, node), (queue, budget) in queues.items():
            following = queues.get((str(int(number) + 1), cluster, node))
            if following is None or budget == 0:
                continue
            expected = max(0, queue + spent[number, cluster, node] / budget - 1)
            check(math.isclose(following[0], expected, rel_tol=1e-6, abs_tol=1e-9),
                  f"{path.name}: queue of {cluster}/{node} is {following[0]}, not {expected}")


def test_memory(folder):
    """A baseline whose plan exceeds the devices' memory is run, and marked."""
    rows = [row for row in read_csv(folder / "runs.csv") if row["controller"] == "fedavg"]
    for row in rows:
        budgets = read_csv(folder / "runs" / row["name"] / "budgets.csv")
        exceeds = any(float(budget["planned_memory_bytes"]) > float(budget["memory_limit_bytes"])
                      for budget in budgets if budget["node"] != "0")
        check(exceeds == (row["violates_memory"] == "True"), f"{row['name']}: {exceeds}")


def test_own_options(folder):
    """A controller may have options that the others do not: it is told apart by them."""
    rows = [row for row in read_csv(folder / "runs.csv") if row["controller"] == "dssda offload=3"]
    check(len(rows) == 2, f"{len(rows)} of 2 runs are of a controller with an option of its own")
    commands = dict(read_jobs(folder))
    for name, command in commands.items():
        own = name in {row["name"] for row in rows}
        check(("--offload=3" in command) == own, f"{name}: {command}")
        check(not own or "--controller=dssda " in command + " ", f"{name}: {command}")
    check("dssda offload=3" in (folder / "results.rst").read_text(encoding="utf-8"), "results.rst names it")


# ---------------------------------------------------------------- reports


def check_page(path):
    text = path.read_text(encoding="utf-8")
    check("<svg" in text and text.rstrip().endswith("</html>"), f"{path} is a page with figures")
    fetched = re.findall(r'(?:src|xlink:href|href|url)\s*[=(]\s*["\']?(https?:[^"\')\s]+)', text)
    check(not fetched, f"{path} fetches nothing: {fetched}")
    check(not re.search(r"<(link|img|iframe)|<script [^>]*src", text) and "prefers-color-scheme:dark" in text, f"{path}: plain, dark too")
    for light in ("#2f6fbf", "#1c2733"):
        check(text.count(light) <= 1, f"{path}: colours are the page's own")


def test_reports(folder):
    check_page(folder / "report.html")
    check("<script" not in (folder / "report.html").read_text(encoding="utf-8"), "a campaign's page has no script")
    figures = sorted(path.name for path in (folder / "figures").glob("*"))
    for name in ("who-latency_s", "who-loss", "budget-latency_s", "budget-energy_j"):
        check(f"{name}.svg" in figures and f"{name}.pdf" in figures, f"{name} among {figures}")
    for path in (folder / "figures").glob("*.pdf"):
        check(path.read_bytes().startswith(b"%PDF"), f"{path} is PDF")
    name = sorted(get_marks(folder))[-1]
    status, out, err = run("report.py", folder / "runs" / name, "--round", "1")
    check(status == 0 and out.strip().endswith("report.html"), f"a run's report: {err}")
    check_page(folder / "runs" / name / "report.html")
    first = (folder / "report.html").read_bytes()
    run("report.py", folder)
    check((folder / "report.html").read_bytes() == first, "the same results, the same report")


def test_scenarios(scratch):
    """Of several scenarios each has a page, which the campaign's leads to and which leads back."""
    text = "title = 'Where?'\n[options]\nvocabulary = 300\nmaxPairs = 400\nmaxValidation = 20\n"
    for name in ("near", "far"):
        (scratch / f"{name} by.toml").write_text(SCENARIO.format(name=name), encoding="utf-8")
        text += (f"[[study]]\nname = '{name}'\ntitle = 'Study {name}'\n[study.options]\n"
                 f"scenario = '{scratch}/{name} by.toml'\n[study.sweep]\n"
                 "controller = ['uniform-pipeline', 'static-pipeline']\n")
    text += "[[study]]\nname = 'plain'\ntitle = 'Study plain'\n[study.options]\ncompute = 'analytic'\nrounds = 1\n" \
            "topology = 'p2p'\nlocalIterations = 1\n"
    (scratch / "where.toml").write_text(text, encoding="utf-8")
    folder = scratch / "where"
    status, _, err = run("evaluate.py", scratch / "where.toml", "--dir", folder)
    check(status == 0, f"a campaign of scenarios: {status}: {err}")
    front = (folder / "report.html").read_text(encoding="utf-8")
    check("Study plain" in front and "where" not in re.findall(r"report-[a-z-]*", front), "the campaign's page")
    for name in ("near", "far"):
        check_page(folder / f"report-{name}-by.html")
        page = (folder / f"report-{name}-by.html").read_text(encoding="utf-8")
        check(f'href="report-{name}-by.html"' in front and 'href="report.html"' in page, f"{name}: links")
        check(f"Wires to the {name}" in page and f"What is said of {name} &amp; its wires." in page and
              f"Wires to the {name}" in front, f"{name}: what the scenario says of itself")
        check(f"Study {name}" in page and "Where the time of a round goes" in page, f"{name}: its study")
        others = {"near", "far", "plain"} - {name}
        check(not any(f"Study {other}" in page for other in others), f"{name}: no other study")
    check(front.count("Where the time of a round goes") <= 2, "figures of scenarios are on their own pages")


def test_mistakes(scratch):
    """Every mistake gets one sentence and a status of its own."""
    broken = {"no campaign": (["evaluate.py", "nonsense"], "nonsense"),
              "no run": (["report.py", scratch], "summary.json"),
              "no folder": (["report.py", scratch / "nowhere"], "nowhere")}
    texts = {"no TOML": "title =", "no study": "title = \"x\"", "unknown key": "titel = \"x\"",
             "swept nothing": "[[study]]\n[study.sweep]\nseed = []",
             "own option": "[[study]]\n[study.sweep]\ncontroller = [\"dssda offload\"]",
             "own seed": "[[study]]\n[study.sweep]\ncontroller = [\"dssda seed=2\"]\nseed = \"1-3\"",
             "x not swept": "[[study]]\nx = \"blocks\"",
             "swept twice": "[[study]]\n[study.sweep]\nseed = [1, 1]",
             "output folder": "[options]\noutputDir = \"x\"\n[[study]]\n",
             "Latin-1": "title = \"Größe\"\n[[study]]\n",
             "includes-itself": "include = [\"includes-itself\"]",
             "study is no table": "study = 3", "options are no table": "options = 3\n[[study]]\n",
             "a case is no table": "[[study]]\n[study.cases]\na = 3", "title": "title = 3",
             "include is no list": "include = 3", "target": "[[study]]\ntarget_loss = \"x\""}
    for what, text in texts.items():
        path = scratch / f"{what.replace(' ', '-')}.toml"
        path.write_text(text, encoding="latin-1")
        broken[what] = (["evaluate.py", path, "--list"], path.name)
    for what, (arguments, named) in broken.items():
        status, _, err = run(*arguments)
        check(status == 2 and len(err.strip().splitlines()) == 1 and named in err,
              f"{what}: status {status}, {err}")
    listing = start("evaluate.py", "full", "--list")
    listing.stdout.readline()
    listing.stdout.close()  # as head does
    err = listing.stderr.read()
    check(listing.wait(60) == 0 and not err, f"--list | head: {listing.returncode}, {err}")
    path = scratch / "impossible.toml"
    path.write_text("[options]\nrounds = 1\nblocks = 0\n[[study]]\n", encoding="utf-8")
    status, _, err = run("evaluate.py", path, "--dir", scratch / "impossible")
    check(status == 1 and "logs/" in err, f"a run that fails: status {status}, {err}")
    logs = list((scratch / "impossible" / "logs").glob("*.txt"))
    check(len(logs) == 1 and "blocks" in logs[0].read_text(), "and its log says why")


def test_slurm(description, folder, scratch):
    """A line of the job array gives the result that GNU parallel gave."""
    other = scratch / "slurm"
    status, out, err = run("evaluate.py", description, "--dir", other, "--slurm")
    check(status == 0 and out.startswith("sbatch "), f"a job array: {err}")
    subprocess.run(["sh", other / "slurm.sh"], check=True,
                   env={**os.environ, "SLURM_ARRAY_TASK_ID": "2"})
    name = read_jobs(other)[1][0]
    check(list(get_marks(other)) == [name], "its second task is the second run")
    check((other / "runs" / name / "rounds.csv").read_bytes() ==
          (folder / "runs" / name / "rounds.csv").read_bytes(), "and gives the same")


def test_verify(folder):
    """Runs made again give the same bytes; one that was touched is found."""
    names = sorted(path.name for path in (folder / "runs").iterdir())
    status, out, err = run("evaluate.py", "verify", str(folder), "--runs=2", "--seed=3")
    check(status == 0 and out.count("the same bytes") == 2 and "0 of them differ" in out,
          f"runs made again: status {status}: {out}{err}")
    check(sum(f"{name}: ./collapipe run" in out for name in names) == 2, f"names them: {out}")
    path = folder / "runs" / names[0] / "rounds.csv"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"1", b"2", 1))
    status, out, err = run("evaluate.py", "verify", str(folder), f"--runs={len(names)}")
    check(status == 1 and out.count("other bytes in rounds.csv") == 1,
          f"a touched run is found: status {status}: {out}{err}")
    path.write_bytes(whole)
    for where, word in ((folder / "runs", "jobs.tsv"), (folder / "nowhere", "jobs.tsv")):
        status, out, err = run("evaluate.py", "verify", str(where))
        check(status == 2 and word in err and len(err.splitlines()) == 1, f"no campaign: {err}")


def test_statistics():
    """Against tables of Student's t, and by hand."""
    sys.path.insert(0, str(source / "helper" / "evaluation"))
    import intervals
    for freedom, quantile in ((1, 12.7062), (2, 4.30265), (9, 2.262157), (30, 2.042272)):
        check(math.isclose(intervals.t_quantile(freedom), quantile, rel_tol=1e-5), f"t {freedom}")
    mean, half = intervals.mean_and_half_width([1.0, 2.0, 3.0, math.nan])
    check(mean == 2 and math.isclose(half, 4.30265 / math.sqrt(3), rel_tol=1e-5), "an interval")
    if importlib.util.find_spec("pandas") is None:
        return  # this interpreter is not Debian's; the scripts ran under that
    import results
    curve = {"validation_loss": [5.0, 4.0, 4.5, 2.0], "time_s": [0.0, 10.0, 20.0, 30.0]}
    for loss, seconds in ((5, 0), (4.25, 7.5), (4, 10), (3, 26), (2, 30)):
        found = results.interpolate_to_loss(curve, loss, "time_s")
        check(math.isclose(found, seconds), f"time to {loss} is {found}")
    check(math.isnan(results.interpolate_to_loss(curve, 1, "time_s")), "never reached")


def main():
    global build, source
    build, source = map(pathlib.Path, sys.argv[1:3])
    os.environ["COLLAPIPE_BUILD"] = str(build)
    missing = subprocess.run([PYTHON, "-c", "import pandas, matplotlib"], check=False,
                             stderr=subprocess.DEVNULL).returncode
    if shutil.which("parallel") is None or missing:
        print("GNU parallel, pandas or matplotlib is not installed")
        return 77
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        description, folder = scratch / "tiny.toml", scratch / "a folder's name"
        description.write_text(DESCRIPTION, encoding="utf-8")
        test_statistics()
        test_killing(description, folder)
        test_two(description, scratch / "two")
        test_removed_run(description, folder)
        test_rows(folder)
        test_queues(folder)
        test_memory(folder)
        test_own_options(folder)
        test_reports(folder)
        test_verify(folder)
        test_slurm(description, folder, scratch)
        test_scenarios(scratch)
        test_mistakes(scratch)
    print(f"{passed} checks passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
