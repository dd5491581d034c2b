"""decorr_jax beside the papers' formulas in JAX's operations, differentiated by jax.grad."""

import pathlib
import re
import unittest

import jax
import jax.numpy as jnp
import numpy

jax.config.update("jax_enable_x64", True)

import decorr_jax
from decorr_jax import Relaxed

N, D = 12, 10
KEY = jax.random.key(0)


def views(dtype=jnp.float64, n=N, d=D):
    common, noise = jax.random.normal(KEY, (n, d)), jax.random.normal(jax.random.key(1), (n, d))
    return (common + 0.4 * noise).astype(dtype), (common - 0.4 * noise).astype(dtype)


# ---- The formulas

def arranged(x, relaxed, signs):
    if signs is not None:
        x = x * signs
    if relaxed.permutation is not None:
        x = x[:, relaxed.permutation]
    block = relaxed.block_size or x.shape[1]
    return jnp.pad(x, ((0, 0), (0, -x.shape[1] % block)))


def regularizer(a, b, m, relaxed, signs_a, signs_b, is_covariance):
    if relaxed is None:
        c = a.T @ b / m
        return jnp.sum(c ** 2) - jnp.sum(jnp.diag(c) ** 2)
    block = relaxed.block_size or a.shape[1]
    c = arranged(a, relaxed, signs_a).T @ arranged(b, relaxed, signs_b) / m
    total = 0.0
    for g in range(c.shape[0] // block):
        for h in range(c.shape[0] // block):
            for lag in range(1 if g == h else 0, block):
                j = numpy.arange(block)
                entries = c[g * block + j, h * block + (j + lag) % block]
                power = abs(jnp.sum(entries)) ** relaxed.exponent
                halved = is_covariance and signs_a is not None and g == h and 2 * lag == block
                total += power / 2 if halved else power
    return total


def barlow_twins(z_a, z_b, lambda_=0.0051, scale=1.0, epsilon=1e-5, standardize=True,
                 relaxed=None):
    def standardized(z):
        return (z - z.mean(0)) / jnp.sqrt(z.var(0) + epsilon) if standardize else z
    a, b, n = standardized(z_a), standardized(z_b), len(z_a)
    diagonal = jnp.sum(a * b, axis=0) / n
    signs = (None, None) if relaxed is None else (relaxed.signs_a, relaxed.signs_b)
    return scale * (jnp.sum((1 - diagonal) ** 2)
                    + lambda_ * regularizer(a, b, n, relaxed, *signs, False))


def vicreg(z_a, z_b, invariance=25.0, variance=25.0, covariance=1.0, gamma=1.0, epsilon=1e-4,
           scale=1.0, sum_variance=False, relaxed=None):
    n, d = z_a.shape
    signs = (None, None) if relaxed is None else (relaxed.signs_a, relaxed.signs_b)
    hinges, covariances = 0.0, 0.0
    for z, of_view in zip((z_a, z_b), signs):
        x = z - z.mean(0)
        hinges += jnp.mean(jax.nn.relu(gamma - jnp.sqrt(jnp.sum(x ** 2, 0) / (n - 1) + epsilon)))
        covariances += regularizer(x, x, n - 1, relaxed, of_view, of_view, True) / d
    return scale * (invariance * jnp.mean((z_a - z_b) ** 2)
                    + variance * (hinges if sum_variance else hinges / 2)
                    + covariance * covariances)


def forms():
    rng = numpy.random.default_rng(0)
    yield None
    yield Relaxed()
    for exponent in (1, 2):
        yield Relaxed(exponent, 4, rng.permutation(D), *rng.choice([-1, 1], (2, D)))


CASES = [
    (decorr_jax.barlow_twins_loss, barlow_twins, {"lambda_": 0.3, "scale": 0.7}),
    (decorr_jax.barlow_twins_loss, barlow_twins, {"lambda_": 0.3, "standardize": False}),
    (decorr_jax.vicreg_loss, vicreg, {"invariance": 2.0, "gamma": 1.2, "scale": 0.7}),
    (decorr_jax.vicreg_loss, vicreg, {"sum_variance": True, "epsilon": 1e-3}),
]


class JaxTest(unittest.TestCase):
    def assert_close(self, ours, expected, tolerance=1e-12):
        for x, y in zip(jax.tree.leaves(ours), jax.tree.leaves(expected), strict=True):
            difference = jnp.abs(x.astype(jnp.float64) - y.astype(jnp.float64)).max()
            self.assertLess(float(difference), tolerance * float(jnp.abs(y).max()))

    def test_values_and_gradients(self):
        z_a, z_b = views()
        for ours, formula, options in CASES:
            for form in forms():
                # Three times the loss, so that the cotangent counts.
                def mine(a, b):
                    return 3 * ours(a, b, regularizer=form, planning="estimate", **options)

                def expected(a, b):
                    return 3 * formula(a, b, relaxed=form, **options)
                for wrap in (lambda f: f, jax.jit):
                    self.assert_close(wrap(jax.value_and_grad(mine, (0, 1)))(z_a, z_b),
                                      jax.value_and_grad(expected, (0, 1))(z_a, z_b))
                self.assert_close(jax.jit(mine)(z_a, z_b), expected(z_a, z_b))

    def test_one_view(self):
        z_a, z_b = views()
        for position in (0, 1):
            for ours, formula, options in CASES:
                gradient = jax.jit(jax.grad(lambda *z: ours(*z, **options), position))
                self.assert_close(gradient(z_a, z_b), jax.grad(
                    lambda *z: formula(*z, **options), position)(z_a, z_b))

        # Of a gradient that nobody wants there is no room in the compiled function.
        def gradient_shapes(positions):
            gradient = jax.jit(jax.grad(decorr_jax.barlow_twins_loss, positions))
            return gradient.lower(z_a, z_b).as_text().count(f"tensor<0x{D}xf64>")
        self.assertLess(gradient_shapes((0, 1)), gradient_shapes(0))

    def test_types(self):
        for dtype, rounding in ((jnp.float32, 1e-5), (jnp.float16, 2.0 ** -11 + 1e-5),
                                (jnp.bfloat16, 2.0 ** -8 + 1e-5)):
            z = views(dtype)
            exact = [each.astype(jnp.float64) for each in z]
            for ours, formula, options in CASES:
                value, gradients = jax.value_and_grad(lambda *z: ours(*z, **options), (0, 1))(*z)
                self.assertEqual(value.dtype, jnp.float32)
                self.assertEqual([each.dtype for each in gradients], [dtype, dtype])
                expected = jax.value_and_grad(lambda *z: formula(*z, **options), (0, 1))(*exact)
                self.assert_close(value, expected[0], 1e-5)
                self.assert_close(gradients, expected[1], rounding)

    def test_signs_are_drawn_within_a_compiled_function(self):
        z_a, z_b = views(n=40, d=64)

        @jax.jit
        def loss(key):
            form = decorr_jax.random_signs(key, 64, block_size=16)
            return decorr_jax.barlow_twins_loss(z_a, z_b, regularizer=form, lambda_=1.0)
        keys = jax.random.split(jax.random.key(3), 200)
        draws = jax.lax.map(loss, keys)
        exact = decorr_jax.barlow_twins_loss(z_a, z_b, lambda_=1.0)
        self.assertGreater(float(draws.std()), 0)
        # On average the exact loss, within four standard deviations of that average.
        self.assertLess(abs(float(draws.mean() - exact)), 4 * float(draws.std()) / 200 ** 0.5)
        form = decorr_jax.random_signs(keys[0], 64, block_size=16)
        self.assert_close(loss(keys[0]), barlow_twins(z_a, z_b, lambda_=1.0, relaxed=form))

    def test_vmap(self):
        z_a, z_b = views(n=24)
        slices = z_a.reshape(2, 12, D), z_b.reshape(2, 12, D)
        gradient = jax.grad(decorr_jax.vicreg_loss)
        self.assert_close(jax.vmap(gradient)(*slices),
                          jnp.stack([gradient(a, b) for a, b in zip(*slices)]))

    def test_other_derivatives_are_refused(self):
        z_a, z_b = views()

        def penalty(a):
            return jnp.sum(jax.grad(decorr_jax.barlow_twins_loss)(a, z_b) ** 2)
        with self.assertRaisesRegex(ValueError, "cannot be differentiated"):
            jax.grad(penalty)(z_a)
        with self.assertRaises(TypeError):
            jax.jvp(lambda a: decorr_jax.barlow_twins_loss(a, z_b), (z_a,), (z_a,))

    def test_errors(self):
        z_a, z_b = views()
        loss = decorr_jax.barlow_twins_loss
        with self.assertRaisesRegex(ValueError, "barlow_twins_loss: z_b has 1 dimensions, expected 2"):
            loss(z_a, z_b[0])
        with self.assertRaisesRegex(TypeError, "z_a is of type int64, expected float32"):
            loss(z_a.astype(int), z_b)
        for wrong, message in (((z_a, z_b[:-1]), "z_b has 11 rows, z_a has 12"),
                               ((z_a[:1], z_b[:1]), "z_a has 1 row"),
                               ((z_a, z_b.astype(jnp.float32)), "z_a and z_b differ in type")):
            with self.assertRaisesRegex(Exception, "barlow_twins_loss: " + message):
                loss(*wrong).block_until_ready()
        with self.assertRaisesRegex(Exception, "block_size"):
            loss(z_a, z_b, regularizer=Relaxed(block_size=D + 1)).block_until_ready()

    def test_example_of_the_documentation(self):
        text = (pathlib.Path(__file__).parents[3] / "docs/trainers.md").read_text(encoding="utf-8")
        example = re.search(r"```python\n(import decorr_jax\n.*?)```", text, re.DOTALL).group(1)
        views_of_images = [jax.random.normal(jax.random.key(i), (N, 20)) for i in (1, 2)]
        names = {"network": lambda parameters, view: jnp.tanh(view @ parameters),
                 "parameters": jax.random.normal(KEY, (20, 300)), "key": KEY,
                 "view_a": views_of_images[0], "view_b": views_of_images[1]}
        exec(example, names)
        # Not compiled, and by differences in a direction.
        direction = jax.random.normal(jax.random.key(3), (20, 300))

        def along(step):
            return names["loss"](names["parameters"] + step * direction, *views_of_images, KEY)
        difference = (along(1e-5) - along(-1e-5)) / 2e-5
        self.assertLess(abs(jnp.sum(names["gradients"] * direction) - difference),
                        1e-7 * abs(difference))


if __name__ == "__main__":
    unittest.main()
