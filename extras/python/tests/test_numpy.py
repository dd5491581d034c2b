"""decorr against the definitions in naive_losses.py and the results of published codes, on
arrays of every kind, and what it refuses."""

import copy
import faulthandler
import os
import pathlib
import pickle
import subprocess
import sys
import tempfile
import threading
import unittest
import warnings

import numpy
from numpy.lib.stride_tricks import as_strided

import decorr
import naive_losses
from decorr import _interface
from decorr import BarlowTwinsOptions, Exact, Execution, Generator, Relaxed, VicregOptions

SOURCES = pathlib.Path(os.environ["DECORR_TEST_SOURCES"])


def views(n=7, d=6, seed=0, dtype=numpy.float64):
    """Two correlated views, with offsets, and spreads on both sides of VICReg's hinge."""
    random = numpy.random.default_rng(seed)
    common = random.standard_normal((n, d))
    spread, offset = random.uniform(0.3, 1.5, d), random.standard_normal(d)
    return tuple((offset + spread * (common + 0.5 * random.standard_normal((n, d)))).astype(dtype)
                 for _ in "ab")


def signs(d, seed):
    return numpy.random.default_rng(seed).choice(numpy.array([-1, 1], numpy.int8), d)


def relaxed_cases(d):
    permutation = numpy.random.default_rng(3).permutation(d)
    yield {}
    yield {"exponent": 1}
    yield {"signs_a": signs(d, 1), "signs_b": signs(d, 2)}
    yield {"block_size": 4, "permutation": permutation}
    yield {"block_size": 2, "exponent": 1, "signs_a": signs(d, 1), "signs_b": signs(d, 2),
           "permutation": permutation}


class TestCase(unittest.TestCase):
    def assert_close(self, found, expected, tolerance=1e-12):
        expected = numpy.asarray(expected)
        error = numpy.abs(numpy.asarray(found) - expected).max()
        self.assertLessEqual(error, tolerance * max(numpy.abs(expected).max(), 1e-300))

    def check_loss(self, function, naive, z, options, naive_options, relaxed):
        """Terms and gradients against the definition and its central differences."""
        regularizer = None if relaxed is None else Relaxed(**relaxed)
        gradients = [numpy.full_like(each, numpy.nan) for each in z]
        names = ("grad_a", "grad_b") if len(z) == 2 else ("grad",)
        settings = {"options": options, "regularizer": regularizer}
        terms = function(*z, **dict(zip(names, gradients)), **settings)
        expected = naive(*z, **naive_options, relaxed=relaxed)
        self.assert_close(terms[1:], expected)
        self.assertAlmostEqual(terms.value, sum(expected), delta=1e-12 * sum(expected))
        self.assertEqual(function(*z, **settings), terms)
        for name, both in zip(names, gradients):
            alone = numpy.full_like(both, numpy.nan)
            self.assertEqual(function(*z, **{name: alone}, **settings), terms)
            self.assert_close(alone, both)
        for position, gradient in enumerate(gradients):
            def moved(each, position=position):
                arguments = list(z)
                arguments[position] = each
                return sum(naive(*arguments, **naive_options, relaxed=relaxed))
            self.assert_close(gradient, naive_losses.central_differences(moved, z[position]), 1e-7)


