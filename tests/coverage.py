#!/usr/bin/env python3
"""What the tests' programs have not reached of include/, against the list of what no test can reach.

    tests/coverage.py LIST EXPORT...

An EXPORT is what `llvm-cov export` tells of one program, for lines as lcov, for branches as text,
which is JSON. All programs count together, and so do all instantiations of a template. LIST has a
line for each exception:

    HEADER: TEXT -- REASON
    HEADER -- REASON

TEXT is all of a source line, without the blanks around it. It stands for the lines in a row that
begin there and are not reached, as those of a function, and for that line's branches; without it
a header stands for all that is not reached there. An exception that is reached is an error, too.
"""

import collections
import json
import pathlib
import sys

INCLUDE = pathlib.Path("include/decorr")


def header_of(path):
    """The name of one of our headers, relative to INCLUDE; None of another file."""
    before, _, name = path.rpartition(f"{INCLUDE}/")
    return name if before else None


def add_lines(path, lines):
    header = None
    for record in path.read_text().splitlines():
        kind, _, value = record.partition(":")
        if kind == "SF":
            header = header_of(value)
        elif kind == "DA" and header:
            line, count = map(int, value.split(",")[:2])
            lines[header][line] += count


def add_branches(path, branches):
    for file in json.loads(path.read_text())["data"][0]["files"]:
        header = header_of(file["filename"])
        if not header:
            continue
        for line, column, _, _, true, false, *_ in file["branches"]:
            counts = branches[header][line, column]
            counts[0] += true
            counts[1] += false


def missed_lines(lines):
    """(header, line, what has happened)."""
    for header, counts in lines.items():
        yield from ((header, line, "not reached") for line, count in counts.items() if count == 0)


def missed_branches(lines, branches):
    """Those of lines that are reached: one that is never decided there is a constant."""
    for header, places in branches.items():
        for (line, _), (true, false) in places.items():
            if lines[header][line] > 0 and (true == 0) != (false == 0):
                yield header, line, "never true" if true == 0 else "never false"


def read_exceptions(path):
    exceptions = {}
    for line in path.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        place, separator, reason = line.partition(" -- ")
        header, _, text = place.partition(": ")
        if not reason:
            sys.exit(f"{path}: expected HEADER: TEXT -- REASON, or HEADER -- REASON: {line}")
        exceptions[header, text] = reason
    return exceptions


def main(list_path, *exports):
    lines = collections.defaultdict(collections.Counter)
    branches = collections.defaultdict(lambda: collections.defaultdict(lambda: [0, 0]))
    for path in map(pathlib.Path, exports):
        if path.suffix == ".lcov":
            add_lines(path, lines)
        else:
            add_branches(path, branches)
    exceptions = read_exceptions(pathlib.Path(list_path))
    sources = {header: [text.strip() for text in (INCLUDE / header).read_text().splitlines()]
               for header in lines}

    used, failures, row = set(), [], {}  # row: a line that is not reached, to its exception
    missed = [sorted(missed_lines(lines)), sorted(missed_branches(lines, branches))]
    for header, line, what in missed[0] + missed[1]:
        text = sources[header][line - 1]
        key = (header, text) if (header, text) in exceptions else row.get((header, line - 1))
        if key is None and (header, "") in exceptions:
            key = header, ""
        if key is None:
            failures.append(f"{INCLUDE / header}:{line}: {what}: {text}")
            continue
        used.add(key)
        if what == "not reached":
            row[header, line] = key
    for key in exceptions.keys() - used:
        failures.append(f"{list_path}: is reached, or not there any more: {': '.join(key)}")

    number_of_lines = sum(map(len, lines.values()))
    number_of_branches = 2 * sum(map(len, branches.values()))
    print("\n".join(failures))
    print(f"{number_of_lines} lines, {len(missed[0])} not reached; {number_of_branches} branches, "
          f"{len(missed[1])} not taken; {len(exceptions)} exceptions, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
