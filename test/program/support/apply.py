# SPDX-License-Identifier: GPL-2.0-only
"""What collapipe-torch-apply says of lines of text."""

import json
import subprocess

from support.runs import check

build = None  # folder of the programs, which the test sets


def ask(folder, lines, *options):
    """Status, what was said, and the error."""
    result = subprocess.run([build / "collapipe-torch-apply", str(folder), *options],
                            input="".join(line + "\n" for line in lines), capture_output=True,
                            encoding="utf-8", timeout=120)
    return result.returncode, result.stdout, result.stderr


def apply_model(folder, lines, *options):
    """What is said, where that must succeed."""
    status, said, error = ask(folder, lines, *options)
    check(status == 0, f"apply {folder.name} {options}: {error}")
    return said


def judge(folder, lines):
    """Tokens and logits of lines, and their loss."""
    return [json.loads(line) for line in apply_model(folder, lines, "--json").splitlines()]
