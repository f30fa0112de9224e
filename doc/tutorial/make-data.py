# SPDX-License-Identifier: GPL-2.0-only
"""Writes train.tsv and dev.tsv: sentences about meals, 1 for those who liked it, 0 for the others."""

import random

LIKED = ["fresh", "tender", "generous", "warm", "excellent", "lovely"]
DISLIKED = ["stale", "tough", "tiny", "cold", "awful", "bland"]
PLACES = ["the station", "the harbour", "our street", "the market", "the old mill"]
MEALS = ["soup", "bread", "fish", "dumplings", "curry", "salad"]

draw = random.Random(7)
rows = set()
while len(rows) < 900:
    label = draw.randrange(2)
    word = draw.choice(LIKED if label else DISLIKED)
    rows.add(f"the {draw.choice(MEALS)} at {draw.choice(PLACES)} was {word} and "
             f"{draw.choice(['soon', 'late', 'at last'])} {draw.choice(['there', 'on the table', 'gone'])}"
             f"\t{label}")
rows = sorted(rows)
draw.shuffle(rows)
for name, part in (("train.tsv", rows[:800]), ("dev.tsv", rows[800:])):
    with open(name, "w", encoding="utf-8") as file:
        file.write("sentence\tlabel\n" + "\n".join(part) + "\n")
print(f"{len(rows[:800])} sentences to learn from, {len(rows[800:])} to be tested by")
