#! /usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Read by ns-3's test.py: the examples it runs, as (command, when to run, when to run under valgrind).

cpp_examples = []

python_examples = []
