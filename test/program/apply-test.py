#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# collapipe-torch-apply with encoders: words that are masked are filled in and texts classified, from
# folders in Hugging Face's form, adapters on them and checkpoints, as an independent program does, with
# every activation. What has no head for that is refused. Takes the build directory and the source directory.

import json
import os
import pathlib
import random
import sys
import tempfile

from support import apply, hf_reference as hf
from support.apply import apply_model, ask, judge
from support.hf_reference import distance
from support.needs_torch import torch
from support.runs import check, finish, report, start, use_program

ENCODERS = ["bert", "distilbert"]
MASK = 4  # of hf.write_wordpiece()
RUN = ["--topology=p2p", "--controller=uniform-pipeline", "--compare=none", "--progress=none",
       "--rounds=1", "--localIterations=2", "--memoryShare=0", "--devices=2", "--clusters=1",
       "--microBatches=2", "--microBatchSize=4", "--sequenceLength=48", "--score=none",
       "--learningRate=0.05", "--warmup=0"]


def train(work, name, *options):
    """A run that must succeed."""
    status, _, error, _ = finish(start(*RUN, f"--outputDir={work}/{name}", *options), 200)
    return check(status == 0, f"{name}: status {status}: {error}")


def random_words(rng, masks):
    """A line of short words, some of them [MASK]."""
    words = ["".join(rng.choice(hf.LETTERS) for _ in range(rng.randint(1, 4)))
             for _ in range(rng.randint(2, 7))]
    for _ in range(masks):
        words.insert(rng.randint(0, len(words)), "[MASK]")
    return " ".join(words)


def encode_masked(encode, line):
    """Tokens with [MASK] among them, which the letters' vocabulary would spell."""
    tokens = [2]
    for word in line.split():
        tokens += [MASK] if word == "[MASK]" else encode(word)[1:-1]
    return tokens + [3]


def decode(tokens):
    """The text of WordPiece's tokens, without special ones."""
    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *hf.LETTERS,
             *("##" + letter for letter in hf.LETTERS)]
    return " ".join(names[token] for token in tokens if token > MASK).replace(" ##", "")


def check_filling(work):
    """Logits of every masked token, and the line with the best of them; padding on either side."""
    rng = random.Random(21)
    for kind in ENCODERS:
        for seed, side in ((1, "right"), (2, "left"), (3, "right")):
            folder = work / f"fill-{kind}-{seed}"
            encode = hf.write_checkpoint(folder, kind, 40 + seed, tied=seed == 2, side=side)
            reference = hf.Reference(folder)
            lines = [random_words(rng, 1 + i % 3) for i in range(6)]
            said = judge(folder, lines + [random_words(rng, 0)])
            filled = apply_model(folder, lines).splitlines()
            check(said[-1]["logits"] == [], f"{folder.name}: nothing masked, no logits")
            for line, got, text in zip(lines, said, filled):
                tokens = encode_masked(encode, line)
                check([2] + got["tokens"] == tokens, f"{folder.name}: tokens of {line!r}")
                with torch.no_grad():
                    rows = reference.logits(tokens)
                places = [i for i, token in enumerate(tokens) if token == MASK]
                error = distance(torch.tensor(got["logits"]), rows[places])
                check(error < 1e-4, f"{folder.name}: logits of {line!r} differ by {error}")
                for place in places:
                    tokens[place] = rows[place].argmax().item()
                if max(tokens) < 5 + 2 * len(hf.LETTERS):  # the vocabulary has rows without a piece
                    check(text == decode(tokens), f"{folder.name}: {line!r} became {text!r}, "
                          f"not {decode(tokens)!r}")
            status, said, error = ask(folder, ["a b"])
            check(status == 2 and "[MASK]" in error and not said and len(error.splitlines()) == 1,
                  f"{folder.name}: a line without a mask: status {status}: {error}")


def check_adapters(work):
    """What adapters have learnt, over a model of words: classes by name, and masked words."""
    rng = random.Random(5)
    labelled, plain = work / "labelled.tsv", work / "plain.txt"
    lines = [random_words(rng, 0) for _ in range(40)]
    labelled.write_text("sentence\tlabel\n" + "".join(
        f"{line}\t{('dull', 'fair', 'good')[i % 3]}\n" for i, line in enumerate(lines)))
    plain.write_text("".join(line + "\n" for line in lines))
    for kind in ENCODERS:
        folder = work / f"base-{kind}"
        encode = hf.write_checkpoint(folder, kind, 31)
        for task, data in (("classification", labelled), ("mlm", plain)):
            name = f"{kind}-{task}"
            adapter, merged, saved = (work / f"{name}-{what}" for what in
                                      ("adapter", "merged", "saved"))
            options = [f"--task={task}", f"--train={data}", f"--pretrained={folder}", "--lora=2"]
            if not (train(work, f"{name}-1", *options, f"--export={adapter}", f"--save={saved}") and
                    train(work, f"{name}-2", *options, f"--export={merged}", "--merge")):
                continue
            asked = [line + (" [MASK] b" if task == "mlm" else "") for line in lines[:4]]
            texts = [apply_model(path, asked) for path in (adapter, merged, saved)]
            if task == "mlm":
                check(len(set(texts)) == 1 and len(texts[0].splitlines()) == 4,
                      f"{name}: adapters, merged, saved: {texts}")
            else:
                names = texts[0].splitlines()
                check(set(names) <= {"dull", "fair", "good"} and texts[1] == texts[0],
                      f"{name}: classes by name: {texts}")
                check([("dull", "fair", "good")[int(n)] for n in texts[2].split()] == names,
                      f"{name}: a checkpoint's classes: {texts}")
            # Adapters in a run: the task is theirs, not that of the model below
            again = work / f"{name}-again"
            if train(work, f"{name}-3", f"--train={data}", f"--pretrained={adapter}",
                     f"--export={again}"):
                config = json.loads((again / "adapter_config.json").read_text())
                check(config["task_type"] == ("SEQ_CLS" if task == "classification" else None),
                      f"{name}: the adapter's own task goes on: {config['task_type']}")
            reference = hf.Reference(merged)
            said = [judge(path, asked) for path in (adapter, merged, saved)]
            for i, line in enumerate(asked):
                tokens = encode_masked(encode, line)
                with torch.no_grad():
                    logits = reference.logits(tokens)
                logits = logits[[tokens.index(MASK)]] if task == "mlm" else logits
                errors = [distance(torch.tensor(one[i]["logits"]), logits) for one in said]
                check(max(errors) < 1e-4, f"{name}: logits of {line!r} differ by {errors}")


