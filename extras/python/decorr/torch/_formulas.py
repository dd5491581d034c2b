"""The losses and their gradients in PyTorch's operations, for tensors that are not on the CPU.

The same formulas as in libdecorr, with its derivatives by hand (docs/mathematics.md), but real
transforms, and the exact regularizer through the d x d matrix C always. float64 for float64, else
float32, sums over the batch too.

Conjugates are taken at once: a lazy one, of conj(), gets lost where a compiled graph of PyTorch 2
calls an operator.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Optional, Sequence

import torch

from .._interface import _refusal
from ._tensors import autocasts, scalar_type


def loss(call: Any, options: Any, views: list[torch.Tensor], needs: Sequence[bool],
         gradients: list[torch.Tensor], combination: Optional[str] = None) -> torch.Tensor:
    """Writes the gradients that are needed; the terms, the value first. The combination is that of
    a loss of several views."""
    _check(call, views, combination)
    device_type = views[0].device.type
    if autocasts(device_type):
        with torch.autocast(device_type, enabled=False):
            return _computed(call, options, views, needs, gradients, combination)
    return _computed(call, options, views, needs, gradients, combination)


def _computed(call: Any, options: Any, views: list[torch.Tensor], needs: Sequence[bool],
              gradients: list[torch.Tensor], combination: Optional[str]) -> torch.Tensor:
    rows = [z.to(scalar_type(z.dtype)) for z in views]
    device = rows[0].device
    permutation, *signs = (None if each is None else each.to(device)
                           for each in (call.permutation, call.signs_a, call.signs_b))
    features = [_Features(permutation, each) for each in signs]
    is_vicreg = call.function != "barlow_twins_loss"
    if combination is None:
        terms, results = (_vicreg if is_vicreg else _barlow_twins)(
            call, options, rows, features, needs)
    else:
        terms, results = (_vicreg_of_views if is_vicreg else _barlow_twins_of_views)(
            call, options, rows, features, needs, combination)
    for gradient, need, result in zip(gradients, needs, results):
        if need:
            gradient.copy_(result)
    return torch.stack([sum(terms[1:], terms[0]), *terms])


def _check(call: Any, views: list[torch.Tensor], combination: Optional[str]) -> None:
    """Raises what the library would."""
    n, d = views[0].shape
    name = "views[0]" if combination is not None else "z_a" if len(views) == 2 else "z"

    def refuse(argument: str, text: str) -> Exception:
        return _refusal(ValueError, argument, text, call.function)
    if n == 0 or d == 0:
        raise refuse(name, f" is {n} x {d}, expected at least one row and one column")
    if n < 2:
        raise refuse(name, " has 1 row, expected at least 2, as a variance needs them")
    if call.block_size > d:
        raise refuse("block_size", f" is {call.block_size}, expected 0 to {d}")
    for name, values in (("permutation", call.permutation), ("signs_a", call.signs_a),
                         ("signs_b", call.signs_b)):
        if values is None:
            continue
        if len(values) != d:
            raise refuse(name, f" has {len(values)} entries, expected {d}")
        is_right = torch.equal(values.sort().values, torch.arange(d, device=values.device)) \
            if name == "permutation" else bool((values.abs() == 1).all())
        if not is_right:
            raise refuse(name, f" has wrong entries, expected 0 to {d - 1} once each"
                         if name == "permutation" else " has wrong entries, expected +1 or -1")


# ---- Features over the batch

class _Features(NamedTuple):
    """How a regularizer sees the features of a view: x'_j = signs[p_j] x[p_j]."""

    permutation: Optional[torch.Tensor]
    signs: Optional[torch.Tensor]

    def of(self, x: torch.Tensor) -> torch.Tensor:
        if self.signs is not None:
            x = x * self.signs
        return x if self.permutation is None else x[:, self.permutation]

    def back(self, gradient: torch.Tensor) -> torch.Tensor:
        """The gradient by x, from that by x'."""
        if self.permutation is not None:
            gradient = gradient[:, self.permutation.argsort()]
        return gradient if self.signs is None else gradient * self.signs


