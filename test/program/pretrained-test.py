#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
# Needs LibTorch.
#
# Models in Hugging Face's form: random checkpoints of every family against an independent program
# (logits, losses, gradients of a step that is split over devices), a real pretrained model against its
# reference numbers, adapters and exports there and back, and damaged folders. Takes the build directory
# and the source directory.

import json
import os
import pathlib
import random
import shutil
import sys
import tempfile

from support import apply, hf_reference as hf
from support.apply import apply_model, judge
from support.hf_reference import distance
from support.needs_torch import torch
from support.runs import check, finish, near, read_csv, report, start, use_program

torch.manual_seed(1)
CAUSAL = ["gpt2", "opt", "llama", "qwen2"]
RUN = ["--topology=p2p", "--controller=uniform-pipeline", "--compare=none", "--progress=none",
       "--rounds=1", "--localIterations=1", "--memoryShare=0"]


def run(work, name, *options, timeout=200):
    """A run that must succeed: rows of rounds.csv, summary; None where it did not."""
    folder = work / name
    status, _, err, _ = finish(start(*RUN, f"--outputDir={folder}", *options), timeout=timeout)
    if not check(status == 0, f"{name}: status {status}: {err}"):
        return None
    return read_csv(folder / "rounds.csv"), json.loads((folder / "summary.json").read_text())


def random_lines(rng, count):
    return ["".join(rng.choice(hf.LETTERS + " ") for _ in range(rng.randint(3, 40))).strip() or "a"
            for _ in range(count)]


def check_logits(work):
    """Logits and losses of every family, of texts of unequal lengths."""
    rng = random.Random(3)
    for kind in CAUSAL + ["bert", "distilbert"]:
        for seed in range(3):
            for dtype in ([torch.float32, torch.float16, torch.bfloat16] if seed == 0 else
                          [torch.float32]):
                classes = rng.choice([2, 5]) if kind in ("bert", "distilbert") or seed == 2 else 0
                folder = work / f"{kind}-{seed}-{dtype}".replace("torch.", "")
                encode = hf.write_checkpoint(folder, kind, 100 * seed + 7, classes, dtype)
                reference = hf.Reference(folder)
                lines = random_lines(rng, 5)
                with torch.no_grad():
                    for line, said in zip(lines, judge(folder, lines)):
                        tokens = encode(line)
                        shown = said["tokens"] if kind in CAUSAL else [2] + said["tokens"]
                        check(shown == tokens, f"{folder.name}: tokens of {line!r}: {shown}")
                        logits = reference.logits(tokens)
                        logits = logits if classes else logits[-1]
                        error = distance(torch.tensor(said["logits"]), logits)
                        check(error < 1e-4, f"{folder.name}: logits differ by {error}")
                        if not classes and len(tokens) > 1:
                            loss = reference.loss([tokens]).item()
                            check(near(said["nats_per_token"], loss, 1e-4),
                                  f"{folder.name}: loss {said['nats_per_token']}, not {loss}")


def check_padding(work):
    """Texts that are padded on the left, as tokenizer_config.json says: the same logits."""
    rng = random.Random(13)
    for kind in CAUSAL + ["bert", "distilbert"]:
        # An encoder that finds masked words is held to the program by its steps (check_masked_steps)
        for seed, classes in ((0, 0), (1, 0), (2, 3)) if kind in CAUSAL else ((0, 2), (1, 5)):
            folder = work / f"left-{kind}-{seed}"
            encode = hf.write_checkpoint(folder, kind, 50 * seed + 3, classes, side="left")
            reference = hf.Reference(folder)
            lines = random_lines(rng, 4)
            texts = [encode(line) for line in lines]
            with torch.no_grad():
                alone = [reference.logits(tokens) for tokens in texts]
                said = judge(folder, lines)
                for side in ("left", "right"):
                    for one, other in zip(alone, reference.padded(texts, side)):
                        check(distance(other, one) < 1e-5, f"{folder.name}: the independent "
                              f"program's logits, padded on the {side}")
                for got, logits in zip(said, alone):
                    error = distance(torch.tensor(got["logits"]), logits if classes else logits[-1])
                    check(error < 1e-4, f"{folder.name}: logits differ by {error}")


