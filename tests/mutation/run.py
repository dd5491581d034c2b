#!/usr/bin/env python3
"""Plants the faults of the table, one at a time, and says which of them no test notices.

    tests/mutation/run.py [--only REGEX] [--jobs N]     all of them, or those whose label matches
    tests/mutation/run.py --sample N --rooms FILE...    N of those that these of tests/unit have caught, by them
    tests/mutation/run.py --check                       only that the table fits the sources

A copy of the sources, in build/mutation, has every fault behind a switch of run time (switch.hpp), so it is
built once; the first run, without any fault, has to pass. Each fault is then tried on the tests that are
likeliest to catch it, until one fails: what caught it before, what caught others of that source, and then all
that come to its place, the quickest first. A run that takes ten times as long as without the fault has caught
it, too, and so has one that waits for ever. Faults come in an order in which any first part of them is of all
sources and kinds, so --sample and --minutes try some of each.
Results are kept in build/mutation/results.jsonl, and are not made again while the sources and the test are the same.
catches.txt, beside this script, has what caught each fault the last time that --write-catches was given.

Ends with 1 if a fault survives that the table does not say to be equivalent. Needs Python 3.8, CMake, Ninja, and
what the tests need; nothing else.
"""

import argparse
import collections
import concurrent.futures
import functools
import hashlib
import html
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree

import faults as table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CATCHES = HERE / "catches.txt"
# What is built, and where that is. Those without cases are one test as a whole.
PROGRAMS = {
    "decorr_unit_tests": ("tests", True),
    "decorr_tests": ("tests", True),
    "decorr_allocation_test": ("tests", True),
    "decorr_failure_test": ("tests", True),
    "decorr_fftw_state_test": ("tests", True),
    "decorr_c_compare": ("tests/extras/c", True),
    "decorr_c_batches": ("tests/extras/c", True),
    "decorr_c_failure": ("tests/extras/c", True),
    "decorr_c_abuse": ("tests/extras/c", False),
}
PLANTED = ("include", "extras/c")
# Results hold while none of these files changes, a catch while none of them does but other tests.
MATTER = re.compile(r"(include|extras/c|tests/(support|unit|data))/.*|tests/([^/]*\.cpp|CMakeLists\.txt)")
TEST = re.compile(r"(tests|tests/unit|extras/c/tests)/(?P<file>[^/]*\.c(pp)?)")
# Of what caught others of the same source, so many cases are tried first.
NEIGHBOURS = 6
# Seconds in which no thread does anything: a test that waits for ever.
ASLEEP = 10


def say(text):
    print(text, flush=True)


class Unit:
    """What runs at once: a program's cases of one file, or all of it."""

    def __init__(self, program, path, file, cases):
        self.program, self.path, self.file, self.cases = program, path, file, cases
        self.seconds, self.not_reached, self.version = 1.0, set(), ()

    @property
    def name(self):
        return f"{self.program}/{self.file}" if self.file else self.program

    def command(self, cases=None):
        if self.file is None:
            return [str(self.path)]
        # A comma separates names, so it is any character here.
        chosen = [f"-tc={','.join(case.replace(',', '?') for case in cases)}"] if cases else []
        return [str(self.path), f"-sf=*/{self.file}", *chosen, "-aa=1"]


class Outcome:
    def __init__(self, caught, by="", case=""):
        self.caught, self.by, self.case = caught, by, case


# ---- The copy, and what is built of it.


def files_of(folder):
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not {"__pycache__", "node_modules", "target"} & set(path.relative_to(ROOT).parts):
            yield path


def copied_files():
    for path in sorted(ROOT.iterdir()):
        if path.name != "build" and not path.name.startswith("."):
            yield from [path] if path.is_file() else files_of(path)


def write_copy(faults, copy):
    """Files that stay as they are keep their times, so that little is built again."""
    by_source = collections.defaultdict(list)
    for fault in faults:
        by_source[fault.source].append(fault)
    names = set()
    for path in copied_files():
        name = str(path.relative_to(ROOT))
        names.add(name)
        content = path.read_bytes()
        if name in by_source:
            content = table.planted(content.decode(), by_source.pop(name)).encode()
        target = copy / name
        if not target.exists() or target.read_bytes() != content:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(path.stat().st_mode)
    for source, lost in by_source.items():
        raise lost[0].error(f"{source} is not there")
    for path in list(copy.rglob("*")):
        if path.is_file() and str(path.relative_to(copy)) not in names:
            path.unlink()


