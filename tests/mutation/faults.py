"""The table of faults, and how they are planted.

A file of the table, faults/*.txt, has lines of four kinds:

    # a comment
    [include/decorr/detail/kernels/gram.hpp]
    off by one: for (Index j = @i + 1@i + 2@; j < n; ++j) {
      = equivalent: why no test can tell

In brackets is the source that the faults below are of. A fault is its kind and a piece of that source,
in which what stands between the first @ and the second is the original, and up to the third what
replaces it. The rest says where that is: all of it must occur exactly once, however it is broken into
lines; where there are several such places, `kind #2:` means the second one. One that ends with a
semicolon or a brace is a statement, or several; an empty one is a statement that is put in; every other
one is an expression. A line that begins with space goes on with the fault above, or, with =, says why
nothing can tell the fault from the original.
"""

import hashlib
import pathlib
import re

KINDS = (
    "sign",
    "factor",
    "off by one",
    "swapped",
    "dropped",  # a term, a step, what is cleared or centred
    "normalizer",
    "lost merge",
    "missed check",
    "wrong key",
    "wrong place",  # an index, a stride, a row
    "boundary",  # < for <=, or the other way round
    "wrong choice",  # a route, a branch, an option
    "width",  # of an integer, or too little range
    "lock",
)

# Binary operators, which stand between spaces, by how tightly they bind.
_BINDING = {operator: level for level, operators in enumerate(
    (("=", "+=", "-=", "*=", "/=", "|="), ("?", ":"), ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="),
     ("<", ">", "<=", ">="), ("<<", ">>"), ("+", "-"), ("*", "/", "%"))) for operator in operators}
_BINARY = "|".join(re.escape(operator) for operator in sorted(_BINDING, key=len, reverse=True))
_TOKEN = re.compile(r"[()\[\]{}]|(?<=\s)(?:" + _BINARY + r")(?=\s)")
_BEFORE, _AFTER = re.compile(r"(?:^|\s)(" + _BINARY + r")\s+$"), re.compile(r"\s+(" + _BINARY + r")\s")

_MARKED = re.compile(r"@([^@]*)@([^@]*)@")
# What begins or ends as no expression does.
_PART = re.compile(r"^\s*(\|\||&&|[=<>/,?)]|\+(?!\+)|\* |:(?!:))|(\|\||&&|[=<>+\-*/,?:(])\s*$")
_FAULT = re.compile(r"(" + "|".join(KINDS) + r")(?: #(\d+))?: *(.*)", re.DOTALL)


class TableError(Exception):
    pass


class Fault:
    """One entry: `source` is the path in the project, `marked` the text with its @."""

    def __init__(self, table, line, source, kind, occurrence, marked, reason):
        self.table, self.line, self.source, self.kind = table, line, source, kind
        self.occurrence, self.marked, self.reason = occurrence, marked, reason
        self.number = None

    @property
    def label(self):
        """As it is named in messages and results."""
        which = f" #{self.occurrence}" if self.occurrence else ""
        return f"{self.source}: {self.kind}{which}: {self.marked}"

    @property
    def identity(self):
        return hashlib.sha256(self.label.encode()).hexdigest()[:12]

    def error(self, text):
        return TableError(f"{self.table}:{self.line}: {text}: {self.marked}")

    def edits(self, text):
        """(begin, end, replacement) of all marked pieces in the source's text."""
        pattern, last, replacements = "", 0, []
        for match in _MARKED.finditer(self.marked):
            replacements.append(match[2].strip())
            before, original = self.marked[last : match.start()], match[1]
            pattern = _joined(pattern, _pattern(before))
            pattern = _joined(pattern, "(" + _pattern(original) + ")")
            last = match.end()
        pattern = _joined(pattern, _pattern(self.marked[last:]))
        if not replacements or "@" in _MARKED.sub("", self.marked):
            raise self.error("expected @original@replacement@")
        for match in _MARKED.finditer(self.marked):
            if _PART.search(match[1]):
                raise self.error(f"{match[1]} is no whole expression")
        places = list(re.finditer(pattern, text))
        if not places:
            raise self.error(f"{self.source} does not have this any more")
        if self.occurrence is None and len(places) > 1:
            raise self.error(f"{self.source} has this {len(places)} times: give more of it, or say which, #1")
        if self.occurrence is not None and not 1 <= self.occurrence <= len(places) > 1:
            raise self.error(f"{self.source} has this {len(places)} times, and #{self.occurrence} is none of several")
        place = places[(self.occurrence or 1) - 1]
        for i in range(len(replacements)):
            if _is_torn_out(text, place.start(i + 1), place.end(i + 1)):
                raise self.error(f"{place[i + 1]} is no expression by itself where it stands")
        return [(place.start(i + 1), place.end(i + 1), with_) for i, with_ in enumerate(replacements)]


