# SPDX-License-Identifier: GPL-2.0-only
"""Runs a campaign: expands its description into commands, hands them to GNU parallel, collects and
reports. Started by `./collapipe evaluate`, which builds the program first."""

import argparse
import contextlib
import csv
import errno
import fcntl
import hashlib
import os
import pathlib
import shlex
import subprocess
import sys

import campaign
import report
import results
import verify

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
CAMPAIGNS = CHECKOUT / "examples" / "campaigns"
SLURM = """#!/bin/sh
# Runs the campaign as a job array: sbatch {script}
# Afterwards, to collect and report: ./collapipe report {folder}
#SBATCH --job-name=collapipe
#SBATCH --array=1-{count}
#SBATCH --cpus-per-task=1
#SBATCH --mem-per-cpu=2G
#SBATCH --output=/dev/null
line=$(sed -n "${{SLURM_ARRAY_TASK_ID}}p" {jobs})
exec {job} {folder} "${{line%%\t*}}" "${{line#*\t}}"
"""


def say(sentence):
    print(f"collapipe: {sentence}", file=sys.stderr, flush=True)


def write(path, text):
    """Writes a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.rename(path)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog="./collapipe evaluate",
        description="Runs a campaign of many runs, side by side, and makes its report. Started "
                    "again, it goes on where it was stopped. \"./collapipe evaluate verify FOLDER\" "
                    "runs some of its runs again and compares their bytes.",
        epilog="What stands after -- goes to GNU parallel, for example: -- --sshlogin 8/host1,:")
    parser.add_argument("campaign", nargs="?",
                        help="a description (.toml), or the name of one in examples/campaigns; "
                             "without it they are listed")
    parser.add_argument("--dir", type=pathlib.Path,
                        help="folder of the results; default: collapipe-campaigns/NAME")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(),
                        help="runs at a time; default: as the machine has cores (%(default)s)")
    parser.add_argument("--list", action="store_true", help="print the commands and run nothing")
    parser.add_argument("--slurm", action="store_true",
                        help="write a job array for Slurm and run nothing")
    parser.add_argument("--no-report", action="store_true", help="only run")
    arguments = sys.argv[1:]
    split = arguments.index("--") if "--" in arguments else len(arguments)
    options = parser.parse_args(arguments[:split])
    if options.jobs is not None and options.jobs < 1:
        parser.error("--jobs: this must be at least 1")
    return options, arguments[split + 1:]


def list_campaigns():
    for path in sorted(CAMPAIGNS.glob("*.toml")):
        description = campaign.read(path)
        print(f"{path.stem:14s} {len(description.runs()):4d} runs  {description.title}")


def get_command(run):
    return shlex.join(["./collapipe", "run", *run.arguments])


def write_jobs(folder, runs):
    """jobs.tsv, a line for every run: its name and its command. A changed list voids the log."""
    jobs = "".join(f"{name}\t{get_command(run)}\n" for name, run in runs.items())
    path = folder / "jobs.tsv"
    if not path.exists() or path.read_text(encoding="utf-8") != jobs:
        (folder / "joblog").unlink(missing_ok=True)  # what is finished is known by its results
        write(path, jobs)
    return path


def prune_joblog(folder, names):
    """Takes out of GNU parallel's log what has no results: removed by hand, or failed."""
    path = folder / "joblog"
    if not path.exists():
        return
    with open(path, encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    kept = [row for row in rows[1:] if len(row) > 8 and row[0].isdigit() and
            1 <= int(row[0]) <= len(names) and results.is_finished(folder, names[int(row[0]) - 1])]
    write(path, "".join("\t".join(row) + "\n" for row in rows[:1] + kept))


def lock(folder):
    """Takes the campaign's folder for this process, for as long as the file that it returns is open;
    the jobs that it starts do not have it. None where another process has it."""
    file = open(folder / ".lock", "a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    except OSError as error:  # a file system without locks
        if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise
    return file


def copy_description(path, folder):
    """The description, and those that it includes: the folder says itself what it holds."""
    if path.resolve().parent == folder.resolve():
        return
    for included in campaign.list_files(path):
        target = "campaign.toml" if included == path else included.name
        write(folder / target, included.read_text(encoding="utf-8"))


def check_program(folder):
    """Says so where results of another build of the program are there already."""
    digest = hashlib.sha256()
    build = pathlib.Path(os.environ.get("COLLAPIPE_BUILD", CHECKOUT / "build"))
    for name in ("collapipe-quickstart", "libcollapipe.so"):
        if (build / name).exists():
            digest.update((build / name).read_bytes())
    path = folder / "program.sha256"
    if path.exists() and path.read_text(encoding="utf-8").strip() != digest.hexdigest():
        say("the program was rebuilt since this campaign began; runs that were finished are kept, "
            f"and are the old program's (to have all of one, remove {folder})")
    write(path, digest.hexdigest() + "\n")


def run_parallel(folder, jobs, slots, passed_on):
    """Hands the commands to GNU parallel."""
    command = ["parallel", "--will-cite", "--jobs", str(slots), "--colsep", "\t",
               "--joblog", str(folder / "joblog"), "--resume-failed", "--workdir", os.getcwd(),
               "--arg-file", str(jobs)]
    command += ["--bar"] if sys.stderr.isatty() else []
    command += passed_on
    job = pathlib.Path(__file__).resolve().parent / "job.sh"
    command += [f"{shlex.quote(str(job))} {shlex.quote(str(folder))} {{1}} {{2}}"]
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode


def clear_unfinished(unfinished):
    """Where every job is done, nobody needs their locks any more."""
    for path in unfinished.glob("*.lock"):
        path.unlink()
    with contextlib.suppress(OSError):  # not there, or something of others is
        unfinished.rmdir()


def write_slurm(folder, jobs, count):
    script = folder / "slurm.sh"
    job = pathlib.Path(__file__).resolve().parent / "job.sh"
    write(script, SLURM.format(script=script, folder=shlex.quote(str(folder)), count=count,
                               jobs=shlex.quote(str(jobs)), job=shlex.quote(str(job))))
    print(f"sbatch {script}")


def main():
    if sys.argv[1:2] == ["verify"]:
        return verify.verify(sys.argv[2:])
    options, passed_on = parse_arguments()
    if options.campaign is None:
        list_campaigns()
        return 0
    path = campaign.find(options.campaign, CAMPAIGNS)
    description = campaign.read(path)
    runs = description.runs()
    if options.list:
        print("\n".join(get_command(run) for run in runs.values()))
        return 0
    folder = (options.dir or pathlib.Path("collapipe-campaigns") / path.stem).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    own = lock(folder)
    if own is None:
        say(f"another ./collapipe evaluate works in {folder}; wait for its end, or name another "
            "folder by --dir")
        return 2
    with own:
        return evaluate(options, passed_on, path, runs, folder)


def evaluate(options, passed_on, path, runs, folder):
    """Runs a campaign into a folder that is this process's; the exit status."""
    copy_description(path, folder)
    jobs = write_jobs(folder, runs)
    if options.slurm:
        write_slurm(folder, jobs, len(runs))
        return 0
    prune_joblog(folder, list(runs))
    check_program(folder)
    done = sum(results.is_finished(folder, name) for name in runs)
    say(f"{len(runs)} runs, {done} of them finished before; {options.jobs} at a time")
    run_parallel(folder, jobs, options.jobs, passed_on)
    missing = [name for name in runs if not results.is_finished(folder, name)]
    if not missing:
        clear_unfinished(folder / "unfinished")
    for name in missing[:5]:
        say(f"{name} failed or was not run; what it said is in {folder}/logs/{name}.txt")
    if len(missing) > 5:
        say(f"so did {len(missing) - 5} more")
    if len(missing) < len(runs) and not options.no_report:
        report.report_campaign(folder)
        print(folder / "report.html")
    return 1 if missing else 0


if __name__ == "__main__":
    try:
        status = main()
        sys.stdout.flush()
        sys.exit(status)
    except (campaign.DescriptionError, results.ResultError) as error:
        say(error)
        sys.exit(2)
    except BrokenPipeError:  # whoever reads, as head does, has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        say(f"cannot use {error.filename}: {error.strerror}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
