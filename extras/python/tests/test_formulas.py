"""decorr.torch in PyTorch's operations, as on a GPU, against libdecorr on the CPU, and against the
definitions."""

import unittest

import torch

import naive_losses
from decorr.torch import BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss
from torch_case import TorchTestCase

LOSSES = BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss


def views(n, d, dtype=torch.float64, seed=0):
    """With offsets, and spreads on both sides of VICReg's hinge."""
    generator = torch.Generator().manual_seed(seed)
    common, *own = torch.randn(3, n, d, dtype=torch.float64, generator=generator)
    spread = torch.linspace(0.3, 1.5, d, dtype=torch.float64)
    return [(1 + spread * (common + 0.5 * each)).to(dtype).requires_grad_() for each in own]


def settings(d, one_view):
    generator = torch.Generator().manual_seed(1)
    permutation = torch.randperm(d, generator=generator)
    signs = [2 * torch.randint(0, 2, (d,), generator=generator) - 1 for _ in "ab"]
    yield {}
    for exponent in (1, 2):
        for block_size in sorted({0, 1, min(4, d), min(5, d), d}):
            for drawn in ({"signs": False}, {"signs": signs[0] if one_view else signs,
                                             "permutation": permutation}):
                yield {"regularizer": "relaxed", "exponent": exponent, "block_size": block_size,
                       **drawn}


def options(loss):
    """Each with every other one."""
    yield {}
    if loss is BarlowTwinsLoss:
        yield {"lambda_param": 0.3, "scale": 0.7, "eps": 0.1}
        yield {"standardize": False}
    else:
        yield {"mu_param": 3.0, "nu_param": 0.5, "scale": 0.7, "eps": 0.1, "gamma": 1.3}
        yield {"covariance_scaling": "block_mean"}
    if loss is VICRegLoss:
        yield {"sum_variance": True, "lambda_param": 2.0}


def value_and_gradients(loss, z):
    value = loss(*z)
    return [value.detach(), *torch.autograd.grad(3 * value**2, z)]


