# SPDX-License-Identifier: GPL-2.0-only
"""Runs some of a campaign's runs again and compares what they leave, byte for byte. Started by
`./collapipe evaluate verify FOLDER`."""

import argparse
import pathlib
import random
import subprocess
import tempfile

import results

JOB = pathlib.Path(__file__).resolve().parent / "job.sh"


def parse_arguments(arguments):
    parser = argparse.ArgumentParser(
        prog="./collapipe evaluate verify",
        description="Runs some of a campaign's runs again, chosen at random, and compares their "
                    "tables (*.csv) byte for byte.")
    parser.add_argument("folder", type=pathlib.Path, help="a campaign's results")
    parser.add_argument("--runs", type=int, default=3, help="how many (%(default)s)")
    parser.add_argument("--seed", type=int, default=None,
                        help="of the choice; without it, another one every time")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error("--runs: this must be at least 1")
    return options


def read_jobs(folder):
    """Names and commands of the runs that are finished."""
    path = folder / "jobs.tsv"
    if not path.is_file():
        raise results.ResultError(f"{folder} holds no campaign: there is no jobs.tsv in it")
    lines = path.read_text(encoding="utf-8").splitlines()
    jobs = [tuple(line.split("\t", 1)) for line in lines if "\t" in line]
    jobs = [(name, command) for name, command in jobs if results.is_finished(folder, name)]
    if not jobs:
        raise results.ResultError(f"no run of {folder} is finished; there is nothing to verify")
    return jobs


def compare(old, new):
    """Names of the tables that differ, or that one of both runs lacks."""
    names = sorted({path.name for folder in (old, new) for path in folder.glob("*.csv")})
    return [name for name in names
            if not ((old / name).exists() and (new / name).exists() and
                    (old / name).read_bytes() == (new / name).read_bytes())]


def verify(arguments):
    """The exit status."""
    options = parse_arguments(arguments)
    folder = options.folder.absolute()
    jobs = read_jobs(folder)
    chosen = random.Random(options.seed).sample(jobs, min(options.runs, len(jobs)))
    differ = 0
    with tempfile.TemporaryDirectory(prefix="collapipe-verify-") as temporary:
        again = pathlib.Path(temporary)
        for name, command in chosen:
            # So that the same run can be had by hand
            print(f"{name}: {command}", flush=True)
            status = subprocess.run([JOB, again, name, command], stdin=subprocess.DEVNULL,
                                    check=False).returncode
            log = again / "logs" / f"{name}.txt"
            if status:
                tail = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
                print(f"  failed with status {status}: {' '.join(tail)}")
                differ += 1
                continue
            wrong = compare(folder / "runs" / name, again / "runs" / name)
            print(f"  {'other bytes in ' + ', '.join(wrong) if wrong else 'the same bytes'}",
                  flush=True)
            differ += bool(wrong)
    print(f"{len(chosen)} of {len(jobs)} runs made again, {differ} of them differ")
    return 1 if differ else 0