def check_table(faults):
    """That every fault finds its place; planting needs no more than this."""
    by_source, errors = collections.defaultdict(list), []
    for fault in faults:
        try:
            if not fault.source.startswith(PLANTED):
                raise fault.error(f"{fault.source} is not planted, only {' and '.join(PLANTED)} are")
            if not (ROOT / fault.source).is_file():
                raise fault.error(f"{fault.source} is not there")
            fault.edits((ROOT / fault.source).read_text())
            by_source[fault.source].append(fault)
        except table.TableError as error:
            errors.append(str(error))
    if errors:
        raise table.TableError("\n".join(errors))
    for source, own in by_source.items():
        table.planted((ROOT / source).read_text(), own)
    return by_source


def build(copy, folder, programs, room_pattern, level, jobs):
    options = [
        "-DCMAKE_BUILD_TYPE=Debug", f"-DCMAKE_CXX_FLAGS_DEBUG={level}", f"-DCMAKE_C_FLAGS_DEBUG={level}",
        f"-DCMAKE_CXX_FLAGS=-w -include {HERE / 'switch.hpp'}",
        "-DDECORR_BUILD_TESTS=ON", "-DDECORR_BUILD_BENCHMARKS=OFF", "-DDECORR_BUILD_EXAMPLES=OFF",
        "-DDECORR_BUILD_INSPECT=OFF", "-DDECORR_BUILD_FUZZERS=OFF", "-DDECORR_INSTALL=OFF", "-DDECORR_MPI=OFF",
        "-DDECORR_C_CHOOSES_PROCESSOR=OFF", "-DDECORR_TESTS_UNITY=ON",
        f"-DDECORR_ROOM_TEST_PATTERN={room_pattern}",
    ]
    log = folder.parent / "build.log"
    with open(log, "w") as output:
        for command in (
            ["cmake", "-S", str(copy), "-B", str(folder), "-G", "Ninja", *options],
            ["cmake", "--build", str(folder), "--parallel", str(jobs), "--target", *programs],
        ):
            if subprocess.call(command, stdout=output, stderr=subprocess.STDOUT) != 0:
                output.flush()
                sys.exit(log.read_text()[-4000:] + f"\nThe sources with faults do not build; {log} has all of it.")


def find_units(folder, programs, pattern):
    units = []
    for program in programs:
        directory, has_cases = PROGRAMS[program]
        path = folder / directory / program
        if not has_cases:
            units.append(Unit(program, path, None, []))
            continue
        listed = subprocess.run([str(path), "-ltc", "-r=xml"], stdout=subprocess.PIPE, check=True).stdout
        cases = collections.defaultdict(list)
        # Some programs say something before.
        for case in xml.etree.ElementTree.fromstring(listed[listed.index(b"<?xml") :]).iter("TestCase"):
            cases[os.path.basename(case.get("filename"))].append(case.get("name"))
        units += [Unit(program, path, file, names) for file, names in cases.items()]
    return [unit for unit in units if re.search(pattern, unit.name)]


# ---- Running.


def run(unit, cases, directory, **settings):
    """(return code or None where it waits for nothing, output). One that computes for too long is ended by
    the system."""
    environment = dict(os.environ, OMP_WAIT_POLICY="passive", MALLOC_PERTURB_="1", **settings)
    most = int(3 + 10 * unit.seconds)

    def limit():
        # A group, not a session, which the scheduler may give a share of its own.
        os.setpgrp()
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))

    process = subprocess.Popen(
        unit.command(cases), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=directory,
        env=environment, preexec_fn=limit,
    )
    asleep = 0
    while asleep < ASLEEP:
        try:
            output, _ = process.communicate(timeout=1)
            return process.returncode, output.decode(errors="replace")
        except subprocess.TimeoutExpired:
            asleep = asleep + 1 if sleeps(process.pid) else 0
    os.killpg(process.pid, signal.SIGKILL)
    output, _ = process.communicate()
    return None, output.decode(errors="replace")


