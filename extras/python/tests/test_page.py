"""The Python of README.md runs as it stands."""

import os
import pathlib
import re
import subprocess
import sys
import unittest

import torch

PAGE = pathlib.Path(os.environ["DECORR_TEST_SOURCES"]) / "extras/python/README.md"


class Page(unittest.TestCase):
    def test_blocks(self):
        blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        self.assertEqual(len(blocks), 5)
        for block in blocks:
            if "torch.compile" in block and not hasattr(torch.library, "custom_op"):
                continue  # of PyTorch 2.4
            result = subprocess.run([sys.executable, "-c", block], text=True, cwd="/",
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertRegex(result.stdout, r"\d\.\d")


if __name__ == "__main__":
    unittest.main()