def find_masks(texts, vocabulary, wanted, reference):
    """Of three texts two are trained on, with one token of each masked, replaced or left.

    Returns those pairs of (tokens, place, label) whose mean loss is the wanted one.
    """
    losses = []
    for tokens in texts:
        for place in range(1, len(tokens) - 1):
            for shown in {4, tokens[place], *range(5, vocabulary)}:  # [MASK], the same, any other
                changed = tokens[:place] + [shown] + tokens[place + 1:]
                entry = (changed, place, tokens[place])
                losses.append((reference.masked_loss([entry]).item(), texts.index(tokens), entry))
    losses.sort(key=lambda one: one[0])
    values = torch.tensor([loss for loss, _, _ in losses], dtype=torch.float64)
    for loss, text, entry in losses:
        low = torch.searchsorted(values, 2 * wanted - loss - 4e-6).item()
        while low < len(losses) and values[low] < 2 * wanted - loss + 4e-6:
            if losses[low][1] > text:
                yield [entry, losses[low][2]]
            low += 1


def check_masked_steps(work):
    """Masked words: transform, norm, and the table with a bias as projection; tied or not."""
    rng = random.Random(17)
    for kind in ("bert", "distilbert"):
        for devices, tied, side in ((1, True, "right"), (2, False, "left"), (3, True, "right")):
            name = f"masked-{kind}-{devices}"
            folder = work / f"{name}-model"
            encode = hf.write_checkpoint(folder, kind, 7 + devices, tied=tied, least=3,
                                         side=side)
            vocabulary = json.loads((folder / "config.json").read_text())["vocab_size"]
            # One token of up to nine is masked; lengths differ
            lines = ["".join(rng.choice(hf.LETTERS) for _ in range(n)) for n in (3, 6, 8)]
            train, validation = work / f"{name}.txt", work / f"{name}-val.txt"
            train.write_text("".join(line + "\n" for line in lines))
            validation.write_text("zzz zz\n")
            weights, result = take_step(work, name, folder, train, validation, "--task=mlm",
                                        f"--devices={devices}", micro_batches=1)
            if weights is None:
                continue
            reference = hf.Reference(folder)
            wanted = float(result[0][0]["train_loss"])
            texts = [encode(line) for line in lines]
            errors = []
            with torch.no_grad():
                pairs = list(find_masks(texts, vocabulary, wanted, reference))
            check(pairs, f"{name}: training loss {wanted} is that of no two texts")
            for pair in pairs:
                for tensor in reference.tensors.values():
                    tensor.grad = None
                reference.masked_loss(pair).backward()
                errors.append(max(compare_step(reference, weights).values()))
            check(set(weights) == set(reference.tensors), f"{name}: names of the exported tensors: "
                  f"{set(weights) ^ set(reference.tensors)}")
            check(errors and min(errors) <= 1, f"{name}: gradients differ {min(errors, default=0)} "
                  f"times as much as they may, for the best of {len(errors)} ways to mask")


def compare_step(reference, weights):
    """By name: the error of a step's gradient over what rounding allows."""
    names = {n for n, t in reference.tensors.items() if t.grad is not None} & set(weights)
    largest = max(reference.get(n).grad.abs().max().item() for n in names)
    errors = {}
    for n in sorted(names):
        before = reference.get(n)
        step = before.detach() - weights[n]
        # The step is read from weights in float32, which round at their own size.
        bound = 1e-4 * largest + 2e-7 * before.abs().max().item()
        errors[n] = (step - before.grad).abs().max().item() / bound
    return errors


