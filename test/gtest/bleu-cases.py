#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Works out reference cases for BLEU from its published definition, and writes them as
# collapipe-bleu-cases.h, beside this file:
#
#     python3 bleu-cases.py
#
# Tokenisation: NIST, mteval-v13a.pl, function tokenization, with the rules of international text
# left out, as SacreBLEU's "13a" (Post 2018, "A Call for Clarity in Reporting BLEU Scores") has it.
# Score: Papineni et al. 2002, "BLEU", sections 2.1 to 2.3, one reference; an order without a match
# gets the smoothing of Chen and Cherry 2014, technique 3 (NIST's): 1/2, 1/4, ... of a match.

import collections
import fractions
import math
import pathlib
import random
import re

ORDER = 4
ENTITIES = [("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">")]
RULES = [
    (r"([\{-\~\[-\` -\&\(-\+\:-\@\/])", r" \1 "),
    (r"([^0-9])([\.,])", r"\1 \2 "),
    (r"([\.,])([^0-9])", r" \1 \2"),
    (r"([0-9])(-)", r"\1 \2 "),
]

# Name, hypotheses, references
CASES = [
    ("identical", ["the cat sat on the mat"], ["the cat sat on the mat"]),
    ("one word differs", ["the cat sat on a mat"], ["the cat sat on the mat"]),
    ("papineni's clipping", ["the the the the the the the"], ["the cat is on the mat"]),
    ("nothing matches", ["a b c d"], ["w x y z"]),
    ("empty hypothesis", [""], ["the cat sat on the mat"]),
    ("empty hypothesis among others", ["", "the cat sat on the mat"],
     ["a dog ran away", "the cat sat on the mat"]),
    ("empty reference", ["the cat"], [""]),
    ("both empty", [""], [""]),
    ("too short", ["the cat sat on"], ["the cat sat on the mat in the hall"]),
    ("longer than the reference", ["the cat sat on the mat in the big hall today"],
     ["the cat sat on the mat"]),
    ("fewer than four words", ["good morning"], ["good morning"]),
    ("three words and a stop", ["Ja , gut ."], ["Ja, gut."]),
    ("no bigram matches", ["mat the on sat cat the"], ["the cat sat on the mat"]),
    ("no trigram matches", ["the cat on sat the mat"], ["the cat sat on the mat"]),
    ("case counts", ["The Cat Sat On The Mat"], ["the cat sat on the mat"]),
    ("comma and stop", ["Yes, we can."], ["Yes , we can ."]),
    ("decimal numbers stay", ["it costs 3.14 or 1,000.50 euros"],
     ["it costs 3.14 or 1,000.50 euros"]),
    ("number before a stop", ["there were 100."], ["there were 100 ."]),
    ("number after a stop", ["about .5 or ,7 of it"], ["about . 5 or , 7 of it"]),
    ("comma without a space", ["one,two,3,4,five"], ["one , two , 3,4 , five"]),
    ("dots in a row", ["wait... what?!"], ["wait . . . what ? !"]),
    ("abbreviation", ["the U.S. army of 1.5 men"], ["the U . S . army of 1.5 men"]),
    ("hyphen between letters stays", ["a well-known man"], ["a well known man"]),
    ("hyphen after a digit", ["a 12-year-old boy in 1990-95"],
     ["a 12 - year-old boy in 1990 - 95"]),
    ("apostrophe stays", ["it's John's don't"], ["it 's John 's do n't"]),
    ("quotes and brackets", ['he said "no" (twice) [sic] {x}'],
     ['he said " no " ( twice ) [ sic ] { x }']),
    ("entities", ["&quot;A &amp; B&quot; &lt;tag&gt; &apos;"], ['" A & B " < tag > & apos ;']),
    ("entity of an entity", ["&amp;lt; and &amp;quot;"], ["< and & quot ;"]),
    ("symbols", ["100% of $5 & #1 @ 3*4=12 + a/b ~ c^d `e` _f_ |g| \\h"],
     ["100 % of $ 5 & # 1 @ 3 * 4 = 12 + a / b ~ c ^ d ` e ` _ f _ | g | \\ h"]),
    ("colons", ["at 10:30; see http://x.de/y?z=1"],
     ["at 10 : 30 ; see http : / / x . de / y ? z = 1"]),
    ("umlauts", ["Ein älterer Mann überquert die Straße."],
     ["Ein älterer Mann überquert eine Straße."]),
    ("stop after an umlaut", ["das Café. und so weiter"], ["das Café . und so weiter"]),
    ("typographic quotes stay", ["„Guten Tag“, sagte er – leise …"],
     ["„Guten Tag“ , sagte er – leise …"]),
    ("Cyrillic", ["Привет, мир. Как дела?"], ["Привет , мир . Как дела ?"]),
    ("Chinese is one word", ["我喜欢猫。我喜欢狗"], ["我喜欢猫。我喜欢狗"]),
    ("no-break and ideographic spaces", ["a\u00a0b\u3000c d e"], ["a b c d e"]),
    ("runs of spaces and tabs", ["  a \t b   c  d\te "], ["a b c d e"]),
    ("line break", ["a hyphen-\nated word\nhere it is"], ["a hyphenated word here it is"]),
    ("skipped", ["a <skipped>b c d e"], ["a b c d e"]),
    ("only punctuation", [", . - ' !"], [", . - ' !"]),
    ("repeated n-grams are clipped", ["a b a b a b a b a b"], ["a b a b c d e f g h"]),
    ("several sentences", ["A man in a hat.", "Two dogs run in the snow .", "A girl , smiling"],
     ["A man in an orange hat.", "Two dogs are running in the snow.", "A smiling girl."]),
    ("a corpus is no mean of sentences", ["a b c d e f g h i j", "k"],
     ["a b c d e f g h i j", "k l m n o"]),
]


def tokenize(text):
    text = text.replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, character in ENTITIES:
        text = text.replace(entity, character)
    text = f" {text} "
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    return text.split()


def ngrams(tokens, order):
    return collections.Counter(tuple(tokens[i:i + order]) for i in range(len(tokens) - order + 1))


def bleu(hypotheses, references):
    matches, totals = [0] * ORDER, [0] * ORDER
    length = wanted = 0
    for hypothesis, reference in zip(map(tokenize, hypotheses), map(tokenize, references)):
        length += len(hypothesis)
        wanted += len(reference)
        for n in range(ORDER):
            found = ngrams(hypothesis, n + 1)
            matches[n] += sum((found & ngrams(reference, n + 1)).values())
            totals[n] += sum(found.values())
    if not any(matches) or not all(totals):
        return 0.0
    product = fractions.Fraction(1)
    part = fractions.Fraction(1)
    for match, total in zip(matches, totals):
        part = part / 2 if match == 0 else part
        product *= (part if match == 0 else fractions.Fraction(match)) / total
    brevity = 1 if length >= wanted else math.exp(1 - wanted / length)
    return 100 * brevity * float(product) ** (1 / ORDER)


def make_random(rng):
    """A corpus of random sentences and damaged copies of them."""
    words = ["the", "a", "man", "dog", "3.5", "1,000", "12-year-old", "U.S.", "it's", "(so)", "Tür,",
             "&quot;yes&quot;", "ends.", "naïve", "x/y", "100%"]
    references, hypotheses = [], []
    for _ in range(rng.randint(1, 6)):
        reference = [rng.choice(words) for _ in range(rng.randint(1, 14))]
        hypothesis = [word if rng.random() < 0.85 else rng.choice(words) for word in reference]
        references.append(" ".join(reference))
        hypotheses.append(" ".join(hypothesis[:rng.randint(0, len(hypothesis) + 3)]))
    return hypotheses, references


def quote(text):
    """A C++ string literal of UTF-8 bytes; one that ends in an escape is closed at once."""
    out = ""
    for byte in text.encode("utf-8"):
        char = chr(byte)
        if char in '"\\':
            out += "\\" + char
        elif 32 <= byte < 127:
            out += "\\?" if char == "?" else char
        else:
            out += f"\\{byte:03o}"
    return f'"{out}"'


def quote_list(texts):
    return "{" + ", ".join(map(quote, texts)) + "}"


def main():
    rng = random.Random(20190715)
    cases = list(CASES)
    for i in range(12):
        cases.append((f"random {i + 1}", *make_random(rng)))
    lines = [
        "/*", " * SPDX-License-Identifier: GPL-2.0-only", " */", "",
        "// Made by bleu-cases.py, which works the scores out from the definition. Do not edit.", "",
        "// clang-format off", "const std::vector<BleuCase> BLEU_CASES{",
    ]
    for name, hypotheses, references in cases:
        tokens = [tokenize(text) for text in hypotheses]
        lines += [f"    {{{quote(name)},", f"     {quote_list(hypotheses)},",
                  f"     {quote_list(references)},",
                  "     {" + ", ".join(map(quote_list, tokens)) + "},",
                  f"     {bleu(hypotheses, references)!r}}},"]
    lines += ["};", "// clang-format on", ""]
    path = pathlib.Path(__file__).resolve().parent / "collapipe-bleu-cases.h"
    path.write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
