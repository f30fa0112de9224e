#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Runs collapipe-quickstart on every task, and checks that the model gets good at it and what is
# said of that. Takes the build directory and the source directory.

import json
import pathlib
import random
import sys
import tempfile

from support.runs import check, finish, near, read_csv, report, start, use_program, write_corpus

SMALL = ["--topology=p2p", "--controller=uniform-pipeline", "--compare=none", "--progress=none",
         "--devices=2", "--blocks=2", "--model=32x2x64", "--microBatches=2", "--microBatchSize=8"]
GOOD = ["great", "lovely", "brilliant", "charming", "superb", "moving"]
BAD = ["awful", "dull", "boring", "clumsy", "tedious", "silly"]
NEUTRAL = ["film", "story", "actor", "scene", "plot", "music", "a", "the", "this", "of", "with"]


def write_reviews(path, count, seed, header):
    """Sentences that praise (1) or not (0), in GLUE's form."""
    rng = random.Random(seed)
    rows = ["sentence\tlabel"] if header else []
    for _ in range(count):
        label = rng.randrange(2)
        words = rng.sample(NEUTRAL, 5) + rng.sample(GOOD if label else BAD, 2)
        rng.shuffle(words)
        rows.append(f"{' '.join(words)} {rng.randrange(10000)}\t{label}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def train(folder, *options):
    """A run that must succeed: summary, rows of rounds.csv and the table, or None."""
    status, out, err, _ = finish(start(*SMALL, f"--outputDir={folder}", *options), timeout=300)
    if not check(status == 0, f"{' '.join(options)}: status {status}: {err}"):
        return None
    with open(folder / "summary.json", encoding="utf-8") as file:
        return json.load(file), read_csv(folder / "rounds.csv"), out


def check_columns(name, summary, rows, scores):
    for line, row in zip(rows, summary["rounds"]):
        check(set(line) == set(row), f"{name}: rounds.csv has summary.json's columns")
        for score in scores:
            check(score in row, f"{name}: there is a column {score}")
            check(line[score] == "" if row[score] is None else near(float(line[score]), row[score]),
                  f"{name}: both say the same of {score}")


def check_classification(work):
    for header in (True, False):
        name = "with header" if header else "without header"
        training = write_reviews(work / f"train-{header}.tsv", 600, 1, header)
        validation = write_reviews(work / f"dev-{header}.tsv", 150, 2, header)
        result = train(work / f"reviews-{header}", "--task=classification", f"--train={training}",
                       f"--validation={validation}", "--vocabulary=200", "--rounds=4",
                       "--localIterations=40", "--learningRate=0.005", "--score=rounds",
                       "--dropout=0.1", "--warmup=10", "--decay=linear")
        if result is None:
            continue
        summary, rows, out = result
        check_columns(name, summary, rows, ["accuracy", "macro_f1", "binary_f1"])
        quality = summary["quality"]
        check(summary["data"]["classes"] == ["0", "1"], f"{name}: the classes are named")
        check(quality["validation"]["accuracy"] > 0.9, f"{name}: learnt: {quality}")
        check(quality["untrained"]["accuracy"] < 0.8, f"{name}: not before: {quality}")
        check(quality["validation"]["binary_f1"] > 0.9, f"{name}: F1: {quality}")
        check(quality["test"]["samples"] > 0, f"{name}: there is a test part")
        check(near(rows[-1]["accuracy"] and float(rows[-1]["accuracy"]),
                   quality["validation"]["accuracy"]), f"{name}: the last round is the result")
        check("accuracy" in out, f"{name}: the table says so")


def check_masked_language(work):
    data, _ = write_corpus(work / "grammar")
    text = data[0].split("=", 1)[1]
    result = train(work / "mlm", "--task=mlm", f"--train={text}", "--vocabulary=150", "--rounds=3",
                   "--localIterations=25", "--learningRate=0.003")
    if result is not None:
        summary, rows, _ = result
        check(summary["rounds"][-1]["validation_loss"] < 0.7 * summary["initial_validation_loss"],
              f"masked tokens get predictable: {summary['rounds'][-1]}")
        check("bleu" not in rows[0] and "accuracy" not in rows[0], "no scores of other tasks")


def check_translation(work):
    data, _ = write_corpus(work / "pairs")
    options = (*data, "--vocabulary=150", "--rounds=6", "--localIterations=40", "--beam=2",
               "--learningRate=0.005", "--keepOptimizerState", "--skipPadding", "--tieEmbedding",
               "--preNorm", "--labelSmoothing=0.05")
    result = train(work / "translation", *options)
    if result is not None:
        summary, rows, out = result
        check_columns("translation", summary, rows, ["bleu"])
        check([row["bleu"] is None for row in summary["rounds"]] == [True] * 5 + [False],
              "BLEU is there at the end")
        quality = summary["quality"]
        best = max(quality["untrained"]["bleu"], quality["copy_source"]["bleu"])
        check(quality["validation"]["bleu"] > best + 10, f"it translates: {quality}")
        check("BLEU" in out and "copying" in out, f"the table says so: {out}")
    result = train(work / "unscored", *data, "--vocabulary=150", "--rounds=1",
                   "--localIterations=1", "--score=none")
    if result is not None:
        check(result[0]["rounds"][-1]["bleu"] is None, "--score=none does not translate")


def expect_refusal(work, word, *options):
    place = work / "refused"
    status, out, err, _ = finish(start(*SMALL, f"--outputDir={place}", *options))
    name = " ".join(options)
    check(status == 2, f"{name}: status {status}")
    check(len(err.strip().splitlines()) == 1 and word in err, f"{name}: {word} in: {err}")
    check(out == "" and not place.exists(), f"{name}: nothing is left")


def check_mistakes(work):
    one = work / "one.tsv"
    one.write_text("sentence\tlabel\nwell done\tyes\nvery well\tyes\n", encoding="utf-8")
    training = write_reviews(work / "mistakes.tsv", 60, 3, True)
    foreign = work / "foreign.tsv"
    foreign.write_text("sentence\tlabel\nwell done\tmaybe\n", encoding="utf-8")
    classification = "--task=classification"
    expect_refusal(work, "classes", classification, f"--train={one}")
    expect_refusal(work, "maybe", classification, f"--train={training}", f"--validation={foreign}")
    expect_refusal(work, "nowhere", classification, f"--train={work / 'nowhere.tsv'}")
    expect_refusal(work, "--train", classification, f"--validation={training}")
    expect_refusal(work, "--languages", classification, "--languages=de")
    expect_refusal(work, "xx", classification, "--languages=de,xx")
    expect_refusal(work, "--task", "--task=translation", f"--train={training}")
    expect_refusal(work, "--tieEmbedding", classification, f"--train={training}", "--tieEmbedding")
    expect_refusal(work, "--dropout", "--dropout=1")
    expect_refusal(work, "--labelSmoothing", "--labelSmoothing=-0.1")
    expect_refusal(work, "--decay", "--decay=cosine")
    expect_refusal(work, "--score", "--score=often")
    expect_refusal(work, "--beam", "--beam=0")
    expect_refusal(work, "--lengthPenalty", "--lengthPenalty=-1")
    expect_refusal(work, "--segmentSize", "--segmentSize=10")
    expect_refusal(work, "--tcpBuffer", "--tcpBuffer=1024")
    expect_refusal(work, "--segmentSize", "--segmentSize=9000", "--topology=wifi")
    expect_refusal(work, "medium", "--task=translation", "--model=medium")


def main():
    if not use_program(sys.argv[1], "collapipe-quickstart"):
        return 77
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        check_mistakes(work)
        check_classification(work)
        check_masked_language(work)
        check_translation(work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
