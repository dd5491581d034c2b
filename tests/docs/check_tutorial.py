"""That a program of docs/tutorial.md does what the page says: check_tutorial.py <page> <program>

The program is a file to run, or "python", the page's first block of Python: its output is the page's,
the numbers up to rounding. Or "torch", the second block: its loss falls to a quarter.
"""

import pathlib
import re
import subprocess
import sys

NUMBER = re.compile(r"\d+(?:\.\d+)?")


def blocks_of(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def output_of(program, page):
    command = [program]
    if program in ("python", "torch"):
        block = blocks_of(page, "python")[("python", "torch").index(program)]
        command = [sys.executable, "-c", block]
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def main():
    page = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")
    program = sys.argv[2]
    output = output_of(program, page)
    print(output)
    if program == "torch":
        losses = [float(loss) for loss in re.findall(r"loss +([\d.]+)", output)]
        return 0 if len(losses) > 2 and losses[-1] < losses[0] / 4 else 1
    expected = blocks_of(page, "text")[0]
    print(f"The page has\n{expected}")
    if NUMBER.sub("", output).split() != NUMBER.sub("", expected).split():
        return 1
    pairs = list(zip(NUMBER.findall(output), NUMBER.findall(expected)))
    # Both have four decimals.
    return 0 if pairs and all(abs(float(x) - float(y)) < 1.5e-4 for x, y in pairs) else 1


if __name__ == "__main__":
    sys.exit(main())
