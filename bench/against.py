#!/usr/bin/env python3
"""Times of this working tree over those of another commit, measured in one run on one machine.

    bench/against.py COMMIT
    bench/against.py COMMIT --filter 'barlow_twins/float/n:256/d:[0-9]+/' --runs 15

Builds both with the same compiler and flags, the other one in a work tree of its own below build/against. Of each case
that both have, the two programs run in turn, now one first and now the other, and the least time of either counts: what
disturbs a machine only adds. Prints a table, and the least and largest ratio. Needs what the benchmarks need.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / "build" / "against"
CASES = (r"^(barlow_twins|vicreg)/(float|double)/n:256/d:2048/"
         r"(relaxed|relaxed/(signs|block_size:512/signs|column_major)|exact_(gram|correlation))$")


def output(*command):
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def sources_of(commit):
    """The other commit's files, in a work tree that stays for the next run."""
    name = output("git", "rev-parse", "--verify", "--short", f"{commit}^{{commit}}").strip()
    sources = FOLDER / name
    output("git", "worktree", "prune")
    if not sources.exists():
        output("git", "worktree", "add", "--detach", str(sources), name)
    return name, sources


def benchmarks(sources, build):
    """The program with all cases, built from these sources."""
    options = [f"-DDECORR_BUILD_{part}=OFF" for part in ("C", "INSPECT", "TESTS", "EXAMPLES")]
    configure = ["cmake", "-S", str(sources), "-B", str(build), "-DCMAKE_BUILD_TYPE=Release"]
    for command in (configure + ["-DDECORR_BUILD_BENCHMARKS=ON"] + options,
                    ["cmake", "--build", str(build), "--target", "decorr_benchmarks"]):
        subprocess.run(command, check=True, stdout=sys.stderr)
    return build / "bench" / "decorr_benchmarks"


def cases_of(program, pattern):
    """By their names without /real_time, as an older commit may have named them."""
    names = output(str(program), "--benchmark_list_tests").split()
    return {name.removesuffix("/real_time"): name for name in names
            if re.search(pattern, name.removesuffix("/real_time"))}


def milliseconds(program, name):
    report = json.loads(output(str(program), f"--benchmark_filter=^{re.escape(name)}$", "--benchmark_min_time=0.05",
                               "--benchmark_format=json"))
    return min(case["real_time"] for case in report["benchmarks"] if case.get("run_type", "iteration") == "iteration")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="what is measured against: a commit, a tag, a branch")
    parser.add_argument("--filter", default=CASES, help="a regular expression of cases' names; default: %(default)s")
    parser.add_argument("--runs", type=int, default=9, help="of each program and case; default: %(default)s")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs is less than 1")

    name, sources = sources_of(arguments.commit)
    before = benchmarks(sources, FOLDER / f"build_{name}")
    now = benchmarks(ROOT, FOLDER / "build")
    cases_before, cases_now = (cases_of(program, arguments.filter) for program in (before, now))
    common = [case for case in cases_now if case in cases_before]
    if not common:
        sys.exit(f"no case that both have matches {arguments.filter}")

    print(f"| case | {name}, ms | now, ms | now / {name} |\n| --- | --- | --- | --- |")
    ratios = []
    for case in common:
        pair = [(before, cases_before[case]), (now, cases_now[case])]
        least = [float("inf"), float("inf")]
        for run in range(arguments.runs):
            for which in (0, 1) if run % 2 == 0 else (1, 0):
                least[which] = min(least[which], milliseconds(*pair[which]))
        ratios.append(least[1] / least[0])
        print(f"| {case} | {least[0]:.4g} | {least[1]:.4g} | {ratios[-1]:.3f} |", flush=True)
    print(f"\nof {len(ratios)} cases: {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    main()
