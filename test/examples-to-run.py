#! /usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Read by ns-3's test.py: the examples it runs, as (command, when to run, when to run under valgrind).
# Short runs: test.py tells whether they end well, the module's own tests what comes out. test.py
# evaluates the text of each list by itself, so nothing can be defined outside.

cpp_examples = [
    (
        "collapipe-quickstart --topology=p2p --rounds=1 --clusters=1 --devices=2 "
        "--blocks=2 --microBatches=2 --microBatchSize=2 --localIterations=1 "
        "--task=translation --decoderBlocks=1 --vocabulary=300 --maxPairs=100 --maxValidation=10 "
        "--compare=none --progress=none --outputDir=",
        "os.environ.get('COLLAPIPE_WITH_TORCH') != 'OFF'",
        "False",
    ),
    (
        "collapipe-quickstart --topology=p2p --compute=analytic --rounds=1 --clusters=1 "
        "--devices=2 --blocks=2 --microBatches=2 --microBatchSize=2 --localIterations=1 "
        "--task=translation --decoderBlocks=1 --vocabulary=300 --maxPairs=100 --maxValidation=10 "
        "--compare=none --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-quickstart --topology=wifi --compute=analytic --rounds=1 "
        "--clusters=1 --devices=2 --blocks=2 --microBatches=2 --microBatchSize=2 "
        "--localIterations=1 --task=translation --decoderBlocks=1 --vocabulary=300 --maxPairs=100 "
        "--maxValidation=10 --compare=none --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-quickstart --topology=lte --compute=analytic --rounds=1 --clusters=1 "
        "--devices=2 --blocks=2 --microBatches=2 --microBatchSize=2 --localIterations=1 "
        "--task=translation --decoderBlocks=1 --vocabulary=300 --maxPairs=100 --maxValidation=10 "
        "--compare=none --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-quickstart --topology=hybrid --compute=analytic --schedule=1f1b "
        "--rounds=1 --clusters=1 --devices=2 --blocks=2 --microBatches=2 "
        "--microBatchSize=2 --localIterations=1 --task=translation --decoderBlocks=1 --vocabulary=300 "
        "--maxPairs=100 --maxValidation=10 --compare=none --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-own-controller --compute=analytic --rounds=1 --clusters=1 --devices=2 --blocks=2 "
        "--microBatches=3 --microBatchSize=2 --localIterations=1 --task=translation --decoderBlocks=1 "
        "--vocabulary=300 --maxPairs=100 --maxValidation=10 --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-own-schedule --compute=analytic --rounds=1 --clusters=1 --devices=2 --blocks=2 "
        "--microBatches=3 --microBatchSize=2 --localIterations=1 --task=translation --decoderBlocks=1 "
        "--vocabulary=300 --maxPairs=100 --maxValidation=10 --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-own-topology --compute=analytic --rounds=1 --clusters=1 --devices=2 --blocks=2 "
        "--microBatches=3 --microBatchSize=2 --localIterations=1 --task=translation --decoderBlocks=1 "
        "--vocabulary=300 --maxPairs=100 --maxValidation=10 --progress=none --outputDir=",
        "True",
        "False",
    ),
    (
        "collapipe-own-task --compute=analytic --rounds=1 --localIterations=1 --progress=none "
        "--outputDir=",
        "True",
        "False",
    ),
    ("collapipe-solve --help", "True", "False"),
]

python_examples = []
