"""That docs/errors.md has the errors that there are: check_errors.py <source directory>

Takes every message from the sources as a template, its fixed words with … for what differs, and
fails unless each is one of the page's, and each of the page's comes from the sources. The messages
of the page are the code in the first column of its tables.
"""

import ast
import itertools
import pathlib
import re
import sys

ANYTHING = "…"
# What C++ templates are taken from: these calls, with the number of their first argument that is
# part of the message.
CALLS = {"fail": 0, "misused": 1, "report": 1, "static_assert": -1, "TORCH_CHECK": 1}
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def plural(text):
    """Of one row and of several the message is one."""
    return re.sub(r"\b(row|column)\b", r"\1s", re.sub(r"\bentry\b", "entries", text))


class Template:
    """A message, or a part of one, and where it is from."""

    def __init__(self, pieces, place, is_part=False):
        self.place, self.is_part = place, is_part
        # What goes on in further lines is advice.
        text = "".join(pieces).split("\n")[0]
        self.text = re.sub(f"{ANYTHING}+", ANYTHING, plural(text))

    def is_generic(self):
        """Nothing but what a caller hands on."""
        return sum(character.isalpha() for character in self.text) < 4

    def is_in(self, message):
        """Where the sources have anything the page has …, or one name."""
        if self.is_part:
            return self.text.strip(ANYTHING + " ;:") in plural(message)
        fixed = (re.escape(part) for part in self.text.split(ANYTHING))
        return re.fullmatch(rf"(?:{ANYTHING}|[\w.]+)".join(fixed), plural(message)) is not None


# ---- C++


