"""docs/porting.md: each row's options of decorr.torch against the loss in plain PyTorch,
differentiated by autograd, and against the published package where it is there (published.py)."""

import subprocess
import unittest
from typing import Callable, NamedTuple, Optional

import torch

import autograd_losses
import published
from decorr.torch import (
    BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, barlow_loss_func, vicreg_loss_func)

D = 8
# As in presets of the paper's code; the last block of 6 is a short one.
PERMUTATION = [3, 0, 7, 5, 1, 6, 2, 4]
BLOCK_SIZES = 4, 6


def views(n=9, d=D, shape=()):
    generator = torch.Generator().manual_seed(0)
    common, *own = torch.randn(3, n, *shape, d, dtype=torch.float64, generator=generator)
    spread = torch.linspace(0.3, 1.5, d, dtype=torch.float64)
    return [(1 + spread * (common + 0.5 * each)).requires_grad_() for each in own]


# ---- The formulas, as the sources have them

def covariance(z):
    centred = z - z.mean(dim=0)
    return autograd_losses.off_diagonal_squares(centred.T @ centred / (len(z) - 1))


def hinge(z, epsilon=1e-4):
    return (1 - (z.var(dim=0) + epsilon).sqrt()).relu().mean()


def barlow_twins_of(standardized, lambda_param=0.005):
    """With views that this function standardizes."""
    def loss(a, b):
        x_a, x_b = standardized(a, b)
        c = x_a.T @ x_b / len(a)
        return ((c.diagonal() - 1).square().sum()
                + lambda_param * autograd_losses.off_diagonal_squares(c))
    return loss


def with_shared_statistics(a, b):
    both = torch.cat([a, b])
    return [(z - both.mean(dim=0)) / (both.var(dim=0, unbiased=False) + 1e-5).sqrt()
            for z in (a, b)]


def by_unbiased_deviation(a, b, beside_root=0.0):
    return [(z - z.mean(dim=0)) / (z.std(dim=0) + beside_root) for z in (a, b)]


def by_deviation_beside_root(a, b):
    return by_unbiased_deviation(a, b, 1e-5)


def with_epsilon_of_dlib(a, b):
    return [(z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-4).sqrt() for z in (a, b)]


# ---- The rows

def standardized_outside(standardized):
    ours = BarlowTwinsLoss(standardize=False)
    return lambda a, b: ours(*standardized(a, b))


def from_package(peer, path, call=lambda loss: loss):
    """The published loss; `call` makes of what the package has under this path a function of the
    views."""
    return peer, lambda: call(published.loss(peer, path))


def made(*arguments, **keywords):
    return lambda loss: loss(*arguments, **keywords)


def value_of_dictionary(*arguments):
    def call(loss):
        module = loss(*arguments)
        return lambda a, b: module(a, b)["loss"]
    return call


class LossOfDlib(torch.autograd.Function):
    """By a program, as dlib is C++."""

    @staticmethod
    def forward(ctx, a, b):
        numbers = [*a.shape, *a.flatten().tolist(), *b.flatten().tolist()]
        output = subprocess.run([published.root("dlib")], input=" ".join(map(repr, numbers)),
                                stdout=subprocess.PIPE, text=True, check=True).stdout
        value, *slopes = map(float, output.split())
        ctx.save_for_backward(*torch.tensor(slopes).reshape(2, *a.shape))
        return torch.tensor(value)

    @staticmethod
    def backward(ctx, slope):
        return tuple(slope * each for each in ctx.saved_tensors)


class Row(NamedTuple):
    ours: Callable
    formula: Optional[Callable] = None
    package: Optional[tuple] = None
    views: int = 2
    tolerance_of_package: float = 2e-13


def relaxed_rows(block_size):
    """Rows 9 and 10."""
    relaxed = {"regularizer": "relaxed", "block_size": block_size, "permutation": PERMUTATION,
               "signs": False}
    keywords = {"group_size": block_size, "rand_idx": torch.tensor(PERMUTATION)}
    return {
        f"9 in blocks of {block_size}": Row(
            BarlowTwinsLoss(0.0004883, scale=0.024, exponent=2, **relaxed), None,
            from_package("scalable-decorrelation-ssl", "solo.losses.sbarlow_loss_func",
                         lambda loss: lambda a, b: loss(a, b, 0.0004883, 0.024, 2, **keywords))),
        f"10 in blocks of {block_size}": Row(
            VICRegLoss(nu_param=2.0, scale=0.25, sum_variance=True, exponent=1,
                       covariance_scaling="block_mean", **relaxed), None,
            from_package("scalable-decorrelation-ssl", "solo.losses.svicreg_loss_func",
                         lambda loss: lambda a, b: loss(a, b, 25.0, 25.0, 2.0, 0.25, 1,
                                                        **keywords))),
    }


def variance_and_covariance_of_vicregaddon(peer):
    variance, covariance_term = (published.loss(peer, f"vicregaddon.vicreg_{term}_loss")
                                 for term in ("var", "cov"))
    return lambda z: 25 * variance(z) + covariance_term(z)