def _is_torn_out(text, begin, end):
    """Whether brackets around an expression would change what the code means, or a switch cannot stand there."""
    if text[begin - 1] == "<" and text[end] == ">":
        return True  # an argument of a template
    levels, depth = [], 0
    for token in _TOKEN.findall(text[begin:end]):
        depth += (token in "([{") - (token in ")]}")
        if depth == 0 and token in _BINDING:
            levels.append(_BINDING[token])
    if not levels or text[begin:end].rstrip()[-1] in ";}":
        return False
    before, after = _BEFORE.search(text[:begin]), _AFTER.match(text[end:])
    if before and (_BINDING[before[1]] > min(levels) or before[1] in "-/%" and _BINDING[before[1]] == min(levels)):
        return True
    if after and _BINDING[after[1]] > min(levels):
        return True
    return text[begin - 1] in "!-~" or re.match(r"\.|->|\[|\(", text[end:]) is not None


def _pattern(piece):
    """A regular expression for some code, whatever the space between its tokens."""
    pattern, last = "", ""
    for token in re.findall(r"\w+|[^\w\s]", piece):
        if pattern:
            pattern += r"\s+" if _is_word(last) and _is_word(token) else r"\s*"
        pattern += re.escape(token)
        last = token
    return pattern


def _joined(first, second):
    return first + r"\s*" + second if first and second not in ("", "()") else first + second


def _is_word(token):
    return token[-1:].isalnum() or token[-1:] == "_"


def read_table(folder):
    """All faults of the folder's files, numbered from 1."""
    faults = []
    for path in sorted(pathlib.Path(folder).glob("*.txt")):
        faults += _read_file(path)
    for number, fault in enumerate(faults, 1):
        fault.number = number
    seen = {}
    for fault in faults:
        if fault.identity in seen:
            raise fault.error(f"is in line {seen[fault.identity].line} already")
        seen[fault.identity] = fault
    return faults


def _read_file(path):
    faults, source, entries = [], None, []
    for line, text in enumerate(path.read_text().splitlines(), 1):
        if not text.strip() or text.startswith("#"):
            continue
        if text[0].isspace() and entries:
            key = "reason" if text.strip().startswith("=") or entries[-1]["reason"] else "text"
            entries[-1][key] += " " + text.strip()
        elif text.startswith("["):
            source = text.strip("[] ")
        else:
            entries.append({"line": line, "source": source, "text": text, "reason": ""})
    for entry in entries:
        match = _FAULT.fullmatch(entry["text"])
        if not match or entry["source"] is None:
            place = f"{path.name}:{entry['line']}"
            raise TableError(f"{place}: expected [source], then kind: code with @original@replacement@")
        faults.append(
            Fault(path.name, entry["line"], entry["source"], match[1], int(match[2]) if match[2] else None,
                  match[3], entry["reason"].strip(" =") or None)
        )
    return faults


def planted(text, faults):
    """A source's text with all of its faults behind their switches."""
    edits = [(begin, -end, fault.number, with_) for fault in faults for begin, end, with_ in fault.edits(text)]
    edits.sort()
    for (begin, end, number, _), (later, _, other, _) in zip(edits, edits[1:]):
        if number == other and later < -end:
            raise TableError(f"fault {number}: its own pieces overlap")

    def render(begin, end, inner):
        result, at = "", begin
        while inner:
            first, last, number, with_ = inner.pop(0)
            last = -last
            if last > end:
                raise TableError(f"fault {number} reaches into another one: {text[first:last]}")
            within = []
            while inner and inner[0][0] < last or inner and last == first == inner[0][0]:
                within.append(inner.pop(0))
            original = render(first, last, within)
            result += text[at:first] + _switch(number, original, with_, text[first:last])
            at = last
        return result + text[at:end]

    return render(0, len(text), edits)


def _switch(number, original, replacement, plain):
    condition = f"::decorr_mutation::planted({number})"
    if not plain.strip():
        return f"if ({condition}) {{ {replacement} }} {original}"
    if plain.rstrip()[-1] in ";}":
        return f"{{ if ({condition}) {{ {replacement} }} else {{ {original} }} }}"
    return f"({condition} ? ({replacement}) : ({original}))"
