# SPDX-License-Identifier: GPL-2.0-only
"""Makes report.html from the folder of a run or of a campaign. Started by `./collapipe report`."""

import argparse
import os
import pathlib
import sys

import campaign
import campaign_report
import results
import run_report


def write(path, text):
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.rename(path)


def report_campaign(folder):
    description = campaign_report.read_description(folder)
    for name, text in campaign_report.make(folder, description).items():
        write(folder / name, text)


def report_run(folder, number):
    write(folder / "report.html", run_report.make(results.RunResult(folder), folder, number))


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="./collapipe report",
        description="Makes report.html, which opens offline, and figures/ with every figure as SVG "
                    "and PDF, from the folder of a run or of a campaign.")
    parser.add_argument("folder", nargs="?", type=pathlib.Path,
                        default=pathlib.Path("collapipe-output"),
                        help="what --outputDir or --dir named; default: %(default)s")
    parser.add_argument("--round", type=int,
                        help="the last round whose pipeline is drawn, of a run; default: the run's last")
    return parser.parse_args()


def main():
    options = parse_arguments()
    folder = options.folder
    if not folder.is_dir():
        raise results.ResultError(f"there is no folder {folder}; ./collapipe run makes one")
    if (folder / "campaign.toml").exists():
        if options.round is not None:
            raise results.ResultError("--round is for the folder of a run, and this is a campaign's")
        report_campaign(folder)
    else:
        report_run(folder, options.round)
    print(folder / "report.html")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (results.ResultError, campaign.DescriptionError) as error:
        print(f"collapipe: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"collapipe: cannot use {error.filename}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