def find_batch(texts, wanted, get_loss):
    """Of n + 1 texts one is kept for the test part; those whose loss is the run's."""
    for left_out in range(len(texts)):
        batch = texts[:left_out] + texts[left_out + 1:]
        loss = get_loss(batch)
        if near(loss.item(), wanted, 1e-4):
            return batch, loss
    return None, None


def take_step(work, name, folder, train, validation, *options, micro_batches=2):
    """Weights before and after a step of gradient descent of size 1, by name."""
    out = work / f"{name}-export"
    result = run(work, name, f"--pretrained={folder}", f"--train={train}",
                 f"--validation={validation}", "--optimizer=sgd", "--momentum=0",
                 "--learningRate=1", "--warmup=0", "--decay=none", "--dropout=0", "--clusters=1",
                 f"--microBatches={micro_batches}", "--microBatchSize=2", "--score=none",
                 "--sequenceLength=60", f"--export={out}", *options)
    return (hf.read_safetensors(out / "model.safetensors"), result) if result else (None, None)


def check_gradients(work):
    """A step split over devices gives the gradients of the independent program."""
    rng = random.Random(5)
    for kind in CAUSAL + ["bert", "distilbert"]:
        classes = 2 if kind in ("bert", "distilbert") else 0
        for devices, tied, side in ((1, False, "right"), (3, False, "right"), (2, False, "left")):
            name = f"step-{kind}-{devices}"
            folder = work / f"{name}-model"
            encode = hf.write_checkpoint(folder, kind, devices, classes, tied=tied, least=3,
                                         side=side)
            lines = random_lines(rng, 5)
            labels = [0, 1, 1, 0, 1]
            ending = "tsv" if classes else "txt"
            train, validation = work / f"{name}.{ending}", work / f"{name}-val.{ending}"
            if classes:
                train.write_text("sentence\tlabel\n" + "".join(
                    f"{line}\t{label}\n" for line, label in zip(lines, labels)))
                validation.write_text("sentence\tlabel\nzzz\t0\nyyy yyy\t1\n")
            else:
                train.write_text("".join(line + "\n" for line in lines))
                validation.write_text("zzz zz\n")
            weights, result = take_step(work, name, folder, train, validation,
                                        *(["--task=classification"] if classes else
                                          ["--task=lm", "--pack=false"]),
                                        f"--devices={devices}")
            if weights is None:
                continue
            reference = hf.Reference(folder)
            texts = [encode(line) for line in lines]
            if not classes and kind == "gpt2":
                texts = [tokens + [2] for tokens in texts]  # where nothing begins, texts end
            samples = list(zip(texts, labels)) if classes else texts
            wanted = float(result[0][0]["train_loss"])
            batch, loss = find_batch(samples, wanted,
                                     (lambda some: reference.class_loss(*zip(*some))) if classes
                                     else reference.loss)
            if not check(batch, f"{name}: training loss {wanted} is that of no four samples"):
                continue
            loss.backward()
            check(set(weights) == set(reference.tensors), f"{name}: names of the exported tensors: "
                  f"{set(weights) ^ set(reference.tensors)}")
            for n, error in compare_step(reference, weights).items():
                check(error <= 1, f"{name}: gradient of {n} differs {error} times as much as it may")


