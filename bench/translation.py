#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Translation to a real quality: BLEU of a run beside that of an ordinary loop, and of baselines.
#
# Without files it trains on gettext catalogs. With --trainSource, --trainTarget, --valSource and
# --valTarget, aligned text, one sentence a line, for example Multi30k's:
#
#     ./collapipe bench translation --trainSource=train.en --trainTarget=train.de \
#         --valSource=val.en --valTarget=val.de
#
# All options of collapipe-quickstart are taken, and replace those below. --loop=only or --loop=none
# leaves out one of the two trainings.

import json
import pathlib
import subprocess
import sys
import tempfile
import time

from support import benchmark

LOOP = "bench-collapipe-fedavg"

# Width 256, 4 encoder and 2 decoder blocks, 4 clusters of 4 devices
MODEL = ["--task=translation", "--model=256x4x512", "--blocks=4", "--decoderBlocks=2",
         "--preNorm", "--tieEmbedding", "--vocabulary=4000", "--sequenceLength=28"]
SCENARIO = ["--topology=p2p", "--segmentSize=8900", "--clusters=4", "--devices=4",
            "--controller=uniform-pipeline", "--compare=none", "--dirichletAlpha=0"]
TRAINING = ["--microBatches=2", "--microBatchSize=8", "--localIterations=60", "--rounds=45",
            "--learningRate=1e-3", "--warmup=200", "--decay=linear", "--labelSmoothing=0.1",
            "--keepOptimizerState", "--skipPadding", "--threads=2"]
MEASUREMENT = ["--maxValidation=0", "--score=end", "--beam=4"]


def fail(message):
    sys.exit(f"translation: {message}")


def run_split(options):
    """The run through the simulator: its summary."""
    with tempfile.TemporaryDirectory() as folder:
        results = pathlib.Path(folder) / "results"
        begin = time.monotonic()
        process = subprocess.run([benchmark.BUILD / "collapipe-quickstart", *options,
                                  f"--outputDir={results}"], stdout=subprocess.DEVNULL, check=False)
        if process.returncode != 0:
            fail(f"collapipe-quickstart ended with status {process.returncode}")
        with open(results / "summary.json", encoding="utf-8") as file:
            summary = json.load(file)
        summary["whole_wall_s"] = time.monotonic() - begin
        return summary


def run_loop(options):
    """The ordinary loop: the last round's line."""
    last = None
    with subprocess.Popen([benchmark.BUILD / LOOP, *options], stdout=subprocess.PIPE,
                          encoding="utf-8") as process:
        for line in process.stdout:
            row = json.loads(line)
            if "round" in row:
                last = row
                print(f"loop, round {row['round']}: validation loss {row['validation_loss']:.3f}",
                      file=sys.stderr, flush=True)
    if process.returncode != 0 or last is None:
        fail(f"{LOOP} ended with status {process.returncode}")
    return last


def main():
    chosen, own = benchmark.parse({"loop": "both"}, sys.argv[1:])
    loop = chosen["loop"]
    if loop not in ("both", "only", "none"):
        fail(f"--loop={loop}: take both, only or none")
    options = [*MODEL, *SCENARIO, *TRAINING, *MEASUREMENT, *own]
    subprocess.run(["cmake", "--build", benchmark.BUILD, "--target", LOOP], check=True,
                   stdout=subprocess.DEVNULL)
    print(f"{'':34}{'BLEU':>8}{'loss':>9}{'wall, s':>10}")
    split = unsplit = None
    if loop != "only":
        split = run_split(options)
        quality = split["quality"]
        last = split["rounds"][-1]
        for name, bleu in (("untrained", quality["untrained"]["bleu"]),
                           ("source copied", quality["copy_source"]["bleu"])):
            print(f"{name:34}{bleu:8.2f}")
        print(f"{'split, through the simulator':34}{last['bleu']:8.2f}"
              f"{last['validation_loss']:9.4f}{split['whole_wall_s']:10.0f}", flush=True)
    if loop != "none":
        unsplit = run_loop(options)
        print(f"{'unsplit, an ordinary FedAvg loop':34}{unsplit['bleu']:8.2f}"
              f"{unsplit['validation_loss']:9.4f}{unsplit['wall_s']:10.0f}", flush=True)
    if split and unsplit:
        print(f"{'difference':34}{split['rounds'][-1]['bleu'] - unsplit['bleu']:8.2f}")


if __name__ == "__main__":
    benchmark.run(main)