class Values(TestCase):
    def test_barlow_twins(self):
        for d in (5, 6):
            for relaxed in (None, *relaxed_cases(d)):
                for naive_options in ({}, {"lambda_": 0.7, "scale": 0.3, "epsilon": 1e-2},
                                      {"standardize": False, "lambda_": 2}):
                    with self.subTest(d=d, relaxed=relaxed, options=naive_options):
                        self.check_loss(decorr.barlow_twins_loss, naive_losses.barlow_twins,
                                        views(d=d), BarlowTwinsOptions(**naive_options),
                                        naive_options, relaxed)

    def test_vicreg(self):
        for d in (5, 6):
            for relaxed in (None, *relaxed_cases(d)):
                for naive_options in ({}, {"invariance": 3, "variance": 5, "covariance": 7,
                                           "gamma": 0.9, "epsilon": 1e-2, "scale": 0.3,
                                           "sum_variance": True}):
                    with self.subTest(d=d, relaxed=relaxed, options=naive_options):
                        self.check_loss(decorr.vicreg_loss, naive_losses.vicreg, views(d=d),
                                        VicregOptions(**naive_options), naive_options, relaxed)

    def test_variance_covariance(self):
        def naive(z, relaxed):
            variance, covariance = naive_losses.variance_covariance(z, relaxed=relaxed)
            return 25 * variance, covariance
        for d in (5, 6):
            for relaxed in (None, *relaxed_cases(d)):
                with self.subTest(d=d, relaxed=relaxed):
                    self.check_loss(decorr.variance_covariance_loss, naive, views(d=d)[:1], None,
                                    {}, relaxed)

    def test_several_views(self):
        for count, d in ((2, 5), (3, 6), (5, 4)):
            z = [each for seed in range(3) for each in views(d=d, seed=seed)][:count]
            for relaxed in (None, *relaxed_cases(d)):
                for name, options, naive_options in (
                        ("barlow_twins", BarlowTwinsOptions, {"lambda_": 0.7, "scale": 0.3}),
                        ("vicreg", VicregOptions, {}),
                        ("vicreg", VicregOptions, {"invariance": 3, "variance": 5, "covariance": 7,
                                                   "scale": 0.3, "sum_variance": True})):
                    for combination in ("pairs", "centroid"):
                        with self.subTest(count=count, relaxed=relaxed, name=name,
                                          options=naive_options, combination=combination):
                            self.check_views(name, z, combination, options(**naive_options),
                                             naive_options, relaxed)

    def check_views(self, name, z, combination, options, naive_options, relaxed):
        function = getattr(decorr, f"{name}_loss_of_views")
        naive = getattr(naive_losses, f"{name}_of_views")
        settings = {"options": options,
                    "regularizer": None if relaxed is None else Relaxed(**relaxed)}
        gradients = [numpy.full_like(each, numpy.nan) for each in z]
        terms = function(z, combination, gradients, **settings)
        expected = naive(z, combination, relaxed=relaxed, **naive_options)
        self.assert_close(terms[1:], expected)
        self.assertAlmostEqual(terms.value, sum(expected), delta=1e-12 * sum(expected))
        # An array of three dimensions is a sequence of matrices; the value alone.
        self.assertEqual(function(numpy.stack(z), combination, **settings), terms)
        some = [None, *(numpy.full_like(each, numpy.nan) for each in z[1:])]
        function(tuple(z), combination, some, **settings)
        for alone, gradient in zip(some[1:], gradients[1:]):
            self.assert_close(alone, gradient)

        def moved(each):
            return sum(naive([z[0], each, *z[2:]], combination, relaxed=relaxed, **naive_options))
        self.assert_close(gradients[1], naive_losses.central_differences(moved, z[1]), 1e-7)

    def test_several_views_of_two_are_the_two_view_functions(self):
        z = views()
        for name in ("barlow_twins_loss", "vicreg_loss"):
            expected = [numpy.empty_like(each) for each in z]
            gradients = [numpy.empty_like(each) for each in z]
            terms = getattr(decorr, name)(*z, *expected)
            found = getattr(decorr, f"{name}_of_views")(z, "pairs", gradients)
            self.assert_close(found, terms, 1e-14)
            for mine, theirs in zip(gradients, expected):
                self.assert_close(mine, theirs, 1e-13)

    def test_what_is_wrong_with_several_views(self):
        z = [*views(), views()[0]]
        gradients = [numpy.full_like(each, 77) for each in z]
        wide = numpy.zeros((7, 8))
        for function in (decorr.barlow_twins_loss_of_views, decorr.vicreg_loss_of_views):
            for kind, message, arguments in (
                    (ValueError, "views has 1 entry, expected at least 2", (z[:1], "pairs")),
                    (ValueError, "views has 0 entries, expected at least 2", ([], "pairs")),
                    (TypeError, "views is a int, expected a sequence of arrays", (3, "pairs")),
                    (TypeError, "views is a numpy.ndarray, expected a sequence of arrays",
                     (z[0], "pairs")),
                    (TypeError, "combination is a list, expected a string",
                     (z, gradients, "pairs")),
                    (TypeError, "gradients is a str, expected a sequence of arrays",
                     (z, "pairs", "pairs")),
                    (TypeError, r"views\[1\] is a NoneType, expected a numpy.ndarray",
                     ([z[0], None], "pairs")),
                    (ValueError, r"views\[1\] has 1 dimensions, expected 2",
                     ([z[0], z[0][0]], "pairs")),
                    (ValueError, r"views\[2\] has 8 columns, views\[0\] has 6",
                     ([*z[:2], wide], "pairs", gradients)),
                    (ValueError, r"views\[1\] is of type float32, views\[0\] is of type float64",
                     ([z[0], z[1].astype("float32")], "pairs")),
                    (ValueError, "combination is 'all', expected 'pairs' or 'centroid'",
                     (z, "all", gradients)),
                    (TypeError, "combination is None, expected a string", (z, None)),
                    (ValueError, "gradients has 2 entries, views has 3",
                     (z, "pairs", gradients[:2])),
                    (TypeError, "gradients is a int, expected a sequence of arrays",
                     (z, "pairs", 3)),
                    (ValueError, r"gradients\[2\] has 8 columns, views\[2\] has 6",
                     (z, "pairs", [*gradients[:2], wide])),
                    (ValueError, r"gradients\[1\] overlaps views\[2\]",
                     (z, "centroid", [gradients[0], z[2], None])),
                    (ValueError, r"gradients\[1\] overlaps gradients\[0\]",
                     (z, "centroid", [gradients[0], gradients[0], None]))):
                with self.assertRaisesRegex(kind, message):
                    function(*arguments)
        for each in gradients:
            self.assertTrue((each == 77).all())

    def test_regularizers_alone(self):
        a, b = views()
        c = a.T @ b / len(a)
        for relaxed in (None, *relaxed_cases(6)):
            with self.subTest(relaxed=relaxed):
                grad_a, grad_b = numpy.empty_like(a), numpy.empty_like(b)

                def naive(a, b, relaxed=relaxed):
                    c = a.T @ b / len(a)
                    return naive_losses.r_off(c) if relaxed is None else \
                        naive_losses.r_sum(c, **relaxed)
                value = (decorr.r_off(a, b, grad_a, grad_b) if relaxed is None else
                         decorr.r_sum(a, b, grad_a, grad_b, Relaxed(**relaxed)))
                self.assertIsInstance(value, float)
                call = decorr.r_off if relaxed is None else decorr.r_sum
                settings = {} if relaxed is None else {"relaxed": Relaxed(**relaxed)}
                for name, both in (("grad_a", grad_a), ("grad_b", grad_b)):
                    alone = numpy.full_like(both, numpy.nan)
                    self.assertEqual(call(a, b, **{name: alone}, **settings), value)
                    self.assert_close(alone, both)
                self.assertAlmostEqual(value, naive(a, b), delta=1e-12 * value)
                self.assert_close(grad_a, naive_losses.central_differences(
                    lambda x, naive=naive: naive(x, b), a), 1e-7)
                self.assert_close(grad_b, naive_losses.central_differences(
                    lambda x, naive=naive: naive(a, x), b), 1e-7)
        self.assertEqual(decorr.r_sum(a, b), decorr.r_sum(a, b, relaxed=Relaxed()))
        lags = [sum(c[j, (j + i) % 6] for j in range(6)) for i in range(6)]
        self.assert_close(decorr.sumvec(a, b), lags)
        out = numpy.zeros(12)[::-2]
        self.assertIs(decorr.sumvec(a, b, out), out)
        self.assert_close(out, lags)

    def test_results_of_published_codes(self):
        files = sorted((SOURCES / "tests/data/reference").glob("*.txt"))
        self.assertGreater(len(files), 20)
        for file in files:
            with self.subTest(file=file.name):
                self.check_reference(file)

    def check_reference(self, file):
        values, arrays = {}, {}
        lines = iter(file.read_text().splitlines())
        for line in lines:
            key, _, rest = line.partition(" ")
            if key in ("z_a", "z_b", "grad_a", "grad_b"):
                rows = int(rest.split()[0])
                arrays[key] = numpy.array([next(lines).split() for _ in range(rows)], float)
            else:
                values[key] = rest
        z_a, z_b = arrays["z_a"], arrays["z_b"]
        grad_a, grad_b = numpy.empty_like(z_a), numpy.empty_like(z_b)
        regularizer = Exact()
        if values["regularizer"] == "relaxed":
            permutation = values.get("permutation")
            regularizer = Relaxed(int(values["exponent"]), int(values["block_size"]),
                                  permutation and [int(each) for each in permutation.split()])
        name = values["loss_function"]
        if name == "r_sum":
            value = decorr.r_sum(z_a, z_b, grad_a, grad_b, regularizer)
        elif name == "barlow_twins":
            options = BarlowTwinsOptions(float(values["lambda"]), float(values["scale"]))
            value = decorr.barlow_twins_loss(z_a, z_b, grad_a, grad_b, options, regularizer).value
        else:
            weights = (float(values[each]) for each in ("invariance", "variance", "covariance"))
            options = VicregOptions(
                *weights, sum_variance=name != "vicreg", covariance_scaling="block_mean"
                if name == "vicreg_reference_implementation" else "per_dimension")
            value = decorr.vicreg_loss(z_a, z_b, grad_a, grad_b, options, regularizer).value
        self.assert_close(value, float(values["loss"]), 1e-10)
        self.assert_close(grad_a, arrays["grad_a"], 1e-10)
        self.assert_close(grad_b, arrays["grad_b"], 1e-10)