def _centred(z: torch.Tensor) -> torch.Tensor:
    """The second mean is what rounding left out of the first, far from zero."""
    x = z - z.mean(dim=0)
    return x - x.mean(dim=0)


def _deviation(x: torch.Tensor, degrees: int, epsilon: float) -> torch.Tensor:
    """sqrt(variance + epsilon) of centred rows, whatever the size of the features."""
    unit = x.abs().amax(dim=0)
    unit = torch.where(unit == 0, torch.ones_like(unit), unit)
    root = ((x / unit).square().sum(dim=0) / degrees).sqrt()
    return torch.hypot(unit * root, torch.full_like(unit, epsilon).sqrt())


def _inverse(deviation: torch.Tensor) -> torch.Tensor:
    """Zero for a constant feature without epsilon."""
    is_zero = deviation < torch.finfo(deviation.dtype).tiny
    return torch.where(is_zero, torch.zeros_like(deviation), 1 / deviation)


# ---- Losses: their terms, and the gradient of each view, None where it is not needed

def _barlow_twins(call: Any, options: Any, rows: list[torch.Tensor], features: list[_Features],
                  needs: Sequence[bool]) -> tuple[list, list]:
    n, d = rows[0].shape
    inverse = []
    if options.standardize:
        rows = [_centred(z) for z in rows]
        inverse = [_inverse(_deviation(x, n, options.epsilon)) for x in rows]
        rows = [x * factor for x, factor in zip(rows, inverse)]
    a, b = rows
    diagonal = (a * b).sum(dim=0) / n
    weight = options.scale * options.lambda_
    value, slopes = _regularizer(call, features[0].of(a), features[1].of(b), n,
                                 _block_weights(call, d), needs)
    gradients: list[Optional[torch.Tensor]] = []
    for position, (x, other) in enumerate(((a, b), (b, a))):
        slope = slopes[position]
        if slope is None:
            gradients.append(None)
            continue
        gradient = weight * features[position].back(slope) + (
            2 * options.scale / n) * (diagonal - 1) * other
        if options.standardize:
            gradient = inverse[position] * (
                gradient - gradient.mean(dim=0) - x * (gradient * x).mean(dim=0))
        gradients.append(gradient)
    return [options.scale * (1 - diagonal).square().sum(), weight * value], gradients


def _vicreg(call: Any, options: Any, rows: list[torch.Tensor], features: list[_Features],
            needs: Sequence[bool]) -> tuple[list, list]:
    """Of one view, without its invariance, variance_covariance_loss."""
    n, d = rows[0].shape
    averaged = len(rows) == 2 and not options.sum_variance
    weight = options.scale * options.variance / (2 if averaged else 1)
    variances, covariances, gradients = [], [], []
    for z, of_view, need in zip(rows, features, needs):
        x = _centred(z)
        deviation = _deviation(x, n - 1, options.epsilon)
        gap = options.gamma - deviation
        variances.append(weight * gap.relu().sum() / d)
        value, gradient = _covariance(call, options, x, of_view, need)
        covariances.append(value)
        if gradient is not None:
            # Not where the hinge is off, but where it is NaN.
            slope = torch.where(gap <= 0, torch.zeros_like(gap), _inverse(deviation))
            gradient -= weight / (d * (n - 1)) * slope * x
        gradients.append(gradient)
    terms = [sum(variances[1:], variances[0]), sum(covariances[1:], covariances[0])]
    if len(rows) == 1:
        return terms, gradients
    difference = rows[0] - rows[1]
    invariance = options.scale * options.invariance / (n * d)
    for gradient, sign in zip(gradients, (1, -1)):
        if gradient is not None:
            gradient += sign * 2 * invariance * difference
    return [invariance * difference.square().sum(), *terms], gradients