def check_exports(work):
    """Export and import: the same bytes; adapters, merged or not: the same logits."""
    rng = random.Random(7)
    lines = random_lines(rng, 40)
    data = work / "lines.txt"
    data.write_text("".join(line + "\n" for line in lines))
    for kind in CAUSAL:
        folder = work / f"export-{kind}"
        hf.write_checkpoint(folder, kind, 11)
        base = [f"--pretrained={folder}", "--task=lm", f"--train={data}", "--devices=2",
                "--clusters=1", "--microBatches=2", "--microBatchSize=4", "--lora=3",
                "--learningRate=0.05", "--warmup=0", "--sequenceLength=48"]
        adapter, merged = work / f"{kind}-adapter", work / f"{kind}-merged"
        run(work, f"adapter-{kind}", *base, f"--export={adapter}")
        run(work, f"merged-{kind}", *base, f"--export={merged}", "--merge")
        some = lines[:4]
        said = [judge(path, some) for path in (folder, adapter, merged)]
        for i in range(len(some)):
            logits = [torch.tensor(one[i]["logits"]) for one in said]
            check(distance(logits[1], logits[2]) < 1e-5, f"{kind}: merged adapters differ")
            check(distance(logits[0], logits[1]) > 1e-5, f"{kind}: the adapter does something")
        tensors = hf.read_safetensors(adapter / "adapter_model.safetensors")
        config = json.loads((adapter / "adapter_config.json").read_text())
        for name, tensor in tensors.items():
            part = name[len("base_model.model."):]
            module, side = part.rsplit(".lora_", 1)
            check(name.startswith("base_model.model.") and side in ("A.weight", "B.weight") and
                  module.rsplit(".", 1)[1] in config["target_modules"] and
                  tensor.shape[0 if side[0] == "A" else 1] == config["r"],
                  f"{kind}: {name} is as PEFT has it")
        # What nothing has learnt comes out as it went in.
        same = work / f"{kind}-same"
        run(work, f"same-{kind}", *base, f"--export={same}", "--merge", "--loraTargets=" +
            {"gpt2": "c_attn", "opt": "k_proj"}.get(kind, "k_proj"), "--learningRate=1e-30")
        before = hf.read_safetensors(folder / "model.safetensors")
        after = hf.read_safetensors(same / "model.safetensors")
        check(set(before) == set(after) and all(torch.equal(before[n], after[n]) for n in before),
              f"{kind}: export after import is the identity")


def check_new_pooler(work):
    """A classifier's maps that the folder lacks are named, trained, and saved with adapters."""
    rng = random.Random(19)
    lines = random_lines(rng, 24)
    data = work / "pooler.tsv"
    data.write_text("sentence\tlabel\n" + "".join(f"{line}\t{i % 2}\n"
                                                  for i, line in enumerate(lines)))
    for classes, new in ((0, ["classifier", "bert.pooler.dense"]), (2, [])):
        folder, adapter = work / f"pooler-{classes}", work / f"pooler-{classes}-adapter"
        hf.write_checkpoint(folder, "bert", 23, classes)
        options = ["--task=classification", f"--train={data}", "--devices=2", "--clusters=1",
                   "--microBatches=2", "--microBatchSize=4", "--sequenceLength=48", "--score=none"]
        status, said, err, _ = finish(start(
            *RUN, f"--outputDir={work}/pooler-run-{classes}", f"--pretrained={folder}", "--lora=2",
            f"--export={adapter}", *options), 200)
        check(status == 0, f"a classifier of {folder.name}: status {status}: {err}")
        if status != 0:
            continue
        warned = [line for line in (said + err).splitlines() if "random values" in line]
        check(len(warned) == (1 if new else 0) and all(name in warned[0] for name in new),
              f"{folder.name}: new maps are named once: {warned}")
        config = json.loads((adapter / "adapter_config.json").read_text())
        tensors = hf.read_safetensors(adapter / "adapter_model.safetensors")
        pooler = "base_model.model.bert.pooler.dense.weight"
        check(set(config["modules_to_save"]) == {"classifier", *(["pooler.dense"] if new else [])},
              f"{folder.name}: {config['modules_to_save']} are saved with the adapters")
        check((pooler in tensors) == bool(new), f"{folder.name}: the pooler is saved if it is new")
        check(all(classes == 0 or "modules_to_save" not in name for name in tensors),
              f"{folder.name}: names as PEFT has them")
        # What was saved is all that it takes: read back, nothing is new, and it comes out the same
        again = work / f"pooler-{classes}-again"
        status, said, err, _ = finish(start(
            *RUN, f"--outputDir={work}/pooler-again-{classes}", f"--pretrained={adapter}",
            "--learningRate=1e-30", "--warmup=0", f"--export={again}", *options), 200)
        if check(status == 0, f"the adapter of {folder.name}: status {status}: {err}"):
            check("random values" not in said + err, f"the adapter of {folder.name} lacks nothing")
            same = hf.read_safetensors(again / "adapter_model.safetensors")
            check(set(same) == set(tensors) and all(torch.equal(same[n], tensors[n]) for n in same),
                  f"{folder.name}: an adapter that learns nothing is the same again")


