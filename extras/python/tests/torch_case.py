"""What the tests of decorr.torch have in common."""

import unittest
import warnings


class TorchTestCase(unittest.TestCase):
    def setUp(self):
        # Of weights, which here are as good as others.
        filters = warnings.catch_warnings()
        filters.__enter__()
        self.addCleanup(filters.__exit__, None, None, None)
        warnings.filterwarnings("ignore", "(lambda|nu)_param=")
