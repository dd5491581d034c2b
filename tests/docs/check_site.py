"""The site of the target docs: check_site.py <source directory> <site>

Fails unless the site has every page of docs/ and every public header, with all words and formulas of a
page and none left as it was written, no link of its own leads nowhere, and MathJax is where pages load
it.
"""

import collections
import html.parser
import pathlib
import re
import sys
import urllib.parse


class Page(html.parser.HTMLParser):
    """What a page links to, what can be linked to in it, and its text outside code."""

    def __init__(self, file):
        super().__init__()
        self.links, self.labels, self.scripts, self.text, self.all_text = [], set(), [], [], []
        self._silent = []
        self.feed(file.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.labels.update(attributes[key] for key in ("id", "name") if attributes.get(key))
        if tag in ("a", "link", "img", "object") and not self._silent:
            self.links += [attributes[key] for key in ("href", "src", "data") if attributes.get(key)]
        if tag == "script" and attributes.get("src"):
            self.scripts.append(attributes["src"])
        if tag in ("script", "code", "style") or "fragment" in attributes.get("class", ""):
            self._silent.append(tag)
        elif self._silent and tag == self._silent[-1]:
            self._silent.append(tag)

    def handle_endtag(self, tag):
        if self._silent and tag == self._silent[-1]:
            self._silent.pop()

    def handle_data(self, data):
        if not self._silent:
            self.text.append(data)
        if not {"script", "style"} & set(self._silent):
            self.all_text.append(data)


def formulas_of(text):
    """Blocks and others in a page's Markdown."""
    blocks = len(re.findall(r"^ *```math$", text, re.MULTILINE))
    prose = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    return blocks, len(re.sub(r"`[^`]*`", "", prose).split("$")) // 2


def words_of(text):
    return collections.Counter(re.findall(r"[A-Za-z_]{3,}", text))


def words_of_page(markdown):
    """All but what tells how to show it."""
    shown = re.sub(r"\]\([^)]*\)|<!--.*?-->|</?(?:details|summary)>|`", lambda match: "]" * match.group().startswith("]"),
                   re.sub(r"^ *```\w*", "", markdown, flags=re.MULTILINE))
    return words_of(shown)


def main():
    source, site = (pathlib.Path(argument) for argument in sys.argv[1:])
    faults = []
    pages = {file.name: Page(file) for file in site.glob("*.html")}

    expected = {"index.html": source / "README.md"}
    for file in source.glob("docs/*.md"):
        expected[f"{file.stem}.html"] = file
    total = 0
    for name, file in sorted(expected.items()):
        if name not in pages:
            faults.append(f"{file} is not there as {name}")
            continue
        markdown, text = file.read_text(encoding="utf-8"), "".join(pages[name].text)
        blocks, others = formulas_of(markdown)
        shown = text.count("\\["), text.count("\\(")
        total += blocks + others
        if shown != (blocks, others):
            faults.append(f"{name} has {shown} formulas, {file.name} has {(blocks, others)}")
        if "$" in text or "\\f[" in text:
            faults.append(f"{name} has a formula as it was written")
        lost = words_of_page(markdown) - words_of("".join(pages[name].all_text))
        if lost:
            faults.append(f"{name} lacks words of {file.name}: {' '.join(lost)}")
        if "`" in text or "\u2018" in text:
            faults.append(f"{name} has code as it was written")
    if total < 100:
        faults.append(f"{total} formulas: too few, this script does not understand them any more")
    if "R_\\text{off}(C) = \\sum_{j \\ne l} C_{jl}^2" not in "".join(pages["mathematics.html"].text):
        faults.append("mathematics.html does not have the exact regularizer's formula")

    for file in sorted(source.glob("include/decorr/*.h*")):
        name = file.name.replace("_", "__").replace(".", "_8") + ".html"
        if name not in pages:
            faults.append(f"{file.name} is not there as {name}")
    overview = "".join(pages["namespacedecorr.html"].text)
    for function in ("barlow_twins_loss", "vicreg_loss", "r_sum", "random_signs", "save_wisdom"):
        if f"{function} (" not in overview.replace("\xa0", " "):
            faults.append(f"namespacedecorr.html does not have {function}")

    for name, page in sorted(pages.items()):
        for link in page.links + page.scripts:
            address = urllib.parse.urlsplit(link)
            if address.scheme or link.startswith("javascript:"):
                continue
            target = urllib.parse.unquote(address.path) or name
            if not (site / target).exists():
                faults.append(f"{name} links to {link}, which is not there")
            elif target in pages and address.fragment:
                if urllib.parse.unquote(address.fragment) not in pages[target].labels:
                    faults.append(f"{name} links to {link}, which {target} does not have")

    print(f"{len(pages)} pages with {total} formulas")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