def _barlow_twins_of_views(call: Any, options: Any, rows: list[torch.Tensor],
                           features: list[_Features], needs: Sequence[bool],
                           combination: str) -> tuple[list, list]:
    zero = rows[0].new_zeros(())
    terms = [zero, zero]
    gradients: list[Optional[torch.Tensor]] = [
        torch.zeros_like(z) if need else None for z, need in zip(rows, needs)]

    def add_pair(pair: list[torch.Tensor], of_pair: list[Optional[torch.Tensor]]) -> None:
        found, slopes = _barlow_twins(call, options, pair, features,
                                      [each is not None for each in of_pair])
        for position, term in enumerate(found):
            terms[position] = terms[position] + term
        for gradient, slope in zip(of_pair, slopes):
            if gradient is not None:
                gradient += slope
    if combination == "pairs":
        for v, z in enumerate(rows):
            for u in range(v):
                add_pair([rows[u], z], [gradients[u], gradients[v]])
        return terms, gradients
    centroid, of_centroid = _centroid(rows), torch.zeros_like(rows[0]) if any(needs) else None
    for z, gradient in zip(rows, gradients):
        add_pair([z, centroid], [gradient, of_centroid])
    for gradient in gradients:
        if gradient is not None and of_centroid is not None:
            gradient += of_centroid / len(rows)
    return terms, gradients


def _vicreg_of_views(call: Any, options: Any, rows: list[torch.Tensor], features: list[_Features],
                     needs: Sequence[bool], combination: str) -> tuple[list, list]:
    """Over pairs each view's variance and covariance occur V - 1 times, and of the squares of the
    differences the sum is V times that of the differences from the centroid."""
    (n, d), count = rows[0].shape, len(rows)
    is_of_pairs = combination == "pairs"
    times, over = (count - 1, 2) if is_of_pairs else (1, count)
    own = dataclasses.replace(
        options, variance=options.variance * times / (1 if options.sum_variance else over),
        covariance=options.covariance * times)
    invariance = options.scale * options.invariance * (count if is_of_pairs else 1) / (n * d)
    terms = [rows[0].new_zeros(())] * 3
    gradients = []
    centroid = _centroid(rows)
    for position, (z, need) in enumerate(zip(rows, needs)):
        found, (gradient,) = _vicreg(call, own, [z], [features[position % 2]], [need])
        deviation = z - centroid
        for term, value in enumerate([invariance * deviation.square().sum(), *found]):
            terms[term] = terms[term] + value
        if gradient is not None:
            gradient += 2 * invariance * deviation
        gradients.append(gradient)
    return terms, gradients


def _centroid(rows: list[torch.Tensor]) -> torch.Tensor:
    """The mean of the views, by differences from the first one, which lose no digits."""
    return rows[0] + sum((z - rows[0] for z in rows[1:]), torch.zeros_like(rows[0])) / len(rows)


def _covariance(call: Any, options: Any, x: torch.Tensor, features: _Features,
                need: bool) -> tuple[torch.Tensor, Optional[torch.Tensor]]:
    """The weighted covariance term of a view, and its gradient."""
    n, d = x.shape
    takes_means = options.covariance_scaling == "block_mean"
    weight = options.scale * options.covariance / (1 if takes_means else d)
    prepared = features.of(x)
    value, (slope, _) = _regularizer(
        call, prepared, prepared, n - 1,
        _block_weights(call, d, takes_means, features.signs is not None), (need, False))
    # The other factor of the covariance is the same view.
    return weight * value, None if slope is None else 2 * weight * features.back(slope)


# ---- Regularizers

