"""Trainings that take the same course with decorr's losses as with autograd's."""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import unittest

import torch

import train_digits

SCRIPT = pathlib.Path(train_digits.__file__)


def settings(**named):
    return argparse.Namespace(**{**dict(loss="barlow_twins", regularizer="relaxed", exponent=2,
                                        dimension=24, steps=200, batch_size=32, seed=0), **named})


class Training(unittest.TestCase):
    def test_200_steps(self):
        torch.set_num_threads(1)
        images, _ = train_digits.load_digits(train_digits.DIGITS)
        for named in ({}, {"loss": "vicreg", "regularizer": "exact"},
                      {"loss": "vicreg", "exponent": 1, "steps": 50}):
            with self.subTest(**named):
                ours, theirs = (train_digits.train(images, make(settings(**named), 0),
                                                   settings(**named), torch.float64)[0]
                                for make in (train_digits.decorr_criterion,
                                             train_digits.autograd_criterion))
                self.assertLess(theirs[-1], 0.9 * theirs[0])
                for step in range(len(theirs)):
                    self.assertAlmostEqual(ours[step], theirs[step], delta=1e-9 * theirs[step])

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

    def test_the_pages_python(self):
        """The Python of README.md runs as it stands."""
        page = (SCRIPT.parent / "README.md").read_text()
        blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            result = subprocess.run([sys.executable, "-c", block], text=True, cwd="/",
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                    env={**os.environ})
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertNotEqual(result.stdout, "")


if __name__ == "__main__":
    unittest.main()