class Arrays(TestCase):
    def test_strides(self):
        """Every way to lay out a view and its gradient gives the results of the plain one."""
        z_a, z_b = views(9, 8)
        plain = [numpy.empty_like(z) for z in (z_a, z_b)]
        expected = decorr.barlow_twins_loss(z_a, z_b, *plain)
        layouts = {
            "column-major": lambda z: numpy.array(z, order="F"),
            "every second": lambda z: numpy.repeat(numpy.repeat(z, 2, 0), 3, 1)[::2, ::3],
            "reversed rows": lambda z: z[::-1].copy()[::-1],
            "reversed columns": lambda z: z[:, ::-1].copy()[:, ::-1],
            "both reversed, column-major": lambda z: z[::-1, ::-1].copy("F")[::-1, ::-1],
            "of a block": lambda z: numpy.pad(z, 3)[3:-3, 3:-3],
            "axis of three": lambda z: numpy.stack([z, z], axis=1)[:, 1, :],
        }
        for name, layout in layouts.items():
            with self.subTest(name):
                inputs = [layout(z) for z in (z_a, z_b)]
                gradients = [layout(numpy.zeros_like(z)) for z in (z_a, z_b)]
                terms = decorr.barlow_twins_loss(*inputs, *gradients)
                self.assert_close(terms, expected)
                self.assert_close(gradients, plain)

    def test_what_lies_between_the_elements_is_left_alone(self):
        z_a, z_b = views()
        whole = numpy.full((2, 14, 18), 5.0)
        gradients = whole[:, ::2, ::3]
        decorr.vicreg_loss(z_a, z_b, *gradients)
        gradients[:] = 5
        self.assertTrue((whole == 5).all())

    def test_interleaved_gradients(self):
        z_a, z_b = views()
        both = numpy.empty((7, 12))
        decorr.vicreg_loss(z_a, z_b, both[:, ::2], both[:, 1::2])
        plain = [numpy.empty_like(z) for z in (z_a, z_b)]
        decorr.vicreg_loss(z_a, z_b, *plain)
        self.assert_close([both[:, ::2], both[:, 1::2]], plain)

    def test_broadcast_and_read_only_inputs(self):
        z_a, z_b = views()
        row = numpy.broadcast_to(z_a[0], z_a.shape)
        self.assertFalse(row.flags.writeable)
        self.assertEqual(decorr.vicreg_loss(row, z_b), decorr.vicreg_loss(row.copy(), z_b))
        z_a.setflags(write=False)
        grad_a, grad_b = numpy.empty_like(row), numpy.empty_like(z_b)
        decorr.vicreg_loss(z_a, z_b, grad_a, grad_b)

    def test_one_array_as_both_views(self):
        z, _ = views()
        gradients = [numpy.empty_like(z) for _ in "ab"]
        self.assertEqual(decorr.vicreg_loss(z, z, *gradients).invariance, 0)

    def test_extents_of_one(self):
        z_a, z_b = views(7, 1)
        self.assert_close(decorr.barlow_twins_loss(z_a, z_b)[1:],
                          naive_losses.barlow_twins(z_a, z_b))
        wide = numpy.ones((1, 4))
        self.assertEqual(decorr.r_off(wide, wide), 12)
        # The stride of a single row may be anything.
        odd = as_strided(wide, (1, 4), (3, 8))
        self.assertEqual(decorr.r_off(odd, wide), 12)

    def test_types(self):
        for dtype, tolerance in (("float32", 1e-5), ("float16", 1e-5), ("float64", 1e-12)):
            z = views(20, 8, dtype=dtype)
            wide = [each.astype(float) for each in z]
            expected_gradients = [numpy.empty_like(each) for each in wide]
            expected = decorr.barlow_twins_loss(*wide, *expected_gradients)
            outputs = ["float64"] if dtype == "float64" else ["float32", "float16"]
            for output in outputs:
                with self.subTest(dtype=dtype, output=output):
                    gradients = [numpy.empty(each.shape, output) for each in z]
                    terms = decorr.barlow_twins_loss(*z, *gradients)
                    self.assert_close(terms, expected, tolerance)
                    self.assert_close(gradients, expected_gradients,
                                      2e-3 if output == "float16" else tolerance)
        self.assertEqual(decorr.sumvec(*views(dtype="float16")).dtype, numpy.float32)
        self.assertEqual(decorr.sumvec(*views(dtype="float64")).dtype, numpy.float64)
        try:
            import ml_dtypes
        except ImportError:
            return
        z = views(dtype=ml_dtypes.bfloat16)
        self.assert_close(decorr.vicreg_loss(*z),
                          decorr.vicreg_loss(*(each.astype("float32") for each in z)))

    def test_nan_and_infinity_are_seen(self):
        for bad in (numpy.nan, numpy.inf):
            z_a, z_b = views()
            z_a[2, 3] = bad
            gradients = [numpy.zeros_like(z_a) for _ in "ab"]
            self.assertFalse(numpy.isfinite(decorr.barlow_twins_loss(z_a, z_b, *gradients).value))
            self.assertFalse(numpy.isfinite(gradients[1]).all())

    def test_threads_do_not_change_results(self):
        z_a, z_b = views(64, 256, dtype="float32")
        relaxed = Relaxed(signs_a=signs(256, 1), signs_b=signs(256, 2))
        for regularizer in (Exact(), relaxed):
            results = []
            for threads in (1, 3):
                gradients = [numpy.empty_like(z_a) for _ in "ab"]
                terms = decorr.vicreg_loss(z_a, z_b, *gradients, None, regularizer,
                                           Execution(threads, "estimate"))
                results.append((terms, *(each.tobytes() for each in gradients)))
            self.assertEqual(*results)


