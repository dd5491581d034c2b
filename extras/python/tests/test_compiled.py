"""The operator of PyTorch 2: its own checks, torch.compile, and what it refuses."""

import inspect
import os
import sysconfig
import unittest

import torch
import torch.utils.checkpoint

from decorr.torch import BarlowTwinsLoss, VarianceCovarianceLoss, VICRegLoss, _losses, _operator
from torch_case import TorchTestCase

LOSSES = BarlowTwinsLoss, VICRegLoss, VarianceCovarianceLoss
SIGNS = [[1, -1, 1, 1, -1, -1, 1, -1]] * 2
HAS_OPERATOR = hasattr(torch.library, "custom_op")


def views(n=9, d=8, dtype=torch.float32, seed=0):
    generator = torch.Generator().manual_seed(seed)
    common, *own = torch.randn(3, n, d, dtype=torch.float64, generator=generator)
    return [(1 + common + 0.5 * each).to(dtype).requires_grad_() for each in own]


def of(loss, **keywords):
    if loss is VarianceCovarianceLoss and "signs" in keywords and keywords["signs"] is not False:
        keywords["signs"] = keywords["signs"][0]
    return loss(**keywords), 1 if loss is VarianceCovarianceLoss else 2


def calls_of(loss, *z):
    """The arguments that a loss has for the operator."""
    calls, original = [], _losses.function
    _losses.function = lambda *arguments: calls.append(arguments) or original(*arguments)
    try:
        loss(*z)
    finally:
        _losses.function = original
    return calls


def settings():
    yield {}
    yield {"regularizer": "relaxed", "signs": SIGNS, "block_size": 3, "permutation": range(8)}
    yield {"backend": "torch", "regularizer": "relaxed", "signs": False, "exponent": 1}