class Formulas(TorchTestCase):
    def test_several_views(self):
        z = [each for seed in range(2) for each in views(9, 8, seed=seed)][:3]
        for loss in (BarlowTwinsLoss, VICRegLoss):
            every_option = [{**keywords, **others} for keywords in [*settings(8, False)][::6]
                            for others in options(loss)]
            for keywords in [*settings(8, False), *every_option]:
                for combination in ("pairs", "centroid"):
                    self.check(loss, {**keywords, "combination": combination}, z, 1e-11)
        ours = BarlowTwinsLoss(backend="torch", combination="centroid")
        with self.assertRaisesRegex(ValueError, "z_a has 1 row, expected at least 2"):
            ours(*(each[:1] for each in z))
        some = [z[0], z[1].detach(), z[2]]
        found = torch.autograd.grad(ours(*some), [z[0], z[2]])
        for mine, theirs in zip(found, torch.autograd.grad(ours(*z), [z[0], z[2]])):
            torch.testing.assert_close(mine, theirs)

    def check(self, loss, keywords, z, tolerance):
        ours, library = loss(backend="torch", **keywords), loss(**keywords)
        expectations = value_and_gradients(library, z)
        if loss is BarlowTwinsLoss:
            # Where the diagonal is nearly 1, 1 - C_ii has that many digits less: docs/numerics.md,
            # the bound of D.
            tolerance *= max(1, (z[0].shape[1] / expectations[0].item()) ** 0.5)
        for found, expected in zip(value_and_gradients(ours, z), expectations):
            self.assertEqual((found.dtype, found.shape), (expected.dtype, expected.shape))
            error = (found - expected).abs().max().item()
            self.assertLessEqual(error, tolerance * expected.abs().max().item(), keywords)
        for found, expected in zip(ours.terms, library.terms):
            self.assertAlmostEqual(found, expected, delta=tolerance * abs(library.terms.value))

    def test_every_setting(self):
        # A float's unit is 6e-8, of which a loss squared and its terms lose a few dozen.
        for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
            for n, d in ((9, 8), (6, 13), (20, 5), (2, 1), (3, 1), (3, 2)):
                # Two standardized rows are +1 and -1 whatever they were, a gradient is rounding.
                for loss in LOSSES[1 if n == 2 else 0:]:
                    one_view = loss is VarianceCovarianceLoss
                    z = views(n, d, dtype)[:1 if one_view else 2]
                    for chosen in options(loss):
                        for keywords in settings(d, one_view):
                            with self.subTest(loss=loss.__name__, n=n, d=d, dtype=dtype):
                                self.check(loss, {**chosen, **keywords}, z, tolerance)

    def test_definitions(self):
        z, (permutation, signs) = views(9, 6), (torch.tensor([3, 1, 5, 0, 2, 4]),
                                                torch.tensor([[1, -1, 1, 1, -1, -1],
                                                              [-1, 1, 1, -1, 1, 1]]))
        arrays = [each.detach().numpy() for each in z]
        relaxed = {"block_size": 4, "exponent": 2, "permutation": permutation.numpy(),
                   "signs_a": signs[0].numpy(), "signs_b": signs[1].numpy()}
        for loss, naive, expected in (
                (BarlowTwinsLoss, naive_losses.barlow_twins, {"lambda_": 0.005}),
                (VICRegLoss, naive_losses.vicreg, {})):
            made = loss(backend="torch", regularizer="relaxed", block_size=4,
                        permutation=permutation, signs=signs)
            made(*z)
            for found, term in zip(made.terms[1:], naive(*arrays, **expected, relaxed=relaxed)):
                self.assertAlmostEqual(found, term, delta=1e-12 * made.terms.value)

    def test_gradcheck(self):
        for loss in LOSSES:
            one_view = loss is VarianceCovarianceLoss
            z = views(7, 6)[:1 if one_view else 2]
            for keywords in settings(6, one_view):
                with self.subTest(loss=loss.__name__, **keywords):
                    self.assertTrue(torch.autograd.gradcheck(loss(backend="torch", **keywords), z))

    def test_draws_are_those_of_the_cpu(self):
        z = views(9, 8)
        values = []
        for backend in ("auto", "torch"):
            torch.manual_seed(3)
            values.append(BarlowTwinsLoss(regularizer="relaxed", permutation=True,
                                          backend=backend)(*z).item())
        self.assertAlmostEqual(values[0], values[1], delta=1e-12 * values[0])

    def test_one_view(self):
        a, b = views(9, 8)
        for loss in (BarlowTwinsLoss(backend="torch"), VICRegLoss(backend="torch"),
                     VICRegLoss(backend="torch", regularizer="relaxed", signs=[[1] * 8] * 2)):
            both = torch.autograd.grad(loss(a, b), (a, b))
            for position, z in enumerate(((a, b.detach()), (a.detach(), b))):
                loss(*z).backward()
                self.assertIsNone(z[1 - position].grad)
                self.assertLessEqual((z[position].grad - both[position]).abs().max().item(), 1e-14)
                z[position].grad = None

    def test_16_bit(self):
        for dtype, tolerance in ((torch.float16, 1e-3), (torch.bfloat16, 8e-3)):
            self.check(VICRegLoss, {}, views(20, 8, dtype), tolerance)

    def test_state_of_pytorch(self):
        """Neither 16-bit products nor another default type or device change a bit."""
        for loss in (BarlowTwinsLoss, VICRegLoss):
            for keywords in ({}, {"regularizer": "relaxed", "signs": False, "block_size": 3}):
                z = views(20, 8, torch.float32)
                made = loss(backend="torch", **keywords)
                expected = value_and_gradients(made, z)
                states = [lambda: torch.autocast("cpu", torch.bfloat16)]
                if hasattr(torch.library, "custom_op"):
                    states.append(lambda: torch.device("meta"))
                for state in states:
                    with state():
                        found = value_and_gradients(made, z)
                    for mine, other in zip(found, expected):
                        self.assertTrue(torch.equal(mine, other))
                    self.assertEqual(mine.device.type, "cpu")

    def test_far_from_zero_and_constant(self):
        a, b = views(50, 8, torch.float32)
        with torch.no_grad():
            a += 1000
            b[:, 3] = 5
        for keywords in ({}, {"eps": 0.0}):
            self.check(BarlowTwinsLoss, keywords, [a, b], 1e-5)
        for factor in (1e-30, 1e30):
            self.check(BarlowTwinsLoss, {"eps": 0.0}, [
                (factor * each).detach().requires_grad_() for each in views(50, 8, torch.float32)],
                1e-5)

    def test_nan_and_infinity(self):
        for wrong in (torch.nan, torch.inf):
            for keywords in ({}, {"regularizer": "relaxed", "exponent": 1}):
                for loss in (BarlowTwinsLoss, VICRegLoss):
                    a, b = views(9, 8)
                    with torch.no_grad():
                        a[1, 2] = wrong
                    value, grad_a, _ = value_and_gradients(
                        loss(backend="torch", **keywords), [a, b])
                    self.assertFalse(value.isfinite().item())
                    self.assertFalse(grad_a.isfinite().all().item())

    def test_refusals(self):
        a, b = (each.detach() for each in views(9, 8))
        relaxed = {"backend": "torch", "regularizer": "relaxed"}
        for message, keywords, z in (
                ("^z_a has 1 row, expected at least 2", {"backend": "torch"}, (a[:1], b[:1])),
                ("^z_a is 0 x 8", {"backend": "torch"}, (a[:0], b[:0])),
                ("^z_a is 9 x 0", {"backend": "torch"}, (a[:, :0], b[:, :0])),
                ("^block_size is 9, expected 0 to 8", {**relaxed, "block_size": 9}, (a, b)),
                ("^permutation has 7 entries, expected 8",
                 {**relaxed, "permutation": range(7), "signs": False}, (a, b)),
                (r"^signs\[0\] has 7 entries, expected 8",
                 {**relaxed, "signs": ([1] * 7, [1] * 7)}, (a, b))):
            with self.assertRaisesRegex(ValueError, message):
                BarlowTwinsLoss(**keywords)(*z)
        with self.assertRaisesRegex(ValueError, "backend is 'cuda', expected 'auto' or 'torch'"):
            BarlowTwinsLoss(backend="cuda")


@unittest.skipUnless(torch.cuda.is_available(), "no GPU")
class OnAGpu(unittest.TestCase):
    def test_every_setting(self):
        for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
            for n, d in ((9, 8), (64, 1000)):
                for loss in LOSSES:
                    one_view = loss is VarianceCovarianceLoss
                    z = views(n, d, dtype)[:1 if one_view else 2]
                    there = [each.detach().cuda().requires_grad_() for each in z]
                    for keywords in settings(d, one_view):
                        if d > 100 and keywords.get("block_size") == 1:
                            continue
                        for found, expected in zip(value_and_gradients(loss(**keywords), there),
                                                   value_and_gradients(loss(**keywords), z)):
                            self.assertEqual(found.device.type, "cuda")
                            error = (found.cpu() - expected).abs().max().item()
                            self.assertLessEqual(error, tolerance * expected.abs().max().item())


if __name__ == "__main__":
    unittest.main()
