"""decorr-inspect, the program for embeddings that any trainer has saved:

    python -m decorr.inspect a.npy [b.npy] [option...]

`--help` lists the options; docs/inspect.md tells what the report means. The program is looked for
in this package's folder, where pip puts it if CLI11 was there to build it, then in the folders
build/python, build/release and build of the clone of decorr that this file is in, then in the PATH.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import sys
from typing import Optional

_PROGRAM = "decorr-inspect" + (".exe" if os.name == "nt" else "")


def program() -> Optional[str]:
    """Its path; None where it is nowhere."""
    here = pathlib.Path(__file__).resolve().parent
    files = [here / _PROGRAM]
    if len(here.parents) > 2 and (here.parents[2] / "include/decorr/c_api.h").is_file():
        build = here.parents[2] / "build"
        files += [folder / "extras/inspect" / _PROGRAM
                  for folder in (build / "python", build / "release", build)]
    for file in files:
        if file.is_file():
            return str(file)
    return shutil.which(_PROGRAM)


def main(arguments: list[str]) -> int:
    """Runs it with these arguments; its exit status, and 2 where it is not there."""
    found = program()
    if found is None:
        print("decorr.inspect: the program decorr-inspect is nowhere. pip builds it where CLI11 is "
              "found (Debian, Ubuntu: libcli11-dev), and so does the build of decorr.",
              file=sys.stderr)
        return 2
    return subprocess.run([found, *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