def check_refusals(work):
    """Damaged folders: one sentence, status 2, nothing written."""
    good = work / "good"
    hf.write_checkpoint(good, "llama", 1)
    config = json.loads((good / "config.json").read_text())
    tensors = hf.read_safetensors(good / "model.safetensors")
    raw = (good / "model.safetensors").read_bytes()
    name = "model.layers.0.mlp.up_proj.weight"
    nan = dict(tensors)
    nan[name] = tensors[name].clone()
    nan[name][0, 0] = float("nan")

    def damage(path, **how):
        shutil.copytree(good, path)
        for file, content in how.items():
            target = path / {"config": "config.json", "weights": "model.safetensors",
                             "tokenizer": "tokenizer.json",
                             "settings": "tokenizer_config.json",
                             "index": "model.safetensors.index.json"}[file]
            if content is None:
                target.unlink()
            elif isinstance(content, dict):
                hf.write_safetensors(target, content)
            elif isinstance(content, bytes):
                target.write_bytes(content)
            else:
                target.write_text(content)
        return path

    big = json.loads((good / "tokenizer.json").read_text())
    big["model"]["vocab"]["far"] = 5000
    cases = {
        "truncated": ({"weights": raw[:-10]}, "model.safetensors"),
        "short head": ({"weights": raw[:5]}, "model.safetensors"),
        "missing tensor": ({"weights": {n: t for n, t in tensors.items() if n != name}}, name),
        "other shape": ({"config": json.dumps({**config, "intermediate_size": 99})}, "shape"),
        "other type": ({"config": json.dumps({**config, "model_type": "mamba"})}, "mamba"),
        "no list": ({"config": json.dumps({**config, "architectures": "x"})}, "architectures"),
        "null": ({"config": json.dumps({**config, "rms_norm_eps": None})}, "rms_norm_eps"),
        "deep": ({"config": '{"model_type": ' + "[" * 200000 + "]" * 200000 + "}"}, "config.json"),
        "no config": ({"config": None}, "config.json"),
        "no JSON": ({"config": "{"}, "config.json"),
        "no weights": ({"weights": None}, "model.safetensors"),
        "NaN": ({"weights": nan}, "finite"),
        "far token": ({"tokenizer": json.dumps(big)}, "5000"),
        "no side": ({"settings": json.dumps({"padding_side": "top"})}, "padding_side"),
        "no token": ({"settings": json.dumps({"eos_token": 3})}, "eos_token"),
        "no tokenizer": ({"tokenizer": None}, "tokenizer"),
        "no shard": ({"weights": None, "index": json.dumps(
            {"weight_map": {name: "model-00001-of-00001.safetensors"}})}, "missing"),
        "shard outside": ({"weights": None, "index": json.dumps(
            {"weight_map": {name: "../good/model.safetensors"}})}, "folder"),
    }
    for what, (how, word) in cases.items():
        path = damage(work / ("bad " + what), **how)
        out = work / "refused"
        status, said, err, seconds = finish(
            start(*RUN, f"--pretrained={path}", "--task=lm", "--lora=2", "--devices=1",
                  f"--outputDir={out}"), 60)
        check(status == 2 and word in err and len(err.strip().splitlines()) == 1,
              f"{what}: status {status}: {err}")
        check(not out.exists() and not said, f"{what}: nothing is written")
    for options, word in ((["--lora=2", "--task=translation"], "translate"),
                          (["--lora=2", "--task=lm", "--sequenceLength=65"], "64"),
                          (["--task=lm", "--model=tiny"], "--model"),
                          (["--task=lm", "--config=gpt2"], "--config"),
                          (["--task=lm", "--lora=2", f"--export={good}"], "--export"),
                          (["--task=lm", "--merge", f"--export={work}/x"], "--lora"),
                          (["--task=lm", "--lora=2", f"--export={work}"], "not exported")):
        status, _, err, _ = finish(start(*RUN, f"--pretrained={good}", f"--outputDir={work}/refused",
                                         *options), 60)
        check(status == 2 and word in err, f"{options}: status {status}: {err}")