def sleeps(group):
    """Whether all its threads wait: on a busy machine one that has work gets no time, but does not sleep."""
    states = set()
    for status in pathlib.Path("/proc").glob("[0-9]*/task/[0-9]*/stat"):
        try:
            # state, parent, group, after a name that may have anything in it
            fields = status.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[2] == str(group):
            states.add(fields[0])
    return bool(states) and states <= {"S", "Z"}


def seconds_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_without_faults(units, directory, faults, known_file, sources):
    """Once for the sources: what fails without a fault would catch them all. Notes who comes to which."""
    known = json.loads(known_file.read_text()) if known_file.exists() else {}
    reached = directory / "reached"
    for unit in units:
        key = sources.hash_of(unit.name)
        unit.version = unit.name, key
        if known.get(unit.name, {}).get("sources") != key:
            start, unit.seconds = seconds_of_children(), 600
            code, output = run(unit, None, directory, DECORR_REACHED=str(reached))
            if code != 0:
                sys.exit(f"{output[-4000:]}\n{unit.name} fails without any fault.")
            marks = reached.read_bytes() if reached.exists() else b""
            reached.unlink(missing_ok=True)
            known[unit.name] = {
                "sources": key,
                "seconds": seconds_of_children() - start,
                "not_reached": [fault.identity for fault in faults if marks and not marks[fault.number]],
            }
            known_file.write_text(json.dumps(known))
        unit.seconds = known[unit.name]["seconds"]
        unit.not_reached = set(known[unit.name]["not_reached"])


def failed_case(output):
    match = re.search(r"^TEST CASE:  (.*)$", output, re.MULTILINE)
    return html.unescape(match[1]).strip() if match else ""


class Trials:
    """`survived` has for a fault's identity the units that have not noticed it, as Unit.version."""

    def __init__(self, units, catches, survived, directory):
        self.units, self.catches, self.survived, self.directory = units, catches, survived, directory
        self.by_source = collections.defaultdict(collections.Counter)
        self.lock = threading.Lock()

    def know(self, fault, by, case):
        with self.lock:
            self.by_source[fault.source][by, case] += 1

    def plan(self, fault):
        """(unit, cases or None for all) in the order in which they are tried."""
        units = [unit for unit in self.units
                 if fault.identity not in unit.not_reached and unit.version not in self.survived[fault.identity]]
        by_name = {unit.name: unit for unit in units}
        before = self.catches.get(fault.identity)
        if before and before[0] in by_name:
            yield by_name[before[0]], [before[1]] if before[1] else None
        with self.lock:
            counts = collections.Counter(self.by_source[fault.source])
        likely, of_unit = collections.defaultdict(list), collections.Counter()
        for (name, case), _ in counts.most_common(NEIGHBOURS):
            if name in by_name and case:
                likely[name].append(case)
        for name, cases in likely.items():
            yield by_name[name], cases
        for (name, _), count in counts.items():
            of_unit[name] += count
        for unit in sorted(units, key=lambda unit: unit.seconds / (1 + of_unit[unit.name])):
            yield unit, None

    def try_one(self, fault):
        for unit, cases in self.plan(fault):
            code, output = run(unit, cases, self.directory, DECORR_FAULT=str(fault.number))
            if code == 0:
                continue
            case = failed_case(output)
            if not case and cases and len(cases) == 1:
                case = cases[0]
            if case not in unit.cases:
                case = ""
            self.know(fault, unit.name, case)
            return Outcome(True, unit.name, case)
        return Outcome(False)


# ---- What is known from before.


def read_catches():
    catches = {}
    if CATCHES.exists():
        for line in CATCHES.read_text().splitlines():
            identity, by, case = (line.split("\t") + ["", ""])[:3]
            catches[identity] = by, case
    return catches


def write_catches(faults, catches):
    CATCHES.write_text("".join("\t".join((fault.identity, *catches[fault.identity])) + "\n"
                               for fault in faults if fault.identity in catches))


