#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# The page of a run, part by part, against what the run's files hold: a small run, and copies of its folder
# that lack something or hold something else. Takes the build directory and the source directory.

import csv
import gzip
import html
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

from support.runs import check, finish, near, read_csv, report, start, use_program, write_corpus

PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable
OPTIONS = ["--topology=p2p", "--compute=analytic", "--clusters=2", "--devices=3", "--rounds=3",
           "--localIterations=3", "--blocks=4", "--microBatches=3", "--microBatchSize=4", "--vocabulary=300",
           "--maxValidation=10", "--progress=none", "--controller=dssda", "--compare=uniform-pipeline"]
# Which figures of a run have a legend over their bars, drawn as for the page.
LEGENDS = """
import sys
sys.path.insert(0, sys.argv[1])
import results, run_comparison, run_figures
result = results.RunResult(sys.argv[2])
drawn = [(name, figure) for name, figure, _, _ in run_figures.draw_all(result, 3)]
drawn.append(("comparison", run_comparison.draw_phases([result, result])[1]))
for name, figure in drawn:
    figure.canvas.draw()
    for axes in figure.axes:
        legend = axes.get_legend()
        if legend and (axes.containers or axes.collections):
            covered = legend.get_window_extent().overlaps(axes.get_window_extent())
            print(name, "covered" if covered else "free")
"""
# The starts of an iteration's slices that are drawn, where it was begun at 1 s and again at 10 s.
ATTEMPTS = """
import sys
sys.path.insert(0, sys.argv[1])
import timeline
slices = [{"round": 1, "iteration": 1, "micro_batch": 0, "stage": stage, "cluster": 0, "compute": True, "kind": 0,
           "node": "n", "row": "compute", "start": start + stage / 2, "seconds": 0.5}
          for start in (1.0, 10.0) for stage in (0, 1)]
print([entry["start"] for entry in timeline.choose_iteration(slices, 1)])
"""
# The cells of a hop, from two iterations of two micro-batches: c0-cu computes for 1 s and sends for 2 s, c0-d0
# computes for 3 s, so that the second waits for the first.
HOPS = """
import sys
sys.path.insert(0, sys.argv[1])
import hops
def add(iteration, batch, node, row, kind, start, seconds, stage=None):
    entry = {"round": 1, "iteration": iteration, "micro_batch": batch, "cluster": 0, "node": node, "row": row,
             "kind": kind, "compute": stage is not None, "start": 100 * iteration + start, "seconds": seconds}
    return entry if stage is None else {**entry, "stage": stage}
class Result:
    slices = [entry for i in (0, 1) for entry in (
        add(i, 0, "c0-cu", "compute", 0, 0, 1, 0), add(i, 1, "c0-cu", "compute", 0, 1, 1, 0),
        add(i, 0, "c0-cu", "send to c0-d0", 2, 1, 2), add(i, 1, "c0-cu", "send to c0-d0", 2, 2, 2),
        add(i, 0, "c0-d0", "compute", 0, 3, 3, 1), add(i, 1, "c0-d0", "compute", 0, 6, 3, 1))]
hops.timeline.get_slices = lambda result: result.slices
header, rows, cluster = hops.tabulate(Result, 1)
print([row[:5] for row in rows], cluster)
"""
# The second device walks from (20, 40), 2 m in a second, from 0.1 s on; all others stay.
WALK = "".join(f"$node_({node}) set X_ {x}\n$node_({node}) set Y_ 40\n$node_({node}) set Z_ 0\n"
               for node, x in enumerate((30, 25, 20, 35))) + '$ns_ at 0.1 "$node_(2) setdest 900 40 2"\n'
# Where D3 is, and what points at the view's first slice after all of it was asked for.
D3 = pathlib.Path("/usr/share/javascript/d3/d3.min.js")
POINT = """<p id="before"></p><script>
const view = document.getElementById("view");
document.getElementById("before").textContent = view.dataset.drawn;
[...view.querySelectorAll("button")].find((button) => button.textContent === "all").click();
const place = view.querySelector("canvas").getBoundingClientRect();
view.querySelector("canvas").dispatchEvent(new MouseEvent("mousemove",
  {clientX: place.left + pipelineView.LEFT, clientY: place.top + pipelineView.TOP + 5}));
</script>"""
# A device that is gone for longer than the patience, so that its cluster is cut anew.
FAULT = """
[[fault]]
kind = "reboot"
node = "cluster0.device1"
round = 2
phase = "training"
at = 0.03
for = 5
"""
script = None


