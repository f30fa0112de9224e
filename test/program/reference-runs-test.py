#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Ten short runs whose results are known to the byte: support/reference-runs.json lists them, each with
# the CRC-32 of every column of its CSV files and of the weights. A change that is meant to change no
# result leaves them all; one that is meant to says so, and writes the list anew:
#
#     test/program/reference-runs-test.py BUILD SOURCE --update
#
# A column that is new is no difference; one that is gone or differs is. What a run gives depends on the
# releases of ns-3 and LibTorch and on the processor's arithmetic: the packets are compared where ns-3
# is of the release that the list was made with, what was learnt where besides LibTorch computes
# products, norms and roots of all sizes, and a first loss, to the bit as then.

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import zlib

from support.runs import check, finish, read_csv, report, start, use_program, write_corpus

LIST = "test/program/support/reference-runs.json"
FILES = ["rounds.csv", "devices.csv", "links.csv", "control.csv", "clusters.csv", "budgets.csv"]
SKIPPED = 77
COMMON = ["--task=translation", "--compare=none", "--progress=none", "--vocabulary=300", "--maxValidation=20",
          "--localIterations=2", "--microBatches=2", "--microBatchSize=4",
          "--heartbeat=0"]  # the list was made before there were any: all else is as it was
RUNS = {
    "p2p-uniform": ["--topology=p2p", "--controller=uniform-pipeline", "--rounds=2"],
    "p2p-1f1b": ["--topology=p2p", "--controller=dssda", "--schedule=1f1b", "--rounds=2",
                 "--recompute=auto", "--clipNorm=1"],
    "wifi-dssda": ["--topology=wifi", "--controller=dssda", "--rounds=2", "--blocks=4"],
    "lte-dssda": ["--topology=lte", "--controller=dssda", "--rounds=2", "--blocks=4"],
    "hybrid-dssda": ["--topology=hybrid", "--controller=dssda", "--rounds=3"],
    "hybrid-energy": ["--topology=hybrid", "--controller=dssda", "--rounds=3", "--devices=3",
                      "--blocks=6", "--energyBudget=2", "--compute=analytic"],
    "hybrid-mobility": ["--topology=hybrid", "--controller=dssda", "--rounds=3", "--blocks=4",
                        "--mobility=waypoint", "--fading", "--compute=analytic"],
    "cells-static": ["--topology=hybrid", "--controller=static-pipeline", "--cells=2",
                     "--clusters=3", "--blocks=4", "--rounds=2", "--compute=analytic"],
    "p2p-fedavg": ["--topology=p2p", "--controller=fedavg", "--rounds=2", "--blocks=2",
                   "--memoryShare=0"],
    "wifi-splitfed": ["--topology=wifi", "--controller=splitfed", "--rounds=2", "--blocks=2",
                      "--memoryShare=0", "--devices=2"],
}
# Learnt, and therefore LibTorch's; also measured by it.
LEARNT = ("loss", "bleu", "accuracy", "f1", "smoothness", "variance", "divergence", "memory_bytes",
          "parameter_bytes", "gradient_bytes", "optimizer_bytes", "activation_bytes", "bound",
          "convergence", "phi", "exact_match")
# What LibTorch makes of fixed numbers, by the kernels that training uses.
ARITHMETIC = """
import torch, zlib
torch.set_num_threads(1)
crc = 0
for rows in (1, 3, 8, 40, 80, 160):
    for width in (16, 64, 192, 256, 300):
        x = torch.linspace(-3, 3, rows * width).sin().view(rows, width).requires_grad_()
        w = torch.linspace(-2, 2, width * 64).cos().view(64, width).requires_grad_()
        y = torch.nn.functional.layer_norm(x @ w.t(), (64,)).relu()
        y = torch.bmm(y.view(1, rows, 64), y.view(1, rows, 64).transpose(1, 2)).softmax(-1)
        z = torch.nn.functional.gelu(y).log_softmax(-1).sum()
        z.backward()
        for t in (x.grad, w.grad, (w.grad * w.grad).sqrt() / (w.grad.abs() + 1e-8), z.detach()):
            crc = zlib.crc32(t.contiguous().numpy().tobytes(), crc)
print(f"{crc:08x}")
"""


def is_learnt(column):
    return any(word in column for word in LEARNT)


def get_arithmetic():
    """The CRC-32 of fixed computations; None where there is no PyTorch for Python to do them."""
    for python in (sys.executable, "/usr/bin/python3"):
        done = subprocess.run([python, "-c", ARITHMETIC], capture_output=True, encoding="utf-8",
                              check=False, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"})
        if done.returncode == 0:
            return done.stdout.strip()
    return None


def measure(name, work, data, arithmetic):
    """Versions, and the CRC-32 of every column and of the weights, of one run."""
    folder = work / name
    status, _, err, _ = finish(start(*COMMON, *data, f"--outputDir={folder}", *RUNS[name]))
    if not check(status == 0, f"{name}: status {status}: {err}"):
        return None, None
    with open(folder / "summary.json", encoding="utf-8") as file:
        summary = json.load(file)
    columns = {}
    for path in FILES:
        if (folder / path).exists():
            rows = read_csv(folder / path)
            for column in rows[0] if rows else []:
                text = "\n".join(row[column] or "" for row in rows)
                columns[f"{path}/{column}"] = f"{zlib.crc32(text.encode()):08x}"
    columns["weights"] = summary.get("parameters_crc32", summary.get("parameter_hash", ""))
    first = repr(summary["rounds"][0]["train_loss"])
    versions = {"ns3": summary["ns3_version"], "first_loss": first, "arithmetic": arithmetic}
    return versions, columns


def compare(name, versions, columns, known):
    same_network = versions["ns3"] == known["versions"]["ns3"]
    same_learning = versions == known["versions"] and versions["arithmetic"] is not None
    compared = 0
    for column, crc in known["columns"].items():
        learnt = is_learnt(column) or column == "weights"
        if same_learning or (same_network and not learnt):
            compared += 1
            check(columns.get(column) == crc,
                  f"{name}: {column} " + ("differs" if column in columns else "is gone"))
    return compared


def main():
    build, source = sys.argv[1:3]
    if not use_program(build, "collapipe-quickstart"):
        return SKIPPED
    path = pathlib.Path(source) / LIST
    update = "--update" in sys.argv[3:]
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    results, compared = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        data, _ = write_corpus(work / "corpus")
        arithmetic = get_arithmetic()
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            measured = pool.map(lambda name: measure(name, work, data, arithmetic), RUNS)
        for name, (versions, columns) in zip(RUNS, measured):
            if columns is None:
                continue
            results[name] = {"versions": versions, "columns": columns}
            if not update and check(name in known, f"{name} is in {LIST}"):
                compared += compare(name, versions, columns, known[name])
    if update:
        if len(results) < len(RUNS):
            return report()
        temporary = path.with_suffix(".new")
        temporary.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        temporary.rename(path)
        return 0
    status = report()
    if status == 0 and compared == 0:
        print("skipped: made with another release of ns-3")
        return SKIPPED
    return status


if __name__ == "__main__":
    sys.exit(main())