def run_together(count, body):
    """body(rank, sum) in threads that stand for processes; what they returned or raised."""
    barrier, parts, results = threading.Barrier(count), [None] * count, [None] * count

    def run(rank):
        def summed(numbers):
            parts[rank] = numbers.copy()
            barrier.wait(60)
            total = sum(parts)
            barrier.wait(60)
            numbers[:] = total
        try:
            results[rank] = body(rank, summed)
        except Exception as error:  # pylint: disable=broad-except
            results[rank] = error
    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return results


class Parts(TestCase):
    """Rows that come in parts, and from several processes."""

    cuts = slice(0, 2), slice(2, 2), slice(2, 3), slice(3, None)

    def batches(self, dtype, **settings):
        """Each class, its function, and what the whole batch's is called."""
        relaxed = decorr.Relaxed(block_size=4)
        d = views()[0].shape[1]
        yield decorr.BarlowTwinsBatch(d, dtype, **settings), decorr.barlow_twins_loss
        yield decorr.VicregBatch(d, dtype, regularizer=relaxed, **settings), (
            lambda *arrays: decorr.vicreg_loss(*arrays, None, relaxed))
        yield decorr.RegularizerBatch(d, dtype, **settings), decorr.r_off
        yield decorr.RegularizerBatch(d, dtype, relaxed, **settings), (
            lambda *arrays: decorr.r_sum(*arrays, relaxed))

    def test_parts_give_what_the_whole_gives(self):
        for dtype, tolerance in (("float64", 1e-12), ("float32", 1e-4), ("float16", 1e-4)):
            z = [each.astype(dtype) for each in views()]
            for batch, function in self.batches(dtype):
                expected = [each.astype("float64" if dtype == "float64" else "float32")
                            for each in z]
                found = [each.copy() for each in expected]
                whole = numpy.atleast_1d(function(*z, *expected))
                while batch.has_pass():
                    for cut in self.cuts:
                        batch.add(*(each[cut] for each in z))
                    batch.end_pass()
                is_loss = hasattr(batch, "loss")
                for _ in range(2):
                    part = numpy.atleast_1d(batch.loss() if is_loss else batch.value())
                    numpy.testing.assert_allclose(part, whole, tolerance)
                self.assertEqual(batch.count(), len(z[0]))
                for cut in self.cuts:
                    batch.gradient(*(each[cut] for each in [*z, *found]))
                for mine, other in zip(found, expected):
                    self.assertLessEqual(abs(mine - other).max(), tolerance * abs(other).max())

    def test_one_view_and_sumvec(self):
        z_a, z_b = views()
        batch = decorr.VarianceCovarianceBatch(z_a.shape[1], "float64")
        expected, found = numpy.empty_like(z_a), numpy.empty_like(z_a)
        terms = decorr.variance_covariance_loss(z_a, grad=expected)
        while batch.has_pass():
            for cut in self.cuts:
                batch.add(z_a[cut])
            batch.end_pass()
        numpy.testing.assert_allclose(batch.loss(), terms, 1e-12)
        for cut in self.cuts:
            batch.gradient(z_a[cut], found[cut])
        numpy.testing.assert_allclose(found, expected, atol=1e-12 * abs(expected).max())
        sums = decorr.SumvecBatch(z_a.shape[1], "float64")
        for cut in self.cuts:
            sums.add(z_a[cut], z_b[cut])
        sums.end_pass()
        numpy.testing.assert_allclose(sums.lags(), decorr.sumvec(z_a, z_b), atol=1e-12)

    def test_misuse(self):
        z_a, z_b = views()
        batch = decorr.VicregBatch(z_a.shape[1], "float64", gradients="none")
        with self.assertRaisesRegex(ValueError, "passes that it needs have not ended"):
            batch.loss()
        with self.assertRaisesRegex(ValueError, "z_a has 5 columns, expected 6") as caught:
            batch.add(z_a[:, :5], z_b[:, :5])
        self.assertEqual(caught.exception.argument, "z_a")
        with self.assertRaisesRegex(ValueError,
                                    "z_a is of type float32, and the batch is of float64"):
            batch.add(z_a.astype("float32"), z_b.astype("float32"))
        with self.assertRaisesRegex(TypeError, "z_b is a list"):
            batch.add(z_a, z_b.tolist())
        batch.add(z_a, z_b)
        batch.end_pass()
        batch.add(z_a[1:], z_b[1:])
        with self.assertRaisesRegex(ValueError, "the rows are not those of the first pass"):
            batch.end_pass()
        for arguments, message in ((("6",), "d is '6'"), ((0,), "d is 0"),
                                   ((6, "int32"), "dtype is int32"),
                                   ((6, "float32", decorr.BarlowTwinsOptions()), "options is a")):
            with self.assertRaisesRegex((TypeError, ValueError), message):
                decorr.VicregBatch(*arguments)
        with self.assertRaisesRegex(ValueError, "gradients is 'all'"):
            decorr.VicregBatch(6, gradients="all")
        with self.assertRaisesRegex(TypeError, "gradients is None, expected a string"):
            decorr.VicregBatch(6, gradients=None)
        with self.assertRaisesRegex(ValueError, "gradients is 'both', expected 'a' or 'none'"):
            decorr.VarianceCovarianceBatch(6, gradients="both")
        with self.assertRaisesRegex(TypeError, "dtype is a VicregOptions, expected a NumPy type"):
            decorr.VicregBatch(6, VicregOptions())
        self.assertFalse(batch.has_pass())
        with self.assertRaisesRegex(ValueError, "has failed, and the batch with it"):
            batch.loss()
        with self.assertRaisesRegex(TypeError, "cannot be copied"):
            copy.copy(batch)

    def test_processes(self):
        z = views()
        expected = [numpy.empty_like(each) for each in z]
        terms = decorr.vicreg_loss(*z, *expected)

        def body(rank, summed):
            own = [each[self.cuts[rank]] for each in z]
            gradients = [numpy.empty_like(each) for each in own]
            return decorr.vicreg_loss(*own, *gradients,
                                      execution=Execution(sum=summed)), gradients
        for rank, (own_terms, gradients) in enumerate(run_together(len(self.cuts), body)):
            numpy.testing.assert_allclose(own_terms, terms, 1e-12)
            for mine, whole in zip(gradients, expected):
                numpy.testing.assert_allclose(mine, whole[self.cuts[rank]],
                                              atol=1e-12 * abs(whole).max())

    def test_a_mistake_of_one_process(self):
        z = views()
        d = z[0].shape[1]

        def loss(wrong, summed):
            execution = Execution(threads="two" if wrong == "threads" else 1, sum=summed)
            second = {"matrix": "no matrix", "shape": z[1][:, :3]}.get(wrong, z[1])
            options = 3 if wrong == "options" else None
            return decorr.barlow_twins_loss(z[0], second, options=options, execution=execution)

        def parts(wrong, summed):
            execution = Execution(threads="two" if wrong == "threads" else 1, sum=summed)
            batch = decorr.BarlowTwinsBatch(d, "float64", 3 if wrong == "options" else None,
                                            execution=execution)
            while batch.has_pass():
                batch.add(z[0], {"matrix": "no matrix", "shape": z[1][:, :3]}.get(wrong, z[1]))
                batch.end_pass()
            return batch.loss()

        def lags(wrong, summed):
            second = {"matrix": "no matrix", "shape": z[1][:, :3]}.get(wrong, z[1])
            return decorr.sumvec(z[0], second, execution=Execution(sum=summed))

        for call in (loss, parts, lags):
            for wrong in ("matrix", "shape", "options", "threads"):
                if call is lags and wrong in ("options", "threads"):
                    continue
                with self.subTest(call=call.__name__, wrong=wrong):
                    first, own, last = run_together(
                        3, lambda rank, summed: call(wrong if rank == 1 else None, summed))
                    self.assertIsInstance(own, (TypeError, ValueError))
                    self.assertRegex(str(own), "(z_b|b|options|threads) (is|has)")
                    for other in (first, last):
                        self.assertIsInstance(other, decorr.CollectiveError)
                        self.assertIn("failed on 1 of 3 processes", str(other))

    def test_a_sum_that_raises(self):
        z = views()

        formats = []
        decorr.barlow_twins_loss(*z, execution=Execution(
            sum=lambda numbers: formats.append(memoryview(numbers).format)))
        self.assertEqual(set(formats), {"d"})  # as mpi4py wants it

        def refusing(numbers):
            raise KeyError("the network is down")
        with self.assertRaisesRegex(KeyError, "the network is down"):
            decorr.barlow_twins_loss(*z, execution=Execution(sum=refusing))
        batch = decorr.BarlowTwinsBatch(z[0].shape[1], "float64",
                                        execution=Execution(sum=refusing))
        batch.add(*z)
        with self.assertRaisesRegex(KeyError, "the network is down"):
            batch.end_pass()
        with self.assertRaisesRegex(TypeError, "sum returned a ndarray, expected None"):
            decorr.barlow_twins_loss(*z, execution=Execution(sum=lambda numbers: 2 * numbers))
        with self.assertRaisesRegex(TypeError, "sum is 3, expected a function"):
            decorr.barlow_twins_loss(*z, execution=Execution(sum=3))