class _BlockWeights(NamedTuple):
    """What the lags of the blocks count: lag 0 of a diagonal block, which holds the diagonal of C,
    nothing; with signs lag b/2 of a covariance's diagonal block, which would count twice, half."""

    block_size: int
    num_blocks: int
    of_blocks: Optional[list[list[float]]]  # None: all 1
    halves_middle: bool

    def like(self, lags: torch.Tensor) -> torch.Tensor:
        weights = torch.ones_like(lags)
        if self.of_blocks is not None:
            weights *= torch.tensor(self.of_blocks, dtype=lags.dtype,
                                    device=lags.device)[:, :, None]
        on_diagonal = torch.arange(self.num_blocks, device=lags.device)
        weights[on_diagonal, on_diagonal, 0] = 0
        if self.halves_middle and self.block_size % 2 == 0:
            weights[on_diagonal, on_diagonal, self.block_size // 2] /= 2
        return weights


def _block_weights(call: Any, d: int, takes_means: bool = False,
                   halves_middle: bool = False) -> _BlockWeights:
    """takes_means: of the paper's code for VICReg, where each lag is a mean over the block's width,
    and blocks are averaged, diagonal ones and others apart."""
    size = (call.block_size or d) if call.relaxed else 1
    count = -(-d // size)
    of_blocks = None
    if takes_means:
        last = count - 1

        def weight(g: int, h: int) -> float:
            width = d - last * size if last in (g, h) else size
            mean = 1 / count if g == h else 2 / (count * last)
            return mean * float(width)**-call.exponent
        of_blocks = [[weight(g, h) for h in range(count)] for g in range(count)]
    return _BlockWeights(size, count, of_blocks, halves_middle)


def _regularizer(call: Any, a: torch.Tensor, b: torch.Tensor, m: int, weights: _BlockWeights,
                 needs: Sequence[bool]) -> tuple[torch.Tensor, list[Optional[torch.Tensor]]]:
    """R(C) of C = a^T b / m, and its gradients by a and b."""
    if not call.relaxed:
        return _exact(a, b, m, weights, needs)
    d, size, count = a.shape[1], weights.block_size, weights.num_blocks
    spectra = [_blocks(x, size, count) for x in ((a,) if a is b else (a, b))]
    spectrum_a, spectrum_b = spectra[0], spectra[-1]
    lags = torch.fft.irfft(_pairs(spectrum_a, spectrum_b), n=size) / m
    counted = weights.like(lags)
    if call.exponent == 2:
        value, slope = counted * lags.square(), 2 * counted * lags
    else:
        # Of zero, and of NaN, itself.
        sign = torch.where(lags > 0, torch.ones_like(lags),
                           torch.where(lags < 0, -torch.ones_like(lags), lags))
        value, slope = counted * lags.abs(), counted * sign
    spectrum = torch.fft.rfft(slope) / m  # G x G x f
    filtered = [
        _filtered("ghf,khf->kgf", spectrum.conj_physical(), spectrum_b) if needs[0] else None,
        _filtered("ghf,kgf->khf", spectrum, spectrum_a) if needs[1] else None]
    return value.sum(), [None if each is None else _rows(each, size, d) for each in filtered]


def _exact(a: torch.Tensor, b: torch.Tensor, m: int, weights: _BlockWeights,
           needs: Sequence[bool]) -> tuple[torch.Tensor, list[Optional[torch.Tensor]]]:
    """Through C, whose diagonal is zeroed before it is squared."""
    weight = 1.0
    if weights.of_blocks is not None:
        weight = weights.of_blocks[0][1] if weights.num_blocks > 1 else 0.0
    c = (a.T @ b) / m
    c.diagonal().zero_()
    return weight * c.square().sum(), [
        2 * weight / m * (b @ c.T) if needs[0] else None,
        2 * weight / m * (a @ c) if needs[1] else None]


def _blocks(x: torch.Tensor, size: int, count: int) -> torch.Tensor:
    """The spectra of a view's blocks, the last one padded with zeros: n x G x f."""
    n, d = x.shape
    if size * count > d:
        x = torch.nn.functional.pad(x, (0, size * count - d))
    return torch.fft.rfft(x.reshape(n, count, size))


def _rows(spectra: torch.Tensor, size: int, d: int) -> torch.Tensor:
    return torch.fft.irfft(spectra, n=size).reshape(len(spectra), -1)[:, :d]


def _pairs(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """sum_k conj(A_kg) B_kh, G x G x f; of a single block without a product of matrices."""
    if a.shape[1] == 1:
        return (a.conj_physical() * b).sum(dim=0)[None]
    return torch.einsum("kgf,khf->ghf", a.conj_physical(), b)


def _filtered(equation: str, spectrum: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    if x.shape[1] == 1:
        return spectrum * x
    return torch.einsum(equation, spectrum, x)
