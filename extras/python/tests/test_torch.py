"""decorr.torch against the losses in plain PyTorch, whose gradients are autograd's, on tensors
of every kind, and what it refuses."""

import contextlib
import copy
import io
import pickle
import threading
import unittest
import unittest.mock
import warnings

import numpy
import torch
import torch.utils.checkpoint

import autograd_losses
import decorr.torch
import naive_losses
from decorr.torch import _operator
from decorr.torch import (BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, barlow_loss_func,
                          vicreg_loss_func)
from torch_case import TorchTestCase


def views(n=9, d=8, seed=0, dtype=torch.float64):
    """Two correlated views, with offsets, and spreads on both sides of VICReg's hinge."""
    generator = torch.Generator().manual_seed(seed)
    common, *own = torch.randn(3, n, d, dtype=torch.float64, generator=generator)
    spread = torch.linspace(0.3, 1.5, d, dtype=torch.float64)
    return [(1 + spread * (common + 0.5 * each)).to(dtype).requires_grad_() for each in own]


def draw(d, permutation, seed=5):
    """What a loss with this generator draws, by its documentation."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {"permutation": torch.randperm(d, generator=generator)} if permutation else {}
    for name in ("signs_a", "signs_b"):
        drawn[name] = 2 * torch.randint(0, 2, (d,), dtype=torch.int8, generator=generator) - 1
    return drawn


def several_views(count):
    return [z for seed in range(3) for z in views(seed=seed)][:count]


def with_centroid(two_views, z):
    """The loss of several views with their mean, by those of two views and of one."""
    mean = sum(z) / len(z)
    if isinstance(two_views, BarlowTwinsLoss):
        return sum(two_views(each, mean) for each in z)
    # Of a view and itself the loss has its variance, or twice that, and twice its covariance.
    terms = 0
    for position, each in enumerate(z):
        own = copy.copy(two_views)
        own.nu_param = two_views.nu_param / 2
        own.mu_param = two_views.mu_param / (2 if two_views.sum_variance else len(z))
        if isinstance(two_views.settings.signs, tuple):
            signs = two_views.settings.signs[position % 2]
            own = VICRegLoss(own.lambda_param, own.mu_param, own.nu_param,
                             sum_variance=own.sum_variance, regularizer="relaxed", block_size=3,
                             permutation=two_views.settings.permutation, signs=(signs, signs))
        terms = terms + own(each, each) + 25 * (each - mean).square().mean()
    return terms


class TestCase(TorchTestCase):
    def assert_close(self, found, expected, tolerance=1e-12):
        error = (found.double() - expected.double()).abs().max().item()
        self.assertLessEqual(error, tolerance * max(expected.abs().max().item(), 1e-300))

    def assert_same_loss(self, ours, theirs, z, tolerance=1e-12):
        """Value and gradients, of a loss that is a part of a larger one."""
        found, expected = ours(*z), theirs(*z)
        self.assertEqual((found.shape, found.dtype), (expected.shape, expected.dtype))
        self.assert_close(found, expected, tolerance)
        needed = [each for each in z if each.requires_grad]
        for mine, other in zip(torch.autograd.grad(3 * found**2, needed),
                               torch.autograd.grad(3 * expected**2, needed)):
            self.assertEqual((mine.shape, mine.dtype), (other.shape, other.dtype))
            self.assert_close(mine, other, tolerance)


class Values(TestCase):
    def test_defaults_of_lightly_and_solo_learn(self):
        for n, d in ((9, 8), (5, 13), (40, 7), (3, 2)):
            z = views(n, d)
            with self.subTest(n=n, d=d):
                self.assert_same_loss(BarlowTwinsLoss(), autograd_losses.barlow_twins, z)
                self.assert_same_loss(VICRegLoss(), autograd_losses.vicreg, z)
                self.assert_same_loss(
                    barlow_loss_func,
                    lambda a, b: autograd_losses.barlow_twins(a, b, 0.005, 0.025), z)
                self.assert_same_loss(
                    vicreg_loss_func,
                    lambda a, b: autograd_losses.vicreg(a, b, sum_variance=True), z)

    def test_arguments_of_lightly_and_solo_learn(self):
        z = views()
        self.assert_same_loss(BarlowTwinsLoss(0.3, False),
                              lambda a, b: autograd_losses.barlow_twins(a, b, 0.3), z)
        self.assert_same_loss(VICRegLoss(2.0, 3.0, 4.0, False, 1e-2),
                              lambda a, b: autograd_losses.vicreg(a, b, 2, 3, 4, 1e-2), z)
        self.assert_same_loss(
            lambda a, b: barlow_loss_func(a, b, lamb=0.0051, scale_loss=0.024),
            lambda a, b: autograd_losses.barlow_twins(a, b, 0.0051, 0.024), z)
        self.assert_same_loss(
            lambda a, b: vicreg_loss_func(a, b, sim_loss_weight=2, var_loss_weight=3,
                                          cov_loss_weight=4),
            lambda a, b: autograd_losses.vicreg(a, b, 2, 3, 4, sum_variance=True), z)

    def test_one_view(self):
        def theirs(z):
            variance, covariance = autograd_losses.variance_and_covariance(z)
            return 25 * variance + covariance
        self.assert_same_loss(VarianceCovarianceLoss(), theirs, views()[:1])
        signs = draw(8, False)["signs_a"]

        def relaxed(z):
            variance, covariance = autograd_losses.variance_and_covariance(z, 1e-4, 2, None, signs)
            return 25 * variance + covariance
        self.assert_same_loss(VarianceCovarianceLoss(regularizer="relaxed", signs=signs), relaxed,
                              views()[:1])

    def test_relaxed(self):
        for d in (8, 13):
            for exponent in (1, 2):
                for permutation in (False, True):
                    drawn = draw(d, permutation)
                    for ours, theirs in ((BarlowTwinsLoss, autograd_losses.barlow_twins),
                                         (VICRegLoss, autograd_losses.vicreg)):
                        with self.subTest(d=d, exponent=exponent, loss=ours.__name__):
                            self.assert_same_loss(
                                ours(regularizer="relaxed", exponent=exponent,
                                     permutation=permutation,
                                     generator=torch.Generator().manual_seed(5)),
                                lambda a, b, theirs=theirs: theirs(a, b, exponent=exponent,
                                                                   **drawn), views(d=d))

    def test_relaxed_with_what_is_given(self):
        z, drawn = views(), draw(8, True)
        signs = drawn["signs_a"], drawn["signs_b"]
        self.assert_same_loss(
            BarlowTwinsLoss(regularizer="relaxed", permutation=drawn["permutation"], signs=signs),
            lambda a, b: autograd_losses.barlow_twins(a, b, exponent=2, **drawn), z)
        self.assert_same_loss(
            BarlowTwinsLoss(regularizer="relaxed", permutation=drawn["permutation"].tolist(),
                            signs=[each.numpy() for each in signs]),
            lambda a, b: autograd_losses.barlow_twins(a, b, exponent=2, **drawn), z)
        self.assert_same_loss(
            VICRegLoss(regularizer="relaxed", signs=False),
            lambda a, b: autograd_losses.vicreg(a, b, exponent=2), z)

    def test_blocks(self):
        z = views()
        with torch.no_grad():
            found = BarlowTwinsLoss(regularizer="relaxed", exponent=1, block_size=3,
                                    signs=False)(*z)
        expected = sum(naive_losses.barlow_twins(
            *(each.detach().numpy() for each in z), lambda_=0.005,
            relaxed={"exponent": 1, "block_size": 3}))
        self.assertAlmostEqual(found.item(), expected, delta=1e-12 * expected)

    def test_gradcheck(self):
        signs = tuple(draw(8, False).values())
        for loss in (BarlowTwinsLoss, VICRegLoss):
            for settings in ({}, {"regularizer": "relaxed", "signs": signs},
                             {"regularizer": "relaxed", "signs": False, "exponent": 1},
                             {"regularizer": "relaxed", "signs": signs, "block_size": 3}):
                with self.subTest(loss=loss.__name__, **settings):
                    self.assertTrue(torch.autograd.gradcheck(loss(**settings), views()))
        self.assertTrue(torch.autograd.gradcheck(VarianceCovarianceLoss(), views()[:1]))

    def test_several_views(self):
        """The sum over pairs by the loss of two views; with the centroid, by its definition."""
        drawn = draw(8, True)
        relaxed = {"regularizer": "relaxed", "block_size": 3, "permutation": drawn["permutation"]}
        for count in (2, 3, 5):
            z = several_views(count)
            for settings in ({}, {**relaxed, "signs": False},
                             {**relaxed, "signs": (drawn["signs_a"], drawn["signs_b"])}):
                for kind, options in ((BarlowTwinsLoss, {}), (VICRegLoss, {}),
                                      (VICRegLoss, {"sum_variance": True, "nu_param": 0.3})):
                    made = kind(**options, **settings)
                    centroid = kind(combination="centroid", **options, **settings)
                    with self.subTest(count=count, loss=repr(made)):
                        # Of VICReg each view keeps its signs in all pairs.
                        if kind is BarlowTwinsLoss or count == 2 or settings.get("signs") is None \
                                or settings["signs"] is False:
                            self.assert_same_loss(made, lambda *views, made=made: sum(
                                made(a, b) for v, b in enumerate(views) for a in views[:v]), z)
                        self.assert_same_loss(
                            centroid, lambda *views, made=made: with_centroid(made, views), z)

    def test_gradcheck_of_several_views(self):
        signs = tuple(draw(8, False).values())
        for loss in (BarlowTwinsLoss, VICRegLoss):
            for combination in ("pairs", "centroid"):
                for settings in ({}, {"regularizer": "relaxed", "signs": signs}):
                    with self.subTest(loss=loss.__name__, combination=combination, **settings):
                        made = loss(combination=combination, **settings)
                        self.assertTrue(torch.autograd.gradcheck(made, several_views(3)))

    def test_several_views_in_all_other_respects(self):
        z = several_views(3)
        for kind, function, options in (
                (BarlowTwinsLoss, decorr.barlow_twins_loss_of_views,
                 decorr.BarlowTwinsOptions(lambda_=5e-3)),
                (VICRegLoss, decorr.vicreg_loss_of_views, decorr.VicregOptions())):
            made = kind(combination="centroid")
            self.assertIn("combination='centroid'", repr(made))
            self.assertNotIn("combination", repr(kind()))
            value = made(*z)
            terms = function([each.detach().numpy() for each in z], "centroid", None, options)
            self.assertEqual(made.terms, terms)
            self.assertEqual(value.item(), terms.value)
            self.assertEqual(copy.deepcopy(made)(*z).item(), value.item())
            self.assertEqual(pickle.loads(pickle.dumps(made))(*z).item(), value.item())
            # A teacher's view has no gradient; nor has anything under no_grad().
            whole = torch.autograd.grad(made(*z), z)
            some = [z[0], z[1].detach(), z[2]]
            for found, expected in zip(torch.autograd.grad(made(*some), [z[0], z[2]]),
                                       (whole[0], whole[2])):
                self.assert_close(found, expected)
            with torch.no_grad():
                self.assertFalse(made(*z).requires_grad)
            # 16 bits: the loss in their type.
            halves = [each.detach().bfloat16().requires_grad_() for each in z]
            loss = made(*halves)
            self.assertEqual(loss.dtype, torch.bfloat16)
            loss.backward()
            self.assertEqual(halves[2].grad.dtype, torch.bfloat16)
            self.assert_close(halves[2].grad, whole[2], 0.05)
            # Second derivatives are refused.
            gradient, = torch.autograd.grad(made(*z), z[:1], create_graph=True)
            with self.assertRaisesRegex(RuntimeError, "no second derivatives"):
                gradient.sum().backward()
            # Signs are drawn, and alike where a seed says so.
            drawing = kind(regularizer="relaxed", evaluation_seed=3).eval()
            self.assertEqual(drawing(*z).item(), drawing(*z).item())
            self.assertNotEqual(drawing.train()(*z).item(), drawing(*z).item())
        a, b, c = (each.reshape(9, 2, 4) for each in z)
        sliced = VICRegLoss()(a, b, c)
        self.assert_close(sliced, torch.stack(
            [VICRegLoss()(a[:, i], b[:, i], c[:, i]) for i in range(2)]).mean())

    def test_what_is_wrong_with_several_views(self):
        z = several_views(3)
        for made in (BarlowTwinsLoss(), VICRegLoss(combination="centroid")):
            for kind, message, given in (
                    (ValueError, r"z_a is 9 x 8, others\[0\] is 9 x 7, expected the same shape",
                     (z[0], z[1], z[2][:, :7])),
                    (TypeError, r"others\[1\] is a NoneType, expected a torch.Tensor",
                     (*z, None)),
                    (ValueError, "z_a has 1 row, expected at least 2",
                     [each[:1] for each in z])):
                with self.assertRaisesRegex(kind, message):
                    made(*given)
        with self.assertRaisesRegex(ValueError, "combination is 'all', expected 'pairs' or"):
            VICRegLoss(combination="all")
        with self.assertRaisesRegex(TypeError, "combination is 1, expected a string"):
            BarlowTwinsLoss(combination=1)
        with self.assertRaisesRegex(ValueError, "block_size is 9, expected 0 to 8"):
            BarlowTwinsLoss(regularizer="relaxed", block_size=9)(*z)

    def test_terms_by_name(self):
        z = views()
        for loss, names in ((BarlowTwinsLoss(), ["diagonal", "off_diagonal"]),
                            (VICRegLoss(), ["invariance", "variance", "covariance"])):
            self.assertIsNone(loss.terms)
            value = loss(*z).item()
            self.assertEqual(loss.terms.value, value)
            self.assertAlmostEqual(sum(getattr(loss.terms, name) for name in names), value)
        arrays = [each.detach().numpy() for each in z]
        self.assertAlmostEqual(loss.terms.covariance, naive_losses.vicreg(*arrays)[2])

    def test_terms_are_the_threads_own(self):
        loss = VICRegLoss(planning="estimate")
        z = [views(32, 16, seed=seed) for seed in range(4)]
        expected = []
        for each in z:
            loss(*each)
            expected.append(loss.terms)
        wrong, start = [], threading.Barrier(len(z))

        def run(number):
            start.wait()
            for _ in range(200):
                loss(*z[number])
                if loss.terms != expected[number]:
                    wrong.append(number)
        threads = [threading.Thread(target=run, args=(number,)) for number in range(len(z))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(loss.terms, expected[-1])
        self.assertIsNone(copy.deepcopy(loss).terms)

    def test_without_standardization(self):
        def theirs(a, b):
            c = a.T @ b / len(a)
            return ((1 - c.diagonal()).square().sum()
                    + 0.005 * autograd_losses.off_diagonal_squares(c))
        self.assert_same_loss(BarlowTwinsLoss(standardize=False), theirs, views())

    def test_slices(self):
        """Of what lies between samples and features, as in lightly, the mean."""
        a, b = (each.reshape(9, 2, 3, 4) for each in views(9, 24))
        signs = [[1, -1, -1, 1], [1, 1, -1, -1]]
        for loss, z in ((VICRegLoss(), (a, b)), (VarianceCovarianceLoss(), (a,)),
                        (VICRegLoss(regularizer="relaxed", signs=signs), (a, b))):
            def theirs(*z, loss=loss):
                return torch.stack([loss(*[each[:, i, j] for each in z])
                                    for i in range(2) for j in range(3)]).mean()
            self.assert_same_loss(loss, theirs, [each.detach().requires_grad_() for each in z])
            value = loss(*z)
            self.assertAlmostEqual(loss.terms.value, value.item())
            self.assertAlmostEqual(sum(loss.terms[1:]), value.item())
        # Signs are drawn for each of them.
        torch.manual_seed(1)
        value = VICRegLoss(regularizer="relaxed")(a, b)
        torch.manual_seed(1)
        drawn = VICRegLoss(regularizer="relaxed")
        self.assert_close(value, theirs(a, b, loss=drawn))

    def test_options_that_are_tensors(self):
        z = views()
        self.assertEqual(BarlowTwinsLoss(torch.tensor(0.3, dtype=torch.float64))(*z),
                         BarlowTwinsLoss(0.3)(*z))
        self.assertEqual(barlow_loss_func(*z, lamb=torch.tensor([0.5])),
                         barlow_loss_func(*z, lamb=0.5))
        loss = VICRegLoss()
        loss.nu_param = torch.tensor(7)
        self.assertEqual(loss(*z), VICRegLoss(nu_param=7.0)(*z))
        for wrong, message in ((torch.ones(2), r"shape \(2,\), expected a number"),
                               (torch.tensor(1.0, requires_grad=True),
                                "requires a gradient, .* by the views alone")):
            with self.assertRaisesRegex(TypeError, f"^lambda_param is a tensor .*{message}"):
                BarlowTwinsLoss(wrong)

    def test_weights_can_be_changed(self):
        z, loss = views(), VICRegLoss()
        loss.nu_param = 7.0
        self.assertEqual(loss(*z), VICRegLoss(nu_param=7.0)(*z))


class Drawing(TestCase):
    def loss(self, **settings):
        return BarlowTwinsLoss(regularizer="relaxed", **settings)

    def test_anew_for_each_forward(self):
        z = views()
        for settings in ({}, {"permutation": True, "signs": False}):
            generator = torch.Generator().manual_seed(1)
            loss = self.loss(generator=generator, **settings)
            first, second = loss(*z).item(), loss(*z).item()
            self.assertNotEqual(first, second)
            generator.manual_seed(1)
            self.assertEqual([loss(*z).item(), loss(*z).item()], [first, second])
        fixed = self.loss(signs=False)
        self.assertEqual(fixed(*z), fixed(*z))

    def test_pytorchs_own_generator(self):
        z, loss = views(), self.loss()
        torch.manual_seed(3)
        first = loss(*z)
        torch.manual_seed(3)
        self.assertEqual(loss(*z), first)

    def test_nothing_is_drawn_for_the_exact_loss_or_a_refused_call(self):
        state = torch.get_rng_state()
        BarlowTwinsLoss()(*views())
        with self.assertRaises(ValueError):
            self.loss()(*[each.T[0] for each in views()])
        self.assertTrue(torch.equal(torch.get_rng_state(), state))

    def test_with_signs_the_mean_is_the_exact_loss(self):
        z, torch_state = views(30, 8), torch.get_rng_state()
        torch.manual_seed(0)
        for relaxed, exact in ((BarlowTwinsLoss(1.0, regularizer="relaxed"), BarlowTwinsLoss(1.0)),
                               (VICRegLoss(regularizer="relaxed"), VICRegLoss())):
            values = numpy.array([relaxed(*z).item() for _ in range(4000)])
            error = values.std() / len(values)**0.5
            self.assertGreater(error, 0)
            self.assertLess(abs(values.mean() - exact(*z).item()), 4 * error)
        torch.set_rng_state(torch_state)

    def test_evaluation_seed(self):
        z = views()
        for settings in ({}, {"permutation": True}, {"generator": torch.Generator()}):
            loss = self.loss(evaluation_seed=3, **settings)
            self.assertNotEqual(loss(*z), loss(*z))
            state = torch.get_rng_state()
            loss.eval()
            values = [loss(*z).item() for _ in range(3)]
            self.assertEqual(len(set(values)), 1)
            same = self.loss(**{**settings, "generator": torch.Generator().manual_seed(3)})
            self.assertEqual(values[0], same(*z))
            self.assertTrue(torch.equal(torch.get_rng_state(), state))
            loss.train()
            self.assertNotEqual(loss(*z), loss(*z))
        # Without it evaluation draws as training does.
        drawn = self.loss().eval()
        self.assertNotEqual(drawn(*z), drawn(*z))
        self.assertIn("evaluation_seed=3", repr(loss))
        with self.assertRaisesRegex(TypeError, "^evaluation_seed is 'x', expected an integer"):
            self.loss(evaluation_seed="x")

    def test_activation_checkpointing(self):
        """The repeated forward has the signs of the first, or there is none."""
        network = torch.nn.Linear(5, 8).double()
        x, y = torch.randn(2, 9, 5, dtype=torch.float64).requires_grad_()
        fixed = draw(8, True)
        losses = [self.loss(permutation=True), self.loss(), BarlowTwinsLoss(),
                  self.loss(signs=(fixed["signs_a"], fixed["signs_b"]),
                            generator=torch.Generator())]

        def gradient(of):
            network.zero_grad()
            of().backward()
            return network.weight.grad.clone()
        for loss in losses:
            def whole(loss=loss):
                return loss(network(x), network(y))
            torch.manual_seed(4)
            expected = gradient(whole)
            for reentrant in (False, True):
                torch.manual_seed(4)
                found = gradient(lambda: torch.utils.checkpoint.checkpoint(
                    lambda x, y: loss(network(x), network(y)), x, y, use_reentrant=reentrant))
                self.assert_close(found, expected)
        own = self.loss(generator=torch.Generator().manual_seed(1))
        for reentrant in (False, True):
            with self.assertRaisesRegex(RuntimeError, "repeats this forward, and would draw other"):
                torch.utils.checkpoint.checkpoint(
                    lambda x, y: own(network(x), network(y)), x, y, use_reentrant=reentrant)
        own(network(x), network(y))

    def test_copies_and_pickles_draw_the_same(self):
        z = views()
        loss = self.loss(generator=torch.Generator().manual_seed(2))
        loss(*z)
        buffer = io.BytesIO()
        torch.save(torch.nn.Sequential(loss), buffer)
        buffer.seek(0)
        copies = [copy.deepcopy(loss), torch.load(buffer, weights_only=False)[0]]
        expected = [loss(*z), loss(*z)]
        for each in copies:
            self.assertEqual([each(*z), each(*z)], expected)
        self.assertEqual(len(loss.state_dict()), 0)


class Tensors(TestCase):
    def test_layouts(self):
        a, b = views()
        layouts = {
            "transposed": lambda z: z.T.contiguous().T,
            "every second": lambda z: z.repeat_interleave(2, 0).repeat_interleave(3, 1)[::2, ::3],
            "of a block": lambda z: torch.nn.functional.pad(z, (1, 2, 3, 4))[3:-4, 1:-2],
            "expanded": lambda z: z[0].expand(9, 8),
            "expanded column": lambda z: z[:, :1].expand(9, 8),
            "offset in the storage": lambda z: torch.cat([z, z])[9:],
            "minus to come": lambda z: torch.complex(z, -z).conj().imag,
        }
        self.assertTrue(layouts["minus to come"](a).is_neg())
        for name, layout in layouts.items():
            with self.subTest(name):
                self.assert_same_loss(
                    lambda a, b, layout=layout: VICRegLoss()(layout(a), layout(b)),
                    lambda a, b, layout=layout: autograd_losses.vicreg(layout(a), layout(b)),
                    (a, b))
        self.assert_same_loss(lambda a: VICRegLoss()(a, a),
                              lambda a: autograd_losses.vicreg(a, a), (a,))

    def test_nothing_is_copied(self):
        z = views(dtype=torch.float32)
        pointers = []
        original = _operator._matrix

        def matrix(struct, tensor):
            pointers.append((tensor.data_ptr(), tensor.stride()))
            return original(struct, tensor)
        _operator._matrix = matrix
        try:
            for each in ([z[0].T, z[1].T], [z[0][:, ::2], z[1][:, ::2]],
                         [z[0][0].expand(9, 8), z[1]]):
                pointers.clear()
                BarlowTwinsLoss()(*each)
                self.assertEqual(pointers[:2], [(t.data_ptr(), t.stride()) for t in each])
        finally:
            _operator._matrix = original

    def test_types(self):
        for dtype, tolerance in ((torch.float32, 2e-6), (torch.float16, 1e-3),
                                 (torch.bfloat16, 8e-3)):
            z = views(20, dtype=dtype)
            wide = [each.detach().double().requires_grad_() for each in z]
            loss, expected = BarlowTwinsLoss()(*z), autograd_losses.barlow_twins(*wide)
            self.assertEqual((loss.dtype, loss.shape), (dtype, ()))
            self.assert_close(loss, expected, tolerance)
            loss.backward()
            expected.backward()
            for mine, other in zip(z, wide):
                self.assertEqual(mine.grad.dtype, dtype)
                self.assert_close(mine.grad, other.grad, tolerance)
        half, whole = views(dtype=torch.float16), views(dtype=torch.float32)
        loss = VICRegLoss()(half[0], whole[1])
        self.assertEqual(loss.dtype, torch.float32)
        loss.backward()
        self.assertEqual([half[0].grad.dtype, whole[1].grad.dtype], [torch.float16, torch.float32])

    def test_16_bit_ranges(self):
        # Beyond float16 the value is an infinity, as it is in PyTorch; the terms have it.
        z = [(1000 * each.detach()).half().requires_grad_() for each in views()]
        loss = VICRegLoss()
        self.assertTrue(loss(*z).isinf().item())
        self.assertGreater(loss.terms.value, 65504)
        # A scaler's factor lifts gradients that float16 has no number for.
        z = [each.detach().half().requires_grad_() for each in views(64, 256)]
        loss = BarlowTwinsLoss(scale=1e-6)
        gradients = torch.autograd.grad(loss(*z).float() * 2.0**14, z)
        exact = torch.autograd.grad(BarlowTwinsLoss(scale=1e-6 * 2**14)(*z).float(), z)
        self.assertGreater(gradients[0].count_nonzero(), 0.9 * gradients[0].numel())
        self.assert_close(gradients[0], exact[0], 2e-3)

    def test_nan(self):
        a, b = views()
        with torch.no_grad():
            a[1, 2] = torch.nan
        loss = BarlowTwinsLoss()(a, b)
        loss.backward()
        self.assertTrue(loss.isnan().item() and b.grad.isnan().any().item())

    def test_who_requires_a_gradient(self):
        a, b = views()
        self.assert_same_loss(VICRegLoss(), autograd_losses.vicreg, (a, b.detach()))
        self.assert_same_loss(VICRegLoss(), autograd_losses.vicreg, (a.detach(), b))
        signs = tuple(draw(8, False).values())
        for loss in (BarlowTwinsLoss(), BarlowTwinsLoss(regularizer="relaxed", signs=signs),
                     VICRegLoss(regularizer="relaxed", signs=signs, block_size=3)):
            both = torch.autograd.grad(loss(a, b), (a, b))
            for position, z in enumerate(((a, b.detach()), (a.detach(), b))):
                value = loss(*z)
                value.backward()
                self.assertIsNone(z[1 - position].grad)
                self.assert_close(z[position].grad, both[position])
                z[position].grad = None
        loss = VICRegLoss()
        expected = loss(a, b).item()
        self.assertFalse(loss(a.detach(), b.detach()).requires_grad)
        for context in (torch.no_grad, torch.inference_mode):
            with context():
                value = loss(a, b)
            self.assertFalse(value.requires_grad)
            self.assertEqual(value.item(), expected)

    def test_state_of_pytorch(self):
        """What a program may have set for all of PyTorch changes nothing."""
        losses = (BarlowTwinsLoss(), VICRegLoss(), VarianceCovarianceLoss(),
                  BarlowTwinsLoss(regularizer="relaxed", permutation=True),
                  VICRegLoss(regularizer="relaxed", permutation=True, block_size=3,
                             generator=torch.Generator()),
                  barlow_loss_func, vicreg_loss_func)

        def run(loss, z):
            """Of a copy, whose generator is that of the loss."""
            z = z[:1] if isinstance(loss, VarianceCovarianceLoss) else z
            torch.manual_seed(0)
            value = copy.deepcopy(loss)(*z)
            return value, *torch.autograd.grad(value, z)

        @contextlib.contextmanager
        def default_type(dtype):
            before = torch.get_default_dtype()
            torch.set_default_dtype(dtype)
            try:
                yield
            finally:
                torch.set_default_dtype(before)

        @contextlib.contextmanager
        def deterministic():
            torch.use_deterministic_algorithms(True)
            try:
                yield
            finally:
                torch.use_deterministic_algorithms(False)

        states = {
            "float64 by default": lambda: default_type(torch.float64),
            "float16 by default": lambda: default_type(torch.float16),
            "deterministic": deterministic,
            "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
            "anomalies": torch.autograd.detect_anomaly,
        }
        if int(torch.__version__.split(".")[0]) >= 2:
            # A device on which nothing can be computed.
            states["another device"] = lambda: torch.device("meta")
        for dtype in (torch.float64, torch.float32, torch.float16):
            z = views(dtype=dtype)
            for loss in losses:
                expected = run(loss, z)
                for name, state in states.items():
                    with self.subTest(name, dtype=dtype), warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # that anomalies are looked for
                        with state():
                            found = run(loss, z)
                        for position, (mine, other) in enumerate(zip(found, expected)):
                            if name == "autocast" and position == 0:
                                mine = mine.to(dtype)  # a float32 loss
                            self.assertEqual((mine.device.type, mine.dtype), ("cpu", other.dtype))
                            self.assertTrue(torch.equal(mine, other))

    def test_inference_tensors(self):
        a, b = views()
        with torch.inference_mode():
            constant = b.detach().clone()
            value = VICRegLoss()(a, constant)
        self.assertEqual(value, VICRegLoss()(a, b))
        self.assert_same_loss(lambda a: VICRegLoss()(a, constant),
                              lambda a: autograd_losses.vicreg(a, b.detach()), (a,))
        with torch.inference_mode(), torch.enable_grad():
            self.assertFalse(VICRegLoss()(a, b).requires_grad)

    def test_gradients_are_computed_only_where_required(self):
        a, b = views()
        outputs = []
        original = _operator._matrix

        def matrix(struct, tensor):
            outputs.append(struct is _operator._Output)
            return original(struct, tensor)
        _operator._matrix = matrix
        try:
            with torch.no_grad():
                VICRegLoss()(a, b)
            VICRegLoss()(a.detach(), b.detach())
            self.assertFalse(any(outputs))
            for z in ((a, b.detach()), (a.detach(), b)):
                outputs.clear()
                VICRegLoss()(*z)
                self.assertEqual(outputs, [False, False, True])
            outputs.clear()
            VICRegLoss()(a, b)
            self.assertEqual(outputs, [False, False, True, True])
        finally:
            _operator._matrix = original

    def test_backward_twice_and_accumulation(self):
        a, b = views()
        loss = VICRegLoss()(a, b)
        loss.backward(retain_graph=True)
        once = a.grad.clone()
        loss.backward()
        self.assert_close(a.grad, 2 * once)
        with self.assertRaisesRegex(RuntimeError, "second time"):
            loss.backward()

    def test_views_changed_after_the_forward(self):
        a, b = views()
        loss = VICRegLoss()(a, b)
        expected = torch.autograd.grad(loss, a, retain_graph=True)[0]
        with torch.no_grad():
            a.mul_(2)
        self.assert_close(torch.autograd.grad(loss, a)[0], expected)

    def test_autocast(self):
        network = torch.nn.Linear(5, 8)
        with torch.autocast("cpu", torch.bfloat16):
            z_a, z_b = network(torch.randn(2, 9, 5))
            loss = BarlowTwinsLoss()(z_a, z_b)
        # As PyTorch's own losses are under autocast, and lightly's.
        self.assertEqual(loss, BarlowTwinsLoss()(z_a.float(), z_b.float()))
        self.assertEqual((z_a.dtype, loss.dtype), (torch.bfloat16, torch.float32))
        self.assertEqual(BarlowTwinsLoss()(z_a, z_b).dtype, torch.bfloat16)
        loss.backward()
        self.assertTrue(network.weight.grad.isfinite().all())

    def test_threads(self):
        losses = [VICRegLoss(planning="estimate"),
                  BarlowTwinsLoss(regularizer="relaxed", signs=False, planning="estimate")]
        expected, found = {}, []

        def run(seed):
            results = []
            for loss in losses:
                z = views(32, 16, seed=seed)
                value = loss(*z)
                value.backward()
                results.append((value.item(), z[0].grad.sum().item()))
            return seed, tuple(results)
        for seed in range(4):
            expected.update([run(seed)])
        threads = [threading.Thread(target=lambda seed=seed: found.extend(
            run(seed) for _ in range(30))) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(found), 120)
        for seed, results in found:
            self.assertEqual(results, expected[seed])


class Refusals(TestCase):
    def refuse(self, exception, message, call, *arguments, **named):
        with self.assertRaisesRegex(exception, message) as raised:
            call(*arguments, **named)
        return raised.exception

    def test_tensors(self):
        a, b = (each.detach() for each in views())
        for loss, names in ((BarlowTwinsLoss(), "z_a z_b"), (VICRegLoss(), "z_a z_b"),
                            (barlow_loss_func, "z1 z2"), (vicreg_loss_func, "z1 z2")):
            for position, name in enumerate(names.split()):
                def refuse(exception, message, tensor, loss=loss, position=position, name=name):
                    arguments = [a, b]
                    arguments[position] = tensor
                    error = self.refuse(exception, f"{name} {message}", loss, *arguments)
                    self.assertEqual(error.argument, name)
                refuse(TypeError, "is a numpy.ndarray, expected a torch.Tensor", a.numpy())
                refuse(TypeError, "is a NoneType", None)
                for dtype in (torch.int64, torch.bool, torch.complex64, torch.uint8):
                    refuse(TypeError, f"is of type {dtype}", a.to(dtype))
                refuse(TypeError, "has the layout torch.sparse_coo", a.to_sparse())
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # PyTorch's format is new
                    refuse(TypeError, "has the layout torch.sparse_csr", a.to_sparse_csr())
                refuse(TypeError, "has the layout torch._mkldnn", a.float().to_mkldnn())
                refuse(TypeError, "is of type torch.quint8",
                       torch.quantize_per_tensor(a.float(), 0.1, 0, torch.quint8))
                self.refuse(ValueError, f"^{names.split()[0]} is on the device .* on the device .*"
                            ", expected the same", loss,
                            *(a.to("meta") if each == position else b for each in range(2)))
                refuse(ValueError, "has 1 dimension, ", a[0])
                if "barlow" in str(loss).lower():
                    refuse(ValueError, "has 3 dimensions", a[None])
                refuse(ValueError, "has 0 dimensions", torch.tensor(1.0))
            first, second = names.split()
            self.refuse(ValueError, f"{first} is 9 x 8, {second} is 8 x 9", loss, a, b.T)
            self.refuse(ValueError, f"{first} is 9 x 8, {second} is 1 x 8", loss, a, b[:1])
            self.refuse(TypeError, f"{first} is of type torch.float64, {second}", loss, a,
                        b.float())
            self.refuse(ValueError, "1 row, expected at least 2", loss, a[:1], b[:1])
            self.refuse(ValueError, f"^{first} is 0 x 8", loss, a[:0], b[:0])
            self.refuse(ValueError, f"^{first} is 9 x 0", loss, a[:, :0], b[:, :0])

    def test_second_derivatives(self):
        message = "no second derivatives.*create_graph=True"
        for loss in (BarlowTwinsLoss(), VICRegLoss(), BarlowTwinsLoss(regularizer="relaxed"),
                     lambda a, b: VarianceCovarianceLoss()(a * b)):
            a, b = views()
            torch.manual_seed(0)
            expected = torch.autograd.grad(loss(a, b), (a, b))
            torch.manual_seed(0)
            value = loss(a, b)
            found = torch.autograd.grad(value, (a, b), create_graph=True)
            for mine, other in zip(found, expected):
                self.assertTrue(mine.requires_grad)
                self.assertTrue(torch.equal(mine, other))
            # Neither of one input, nor beside terms that have one: without an error it would be
            # the second derivative of the other terms alone.
            for gradient in found:
                for z in (a, b):
                    for more in (0, (a**2 * b).sum()):
                        self.refuse(RuntimeError, message, torch.autograd.grad,
                                    (gradient**2).sum() + more, z, retain_graph=True)
                self.refuse(RuntimeError, message, ((gradient**2).sum() + value).backward)
            self.refuse(RuntimeError, message, torch.autograd.gradgradcheck, loss, (a, b))
            # backward() has the same convention; PyTorch itself warns of the cycle that it makes.
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loss(a, b).backward(create_graph=True)
            self.assertTrue(a.grad.requires_grad)
            a.grad = b.grad = None
            # Of one view; and the loss may be changed in place.
            value = loss(a, b.detach())
            value /= 2
            gradient, = torch.autograd.grad(value, a, create_graph=True)
            self.refuse(RuntimeError, message, torch.autograd.grad, gradient.sum(), a)

    def test_settings(self):
        a, b = views()
        for loss in (BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss,
                     lambda **settings: barlow_loss_func(a, b, **settings),
                     lambda **settings: vicreg_loss_func(a, b, **settings)):
            self.refuse(ValueError, "regularizer is 'fft', expected 'exact' or 'relaxed'", loss,
                        regularizer="fft")
            for name, value in (("exponent", 1), ("block_size", 4), ("permutation", True),
                                ("signs", False)):
                self.refuse(ValueError, f"{name} is for the relaxed regularizer", loss,
                            **{name: value})
            self.refuse(TypeError, "exponent is 'x'", loss, regularizer="relaxed", exponent="x")
            self.refuse(TypeError, "threads is 1.5", loss, threads=1.5)
            self.refuse(ValueError, "planning is 'x'", loss, planning="x")
            self.refuse(TypeError, "generator is a int", loss, generator=1)
            self.refuse(TypeError, "generator is a decorr.Generator, expected a torch.Generator",
                        loss, generator=decorr.Generator(1))
            self.refuse(TypeError, "generator is a numpy.random.*Generator, expected a torch", loss,
                        generator=numpy.random.default_rng())
        for name in ("BarlowTwinsLoss", "VICRegLoss", "VarianceCovarianceLoss"):
            self.refuse(TypeError, fr"^{name}\(\) got an unexpected keyword argument 'lambd'$",
                        getattr(decorr.torch, name), lambd=1)
        for name in ("barlow_loss_func", "vicreg_loss_func"):
            self.refuse(TypeError, fr"^{name}\(\) got an unexpected keyword argument 'lambd'$",
                        getattr(decorr.torch, name), a, b, lambd=1)
        for loss in (BarlowTwinsLoss, VICRegLoss):
            self.refuse(TypeError, "process_group is 3, expected None, True or a group", loss,
                        process_group=3)
            with unittest.mock.patch.object(torch.distributed, "is_available", lambda: False):
                self.refuse(ValueError, "gather_distributed is True, and this PyTorch has no", loss,
                            gather_distributed=True)
            # Where torch.distributed is not initialized this process has the batch alone.
            self.assertEqual(float(loss(gather_distributed=True)(a, b)), float(loss()(a, b)))

        def relaxed(**settings):
            return BarlowTwinsLoss(regularizer="relaxed", **settings)(a, b)
        self.refuse(ValueError, "exponent is 3, expected 1 or 2", relaxed, exponent=3)
        self.refuse(ValueError, "block_size is 9, expected 0 to 8", relaxed, block_size=9)
        self.refuse(ValueError, "threads is 0, expected at least 1", relaxed, threads=0)
        self.refuse(ValueError, "permutation has 7 entries", relaxed,
                    permutation=torch.arange(7))
        self.refuse(TypeError, "permutation is of type torch.float32, expected integers", relaxed,
                    permutation=torch.arange(8).float())
        self.refuse(ValueError, "signs has 3 entries", relaxed, signs=[[1] * 8] * 3)
        self.refuse(TypeError, "signs is 1, expected True, False or a pair", relaxed, signs=1)
        self.refuse(ValueError, r"^signs\[0\]\[0\] is 0", relaxed, signs=[[0] * 8, [1] * 8])

    def test_settings_are_checked_when_the_loss_is_made(self):
        for loss in (BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss):
            before = torch.get_rng_state()
            for settings, message in (
                    ({"exponent": 3}, "exponent is 3, expected 1 or 2"),
                    ({"exponent": 0}, "exponent is 0"),
                    ({"block_size": -1}, "block_size is -1, expected 0 to the number of features"),
                    ({"permutation": [0, 0, 1]}, "permutation"),
                    ({"permutation": [0, 1, 2], "block_size": 4},
                     "block_size is 4, expected 0 to 3"),
                    ({"permutation": torch.arange(3), "exponent": 4}, "exponent is 4")):
                self.refuse(ValueError, f"^{message}", loss, regularizer="relaxed", **settings)
            for name in ("exact", "relaxed"):
                for threads in (0, -3):
                    self.refuse(ValueError, f"^threads is {threads}, expected at least 1", loss,
                                regularizer=name, threads=threads)
                self.refuse(ValueError, "^eps is -1, expected at least 0", loss, regularizer=name,
                            eps=-1)
            for value in (torch.nan, torch.inf, -torch.inf, numpy.float32("nan")):
                for argument in loss._kind.names.values():
                    if argument not in ("sum_variance", "covariance_scaling", "standardize"):
                        self.refuse(ValueError, f"^{argument} is .*expected", loss,
                                    **{argument: value})
            self.assertTrue(torch.equal(torch.get_rng_state(), before))
            # What depends on the number of features is left to the forward.
            loss(regularizer="relaxed", block_size=10**9, permutation=True, threads=10**6)
        generator = torch.Generator().manual_seed(1)
        state = generator.get_state()
        BarlowTwinsLoss(regularizer="relaxed", permutation=True, generator=generator)
        self.assertTrue(torch.equal(generator.get_state(), state))
        loss = BarlowTwinsLoss()
        loss.lambda_param = torch.nan
        self.refuse(ValueError, "^lambda_param is nan, expected a finite number", loss, *views())

    def test_messages_have_the_names_of_the_arguments(self):
        a, b = views()
        for loss in (BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss):
            for argument in loss._kind.names.values():
                self.refuse(TypeError, f"^{argument} is ", loss, **{argument: []})
        for loss, arguments in ((barlow_loss_func, "lamb scale_loss"),
                                (vicreg_loss_func,
                                 "sim_loss_weight var_loss_weight cov_loss_weight")):
            for argument in arguments.split():
                self.refuse(TypeError, f"^{argument} is 'x', expected a real number", loss, a, b,
                            **{argument: "x"})
                self.refuse(ValueError, f"^{argument} is nan", loss, a, b,
                            **{argument: torch.nan})

    def test_given_signs_and_permutations(self):
        (a, b), ones = views(), torch.ones(8, dtype=torch.int64)
        one_view = {"regularizer": "relaxed"}
        for pair in ((ones, ones), [ones.tolist()] * 2, (ones.numpy(), ones[:7].numpy()),
                     ([1], [1, 1]), (None, None)):
            self.refuse((TypeError, ValueError), "^signs has 2 entries|^signs_?a? is of type",
                        VarianceCovarianceLoss, signs=pair, **one_view)
        self.refuse(ValueError, "^signs has 2 entries that are no integers.*the one view, no pair",
                    VarianceCovarianceLoss, signs=(ones, ones), **one_view)
        for pair in (torch.ones(2, 8, dtype=torch.int8), numpy.ones((2, 8), int)):
            self.refuse(ValueError, "^signs has 2 dimensions, expected 1", VarianceCovarianceLoss,
                        signs=pair, **one_view)
        self.refuse(ValueError, r"^signs\[0\] is 0", VarianceCovarianceLoss, signs=0 * ones,
                    **one_view)
        self.refuse(ValueError, "^signs has 8 entries, expected 7",
                    VarianceCovarianceLoss(signs=ones, **one_view), a[:, :7])
        expected = VarianceCovarianceLoss(signs=[1] * 8, **one_view)(a)
        for signs in (ones, ones.to(torch.uint8), ones.numpy(), tuple(ones), list(ones.numpy())):
            self.assertEqual(VarianceCovarianceLoss(signs=signs, **one_view)(a), expected)

        def both(**settings):
            return BarlowTwinsLoss(regularizer="relaxed", **settings)
        expected = both(signs=False, permutation=[*range(8)])(a, b)
        for settings in ({"signs": (ones, ones)}, {"signs": torch.stack([ones, ones])},
                         {"signs": [ones.tolist(), ones.numpy()]}, {"signs": None},
                         {"signs": numpy.False_}):
            for permutation in (torch.arange(8), torch.arange(16)[::2] // 2,
                                torch.arange(8, dtype=torch.int16), numpy.arange(8)):
                self.assertEqual(both(permutation=permutation, **settings)(a, b), expected)
        for wrong in (torch.arange(8.0), torch.arange(8.0, requires_grad=True),
                      torch.arange(8).bfloat16(), ones.bool()):
            self.refuse(TypeError, f"^permutation is of type {wrong.dtype}, expected integers",
                        both, permutation=wrong)
            self.refuse(TypeError, r"^signs\[1\] is of type torch", both, signs=(ones, wrong))
        self.refuse(TypeError, "^permutation has the layout torch.sparse_coo", both,
                    permutation=ones.to_sparse())
        self.refuse(ValueError, "^permutation is on the device meta", both,
                    permutation=torch.arange(8, device="meta"))
        for name in ("permutation", "signs"):
            for wrong in (0, 1, "random", object(), torch.tensor(1), numpy.array(1)):
                for regularizer in ("exact", "relaxed"):
                    self.refuse(TypeError, f"^{name} is .*, expected True, False or ",
                                BarlowTwinsLoss, regularizer=regularizer, **{name: wrong})

    def test_defaults_are_defaults_by_value(self):
        for settings in ({"permutation": None}, {"permutation": numpy.False_},
                         {"exponent": numpy.int64(2)}, {"block_size": numpy.int32(0)},
                         {"signs": None}, {"signs": numpy.True_}, {"regularizer": "".join("exact")},
                         {"planning": "".join(["meas", "ure"])}):
            for loss in (BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss):
                self.assertEqual(repr(loss(**settings)), repr(loss()))
        z, drawn = views(), {"signs": False, "regularizer": "relaxed"}
        self.assertEqual(BarlowTwinsLoss(permutation=None, **drawn)(*z),
                         BarlowTwinsLoss(**drawn)(*z))
        for name, value in (("permutation", torch.arange(8)), ("signs", [[1] * 8] * 2)):
            self.refuse(ValueError, f"^{name} is for the relaxed", BarlowTwinsLoss,
                        **{name: value})

    def test_warning_of_weights_without_signs(self):
        without = {"regularizer": "relaxed", "signs": False}
        for loss, name, default in ((BarlowTwinsLoss, "lambda_param", 0.005),
                                    (VICRegLoss, "nu_param", 1.0),
                                    (VarianceCovarianceLoss, "nu_param", 1.0)):
            preset = "barlow_twins" if loss is BarlowTwinsLoss else "vicreg"
            with self.assertWarnsRegex(UserWarning,
                                       f"^{name}={default} is .*decorr.{preset}_preset") as caught:
                loss(**without)
            self.assertEqual(caught.filename, __file__)
            with self.assertWarnsRegex(UserWarning, f"^{name}={default} .*exponent=1 needs"):
                loss(regularizer="relaxed", exponent=1)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                loss(), loss(regularizer="relaxed"), loss(**without, **{name: 0.7})
                loss(regularizer="relaxed", block_size=4, exponent=1, **{name: 0.7})
                if loss is not BarlowTwinsLoss:
                    loss(**without, covariance_scaling="block_mean")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            for _ in range(3):
                BarlowTwinsLoss(**without)(*views())
        self.assertEqual(len(caught), 1)

    def test_the_module_of_0_1(self):
        """decorr_torch is decorr.torch."""
        import decorr_torch
        for name in decorr.torch.__all__:
            self.assertIs(getattr(decorr_torch, name), getattr(decorr.torch, name))
        self.assertEqual(decorr_torch.__all__, decorr.torch.__all__)

    def test_the_text_of_a_loss(self):
        self.assertEqual(repr(BarlowTwinsLoss()),
                         "BarlowTwinsLoss(lambda_param=0.005, scale=1.0, eps=1e-05, "
                         "standardize=True)")
        losses = [BarlowTwinsLoss(), VICRegLoss(), VarianceCovarianceLoss(),
                  VICRegLoss(regularizer="relaxed", exponent=1, block_size=3, threads=2,
                             permutation=torch.arange(8), planning="estimate",
                             generator=torch.Generator())]
        self.assertIn("regularizer='relaxed', exponent=1, block_size=3", repr(losses[-1]))
        for loss in losses:
            for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
                self.assertEqual(repr(other), repr(loss))


if __name__ == "__main__":
    unittest.main()
