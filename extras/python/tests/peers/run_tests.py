"""A peer's own tests of its losses, by the names of suites in replacements.py.

    run_tests.py SUITE theirs    as they are, so that what fails there is known
    run_tests.py SUITE ours      with decorr.torch's losses in place of the peer's; what is listed
                                 in replacements.py has to fail
    run_tests.py SUITE remedies  what is listed, with what is said to make it pass

The losses are replaced when this file is read, so in the processes that a test starts too, which
read it first.
"""

import importlib
import os
import sys
import unittest.mock

import pytest

import published
from replacements import SUITES


def replace(package, name, replacement):
    """Where tests may have it from: the package, and the module that defines it."""
    for module in {package, getattr(importlib.import_module(package), name).__module__}:
        setattr(importlib.import_module(module), name, replacement)


class Expectations:
    """Of a run with decorr's losses, as a plugin of pytest."""

    def __init__(self, listed, only_listed):
        self.listed, self.only_listed = listed, only_listed

    # Last, as options of pytest leave tests out before.
    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config, items):
        found = {item.nodeid: item for item in items}
        for each in self.listed:
            if each.test not in found:
                raise pytest.UsageError(f"{each.test} is listed and not among the tests")
            if not self.only_listed:
                found[each.test].add_marker(pytest.mark.xfail(
                    reason=each.reason, raises=each.raises, strict=each.always))
        if self.only_listed:
            tests = {each.test for each in self.listed}
            config.hook.pytest_deselected(
                items=[item for item in items if item.nodeid not in tests])
            items[:] = [item for item in items if item.nodeid in tests]


suite, mode = SUITES[sys.argv[1]], sys.argv[2]
listed = [each for each in suite.by_convention if each.remedy or mode == "ours"]
if mode == "remedies" and not listed:
    print("Nothing is listed")
    sys.exit()
os.environ.update(suite.environment)
published.import_peer(suite.peer)
# First, as it looks for what is absent.
for imported in suite.imports:
    importlib.import_module(imported)
sys.modules.update({absent: unittest.mock.MagicMock() for absent in suite.absent})
if mode != "theirs":
    remedies = {} if mode == "ours" else {
        name: loss for each in listed for name, loss in each.remedy.items()}
    for name_of_loss, loss_of_ours in {**suite.ours, **remedies}.items():
        replace(suite.package, name_of_loss, loss_of_ours)

if __name__ == "__main__":
    plugins = [] if mode == "theirs" else [Expectations(listed, mode == "remedies")]
    # Without warnings: of markers that the settings of their repositories know.
    sys.exit(pytest.main(["-rxXs", "-p", "no:cacheprovider", "-W", "ignore", "--tb=short",
                          *suite.tests, *sys.argv[3:]], plugins))
