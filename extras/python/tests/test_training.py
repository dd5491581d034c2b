"""Trainings that take the same course with decorr's losses as with autograd's."""

import pathlib
import re
import subprocess
import sys
import unittest

import decorr

MODULES = pathlib.Path(decorr.__file__).parents[1]
SCRIPT = MODULES / "examples/train_digits.py"


class Training(unittest.TestCase):
    def test_the_course_of_the_loss(self):
        small = "--dimension=24", "--batch-size=32", "--timed-dimension=0"
        for options in (("--steps=100",), ("--steps=60", "--loss=vicreg", "--regularizer=exact"),
                        ("--steps=50", "--loss=vicreg", "--exponent=1")):
            with self.subTest(options=options):
                output = subprocess.run([sys.executable, SCRIPT, *small, *options], check=True,
                                        text=True, stdout=subprocess.PIPE).stdout
                first, *_, last = re.findall(r"(?m)^ +\d+ +(\d+\.\d+) ", output)
                self.assertLess(float(last), 0.9 * float(first))
                difference = re.search(r"relative difference, float64: (\S+),", output)[1]
                self.assertLess(float(difference), 1e-9)

    def test_the_script(self):
        result = subprocess.run(
            [sys.executable, SCRIPT, "--steps=3", "--dimension=32", "--loss=vicreg",
             "--timed-dimension=64"], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 0, result.stderr)
        difference = re.search(r"relative difference, float64: (\S+),", result.stdout)[1]
        self.assertLess(float(difference), 1e-12)
        for side in ("autograd", "decorr"):
            self.assertRegex(result.stdout, rf"trained with {side} 0\.\d+")
        self.assertEqual(len(re.findall(r"(?m)^(?:exact|relaxed) +[\d.]+ +[\d.]+", result.stdout)),
                         2)
        result = subprocess.run([sys.executable, SCRIPT, "--data=/nowhere"], text=True,
                                stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 2)
        self.assertIn("/nowhere is no file", result.stderr)


if __name__ == "__main__":
    unittest.main()