ROWS = {
    "1": Row(BarlowTwinsLoss(0.0051),
             lambda a, b: autograd_losses.barlow_twins(a, b, 0.0051)),
    "2": Row(VICRegLoss(), autograd_losses.vicreg),
    "3": Row(barlow_loss_func, lambda a, b: autograd_losses.barlow_twins(a, b, scale=0.025),
             from_package("solo-learn", "solo.losses.barlow_loss_func")),
    "4": Row(vicreg_loss_func, lambda a, b: autograd_losses.vicreg(a, b, sum_variance=True),
             from_package("solo-learn", "solo.losses.vicreg_loss_func")),
    "5": Row(BarlowTwinsLoss(), autograd_losses.barlow_twins,
             from_package("lightly", "lightly.loss.BarlowTwinsLoss", made())),
    "5 with another weight": Row(
        BarlowTwinsLoss(lambda_param=0.1), None,
        from_package("lightly", "lightly.loss.BarlowTwinsLoss", made(lambda_param=0.1))),
    "6": Row(standardized_outside(with_shared_statistics), barlow_twins_of(with_shared_statistics),
             from_package("lightly 1.5.19", "lightly.loss.BarlowTwinsLoss", made())),
    "7": Row(standardized_outside(by_unbiased_deviation), barlow_twins_of(by_unbiased_deviation),
             from_package("lightly 1.2.0", "lightly.loss.BarlowTwinsLoss", made())),
    "8": Row(VICRegLoss(), autograd_losses.vicreg,
             from_package("lightly", "lightly.loss.VICRegLoss", made())),
    "8 with other weights": Row(
        VICRegLoss(2.0, 3.0, 4.0, False, 1e-2), None,
        from_package("lightly", "lightly.loss.VICRegLoss", made(2.0, 3.0, 4.0, False, 1e-2))),
    **relaxed_rows(BLOCK_SIZES[0]), **relaxed_rows(BLOCK_SIZES[1]),
    "11": Row(VarianceCovarianceLoss(), lambda z: 25 * hinge(z) + covariance(z) / D,
              ("vicregaddon", lambda: variance_and_covariance_of_vicregaddon("vicregaddon")), 1),
    "12": Row(VICRegLoss(25, 15, 0.5, eps=0),
              lambda a, b: (25 * (a - b).square().mean() + 15 * (hinge(a, 0) + hinge(b, 0)) / 2
                            + (covariance(a) + covariance(b)) / D / 2),
              from_package("vicreg-loss", "vicreg_loss.VICRegLoss", value_of_dictionary())),
    "13": Row(VarianceCovarianceLoss(12.5), lambda z: 25 * hinge(z) / 2 + covariance(z) / D,
              from_package("stable-pretraining", "stable_pretraining.losses.VCRegLoss", made()), 1),
    "13 of two views": Row(
        VICRegLoss(), None,
        from_package("stable-pretraining", "stable_pretraining.losses.VICRegLoss", made())),
    "14": Row(standardized_outside(by_deviation_beside_root),
              barlow_twins_of(by_deviation_beside_root),
              from_package("stable-pretraining", "stable_pretraining.losses.BarlowTwinsLoss",
                           made())),
    # In float32: 2 (n + d) roundings.
    "15": Row(BarlowTwinsLoss(0.0051, eps=1e-4), barlow_twins_of(with_epsilon_of_dlib, 0.0051),
              ("dlib", lambda: LossOfDlib.apply), tolerance_of_package=2e-6),
    "16": Row(VICRegLoss(25 * D, sum_variance=True),
              lambda a, b: (25 * (a - b).square().sum(dim=1).mean() + 25 * (hinge(a) + hinge(b))
                            + (covariance(a) + covariance(b)) / D)),
    "17": Row(VICRegLoss(1, 1, 100 / (D - 1), sum_variance=True),
              lambda a, b: ((a - b).square().mean() + hinge(a) + hinge(b)
                            + 100 * (covariance(a) + covariance(b)) / (D * (D - 1))),
              from_package("eb_jepa", "eb_jepa.losses.VICRegLoss", value_of_dictionary(1, 100))),
}


class TestCase(unittest.TestCase):
    def setUp(self):
        # The layers that published losses make in their calls are of this type.
        self.addCleanup(torch.set_default_dtype, torch.get_default_dtype())
        torch.set_default_dtype(torch.float64)

    def check(self, ours, theirs, z, tolerance=2e-13):
        found, expected = ours(*z), theirs(*z)
        self.assertLessEqual(abs(found - expected).item(), tolerance * abs(expected).item())
        for mine, other in zip(torch.autograd.grad(found, z), torch.autograd.grad(expected, z)):
            self.assertLessEqual((mine - other).abs().max().item(),
                                 tolerance * other.abs().max().item())


class Formulas(TestCase):
    def test_rows(self):
        for number, row in ROWS.items():
            if row.formula is not None:
                with self.subTest(row=number):
                    self.check(row.ours, row.formula, views()[:row.views])


class Packages(TestCase):
    """A test for each, so that those that are not there are counted."""

    def package(self, peer):
        if not published.is_there(peer):
            self.skipTest(f"{peer} is not in DECORR_PEERS")

    def test_lightly_of_slices(self):
        self.package("lightly")
        theirs = published.loss("lightly", "lightly.loss.VICRegLoss")
        for shape in ((2,), (2, 3)):
            self.check(VICRegLoss(), theirs(), views(shape=shape))

    def test_lightly_under_autocast(self):
        self.package("lightly")
        theirs = published.loss("lightly", "lightly.loss.VICRegLoss")()
        a, b = (each.detach().bfloat16() for each in views(64, 32))
        with torch.autocast("cpu", torch.bfloat16):
            found, expected = VICRegLoss()(a, b), theirs(a, b)
        self.assertEqual(found.dtype, expected.dtype)
        # Its products are of bfloat16 there.
        self.assertLess(abs(found - expected).item(), 1e-2 * expected.item())


def add_row(number, row):
    peer, theirs = row.package

    def test(self):
        self.package(peer)
        self.check(row.ours, theirs(), views()[:row.views], row.tolerance_of_package)
    setattr(Packages, f"test_row_{number.replace(' ', '_')}", test)


for number_of_row, row_of_page in ROWS.items():
    if row_of_page.package is not None:
        add_row(number_of_row, row_of_page)


if __name__ == "__main__":
    unittest.main()