class Refusals(TestCase):
    def setUp(self):
        self.z_a, self.z_b = views()
        self.gradients = [numpy.full_like(self.z_a, 7) for _ in "ab"]

    def refuse(self, exception, message, call, *arguments, **named):
        with self.assertRaisesRegex(exception, message):
            call(*arguments, **named)

    def refuse_view(self, exception, message, array):
        """As each argument of each kind."""
        z_a, z_b, (grad_a, grad_b) = self.z_a, self.z_b, self.gradients
        for call, names in ((decorr.barlow_twins_loss, "z_a z_b grad_a grad_b"),
                            (decorr.vicreg_loss, "z_a z_b grad_a grad_b"),
                            (decorr.r_off, "a b grad_a grad_b"),
                            (decorr.r_sum, "a b grad_a grad_b")):
            for position, name in enumerate(names.split()):
                arguments = [z_a, z_b, grad_a, grad_b]
                arguments[position] = array
                self.refuse(exception, f"{name} {message}", call, *arguments)
        self.refuse(exception, f"z {message}", decorr.variance_covariance_loss, array)
        self.refuse(exception, f"grad {message}", decorr.variance_covariance_loss, z_a, grad=array)
        self.refuse(exception, f"b {message}", decorr.sumvec, z_a, array)
        self.assertTrue((grad_a == 7).all() and (grad_b == 7).all())

    def test_types(self):
        for array in (self.z_a.tolist(), "text", 1.0, memoryview(self.z_a)):
            self.refuse_view(TypeError, "is a ", array)
        for dtype in (int, bool, complex, object, numpy.longdouble, "S8", "datetime64[s]",
                      [("x", float)]):
            self.refuse_view(TypeError, "is of type", numpy.zeros((7, 6), dtype))
        with self.assertRaisesRegex(ValueError, "dtype is >f8, expected float32"):
            decorr.BarlowTwinsBatch(3, ">f8")
        self.refuse_view(TypeError, "is of type '>f8'.*byte order",
                         self.z_a.astype(self.z_a.dtype.newbyteorder()))
        self.refuse_view(TypeError, "is a masked array", numpy.ma.masked_array(self.z_a))
        self.refuse(TypeError, "z_a is a NoneType", decorr.vicreg_loss, None, self.z_b)
        self.refuse(ValueError, "z_b is of type float32, z_a is of type float64, expected float64 "
                    "for both", decorr.vicreg_loss, self.z_a, self.z_b.astype("float32"))
        self.refuse(ValueError, "out is of type float32, a is of type float64, expected",
                    decorr.sumvec, self.z_a, self.z_b, numpy.zeros(6, "float32"))
        self.refuse(ValueError, "grad_a", decorr.vicreg_loss, self.z_a, self.z_b,
                    *(each.astype("float32") for each in self.gradients))

    def test_shapes(self):
        for shape in ((), (6,), (1, 7, 6)):
            self.refuse_view(ValueError, f"has {len(shape)} dimensions", numpy.zeros(shape))
        for shape in ((0, 6), (7, 0), (0, 0)):
            self.refuse_view(ValueError, f"(is {shape[0]} x {shape[1]}|has {shape[0]} rows)",
                             numpy.zeros(shape))
        for shape in ((6, 6), (7, 5), (6, 7)):
            array = numpy.zeros(shape)
            for position in range(1, 4):
                arguments = [self.z_a, self.z_b, *self.gradients]
                arguments[position] = array
                self.refuse(ValueError, "has . (rows|columns), z_. has",
                            decorr.barlow_twins_loss, *arguments)
        row = self.z_a[:1]
        self.refuse(ValueError, "1 row, expected at least 2", decorr.vicreg_loss, row, row)
        self.refuse(ValueError, "out has 2", decorr.sumvec, self.z_a, self.z_b, self.z_a)
        self.refuse(ValueError, "out is 5 x 1", decorr.sumvec, self.z_a, self.z_b, numpy.zeros(5))

    def test_memory(self):
        z_a, z_b, (grad_a, grad_b) = self.z_a, self.z_b, self.gradients
        for position in (2, 3):
            arguments = [z_a, z_b, grad_a.copy(), grad_b.copy()]
            arguments[position].setflags(write=False)
            self.refuse(ValueError, "grad_. is read-only", decorr.vicreg_loss, *arguments)
        self.refuse(ValueError, "out is read-only", decorr.sumvec, z_a, z_b,
                    numpy.broadcast_to(0.0, 6))
        for pair in ((z_a, grad_b), (grad_a, z_b), (z_b, grad_b), (grad_a, grad_a),
                     (grad_a[::-1], grad_a)):
            self.refuse(ValueError, "overlaps", decorr.vicreg_loss, z_a, z_b, *pair)
        self.refuse(ValueError, "overlaps", decorr.sumvec, z_a, z_b, z_a[0])
        same = as_strided(numpy.zeros(6), z_a.shape, (0, 8))
        self.refuse(ValueError, "share memory", decorr.vicreg_loss, z_a, z_b, same, grad_b)
        for wrong in (z_a, z_b):
            for name in ("grad_a", "grad_b"):
                self.refuse(ValueError, f"{name} overlaps", decorr.vicreg_loss, z_a, z_b,
                            **{name: wrong})
        before = z_b.copy()
        self.refuse(TypeError, "options is a numpy.ndarray, expected decorr.VicregOptions",
                    decorr.variance_covariance_loss, z_a, z_b)
        self.assertTrue((z_b == before).all())
        packed = numpy.zeros((7, 6), numpy.dtype([("x", "f8"), ("y", "i1")]))["x"]
        self.refuse_view(ValueError, "has strides of .* not multiples", packed)
        bytes_ = numpy.zeros(7 * 6 * 8 + 1, numpy.uint8)
        unaligned = bytes_[1:].view(float).reshape(7, 6)
        self.refuse(ValueError, "not aligned", decorr.vicreg_loss, unaligned, z_b)

    def test_options(self):
        def loss(options=None, regularizer=None, execution=None, call=decorr.vicreg_loss):
            return call(self.z_a, self.z_b, *self.gradients, options, regularizer, execution)
        self.refuse(TypeError, "options is a dict", loss, {})
        self.refuse(TypeError, "options is a decorr.BarlowTwinsOptions, expected decorr.V", loss,
                    BarlowTwinsOptions())
        self.refuse(TypeError, "regularizer is a str, expected decorr.Exact or decorr.Relaxed",
                    loss, None, "relaxed")
        self.refuse(TypeError, "regularizer is a type", loss, None, Relaxed)
        self.refuse(TypeError, "execution is a int", loss, None, None, 2)
        self.refuse(TypeError, "relaxed is a decorr.Exact", decorr.r_sum, self.z_a, self.z_b,
                    relaxed=Exact())
        for value in ("1", None, 1j, [1.0], numpy.ones(1)):
            self.refuse(TypeError, "gamma is", loss, VicregOptions(gamma=value))
        self.refuse(ValueError, "scale is 10+, beyond", loss, VicregOptions(scale=10**400))
        self.refuse(ValueError, "epsilon is -1", loss, VicregOptions(epsilon=-1))
        self.refuse(ValueError, "epsilon is nan", loss, VicregOptions(epsilon=numpy.nan))
        self.refuse(TypeError, "sum_variance is 1", loss, VicregOptions(sum_variance=1))
        self.refuse(ValueError, "covariance_scaling is 'x', expected 'per_dimension' or", loss,
                    VicregOptions(covariance_scaling="x"))
        self.refuse(TypeError, "covariance_scaling", loss, VicregOptions(covariance_scaling=1))
        self.assertEqual(loss(VicregOptions(scale=numpy.float32(1), invariance=25)), loss())
        self.gradients[0][:] = 7

        def relaxed(**arguments):
            return loss(None, Relaxed(**arguments))
        for exponent in (0, 3, -1):
            self.refuse(ValueError, f"exponent is {exponent}, expected 1 or 2", relaxed,
                        exponent=exponent)
        # What ctypes would cut to 2 and to 0.
        self.refuse(ValueError, "exponent is 4294967298", relaxed, exponent=2**32 + 2)
        self.refuse(ValueError, "block_size is 18446744073709551616", relaxed, block_size=2**64)
        self.refuse(ValueError, "threads is 4294967297", loss, None, None, Execution(2**32 + 1))
        self.refuse(TypeError, "exponent is 2.0, expected an integer", relaxed, exponent=2.0)
        self.refuse(ValueError, "block_size is 7, expected 0 to 6", relaxed, block_size=7)
        self.refuse(ValueError, "block_size is -1", relaxed, block_size=-1)
        self.refuse(ValueError, "threads is 0", loss, None, None, Execution(0))
        self.refuse(ValueError, "planning is 'long'", loss, None, None, Execution(1, "long"))

        right = list(range(6))
        for permutation in (right[:-1], right + [6], [0] * 6, [*right[:-1], 6], [-1, *right[1:]],
                            []):
            self.refuse(ValueError, "permutation", relaxed, permutation=permutation)
        self.refuse(TypeError, "permutation is of type float64", relaxed,
                    permutation=numpy.arange(6.0))
        self.refuse(ValueError, "permutation has 2 dimensions", relaxed,
                    permutation=numpy.zeros((2, 3), int))
        self.refuse(ValueError, "permutation has an entry 18446744073709551615", relaxed,
                    permutation=numpy.array([0, 1, 2, 3, 4, 2**64 - 1], numpy.uint64))
        for wrong in ([1] * 5, [1] * 5 + [0], [1] * 5 + [257]):  # 257 is 1 in eight bits
            self.refuse(ValueError, "signs_a", relaxed, signs_a=wrong)
        self.refuse(TypeError, "signs_b is of type", relaxed, signs_b=[1.0] * 6)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # older NumPy warns of what newer ones refuse
            self.refuse(TypeError, "signs_a is ", relaxed, signs_a=[[1], [1, 1]])
        self.assertTrue((self.gradients[0] == 7).all())
        for given in (right, tuple(right), numpy.arange(6, dtype="int16"),
                      numpy.arange(12)[::2] // 2, numpy.arange(6, dtype=">i8")):
            self.assertEqual(relaxed(permutation=given), relaxed(permutation=numpy.arange(6)))

    def test_errors_have_the_argument_apart(self):
        """As it is called here, of what the library refuses and of what this module does."""
        z, floats = (self.z_a, self.z_b), [each.astype("float32") for each in self.gradients]
        for call, argument, start in (
                (lambda: decorr.barlow_twins_loss(*z, None, None, BarlowTwinsOptions(numpy.nan)),
                 "lambda_", "barlow_twins_loss: lambda_ is nan"),
                (lambda: decorr.sumvec(*z, numpy.zeros(5)), "out", "sumvec: out is 5 x 1"),
                (lambda: decorr.r_off(*z, z[0], self.gradients[1]), "grad_a",
                 "r_off: grad_a overlaps a"),
                (lambda: decorr.r_sum(*z, relaxed=Relaxed(signs_b=[0] * 6)), "signs_b",
                 "r_sum: signs_b[0] is 0"),
                (lambda: decorr.vicreg_loss(*z, self.gradients[0], floats[1]), "grad_b",
                 "grad_b is of type float32, z_a is of type float64, expected float64"),
                (lambda: decorr.vicreg_loss(*z, None, self.gradients[1][1:]), "grad_b",
                 "vicreg_loss: grad_b has 6 rows"),
                (lambda: decorr.vicreg_loss(None, z[1]), "z_a", "z_a is a NoneType"),
                (lambda: decorr.vicreg_preset("random_signs", 6), "generator",
                 "generator is None")):
            with self.assertRaises((TypeError, ValueError)) as caught:
                call()
            self.assertEqual(caught.exception.argument, argument)
            self.assertEqual(str(caught.exception)[:len(start)], start)

    def test_lists_live_until_the_call(self):
        """As arrays of this size, whose memory goes back to the system when they are freed."""
        d = 500000
        a = numpy.random.default_rng(0).standard_normal((1, d), dtype=numpy.float32)
        permutation = numpy.random.default_rng(1).permutation(d)
        execution = Execution(planning="estimate")
        self.assertEqual(
            decorr.r_sum(a, a, relaxed=Relaxed(permutation=permutation.tolist(),
                                               signs_a=[1] * d, signs_b=[1] * d),
                         execution=execution),
            decorr.r_sum(a, a, relaxed=Relaxed(permutation=permutation,
                                               signs_a=numpy.ones(d, numpy.int8),
                                               signs_b=numpy.ones(d, numpy.int8)),
                         execution=execution))

    def test_out_of_memory(self):
        code = ("import resource, numpy, decorr\n"
                "resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31))\n"
                "z = numpy.broadcast_to(numpy.float32(1), (40000, 40000))\n"
                "try: decorr.r_off(z, z)\n"
                "except MemoryError: print('MemoryError')\n")
        result = subprocess.run([sys.executable, "-c", code], text=True, stdout=subprocess.PIPE)
        self.assertEqual(result.stdout, "MemoryError\n")


class Randomization(TestCase):
    def test_the_numbers_of_the_mersenne_twister(self):
        """Drawn from the words of MT19937-64 as randomization.hpp says. The first one of its
        default seed, 5489, is known."""
        first = 14514284786278117030
        expected = [1 if first >> j & 1 else -1 for j in range(64)]
        found = decorr.random_signs(64, Generator(5489))
        self.assertEqual((found.tolist(), found.dtype), (expected, numpy.int8))
        permutation = decorr.random_permutation(2, Generator(5489))
        self.assertEqual(permutation.dtype, numpy.int64)
        self.assertEqual(permutation.tolist(), [1, 0] if first % 2 == 0 else [0, 1])

    def test_draws(self):
        generator = Generator(2**64 - 1)
        permutation = decorr.random_permutation(1000, generator)
        self.assertEqual(sorted(permutation), list(range(1000)))
        drawn = decorr.random_signs(1000, generator)
        self.assertEqual(set(drawn), {-1, 1})
        self.assertFalse((drawn == decorr.random_signs(1000, generator)).all())
        again = Generator(2**64 - 1)
        self.assertTrue((decorr.random_permutation(1000, again) == permutation).all())

    def test_refusals(self):
        for seed, exception in ((-1, ValueError), (2**64, ValueError), (1.0, TypeError),
                                (None, TypeError), ("1", TypeError)):
            with self.assertRaisesRegex(exception, "seed is"):
                Generator(seed)
        generator = Generator(0)
        for draw in (decorr.random_permutation, decorr.random_signs):
            for d in (0, -1, 2**31, 2**63 - 1):
                with self.assertRaisesRegex(ValueError, f"d is {d}"):
                    draw(d, generator)
            with self.assertRaisesRegex(TypeError, "d is 2.0"):
                draw(2.0, generator)
            with self.assertRaisesRegex(TypeError, "generator is a int"):
                draw(4, 1)
            with self.assertRaisesRegex(TypeError, r"generator is a numpy\.random.*Generator, "
                                        r"expected a decorr\.Generator"):
                draw(4, numpy.random.default_rng())
        with self.assertRaisesRegex(TypeError, "cannot be copied or pickled"):
            pickle.dumps(generator)

    def test_one_generator_in_several_threads(self):
        """Together they draw what one thread draws."""
        d, draws = 320000, 25
        generator, alone, drawn = Generator(1), Generator(1), []
        threads = [threading.Thread(target=lambda: drawn.extend(
            decorr.random_signs(d, generator).tobytes() for _ in range(draws))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(set(drawn), {decorr.random_signs(d, alone).tobytes()
                                      for _ in range(4 * draws)})

    def test_presets(self):
        generator, same = Generator(7), Generator(7)
        preset = decorr.barlow_twins_preset("random_signs", 6, generator, block_size=2)
        self.assertEqual(preset.options, BarlowTwinsOptions())
        self.assertEqual((preset.regularizer.exponent, preset.regularizer.block_size), (2, 2))
        self.assertIsNone(preset.regularizer.permutation)
        self.assertTrue((preset.regularizer.signs_a == decorr.random_signs(6, same)).all())
        self.assertTrue((preset.regularizer.signs_b == decorr.random_signs(6, same)).all())
        z = views()
        self.assert_close(
            decorr.barlow_twins_loss(*z, None, None, *preset)[1:],
            naive_losses.barlow_twins(*z, relaxed=dict(
                block_size=2, signs_a=preset.regularizer.signs_a,
                signs_b=preset.regularizer.signs_b)))
        preset = decorr.vicreg_preset("relaxed_8192", 8192, generator)
        self.assertEqual(preset.options, VicregOptions(2.5, 2.5, 0.1, sum_variance=True,
                                                       covariance_scaling="block_mean"))
        self.assertEqual(preset.regularizer.exponent, 1)
        self.assertEqual(sorted(preset.regularizer.permutation), list(range(8192)))
        self.assertEqual(decorr.barlow_twins_preset("exact_solo_learn_2048", 2048).options.scale,
                         0.1)
        self.assertEqual(decorr.vicreg_preset("exact_solo_learn", 5),
                         (VicregOptions(sum_variance=True), Exact()))
        for arguments, message in ((("relaxed_8192", 6, generator), "d is 6, expected 8192"),
                                   (("random_signs", 6), "generator is None"),
                                   (("exact", 0), "d is 0"),
                                   (("random_signs", 6, generator, 7), "block_size is 7"),
                                   (("exact_solo_learn", 6), "preset is 'exact_solo_learn', "
                                    "expected 'exact' or 'exact_solo_learn_2048' or "),
                                   (("typo", 6), "preset is 'typo'")):
            with self.assertRaisesRegex(ValueError, message):
                decorr.barlow_twins_preset(*arguments)
        with self.assertRaisesRegex(ValueError, "expected 'exact' or 'exact_solo_learn' or "):
            decorr.vicreg_preset("exact_solo_learn_2048", 2048)

    def test_recommended(self):
        generator, same = Generator(3), Generator(3)
        self.assertEqual(decorr.recommended(32, 4096, generator), decorr.Exact())
        self.assertEqual(decorr.recommended(4096, 32, generator), decorr.Exact())
        for n, d, block_size in ((33, 512, 0), (1000, 513, 256), (64, 8192, 512)):
            regularizer = decorr.recommended(n, d, generator)
            self.assertEqual((regularizer.exponent, regularizer.block_size), (2, block_size))
            self.assertIsNone(regularizer.permutation)
            self.assertTrue((regularizer.signs_a == decorr.random_signs(d, same)).all())
            self.assertTrue((regularizer.signs_b == decorr.random_signs(d, same)).all())
        z_a, z_b = numpy.random.default_rng(0).normal(size=(2, 40, 600))
        terms = decorr.vicreg_loss(z_a, z_b, None, None, None,
                                   decorr.recommended(*z_a.shape, generator))
        self.assertGreater(terms.covariance, 0)
        for arguments, message in (((0, 5), "n is 0"), ((5, 0), "d is 0"), ((5, -2), "d is -2")):
            with self.assertRaisesRegex(ValueError, message):
                decorr.recommended(*arguments, generator)
        with self.assertRaisesRegex(TypeError, "generator is an? .*, expected a decorr.Generator"):
            decorr.recommended(5, 5, 3)

    def test_each_loss_has_the_presets_of_the_library(self):
        for function, presets, options in (
                ("barlow_twins_preset", _interface._BARLOW_TWINS_PRESETS,
                 _interface._BarlowTwinsOptions),
                ("vicreg_preset", _interface._VICREG_PRESETS, _interface._VicregOptions)):
            for name, number in _interface._PRESETS.items():
                d = int((name.rpartition("_")[2:] if name[-1].isdigit() else ("8",))[0])
                generator, regularizer = Generator(1), _interface._Regularizer()
                drawn = [numpy.empty(d, dtype) for dtype in ("int64", "int8", "int8")]
                with self.subTest(function=function, preset=name):
                    try:
                        _interface._call(function, number, d, 0, generator._pointer,
                                     *(array.ctypes.data for array in drawn), options(),
                                     regularizer)
                        known = True
                    except ValueError as error:
                        self.assertRegex(str(error), "preset is")
                        known = False
                    self.assertEqual(name in presets, known)


class PlansAndThreads(TestCase):
    def test_plans(self):
        decorr.clear_plans()
        self.assertEqual(decorr.cached_plans(), 0)
        decorr.sumvec(*views(dtype="float32"))
        self.assertGreater(decorr.cached_plans(), 0)
        decorr.clear_workspaces()
        before = decorr.set_workspace_limit(2**64 - 1)
        self.assertEqual(before, 64 * 2**20)
        self.assertEqual(decorr.set_workspace_limit(before), 2**64 - 1)
        with decorr.planner_lock():
            with self.assertRaisesRegex(ValueError, "holds the planner's lock"):
                decorr.clear_plans()
            with self.assertRaisesRegex(ValueError, "holds the planner's lock"):
                with decorr.planner_lock():
                    pass
        with self.assertRaises(ZeroDivisionError):
            with decorr.planner_lock():
                raise ZeroDivisionError
        decorr.clear_plans()

    def test_wisdom(self):
        with tempfile.TemporaryDirectory() as folder:
            for dtype in (numpy.float32, "float64"):
                path = pathlib.Path(folder) / "wisdom \N{GREEK SMALL LETTER OMEGA}"
                decorr.save_wisdom(path, dtype)
                self.assertGreater(path.stat().st_size, 0)
                decorr.load_wisdom(str(path), dtype)
            with self.assertRaisesRegex(RuntimeError, "nothing here"):
                decorr.load_wisdom(f"{folder}/nothing here")
            with self.assertRaisesRegex(ValueError, "null character"):
                decorr.save_wisdom(f"{folder}/a\0b")
            with self.assertRaisesRegex(ValueError, "dtype is float16"):
                decorr.save_wisdom(path, "float16")

    def test_about_the_library(self):
        header = (SOURCES / "include/decorr/version.hpp").read_text()
        for part, name in zip(decorr.version().split("."), ("MAJOR", "MINOR", "PATCH")):
            self.assertIn(f"#define DECORR_VERSION_{name} {part}\n", header)
        self.assertIn(decorr.cpu(), ("baseline", "avx2", "avx512"))
        self.assertIsInstance(decorr.has_threads(), bool)

    def test_calls_from_several_threads(self):
        z = views(32, 24, dtype="float32")
        expected = decorr.vicreg_loss(*z, regularizer=Relaxed(), execution=Execution(1, "estimate"))
        results, messages = [], []

        def work(right):
            for _ in range(50):
                if right:
                    results.append(decorr.vicreg_loss(*z, regularizer=Relaxed(),
                                                      execution=Execution(1, "estimate")))
                    decorr.clear_plans()
                else:
                    try:
                        decorr.vicreg_loss(*z, regularizer=Relaxed(block_size=99))
                    except ValueError as error:
                        messages.append(str(error))
        threads = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(results, [expected] * 100)
        self.assertEqual(len(messages), 100)
        self.assertTrue(all("block_size is 99" in message for message in messages))

    def test_python_goes_on_during_a_call(self):
        """A call that waits for the planner's lock leaves Python to the thread that has it."""
        faulthandler.dump_traceback_later(60, exit=True)
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        decorr.clear_plans()
        thread = threading.Thread(target=decorr.sumvec, args=views())
        with decorr.planner_lock():
            thread.start()
            thread.join(0.2)
            self.assertTrue(thread.is_alive())
        thread.join()


if __name__ == "__main__":
    unittest.main()