def make(folder, *arguments):
    """The page of a folder, which must be made."""
    status, out, err = ask(folder, *arguments)
    if not check(status == 0 and out.strip() == str(folder / "report.html"), f"{folder.name}: {status}: {err}"):
        return ""
    return (folder / "report.html").read_text(encoding="utf-8")


def ask(folder, *arguments):
    done = subprocess.run([PYTHON, "-B", script, folder, *arguments], capture_output=True, encoding="utf-8",
                          check=False)
    return done.returncode, done.stdout, done.stderr


def refuse(folder, word, *arguments):
    """A folder that no page can be made of: a sentence that has this word."""
    status, _, err = ask(folder, *arguments)
    check(status == 2 and len(err.splitlines()) == 1 and word in err, f"{folder.name}: {status}: {err}")


def get_part(page, heading):
    """The page from a heading to the next."""
    found = re.search(rf">{re.escape(heading)}</h2>(.*?)(<h2|</main>)", page, re.DOTALL)
    return found.group(1) if found else ""


def get_tables(part):
    """Every table of a part: lists of rows of texts."""
    return [[[html.unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
             for row in re.findall(r"<tr.*?</tr>", table, re.DOTALL)]
            for table in re.findall(r"<table.*?</table>", part, re.DOTALL)]


def copy(run, work, name):
    shutil.copytree(run, work / name)
    return work / name


def change_summary(folder, change):
    """Changes what a folder's summary.json holds."""
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    change(summary)
    (folder / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


def fill(folder, name, **cells):
    """Writes the same cells into every row of a folder's table."""
    write_csv(folder / name, [{**row, **cells} for row in read_csv(folder / name)])


def write_csv(path, rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


# ---------------------------------------------------------------- both runs


def test_comparison(run, work):
    part = get_part(make(run), "Against uniform-pipeline")
    rows = {row[0]: row[1:] for row in get_tables(part)[0]} if check(part, "there is a comparison") else {}
    check(rows.get("") == ["dssda", "uniform-pipeline", "difference"], f"its columns: {rows.get('')}")
    for title, column in (("latency of a round, s", "latency_s"), ("training, s", "training_s")):
        both = [statistics.mean(float(row[column]) for row in read_csv(folder / "rounds.csv"))
                for folder in (run, run / "uniform-pipeline")]
        shown = rows.get(title, ["nan", "nan", "0 %"])
        check(all(near(float(text), value, 1e-3) for text, value in zip(shown, both)), f"{title}: {shown}")
        change = float(shown[2].replace("−", "-").removesuffix(" %"))
        check(abs(change - 100 * (both[0] / both[1] - 1)) < 0.06, f"{title}: {change} %")
    check("Where the time of a round goes" in part and (run / "figures" / "comparison-latency.pdf").exists(),
          "the comparison has a figure")
    lacking = copy(run, work, "lacking")
    shutil.rmtree(lacking / "uniform-pipeline")
    check("comparison is missing" in get_part(make(lacking), "Against uniform-pipeline"), "says what is missing")
    change_summary(lacking, lambda summary: summary["parameters"].pop("compare"))
    check("Against" not in make(lacking), "an older run has no comparison")
    damaged = copy(run, work, "damaged")
    (damaged / "uniform-pipeline" / "summary.json").write_text("{", encoding="utf-8")
    refuse(damaged, "uniform-pipeline/summary.json")


# ---------------------------------------------------------------- what a run has nothing of


def test_empty(run, work):
    """Wires have no power and no channel, and where nothing is computed nothing is learnt."""
    page = make(run)
    words = ["power, dBm", "channel: SNR", "training loss", "validation loss", ">LTE, J<", "What it learnt"]
    check("share of the medium" in page, "shares of wires are shown")
    check(not [word for word in words if word in page], f"empty: {[word for word in words if word in page]}")
    full = copy(run, work, "full")
    fill(full, "links.csv", power_w="0.1", snr_db="20")
    fill(full, "devices.csv", lte_energy_j="2", compute_energy_j="1", active_energy_j="2.5")
    fill(full, "rounds.csv", train_loss="3", validation_loss="4")
    page = make(full)
    check(not [word for word in words if word not in page], f"full: {[word for word in words if word not in page]}")


# ---------------------------------------------------------------- energy


def test_energy(run, work):
    """What radios would have taken idle stands apart; an older run did not say that."""
    idle = copy(run, work, "idle")
    fill(idle, "devices.csv", compute_energy_j="1", wifi_energy_j="2", lte_energy_j="4", active_energy_j="2.5")
    page = make(idle)
    check(all(f">{word}<" in page for word in ("computing", "radios in use", "radios idle")), "three parts")
    table = next((table for table in get_tables(page) if "of these idle, J" in table[0]), [[], []])
    check(table[1] == ["c0-cu", "1", "2", "4", "4.5"], f"a node's energy: {table[:2]}")
    older = copy(idle, work, "older")
    change_summary(older, lambda summary: summary.pop("columns"))
    write_csv(older / "devices.csv", [{key: cell for key, cell in row.items() if key != "active_energy_j"}
                                      for row in read_csv(older / "devices.csv")])
    page = make(older)
    check(all(f">{word}<" in page for word in ("computing", "Wi-Fi", "LTE")) and "idle" not in page,
          "an older run's energy")


# ---------------------------------------------------------------- the pipeline, and faults


def test_rounds(run, work):
    """The reader chooses among the last rounds' pipelines, without a script."""
    for arguments, rounds in (([], [1, 2, 3]), (["--round", "2"], [1, 2])):
        page = make(run, *arguments)
        choice = re.search(r'<div class="choice">.*', page, re.DOTALL).group()
        check(re.findall(r"<label[^>]*>round ([0-9]+)</label>", choice) == list(map(str, rounds)), f"{rounds}")
        check(re.findall(r"One iteration of round ([0-9]+) in[^<]*</figcaption>", choice) ==
              list(map(str, rounds)), f"a figure for each of {rounds}")
        checked = re.findall(r'id="(choice-1-[0-9]+)"( checked)?', choice)
        check([bool(mark) for _, mark in checked] == [number == rounds[-1] for number in rounds], "the last first")
    check((run / "figures" / "pipeline-round-1.pdf").exists(), "an earlier round's figure is a file, too")
    refuse(run, "there is no round 4", "--round", "4")
    without = copy(run, work, "without")
    (without / "timeline.json").unlink()
    page = make(without)
    check("left no timeline.json" in page and "<label" not in page, "a run without a timeline")


def test_compressed(run, work):
    """A compressed timeline gives the same page, and a damaged one a sentence."""
    plain = make(run)
    packed = copy(run, work, "packed")
    whole = gzip.compress((packed / "timeline.json").read_bytes())
    (packed / "timeline.json").unlink()
    (packed / "timeline.json.gz").write_bytes(whole)
    page = make(packed)
    check(page.replace("timeline.json.gz", "timeline.json").replace("packed", "run") == plain, "the same page")
    for damage in (whole[:len(whole) // 2], b"no gzip", whole[:100] + b"x" * 100 + whole[200:]):
        (packed / "timeline.json.gz").write_bytes(damage)
        refuse(packed, "timeline.json.gz is damaged")


def test_faults(run, work):
    """Faults are marked where they came; what became of them is in a table."""
    check("What went wrong" not in make(run), "a run without faults")
    (work / "fault.toml").write_text(FAULT, encoding="utf-8")
    faulty = work / "faulty"
    options = [option for option in OPTIONS if not option.startswith(("--controller", "--compare"))]
    data, _ = write_corpus(work / "corpus")
    status, _, err, _ = finish(start(*options, *data, "--controller=uniform-pipeline", "--compare=none",
                                     "--patience=3", "--heartbeat=1", f"--faults={work / 'fault.toml'}",
                                     f"--outputDir={faulty}"))
    if not check(status == 0, f"a run with a fault: {status}: {err}"):
        return
    fault = read_csv(faulty / "faults.csv")[0]
    page = make(faulty)
    rows = get_tables(get_part(page, "What went wrong, as asked for"))[0]
    check(rows[1][:3] == ["reboot", "c0-d1", "2"] and rows[1][5] == fault["reason"] and
          near(float(rows[1][4]), float(fault["detection_s"]), 1e-2), f"the table: {rows[1]}")
    latency = page[:page.index("Latency of every round by phase, of the cluster that ended last; the diamond is the "
                               "controller's own prediction.</fig")]
    check(">fault</text>" in latency and ">reboot</text>" in latency, "the latency chart has the fault")
    captions = re.findall(r"<figcaption>([^<]*timeline.json[^<]*)", page)
    check(len(captions) == 3 and captions[1].startswith("Round 2 as a fault came to it (reboot of c0-d1") and
          ">reboot of c0-d1</text>" in page, f"the pipeline has the fault: {captions}")
    damaged = copy(faulty, work, "damaged-faults")
    write_csv(damaged / "faults.csv", [{"kind": "reboot"}])
    refuse(damaged, "faults.csv")
    never = copy(faulty, work, "never")
    fill(never, "faults.csv", injected_s="", detected_s="", recovered_s="")
    check("What went wrong" not in make(never), "a fault that never came")


def test_hops(run, work):
    """The table of hops has the chain's nodes, and times that can be had by hand."""
    part = get_part(make(run), "Where the time goes")
    tables = get_tables(part)
    nodes = [row[0] for row in tables[0][1:]] if tables else []
    check(nodes[:1] + nodes[-1:] == ["c0-cu", "es"] or nodes[:1] + nodes[-1:] == ["c1-cu", "es"], f"hops: {nodes}")
    check(not tables or tables[0][1][1] == "–" and re.fullmatch(r"[0-9.]+ to [0-9.]+", tables[0][2][1]),
          f"arrivals: {tables}")
    done = subprocess.run([PYTHON, "-B", "-c", HOPS, script.parent], capture_output=True, encoding="utf-8",
                          check=False)
    check(done.stdout.strip() == "[['c0-cu', '–', '–', '1000', '2000'], "
          "['c0-d0', '3000 to 4000', '1000', '3000', '–']] 0", f"hops: {done.stdout}{done.stderr}")


def test_view(run, work):
    """The pipeline to zoom into has what the timeline has; a browser, where there is one, draws it."""
    page = make(run)
    if not D3.exists():
        check("install libjs-d3" in page and "<script" not in page, "without D3 the page has all else")
        print("skipped: the view, for which there is no D3")
        return
    check(not re.search(r"<script [^>]*src|https?://(?!www[.]w3[.]org|d3js|www[.]debian|www[.]apache|[a-z]*[.]github)",
                        re.sub(r"/\*.*?\*/", "", page, flags=re.DOTALL)), "it fetches nothing")
    check("Bostock" in page and "Redistributions" in page, "D3's notice is with it")
    check(re.search(r'id="view" hidden><h3>To zoom into', page) and page.count("To zoom into") == 1,
          "where nothing is drawn, in print and without scripts, there is no heading over nothing")
    data = json.loads(re.search(r'getElementById[(]"view"[)], (.*)[)];\n</script>', page).group(1))
    events = json.loads((run / "timeline.json").read_text(encoding="utf-8"))["traceEvents"]
    shown = [event for event in events if event["ph"] == "X" and "iteration" in event.get("args", {}) and
             re.match("F|B|activation|gradient", event["name"])]
    check(len(data["slices"]) == len(shown) and
          near(sum(entry[3] for entry in data["slices"]), sum(event["dur"] for event in shown), 1e-6),
          f"all of the timeline's passes and messages: {len(data['slices'])} of {len(shown)}")
    check([entry[0] for entry in data["rounds"]] == [1, 2, 3] and data["lanes"][-1] == "es sends", "rounds and lanes")
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if browser is None:
        print("skipped: what a browser makes of the view, for which there is none here")
        return
    (work / "view.html").write_text(page.replace("</main>", POINT + "</main>"), encoding="utf-8")
    done = subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
                           f"--user-data-dir={work / 'user'}", f"file://{work / 'view.html'}"], timeout=300,
                          capture_output=True, encoding="utf-8", check=False)
    view = re.search(r'<div class="view"[^>]*data-drawn="([0-9]+)"[^>]*>.*?<output>(.*?)</output>', done.stdout,
                     re.DOTALL)
    check(view and int(view.group(1)) == len(data["slices"]), f"all is drawn: {view and view.group(1)}")
    first = min((entry for entry in data["slices"] if entry[0] == 0), key=lambda entry: entry[2])
    check(view and re.match(f"{data['lanes'][0]}: forward, round {first[4]}, iteration 0, micro-batch 0; "
                            "from [0-9.]+ m?s, for [0-9.]+ ms", view.group(2)),
          f"the pointer: {view and view.group(2)}")
    before = re.search(r'id="before">([0-9]+)<', done.stdout)
    check(before and 0 < int(before.group(1)) < len(data["slices"]), "it begins with one iteration")


def test_attempts(_, work):
    """Of an iteration that was begun anew, only the last attempt is one iteration's time."""
    done = subprocess.run([PYTHON, "-B", "-c", ATTEMPTS, script.parent], capture_output=True, encoding="utf-8",
                          check=False)
    check(done.stdout.strip() == "[10.0, 10.5]", f"the last attempt: {done.stdout}{done.stderr}")


# ---------------------------------------------------------------- the map


def test_map(_, work):
    """Positions are those of the plan's moment; the map has nodes and links of a round."""
    (work / "walk.tcl").write_text(WALK, encoding="utf-8")
    walking = work / "walking"
    data, _ = write_corpus(work / "corpus")
    options = [option for option in OPTIONS if not option.startswith(("--topology", "--compare", "--clusters"))]
    status, _, err, _ = finish(start(*options, *data, "--topology=hybrid", "--fidelity=flow", "--compare=none",
                                     "--clusters=1", f"--mobility=ns2:{work / 'walk.tcl'}",
                                     f"--outputDir={walking}"))
    if not check(status == 0, f"a run of nodes that walk: {status}: {err}"):
        return
    rows = {(row["round"], row["name"]): row for row in read_csv(walking / "positions.csv")}
    check(len(rows) == 3 * 5, f"a row for each of 3 rounds and 5 nodes: {len(rows)}")
    for entry in read_csv(walking / "rounds.csv"):
        planned = float(entry["start_s"]) + float(entry["report_s"])
        for name, place in (("c0-d1", (20 + 2 * max(0.0, planned - 0.1), 40)), ("c0-cu", (30, 40)), ("es", (0, 0))):
            row = rows.get((entry["round"], name), {"x_m": "nan", "y_m": "nan"})
            check(all(near(float(row[key]), value, 1e-7) for key, value in zip(("x_m", "y_m"), place)),
                  f"{name} in round {entry['round']} is at {place}: {row}")
    page = make(walking)
    figure = page[:page.index("<figcaption>Where the nodes were as round 3 was planned")].rsplit("<svg", 1)[-1]
    check(all(f">{word}</text>" in figure for word in ("cluster 0", "cu", "d1", "es", "control unit")) and
          re.search(r">within a cluster, up to [0-9]+ %</text>", figure), "the map names nodes and media")
    check("Where the nodes were as round 2" in make(walking, "--round", "2"), "another round's map")
    (walking / "positions.csv").unlink()
    check("Where the nodes were" not in make(walking), "an older run without positions")


# ---------------------------------------------------------------- figures


def count_frames(page):
    """How many cells are framed in the figure of segments."""
    figure = re.search(r"<figure>(?:(?!</figure>).)*Encoder blocks on every device(?:(?!</figure>).)*", page, re.DOTALL)
    return len(re.findall(r"fill: none; stroke: var[(]--s2[)]", figure.group())) if figure else None


def test_segments(run, work):
    """Cells are framed where a device has got blocks that it did not hold the round before."""
    moving = copy(run, work, "moving")
    rows = read_csv(moving / "devices.csv")
    for row in rows:
        # The first two devices hold two blocks each, and exchange one of them before the third round.
        cut = 1 if row["round"] == "3" else 2
        place = {"1": (0, cut), "2": (cut, 4)}.get(row["node"], (0, 0))
        row.update(first_block=place[0], last_block=place[1])
    write_csv(moving / "devices.csv", rows)
    page = make(moving)
    check(count_frames(page) == 2, f"{count_frames(page)} cells are framed, one in each cluster")
    check("Framed: some of them have come since the round before, 2 in all" in page, "moved blocks are counted")
    write_csv(moving / "devices.csv", [{**row, "first_block": 0, "last_block": 1} for row in rows])
    page = make(moving)
    check(count_frames(page) == 0 and "None of them has moved" in page, "none has moved")


def test_legends(run, work):
    """No legend covers a bar."""
    done = subprocess.run([PYTHON, "-B", "-c", LEGENDS, script.parent, run], capture_output=True, encoding="utf-8",
                          check=False)
    check(done.returncode == 0, f"figures: {done.stderr}")
    legends = dict(line.split() for line in done.stdout.splitlines())
    for name in ("latency", "pipeline", "energy", "memory", "comparison"):
        check(legends.get(name) == "free", f"the legend of {name}: {legends.get(name)}")


def main():
    global script
    build, source = map(pathlib.Path, sys.argv[1:3])
    script = source / "helper" / "evaluation" / "report.py"
    missing = subprocess.run([PYTHON, "-c", "import pandas, matplotlib"], check=False,
                             stderr=subprocess.DEVNULL).returncode
    if missing or not use_program(build, "collapipe-quickstart"):
        print("pandas or matplotlib is not installed, or the program is not built")
        return 77
    with tempfile.TemporaryDirectory(prefix="collapipe-report-") as name:
        work = pathlib.Path(name)
        data, _ = write_corpus(work / "corpus")
        run = work / "run"
        status, _, err, _ = finish(start(*OPTIONS, *data, f"--outputDir={run}"))
        if check(status == 0, f"a run: status {status}: {err}"):
            for test in [value for key, value in globals().items() if key.startswith("test_")]:
                test(run, work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