def check_own(work):
    """A BERT that began here: its tokenizer knows no masks, its checkpoint is no pretrained one's."""
    data = work / "own.txt"
    rng = random.Random(8)
    words = ["red", "house", "old", "man", "sea", "dog", "walks", "by", "the", "a"]
    data.write_text("".join(" ".join(rng.choice(words) for _ in range(6)) + "\n"
                            for _ in range(200)))
    saved = work / "own-saved"
    if train(work, "own", "--task=mlm", "--model=tiny", f"--train={data}", f"--save={saved}",
             "--vocabulary=60"):
        status, said, error = ask(saved, ["the [MASK] man", "[MASK] house by the [MASK]"])
        check(status == 0 and len(said.splitlines()) == 2 and "MASK" not in said,
              f"a model of masked words that began here: status {status}: {said}{error}")
        said = judge(saved, ["the [MASK] man", "the man"])
        check([len(one["logits"]) for one in said] == [1, 0], "logits of its masked words")


def check_refusals(work):
    """Models without the layer that would answer."""
    for kind, head, word in (("bert", "classifier", "classifier"), ("gpt2", "score", "score"),
                             ("bert", "cls.", "cls.predictions")):
        folder = work / f"headless-{kind}-{word}"
        hf.write_checkpoint(folder, kind, 3, 0 if head == "cls." else 2)
        tensors = hf.read_safetensors(folder / "model.safetensors")
        hf.write_safetensors(folder / "model.safetensors",
                             {n: t for n, t in tensors.items() if not n.startswith(head)})
        status, said, error = ask(folder, ["a [MASK]"])
        check(status == 2 and word in error and not said and len(error.splitlines()) == 1,
              f"{folder.name}: status {status}: {error}")


def check_lengths(work):
    """Lines longer than the positions: the model reads the first tokens, and says so."""
    rng = random.Random(31)
    for kind in ("bert", "distilbert", "gpt2", "llama"):
        folder = work / f"long-{kind}"
        encode = hf.write_checkpoint(folder, kind, 23, 3)
        line = random_words(rng, 0) + " a" * 90
        tokens = encode(line)
        status, said, error = ask(folder, [line, "a b"], "--json")
        check(status == 0 and len(error.splitlines()) == 1 and
              f"{len(tokens)} tokens" in error and "reads 64" in error,
              f"{folder.name}: status {status}: {error}")
        tokens = tokens[:63] + tokens[-1:] if kind in ENCODERS else tokens[:64]
        with torch.no_grad():
            logits = hf.Reference(folder).logits(tokens)
        error = distance(torch.tensor(json.loads(said.splitlines()[0])["logits"]), logits)
        check(error < 1e-4, f"{folder.name}: logits of a long line differ by {error}")
        named = ask(folder, [line, "a b"])
        check(named[0] == 0 and len(named[1].splitlines()) == 2 and "reads 64" in named[2],
              f"{folder.name}: {named}")


def check_activations(work):
    """Those that a family has, and those that it has not."""
    field = {"gpt2": "activation_function", "distilbert": "activation"}
    for kind in ("gpt2", "bert", "distilbert", "llama"):
        for name in ("relu", "silu", "gelu", "gelu_pytorch_tanh"):
            folder = work / f"active-{kind}-{name}"
            encode = hf.write_checkpoint(folder, kind, 19, 3)
            config = json.loads((folder / "config.json").read_text())
            config[field.get(kind, "hidden_act")] = name
            (folder / "config.json").write_text(json.dumps(config))
            if kind == "llama" and name != "silu":
                status, said, error = ask(folder, ["a b"])
                check(status == 2 and "activation" in error and len(error.splitlines()) == 1 and
                      not said, f"{folder.name}: status {status}: {error}")
                continue
            with torch.no_grad():
                logits = hf.Reference(folder).logits(encode("ab cde f"))
            error = distance(torch.tensor(judge(folder, ["ab cde f"])[0]["logits"]), logits)
            check(error < 1e-4, f"{folder.name}: logits differ by {error}")


def main():
    apply.build = pathlib.Path(sys.argv[1]).absolute()
    if not use_program(apply.build, "collapipe-quickstart"):
        return 1
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        check_filling(work)
        check_refusals(work)
        check_activations(work)
        check_lengths(work)
        check_own(work)
        check_adapters(work)
    return report()


if __name__ == "__main__":
    sys.exit(main())
