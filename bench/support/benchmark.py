# SPDX-License-Identifier: GPL-2.0-only
#
# What the benchmarks in Python have in common: where the programs are, options of their own, their help.

import os
import pathlib
import sys

BUILD = pathlib.Path(os.environ.get("COLLAPIPE_BUILD") or
                     pathlib.Path(__file__).resolve().parent.parent.parent / "build")


def parse(defaults, arguments):
    """
    A benchmark's own options, by name, and all others, which go to the program that it runs. With --help, or
    where an own option has no value, the program ends here.
    """
    chosen, others = dict(defaults), []
    for argument in arguments:
        name, equals, value = argument.removeprefix("--").partition("=")
        if argument == "--help":
            print_help()
            sys.stdout.flush()
            sys.exit(0)
        if not argument.startswith("--") or name not in chosen:
            others.append(argument)
        elif not equals or not value:
            sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: --{name} needs a value: --{name}=...")
        else:
            chosen[name] = value
    return chosen, others


def print_help():
    """Shows the comment at the beginning of the benchmark that runs."""
    lines = pathlib.Path(sys.argv[0]).read_text(encoding="utf-8").splitlines()[3:]
    print("\n".join(line[2:] for line in lines[:lines.index("")]))


def show_progress(done, total, what):
    """Where standard error is looked at."""
    if sys.stderr.isatty():
        print(f"\r{done} of {total} {what}", end="\n" if done == total else "", file=sys.stderr, flush=True)


def run(main):
    """Ends the program with what main() returns; quietly where whoever reads, as head does, has read enough."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 0
    except KeyboardInterrupt:
        status = 130
    sys.exit(status)
