# SPDX-License-Identifier: GPL-2.0-only
"""Tokenizers in the form of tokenizer.json, of all steps that models use, against Hugging Face's library.

Their vocabularies are learnt here, from random texts. (The library's version keeps added tokens that are
pieces, too, together with what is beside them; later ones cut there. So no piece is one of them here.)
"""

import json
import random
import re

from bert_reference import CHINESE

ADDED = [("<s>", {"special": True}), ("<mask>", {"special": True, "lstrip": True}),
         ("ab c", {"single_word": True}), ("hello", {"rstrip": True, "normalized": True}),
         ("\u4e0d", {})]
SPOKEN = ["<s> <mask>a", " <mask> ", "ab c", "ab cd", "hello  world", "Hello", "\u4e0d", "[SEP]"]
LLAMA = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
         r"|\s*[\r\n]+|\s+(?!\S)|\s+")
CASED = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t)?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_characters():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(byte) if byte in kept else chr(next(others)) for byte in range(256)]


def learn(words, merges, pieces):
    """Byte-pair encoding (Sennrich et al. 2016): the most frequent pair, again and again."""
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    words, learnt = [list(word) for word in words], []
    while len(learnt) < merges:
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        best = max(counts, key=lambda pair: (counts[pair], pair))
        learnt.append(list(best))
        vocabulary.setdefault("".join(best), len(vocabulary))
        for word in words:
            i = 0
            while i + 1 < len(word):
                if (word[i], word[i + 1]) == best:
                    word[i:i + 2] = ["".join(best)]
                i += 1
    return vocabulary, learnt


def level(prefix=False, regex=True):
    return {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert},
        level(regex=False)]}


def steps(kind, *parts):
    return {"type": "Sequence", kind: list(parts)}


def make_cases(texts):
    """Name, and what the file has but for its added tokens."""
    kept = [text for text in texts if not any(name in text for name, _ in ADDED)]
    words = [word for text in kept for word in re.findall(r" ?\S+|\s+", text)]
    table = byte_characters()
    byte_words = ["".join(table[byte] for byte in word.encode()) for word in words]
    letters = sorted(set("".join(words).replace(" ", "\u2581")))[:150]
    marked = [word for word in (word.replace(" ", "\u2581") for word in words)
              if set(word) <= set(letters)]
    byte_pieces = [f"<0x{byte:02X}>" for byte in range(256)]

    def model(words, pieces, **fields):
        vocabulary, merges = learn(words, 200, pieces)
        return {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False,
                "vocab": vocabulary, "merges": [" ".join(pair) for pair in merges], **fields}

    levels = model(byte_words, table)
    plain = model(marked, ["<unk>", *letters], unk_token="<unk>")
    fallback = model(marked, ["<unk>", *byte_pieces, *letters], unk_token="<unk>", fuse_unk=True,
                     byte_fallback=True)
    pieces = {piece: i for i, piece in enumerate(
        ["[UNK]", *sorted({part for letter in "".join(kept).lower() for part in (letter, "##" + letter)}),
         "hel", "##lo", "wor", "##ld", chr(CHINESE[0][0])])}
    word_piece = {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 20, "vocab": pieces}
    back = steps("decoders", {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                 {"type": "ByteFallback"}, {"type": "Fuse"},
                 {"type": "Strip", "content": " ", "start": 1, "stop": 0})
    before = steps("normalizers", {"type": "Prepend", "prepend": "\u2581"},
                   {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"})
    mark = {"type": "Metaspace", "replacement": "\u2581"}

    def bytes_with(pre_tokenizer, normalizer=None):
        return {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer, "model": levels,
                "decoder": level()}

    for prefix in (False, True):
        yield f"byte level, prefix {prefix}", bytes_with(level(prefix))
    yield "NFC", bytes_with(level(), {"type": "NFC"})
    yield "NFKC, lower case", bytes_with(level(), steps(
        "normalizers", {"type": "NFKC"}, {"type": "Lowercase"}))
    yield "NFKD, no accents", bytes_with(level(), steps(
        "normalizers", {"type": "NFKD"}, {"type": "StripAccents"},
        {"type": "Strip", "strip_left": True, "strip_right": True}))
    yield "Llama 3's pattern", bytes_with(split(LLAMA))
    yield "Qwen2's pattern", bytes_with(split(LLAMA.replace("{1,3}", "")), {"type": "NFC"})
    yield "a pattern by case", bytes_with(split(CASED))
    yield "what matches is kept", bytes_with(split(LLAMA, "Removed", True))
    yield "merged with what is before", bytes_with(split(r"\s", "MergedWithPrevious"))
    yield "merged with what follows", bytes_with(split("[aeiou]+", "MergedWithNext"))
    yield "contiguous", bytes_with(split(r"\p{L}", "Contiguous"))
    yield "at a text", bytes_with(split("a", kind="String"))
    for each in (False, True):
        yield f"digits, each {each}", bytes_with(steps(
            "pretokenizers", {"type": "Digits", "individual_digits": each}, level(each)))
    yield "punctuation", bytes_with(steps(
        "pretokenizers", {"type": "Punctuation", "behavior": "Isolated"}, level()))
    for fuse in (False, True):
        yield f"byte fallback, fuse {fuse}", {"normalizer": before, "decoder": back,
                                              "model": {**fallback, "fuse_unk": fuse}}
        yield f"unknown, fuse {fuse}", {"normalizer": before, "decoder": back,
                                        "model": {**plain, "fuse_unk": fuse}}
        place = {**mark, "add_prefix_space": fuse}
        yield f"metaspace, prefix {fuse}", {"pre_tokenizer": place, "model": fallback,
                                            "decoder": place}
    for kind in ("Whitespace", "WhitespaceSplit"):
        yield kind, {"pre_tokenizer": {"type": kind}, "model": plain}
    for lower, accents, limit in ((True, None, True), (False, True, False)):
        yield f"WordPiece, lower case {lower}", {
            "normalizer": {"type": "BertNormalizer", "clean_text": True,
                           "handle_chinese_chars": limit, "strip_accents": accents,
                           "lowercase": lower},
            "pre_tokenizer": {"type": "BertPreTokenizer"}, "model": word_piece,
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": limit}}


def test_library(folder, texts, theirs, ours, compare):
    """Encodes and decodes with both; compare() says where they differ."""
    rng = random.Random(4)
    texts = texts + [" ".join(rng.choice(SPOKEN) for _ in range(rng.randint(1, 5)))
                     for _ in range(40)]
    for number, (name, fields) in enumerate(make_cases(texts)):
        size = len(fields["model"]["vocab"])
        added = [("[UNK]", {"special": True})] if "[UNK]" in fields["model"]["vocab"] else []
        tokens = [{"id": fields["model"]["vocab"].get(text, size + i), "content": text,
                   "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
                   "special": False, **how} for i, (text, how) in enumerate(ADDED + added)]
        tokens.sort(key=lambda token: token["id"])
        place = folder / f"steps-{number}"
        place.mkdir()
        (place / "tokenizer.json").write_text(json.dumps(
            {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
             "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
             **fields}))
        results = theirs(texts, place)
        compare(name, texts, [ids for ids, _ in results], ours(place, texts))
        if "decoder" in fields:
            compare(name + ", decoded", texts, [text for _, text in results],
                    ours(place, [ids for ids, _ in results], "--decode"))
