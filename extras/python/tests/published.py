"""The losses of the packages that docs/porting.md names, imported with no more of a package than
its losses need: what the rest of it imports takes gigabytes.

The packages are folders of DECORR_PEERS, which .ci/peers fills. What is not there is no peer here.
"""

import contextlib
import importlib
import os
import sys
import types
from typing import NamedTuple


class Peer(NamedTuple):
    folder: str  # in DECORR_PEERS
    # Those whose __init__.py is not run, from the outermost, each with the names that it then has,
    # and the modules these are from.
    packages: dict
    root: str = ""  # where the outermost one lies, if not in a folder of its name


_SOLO_LEARN = {"solo": {}, "solo.losses": {"barlow_loss_func": "barlow",
                                           "vicreg_loss_func": "vicreg"}}
_LIGHTLY = {"lightly": {}, "lightly.loss": {"BarlowTwinsLoss": "barlow_twins_loss",
                                            "VICRegLoss": "vicreg_loss"}}

PEERS = {
    "lightly": Peer("lightly", _LIGHTLY),
    # Of both views together, and of the unbiased deviation.
    "lightly 1.5.19": Peer("lightly-1.5.19", _LIGHTLY),
    "lightly 1.2.0": Peer("lightly-1.2.0", {
        "lightly": {}, "lightly.loss": {"BarlowTwinsLoss": "barlow_twins_loss"}}),
    "solo-learn": Peer("solo-learn", _SOLO_LEARN),
    "stable-pretraining": Peer("stable-pretraining", {
        "stable_pretraining": {},
        "stable_pretraining.utils": dict.fromkeys(
            ("all_gather", "all_reduce", "get_rank", "get_world_size"), "distributed"),
        "stable_pretraining.losses": {
            "VCRegLoss": "utils", **dict.fromkeys(
                ("BarlowTwinsLoss", "NTXEntLoss", "VICRegLoss"), "joint_embedding")}}),
    "vicregaddon": Peer("vicregaddon", {"vicregaddon": dict.fromkeys(
        ("vicreg_var_loss", "vicreg_cov_loss"), "vicregaddon")}),
    "eb_jepa": Peer("eb_jepa", {"eb_jepa": {}}),
    "vicreg-loss": Peer("vicreg-loss", {"vicreg_loss": {"VICRegLoss": "vicreg"}}),
    "scalable-decorrelation-ssl": Peer("scalable-decorrelation-ssl", {
        "solo": {}, "solo.losses": {"sbarlow_loss_func": "sbarlow",
                                    "svicreg_loss_func": "svicreg"}}, "src/main"),
    "dlib": Peer("dlib", {}, "barlow_twins"),  # a program, of peers/dlib_barlow_twins.cpp
}


def root(name):
    peer = PEERS[name]
    return os.path.join(os.environ.get("DECORR_PEERS", ""), peer.folder,
                        peer.root or next(iter(peer.packages)))


def is_there(name):
    return "DECORR_PEERS" in os.environ and os.path.exists(root(name))


def import_peer(name):
    """Where `import` finds it from then on."""
    for package, names in PEERS[name].packages.items():
        _, *inner = package.split(".")
        module = types.ModuleType(package)
        module.__path__ = [os.path.join(root(name), *inner)]
        sys.modules[package] = module
        if inner:
            setattr(sys.modules[package.rpartition(".")[0]], inner[-1], module)
        for each, its_module in names.items():
            setattr(module, each,
                    getattr(importlib.import_module(f"{package}.{its_module}"), each))


@contextlib.contextmanager
def imported(name):
    """Only for a while, as other releases of it have the same names."""
    outermost = next(iter(PEERS[name].packages))
    import_peer(name)
    try:
        yield
    finally:
        for module in [module for module in sys.modules if module.split(".")[0] == outermost]:
            del sys.modules[module]


def loss(name, path):
    """What a peer has by this path, as "lightly.loss.VICRegLoss"."""
    module, _, attribute = path.rpartition(".")
    with imported(name):
        return getattr(importlib.import_module(module), attribute)
