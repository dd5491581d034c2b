"""That every public name has an example: check_examples.py <source directory> <Doxygen's XML>

Fails unless the comment of each function, class, enumeration and constant of the namespaces decorr and
decorr::presets shows, by @snippet, a part of docs/examples/reference that uses it. The tests compile
these files and run them.
"""

import pathlib
import re
import sys
import xml.etree.ElementTree

# Base classes, and the type of no_gradient.
WITHOUT = {"BatchOfParts", "BatchOfTwoViews", "NoGradient"}


def without_space(text):
    return re.sub(r"\s+", "", text)


def listings_of(element):
    """The code that a comment shows."""
    for listing in element.iter("programlisting"):
        for space in listing.iter("sp"):
            space.text = " "
        yield "".join(listing.itertext())


def names_of(directory):
    """Public names, each with the elements that have its comments: overloads are one name."""
    names = {}
    for namespace in ("namespacedecorr", "namespacedecorr_1_1presets"):
        root = xml.etree.ElementTree.parse(directory / f"{namespace}.xml").getroot()[0]
        for member in root.iter("memberdef"):
            names.setdefault(member.findtext("name"), []).append(member)
        for inner in root.iter("innerclass"):
            compound = xml.etree.ElementTree.parse(directory / f"{inner.get('refid')}.xml").getroot()[0]
            names[inner.text.split("::")[-1]] = compound.findall("detaileddescription")
    return names


def main():
    source, directory = (pathlib.Path(argument) for argument in sys.argv[1:])
    examples = set()
    for file in source.glob("docs/examples/reference/*.cpp"):
        for _, snippet in re.findall(r"//! \[(\w+)\]\n(.*?)//! \[\1\]", file.read_text(encoding="utf-8"),
                                     re.DOTALL):
            examples.add(without_space(snippet))
    names = names_of(directory)
    faults = []
    for name, elements in sorted(names.items()):
        shown = [text for element in elements for text in listings_of(element)
                 if without_space(text) in examples]
        if name not in WITHOUT and not any(re.search(rf"\b{name}\b", text) for text in shown):
            faults.append(f"{name} has no example")
    faults += [f"{name} is not there any more" for name in WITHOUT - names.keys()]
    print(f"{len(names)} public names, {len(examples)} examples")
    if len(names) < 50:
        faults.append("Too few names: this script does not understand the XML any more")
    print("\n".join(faults))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