def without_comments(text):
    """Lines stay where they are."""
    def blank(match):
        return match.group() if match.group().startswith('"') else "\n" * match.group().count("\n")
    return re.sub(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|/\*.*?\*/', blank, text, flags=re.DOTALL)


def split(text, separator):
    """At separators that are in no brackets and no strings; "" ends at a closing bracket too many."""
    parts, depth, start, position = [], 0, 0, 0
    while position < len(text):
        character = text[position]
        if character in "\"'":
            string = re.compile(rf"{character}(?:[^{character}\\]|\\.)*{character}").match(text, position)
            if string:
                position = string.end()
                continue
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth < 0:
                return parts + [text[start:position]]
        elif character == separator and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return parts + [text[start:]]


def unescaped(string):
    return string.encode().decode("unicode_escape")


def pieces_of(expression):
    """All that an expression may be: lists of fixed words and …"""
    condition = split(expression, "?")
    if len(condition) == 2:
        return [pieces for choice in split(condition[1], ":") for pieces in pieces_of(choice)]
    strings = re.fullmatch(rf'\s*(?:{STRING.pattern}\s*)+', expression)
    if strings:
        return [["".join(unescaped(string) for string in STRING.findall(expression))]]
    terms = split(expression, "+")
    if len(terms) > 1:
        return [sum(choice, []) for choice in itertools.product(*map(pieces_of, terms))]
    converted = re.fullmatch(r"\s*std::string\((.*)\)\s*", expression, re.DOTALL)
    return pieces_of(converted.group(1)) if converted else [[ANYTHING]]


def templates_of(expressions, place, is_part=False):
    for choice in itertools.product(*map(pieces_of, expressions)):
        yield Template(sum(choice, []), place, is_part)


def cpp_templates(file):
    text = without_comments(file.read_text(encoding="utf-8"))
    for match in re.finditer(r"^#error " + STRING.pattern, text, re.MULTILINE):
        yield Template([match.group(1)], file)
    for match in re.finditer(r"\bthrow (?:\w+::)?(\w+)\(", text):
        arguments = split(text[match.end():], ",")
        yield from templates_of(arguments[:1], file)
    for match in re.finditer(r"(\bvoid )?\b(" + "|".join(CALLS) + r")\(", text):
        if match.group(1):
            continue
        name, arguments = match.group(2), split(text[match.end():], ",")
        if name == "static_assert" and '"decorr: ' not in arguments[-1]:
            continue  # Of the library's own.
        if name == "report":
            arguments = arguments[:2]
        yield from templates_of(arguments[CALLS[name]:], file)
    for match in re.finditer(r"\bsnprintf\([^;\"]*message[^;\"]*" + STRING.pattern, text):
        yield Template([unescaped(match.group(1)).replace("%s", ANYTHING)], file)
    # A message that is put together: its parts.
    for match in re.finditer(r"\bmessage \+=([^;]*);", text):
        yield from templates_of([match.group(1)], file, is_part=True)


# ---- Python


def python_pieces(node, constants):
    """As pieces_of."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [[node.value]]
    if isinstance(node, ast.JoinedStr):
        return [["".join(value.value if isinstance(value, ast.Constant) else ANYTHING
                         for value in node.values)]]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [left + right for left in python_pieces(node.left, constants)
                for right in python_pieces(node.right, constants)]
    if isinstance(node, ast.IfExp):
        return python_pieces(node.body, constants) + python_pieces(node.orelse, constants)
    if isinstance(node, ast.Name) and node.id in constants:
        return python_pieces(constants[node.id], {})
    return [[ANYTHING]]


def python_templates(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    constants = {target.id: node.value for node in tree.body if isinstance(node, ast.Assign)
                 for target in node.targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(call, ast.Call):
            continue
        name = getattr(call.func, "id", getattr(call.func, "attr", ""))
        if isinstance(node, ast.Raise) and name == "_refusal":
            arguments = call.args[1:3]
        elif isinstance(node, ast.Raise) and name == "refuse":
            arguments = call.args[:2]
        elif name == "warn" or isinstance(node, ast.Raise):
            arguments = call.args[:1]
        else:
            continue
        for choice in itertools.product(*(python_pieces(each, constants) for each in arguments)):
            yield Template(sum(choice, []), file)


def all_templates(source):
    files = sorted(source.glob("include/decorr/**/*.hpp"))
    files += sorted(source.glob("extras/c/*.[ch]pp"))
    files += sorted(source.glob("extras/trainers/decorr/*.hpp"))
    templates = [template for file in files for template in cpp_templates(file)]
    for file in sorted([*source.glob("extras/python/decorr/**/*.py"), *source.glob("extras/jax/*.py")]):
        if file.name != "inspect.py":
            templates += python_templates(file)
    return [template for template in templates if not template.is_generic()]


def messages_of(page):
    """The code in the first column of the tables of messages, and the line of each."""
    is_table = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        is_table = line.startswith("| message |") or is_table and line.startswith("|")
        if is_table:
            for message in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                yield number, message


def main():
    source = pathlib.Path(sys.argv[1])
    page = source / "docs" / "errors.md"
    templates = all_templates(source)
    if "--list" in sys.argv:
        for template in templates:
            print(f"{template.place.relative_to(source)}: {template.text}")
        return 0
    messages = list(messages_of(page))
    faults = []
    used = set()
    for template in templates:
        found = [message for _, message in messages if template.is_in(message)]
        used.update(found)
        if not found:
            faults.append(f"{page.name} does not have, of {template.place}: {template.text}")
    faults += [f"{page.name}:{number} is not in the sources: {message}"
               for number, message in messages if message not in used]
    header = (source / "include/decorr/c_api.h").read_text(encoding="utf-8")
    statuses = re.search(r"enum \{\s*DECORR_OK.*?\};", header, re.DOTALL)
    names = re.findall(r"DECORR_[A-Z_]+(?= = )", statuses.group())
    faults += [f"{page.name} does not have the status {name}" for name in names
               if name not in page.read_text(encoding="utf-8")]
    print(f"{len(templates)} messages in the sources, {len(messages)} in {page.name}, "
          f"{len(names)} statuses")
    if len(templates) < 100 or len(names) < 6:
        faults.append("Too few: this script does not understand the sources any more")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