class Sources:
    """What matters for results, as it is now."""

    def __init__(self):
        names = {str(path.relative_to(ROOT)): path for path in copied_files()}
        self.contents = {name: path.read_bytes() for name, path in names.items() if MATTER.fullmatch(name)}

    @functools.lru_cache(maxsize=None)
    def hash_of(self, by=""):
        """Of all, or of what matters for the unit of that name, if it is one of a file."""
        own, result = by.partition("/")[2], hashlib.sha256()
        for name, content in self.contents.items():
            test = TEST.fullmatch(name)
            if not own or not test or test["file"] in (own, "main.cpp"):
                result.update(name.encode() + b"\0" + content + b"\0")
        return result.hexdigest()[:16]


class Results:
    """What has been tried, kept in a file from run to run."""

    def __init__(self, path, sources, catches):
        self.path, self.sources, self.catches = path, sources, catches
        self.outcomes, self.survived = {}, collections.defaultdict(set)
        for line in path.read_text().splitlines() if path.exists() else []:
            entry = json.loads(line)
            identity = entry["fault"]
            if not entry["caught"]:
                self.survived[identity] |= set(map(tuple, entry["units"]))
                continue
            catches[identity] = entry["by"], entry["case"]
            if entry["sources"] == sources.hash_of(entry["by"]):
                self.outcomes[identity] = Outcome(True, entry["by"], entry["case"])

    def add(self, fault, outcome, units):
        identity, entry = fault.identity, {"fault": fault.identity, **vars(outcome)}
        self.outcomes[identity] = outcome
        if outcome.caught:
            self.catches[identity] = outcome.by, outcome.case
            entry["sources"] = self.sources.hash_of(outcome.by)
        else:
            entry["units"] = [unit.version for unit in units]
        with open(self.path, "a") as output:
            output.write(json.dumps(entry) + "\n")

    def waiting(self, faults, units):
        """Those that have not been tried by all these units as they are now."""
        versions = {unit.version for unit in units}
        for fault in faults:
            if fault.identity not in self.outcomes and self.survived[fault.identity] >= versions:
                self.outcomes[fault.identity] = Outcome(False)
        return [fault for fault in faults if fault.identity not in self.outcomes]

    def count_survivors(self, faults):
        return sum(not self.outcomes[fault.identity].caught for fault in faults if fault.identity in self.outcomes)


# ---- Choosing, and reporting.


def spread(faults, seed):
    """Any first part of them is of as many sources and kinds as it can be."""
    met, order = collections.Counter(), {}
    for fault in sorted(faults, key=lambda fault: hashlib.sha256(f"{seed} {fault.identity}".encode()).digest()):
        order[fault.identity] = met[fault.source, fault.kind], len(order)
        met[fault.source, fault.kind] += 1
    return sorted(faults, key=lambda fault: order[fault.identity])


def choose(arguments, faults, catches):
    """The faults to try, in order, the programs, and the files of the rooms' tests."""
    tried = [fault for fault in faults if not fault.reason or arguments.equivalents]
    if arguments.only:
        tried = [fault for fault in tried if re.search(arguments.only, fault.label)]
    programs, pattern = arguments.programs or list(PROGRAMS), "unit/*.cpp"
    if arguments.rooms:
        programs, pattern = ["decorr_unit_tests"], ";".join(f"unit/{file}" for file in arguments.rooms)
        names = {f"decorr_unit_tests/{file}" for file in arguments.rooms}
        tried = [fault for fault in tried if catches.get(fault.identity, ("",))[0] in names]
    return spread(tried, arguments.seed)[: arguments.sample], programs, pattern


