"""The Python of README.md runs as it stands."""

import importlib
import os
import pathlib
import re
import subprocess
import sys
import unittest

import torch

PAGE = pathlib.Path(os.environ["DECORR_TEST_SOURCES"]) / "extras/python/README.md"


def has_module(name):
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True


class Page(unittest.TestCase):
    def test_blocks(self):
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.assertEqual(len(blocks), 5)
        for block in blocks:
            if "torch.compile" in block and not hasattr(torch.library, "custom_op"):
                continue  # of PyTorch 2.4
            if not has_module("setuptools.command"):
                # What PyTorch's own compiler needs, and Debian's package does not bring.
                block = block.replace("fullgraph=True", "fullgraph=True, backend='aot_eager'")
            result = subprocess.run([sys.executable, "-c", block], text=True, cwd="/",
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, r"\d\.\d")


if __name__ == "__main__":
    unittest.main()