def check_stories(work, stories):
    """A real pretrained model: tokens, losses, logits, greedy texts; whole and in segments."""
    reference = [json.loads(line) for line in (stories / "reference.jsonl").read_text().splitlines()]
    texts = [entry for entry in reference if "text" in entry]
    said = {one["text"]: got for one, got in
            zip(texts, judge(stories, [entry["text"] for entry in texts]))}
    for entry in texts:
        got = said[entry["text"]]
        check(got["tokens"] == entry["tokens"], f"tokens of {entry['text']!r}")
        check(near(got["nats_per_token"], entry["nats_per_token"], 1e-3),
              f"loss of {entry['text']!r}: {got['nats_per_token']}")
    for entry in reference:
        if "greedy_text" in entry:
            text = apply_model(stories, [entry["prompt"]], f"--tokens={len(entry['greedy_tokens'])}")
            check(text.rstrip("\n") == entry["greedy_text"], f"greedy text: {text!r}")
        if "last_logits_of" in entry:
            logits = said[entry["last_logits_of"]]["logits"]
            top = sorted(range(len(logits)), key=lambda i: -logits[i])[:5]
            check(top == [token for token, _ in entry["top5"]], f"largest logits: {top}")
            for token, value in entry["top5"]:
                check(abs(logits[token] - value) < 1e-3, f"logit of {token}: {logits[token]}")
    # Over the network: the loss before anything is learnt, of the texts in every cut.
    train, validation = work / "stories.txt", work / "stories-val.txt"
    model = hf.Reference(stories)
    with torch.no_grad():
        for entry in texts:
            check(near(model.loss([entry["tokens"]]).item(), entry["nats_per_token"], 1e-3),
                  f"the independent program's loss of {entry['text']!r}")
    more = "The dog and the bird played in the garden."
    documents = [entry["tokens"] for entry in texts] + [judge(stories, [more])[0]["tokens"]]
    train.write_text("".join(entry["text"] + "\n" for entry in texts) + more + "\n")
    validation.write_text("The sun was warm.\n")
    for edge in range(3):
        for devices in range(1, 6 - edge):
            result = run(work, f"stories-{devices}-{edge}", f"--pretrained={stories}", "--task=lm",
                         f"--train={train}", f"--validation={validation}", "--lora=2",
                         f"--devices={devices}", f"--edgeBlocks={edge}", "--clusters=1",
                         "--microBatches=1", f"--microBatchSize={len(texts)}", "--dropout=0",
                         "--score=none", "--pack=false")
            if result:
                loss = float(result[0][0]["train_loss"])
                with torch.no_grad():
                    batch, _ = find_batch(documents, loss, model.loss)
                check(batch, f"{devices} segments, {edge} edge blocks: loss {loss}")


def main():
    apply.build = pathlib.Path(sys.argv[1]).absolute()
    source = pathlib.Path(sys.argv[2]).absolute()
    if not use_program(apply.build, "collapipe-quickstart"):
        return 1
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        check_logits(work)
        check_padding(work)
        check_gradients(work)
        check_masked_steps(work)
        check_new_pooler(work)
        check_exports(work)
        check_refusals(work)
        stories = source.parent / "shared" / "data" / "stories260K"
        if stories.is_dir():
            check_stories(work, stories)
        else:
            print(f"skipped: {stories} is not there, a pretrained model with reference numbers")
    return report()


if __name__ == "__main__":
    sys.exit(main())