def report(tried, outcomes, units, seconds):
    kinds, sources = collections.Counter(), collections.Counter()
    survivors = [fault for fault in tried if not outcomes[fault.identity].caught]
    for fault in survivors:
        kinds[fault.kind] += 1
        sources[fault.source] += 1
    wrong = [fault for fault in tried if fault.reason and outcomes[fault.identity].caught]
    open_ones = [fault for fault in survivors if not fault.reason]
    for fault in wrong:
        say(f"said to be equivalent, but caught by {outcomes[fault.identity].by}: {fault.label}")
    for fault in open_ones:
        nowhere = all(fault.identity in unit.not_reached for unit in units)
        say(f"survives{', as no test comes there' if nowhere else ''}: {fault.table}:{fault.line}: {fault.label}")
    for title, counts in (("kind", kinds), ("source", sources)):
        for name, count in counts.most_common():
            say(f"  {count:3d} survive of {title} {name}")
    caught = len(tried) - len(survivors)
    say(f"{len(tried)} faults tried, {caught} caught, {len(open_ones)} survive; {seconds:.0f} s")
    return not wrong and not open_ones


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/mutation")
    parser.add_argument("--check", action="store_true", help="only that the table fits the sources")
    parser.add_argument("--only", metavar="REGEX", help="faults whose source, kind or text it finds")
    parser.add_argument("--sample", type=int, metavar="N", help="so many, of all sources and kinds")
    parser.add_argument("--seed", default="0", help="for other samples")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, help="only these")
    parser.add_argument("--units", metavar="REGEX", default="", help="only these programs' files of tests")
    parser.add_argument("--rooms", nargs="+", metavar="FILE", help="only these of tests/unit, and what they have caught")
    parser.add_argument("--equivalents", action="store_true", help="also those that the table says nothing can tell")
    parser.add_argument("--survivors", action="store_true", help="only those that have survived before")
    parser.add_argument("--write-catches", action="store_true", help="into catches.txt")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop then; the next run goes on")
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    start = time.monotonic()

    faults = table.read_table(HERE / "faults")
    by_source = check_table(faults)
    equivalent = sum(1 for fault in faults if fault.reason)
    say(f"{len(faults)} faults in {len(by_source)} sources, {equivalent} of them equivalent")
    if arguments.check:
        return 0

    catches = read_catches()
    tried, programs, room_pattern = choose(arguments, faults, catches)
    if arguments.sample is not None and len(tried) < arguments.sample:
        parser.error(f"there are only {len(tried)} to choose {arguments.sample} from")
    arguments.build.mkdir(parents=True, exist_ok=True)
    copy, folder = arguments.build / "source", arguments.build / "build"
    sources = Sources()
    write_copy(faults, copy)
    # The rooms' tests are small: what they take is the time of compiling them.
    build(copy, folder, programs, room_pattern, "-O0" if arguments.rooms else "-O1", arguments.jobs)
    say(f"built after {time.monotonic() - start:.0f} s")
    directory = arguments.build / "run"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    units = find_units(folder, programs, arguments.units)
    run_without_faults(units, directory, faults, arguments.build / "without_faults.json", sources)
    say(f"{len(units)} units pass without a fault, in {sum(unit.seconds for unit in units):.0f} s")

    results = Results(arguments.build / "results.jsonl", sources, catches)
    trials = Trials(units, catches, results.survived, directory)
    for fault in faults:
        if fault.identity in catches:
            trials.know(fault, *catches[fault.identity])
    if arguments.survivors:
        tried = [fault for fault in tried if results.survived[fault.identity] and fault.identity not in results.outcomes]
    waiting = results.waiting(tried, units)
    say(f"{len(waiting)} of {len(tried)} to be tried")

    def try_in_time(fault):
        return trials.try_one(fault) if time.monotonic() - start < 60 * arguments.minutes else None

    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        started = {pool.submit(try_in_time, fault): fault for fault in waiting}
        for done, future in enumerate(concurrent.futures.as_completed(started), 1):
            outcome = future.result()
            if outcome is not None:
                results.add(started[future], outcome, units)
            if outcome is not None and done % 50 == 0:
                say(f"  {done} of {len(waiting)}, {results.count_survivors(tried)} survive")
    if arguments.write_catches:
        write_catches(faults, catches)
    left = results.waiting(tried, units)
    if left:
        say(f"{len(left)} are left for the next run")
    tried = [fault for fault in tried if fault.identity in results.outcomes]
    return 0 if report(tried, results.outcomes, units, time.monotonic() - start) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except table.TableError as error:
        sys.exit(str(error))