@unittest.skipUnless(HAS_OPERATOR, "torch.library.custom_op came with PyTorch 2.4")
class Operator(TorchTestCase):
    def setUp(self):
        super().setUp()
        torch.compiler.reset()

    def test_opcheck(self):
        """On what the losses give the operator."""
        calls = []
        for loss in LOSSES:
            for dtype in (torch.float32, torch.float64, torch.bfloat16):
                for keywords in settings():
                    made, count = of(loss, **keywords)
                    a, b = views(dtype=dtype)
                    batches = [[a, b], [a.detach(), b.detach()]]
                    if count == 2:
                        batches += [[a, b.detach()], [a.detach(), b], [a[::2], b[::2]],
                                    [a.T.contiguous().T.detach(), b[:, :1].expand(9, 8).detach()]]
                    for batch in batches:
                        calls += calls_of(made, *batch[:count])
        self.assertEqual(len(calls), 3 * 3 * (6 + 6 + 2))
        for arguments in calls:
            arguments = [each.detach().requires_grad_(each.requires_grad)
                         if isinstance(each, torch.Tensor) and each.is_floating_point() else each
                         for each in arguments]
            torch.library.opcheck(_operator.operator, tuple(arguments))

    def compare(self, loss, keywords, backend="inductor"):
        torch.compiler.reset()
        made, count = of(loss, **keywords)
        torch.manual_seed(0)
        network = torch.nn.Linear(5, 8)

        def step(*inputs):
            value = made(*[network(each) for each in inputs])
            return value
        compiled = torch.compile(step, fullgraph=True, backend=backend)
        for n in (9, 14, 15):
            inputs = [*torch.randn(2, n, 5)][:count]
            results = []
            for function in (step, compiled):
                network.zero_grad()
                value = function(*inputs)
                value.backward()
                results.append((value.detach(), network.weight.grad.clone(), made.terms))
            (value, gradient, terms), (found_value, found_gradient, found_terms) = results
            torch.testing.assert_close(found_value, value)
            torch.testing.assert_close(found_gradient, gradient)
            self.assertEqual(type(found_terms), type(terms))
            torch.testing.assert_close(torch.tensor(found_terms), torch.tensor(terms))

    def test_fullgraph(self):
        for loss in LOSSES:
            for keywords in settings():
                with self.subTest(loss=loss.__name__, **keywords):
                    self.compare(loss, keywords, "aot_eager")

    @unittest.skipUnless(os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")),
                         "inductor compiles with Python.h (Debian, Ubuntu: python3-dev)")
    def test_inductor(self):
        self.compare(BarlowTwinsLoss, {"regularizer": "relaxed", "signs": SIGNS})

    def test_a_whole_training_step(self):
        """Compiled with its optimizer, the loss falls, and signs differ from step to step."""
        torch.manual_seed(0)
        network = torch.nn.Sequential(torch.nn.Linear(5, 32), torch.nn.ReLU(),
                                      torch.nn.Linear(32, 8))
        made = BarlowTwinsLoss(regularizer="relaxed", block_size=4, permutation=True)
        optimizer = torch.optim.SGD(network.parameters(), lr=0.02)

        graphs = []

        def counted(graph, inputs):
            graphs.append(graph)
            return torch._dynamo.lookup_backend("aot_eager")(graph, inputs)

        @torch.compile(fullgraph=True, backend=counted)
        def forward(a, b):
            return made(network(a), network(b))

        common = torch.randn(64, 5)
        a, b = common + 0.1 * torch.randn(64, 5), common + 0.1 * torch.randn(64, 5)
        self.assertEqual(len({forward(a, b).item() for _ in range(8)}), 8)
        values = []
        for _ in range(60):
            loss = forward(a, b)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            values.append(loss.item())
        self.assertLess(values[-1], 0.7 * values[0])
        self.assertEqual(len(graphs), 1)

    def test_slices(self):
        made = VICRegLoss()
        z = [each.reshape(9, 2, 4) for each in views()]
        compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(*z), made(*z))

    def test_other_numbers_of_features(self):
        """From the second one on PyTorch makes a graph for any number."""
        for keywords in ({}, {"permutation": True}, {"block_size": 3}):
            for loss in (BarlowTwinsLoss, VICRegLoss):
                torch.compiler.reset()
                made = loss(regularizer="relaxed", **keywords)
                compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
                for d in (8, 5, 7):
                    with self.subTest(loss=loss.__name__, d=d, **keywords):
                        value = compiled(*(z[:, :d].contiguous() for z in views()))
                        value.backward()
                        self.assertGreater(value.item(), 0)

    def test_tensors_without_numbers(self):
        for loss in (BarlowTwinsLoss, VICRegLoss):
            for keywords in ({}, {"regularizer": "relaxed"}):
                with self.subTest(loss=loss.__name__, **keywords):
                    made = loss(**keywords)
                    with torch._subclasses.FakeTensorMode():
                        z = torch.empty(4, 6, requires_grad=True)
                        value = made(z, torch.empty(4, 6))
                        value.backward()
                    self.assertEqual((value.shape, z.grad.shape), ((), (4, 6)))
                    on_meta = made(*(torch.empty(4, 6, device="meta") for _ in "ab"))
                    self.assertEqual((on_meta.shape, on_meta.device.type), ((), "meta"))

    def test_several_views_run_between_two_graphs(self):
        z = [each for seed in range(2) for each in views(seed=seed)][:3]
        for made in (BarlowTwinsLoss(), VICRegLoss(combination="centroid")):
            torch.compiler.reset()
            compiled = torch.compile(lambda *inputs, made=made: 2 * made(*inputs),
                                     backend="aot_eager")
            found, expected = compiled(*z), 2 * made(*z)
            torch.testing.assert_close(found, expected)
            for mine, theirs in zip(torch.autograd.grad(found, z[:2]),
                                    torch.autograd.grad(expected, z[:2])):
                torch.testing.assert_close(mine, theirs)
            self.assertIsNotNone(made.terms)

    def test_one_view(self):
        a, b = views()
        made = VICRegLoss()
        compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
        compiled(a, b.detach()).backward()
        self.assertIsNone(b.grad)
        found, a.grad = a.grad, None
        made(a, b.detach()).backward()
        torch.testing.assert_close(found, a.grad)
        with torch.no_grad():
            self.assertFalse(compiled(a, b).requires_grad)

    def test_weights_may_change(self):
        z, made = views(), VICRegLoss()
        compiled = torch.compile(made, fullgraph=True, backend="aot_eager")
        compiled(*z)
        made.nu_param = 7.0
        torch.testing.assert_close(compiled(*z), VICRegLoss(nu_param=7.0)(*z))

    def test_autocast(self):
        network, made = torch.nn.Linear(5, 8), VICRegLoss()

        @torch.compile(fullgraph=True, backend="aot_eager")
        def step(a, b):
            with torch.autocast("cpu", torch.bfloat16):
                return made(network(a), network(b))
        value = step(*torch.randn(2, 9, 5))
        self.assertEqual(value.dtype, torch.float32)
        value.backward()

    def test_checkpoint(self):
        torch.manual_seed(0)
        network, made = torch.nn.Linear(5, 8), BarlowTwinsLoss(regularizer="relaxed", signs=SIGNS)

        def loss_of(a, b):
            return made(network(a), network(b))

        @torch.compile(fullgraph=True, backend="aot_eager")
        def step(a, b):
            return torch.utils.checkpoint.checkpoint(loss_of, a, b, use_reentrant=False)
        a, b = torch.randn(2, 9, 5)
        step(a, b).backward()
        found = network.weight.grad.clone()
        network.zero_grad()
        loss_of(a, b).backward()
        torch.testing.assert_close(found, network.weight.grad)

    def test_what_is_no_graphs(self):
        """A generator of the caller's breaks the graph, or is refused with its reason; so do several
        views."""
        made = BarlowTwinsLoss(regularizer="relaxed", generator=torch.Generator().manual_seed(1))
        same = BarlowTwinsLoss(regularizer="relaxed", generator=torch.Generator().manual_seed(1))
        z = views()
        torch.testing.assert_close(torch.compile(made, backend="aot_eager")(*z), same(*z))
        tells = "reason" in inspect.signature(torch.compiler.disable).parameters  # PyTorch 2.7
        # Before, of the function alone, or that it is disabled.
        told = "generator=" if tells else "_forward_of_python|disable"
        with self.assertRaisesRegex(Exception, told):
            torch.compile(lambda a, b: made(2 * a, b), fullgraph=True, backend="aot_eager")(*z)
        told = "several views" if tells else "_forward_of_python|disable"
        with self.assertRaisesRegex(Exception, told):
            torch.compile(BarlowTwinsLoss(), fullgraph=True, backend="aot_eager")(*z, z[0])

    def test_func_grad(self):
        a, b = views()
        for made in (VICRegLoss(), BarlowTwinsLoss(regularizer="relaxed", signs=SIGNS)):
            found = torch.func.grad(made)(a.detach(), b.detach())
            torch.testing.assert_close(found, torch.autograd.grad(made(a, b), a)[0])
            c = a.detach() + 0.3 * b.detach()
            found = torch.func.grad(made)(a.detach(), b.detach(), c)
            torch.testing.assert_close(found, torch.autograd.grad(made(a, b, c), a)[0])

    def test_vmap_is_refused(self):
        a, b = torch.randn(2, 3, 9, 8)
        for made in (VICRegLoss(), BarlowTwinsLoss(backend="torch")):
            for function in (made, torch.compile(made, backend="aot_eager")):
                with self.assertRaisesRegex(Exception, "cannot be vectorized by torch.func.vmap"):
                    torch.func.vmap(function)(a, b)
            with self.assertRaisesRegex(RuntimeError, "cannot be vectorized by torch.func.vmap"):
                torch.func.vmap(made)(a, b, a)
        with self.assertRaisesRegex(RuntimeError, "cannot be vectorized by torch.func.vmap"):
            in_dims = 0, 0, *[None] * len(_operator.Call._fields)
            torch.func.vmap(_operator.operator, in_dims)(
                a, b, *calls_of(VICRegLoss(), a[0], b[0])[0][2:])


if __name__ == "__main__":
    unittest.main()
