"""docs/porting.md: the losses of other codes in plain PyTorch, differentiated by autograd, and
those packages themselves where they are installed, against the options that the page says."""

import importlib.util
import os
import unittest

import torch

import autograd_losses
from decorr.torch import BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss


def views(n=9, d=8, shape=()):
    generator = torch.Generator().manual_seed(0)
    common, *own = torch.randn(3, n, *shape, d, dtype=torch.float64, generator=generator)
    spread = torch.linspace(0.3, 1.5, d, dtype=torch.float64)
    return [(1 + spread * (common + 0.5 * each)).requires_grad_() for each in own]


def covariance(z):
    centred = z - z.mean(dim=0)
    return autograd_losses.off_diagonal_squares(centred.T @ centred / (len(z) - 1))


def hinge(z, epsilon):
    return (1 - (z.var(dim=0) + epsilon).sqrt()).relu().mean()


def deviation_beside_root(z):
    return (z - z.mean(dim=0)) / (z.std(dim=0) + 1e-5)


class TestCase(unittest.TestCase):
    def check(self, ours, theirs, z=None):
        z = views() if z is None else z
        found, expected = ours(*z), theirs(*z)
        self.assertLessEqual(abs(found - expected).item(), 2e-13 * abs(expected).item())
        for mine, other in zip(torch.autograd.grad(found, z), torch.autograd.grad(expected, z)):
            self.assertLessEqual((mine - other).abs().max().item(),
                                 2e-13 * other.abs().max().item())


class Formulas(TestCase):
    def test_12_jolibrain(self):
        def theirs(a, b):
            return (25 * (a - b).square().mean() + 15 * (hinge(a, 0) + hinge(b, 0)) / 2
                    + (covariance(a) + covariance(b)) / 8 / 2)
        self.check(VICRegLoss(25, 15, 0.5, eps=0), theirs)

    def test_13_stable_pretraining_vcreg(self):
        self.check(VarianceCovarianceLoss(12.5),
                   lambda z: 25 * hinge(z, 1e-4) / 2 + covariance(z) / 8, views()[:1])

    def test_14_stable_pretraining_barlow_twins(self):
        def theirs(a, b):
            c = deviation_beside_root(a).T @ deviation_beside_root(b) / len(a)
            return ((c.diagonal() - 1).square().sum()
                    + 0.005 * autograd_losses.off_diagonal_squares(c))
        ours = BarlowTwinsLoss(standardize=False)
        self.check(lambda a, b: ours(deviation_beside_root(a), deviation_beside_root(b)), theirs)

    def test_6_and_7_lightly_before(self):
        def shared(a, b):
            both = torch.cat([a, b])
            return [(z - both.mean(dim=0)) / (both.var(dim=0, unbiased=False) + 1e-5).sqrt()
                    for z in (a, b)]

        def unbiased(a, b):
            return [(z - z.mean(dim=0)) / z.std(dim=0) for z in (a, b)]
        ours = BarlowTwinsLoss(standardize=False)
        for standardized in (shared, unbiased):
            def theirs(a, b, standardized=standardized):
                x_a, x_b = standardized(a, b)
                c = x_a.T @ x_b / len(a)
                return ((c.diagonal() - 1).square().sum()
                        + 0.005 * autograd_losses.off_diagonal_squares(c))
            self.check(lambda a, b, s=standardized: ours(*s(a, b)), theirs)

    def test_15_dlib(self):
        def theirs(a, b):
            x_a, x_b = ((z - z.mean(dim=0)) / (z.var(dim=0, unbiased=False) + 1e-4).sqrt()
                        for z in (a, b))
            c = x_a.T @ x_b / len(a)
            return ((c.diagonal() - 1).square().sum()
                    + 0.0051 * autograd_losses.off_diagonal_squares(c))
        self.check(BarlowTwinsLoss(0.0051, eps=1e-4), theirs)

    def test_16_the_papers_vicreg(self):
        def theirs(a, b):
            return (25 * (a - b).square().sum(dim=1).mean() + 25 * (hinge(a, 1e-4) + hinge(b, 1e-4))
                    + (covariance(a) + covariance(b)) / 8)
        self.check(VICRegLoss(25 * 8, sum_variance=True), theirs)

    def test_17_eb_jepa(self):
        def theirs(a, b):
            return ((a - b).square().mean() + hinge(a, 1e-4) + hinge(b, 1e-4)
                    + 100 * (covariance(a) + covariance(b)) / (8 * 7))
        self.check(VICRegLoss(1, 1, 100 / 7, sum_variance=True), theirs)


def published(package, file, name):
    """A class of a package that this test does not need, from the file that has it, as packages
    want much more than their losses; None where it is not there."""
    found = importlib.util.find_spec(package)
    if found is None:
        return None
    path = os.path.join(found.submodule_search_locations[0], *file.split("/"))
    spec = importlib.util.spec_from_file_location(f"published_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, name)


class Packages(TestCase):
    def theirs(self, package, file, name):
        loss = published(package, file, name)
        if loss is None:
            self.skipTest(f"{package} is not installed")
        return loss

    def test_lightly_barlow_twins(self):
        theirs = self.theirs("lightly", "loss/barlow_twins_loss.py", "BarlowTwinsLoss")
        self.check(BarlowTwinsLoss(), theirs())
        self.check(BarlowTwinsLoss(lambda_param=0.1), theirs(lambda_param=0.1))

    def test_lightly_vicreg(self):
        theirs = self.theirs("lightly", "loss/vicreg_loss.py", "VICRegLoss")
        self.check(VICRegLoss(), theirs())
        self.check(VICRegLoss(2.0, 3.0, 4.0, False, 1e-2), theirs(2.0, 3.0, 4.0, False, 1e-2))
        for shape in ((2,), (2, 3)):
            self.check(VICRegLoss(), theirs(), views(shape=shape))

    def test_lightly_under_autocast(self):
        theirs = self.theirs("lightly", "loss/vicreg_loss.py", "VICRegLoss")()
        a, b = (each.detach().bfloat16() for each in views(64, 32))
        with torch.autocast("cpu", torch.bfloat16):
            found, expected = VICRegLoss()(a, b), theirs(a, b)
        self.assertEqual(found.dtype, expected.dtype)
        # Its products are of bfloat16 there.
        self.assertLess(abs(found - expected).item(), 1e-2 * expected.item())


if __name__ == "__main__":
    unittest.main()
