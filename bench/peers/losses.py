"""The losses in PyTorch, for autograd to differentiate, by the published way to compute them.

Written from the formulas of docs/mathematics.md. The relaxed form does what the code of arXiv 2301.01569 does: real
transforms of whole matrices, and one sumvec for each pair of blocks, whose transforms are not shared between pairs.
Weights are decorr's defaults, those of the published exact losses.
"""

import torch
from torch.nn import functional


def sumvec(a, b, normalizer):
    """Lag sums of C = a^T b / normalizer, for each block where a and b are stacks of blocks."""
    spectrum_a = torch.fft.rfft(a)
    spectrum_b = spectrum_a if b is a else torch.fft.rfft(b)
    return torch.fft.irfft((spectrum_a.conj() * spectrum_b).sum(dim=-2), n=a.shape[-1]) / normalizer


def in_blocks(z, block_size):
    """The blocks of features as a stack, the last one padded with zeros."""
    padding = -z.shape[1] % block_size
    if padding:
        z = functional.pad(z, (0, padding))
    return z.reshape(len(z), -1, block_size).transpose(0, 1).contiguous()


def penalty(sums, exponent):
    return sums.square().sum() if exponent == 2 else sums.abs().sum()


def r_sum(a, b, normalizer, exponent, block_size):
    """The relaxed regularizer. The lag sums of a covariance (b is a) are symmetric, so half of them are computed."""
    blocks_a = in_blocks(a, block_size)
    blocks_b = blocks_a if b is a else in_blocks(b, block_size)
    result = penalty(sumvec(blocks_a, blocks_b, normalizer)[:, 1:], exponent)
    count = len(blocks_a)
    if count > 1:
        pairs = torch.ones(count, count, dtype=torch.bool)
        g, h = (pairs.triu(1) if b is a else pairs.fill_diagonal_(False)).nonzero(as_tuple=True)
        off_diagonal = penalty(sumvec(blocks_a[g], blocks_b[h], normalizer), exponent)
        result = result + (2 if b is a else 1) * off_diagonal
    return result


def r_off(a, b, normalizer):
    """The exact regularizer, through C."""
    c = a.T @ b / normalizer
    return c.masked_fill(torch.eye(len(c), dtype=torch.bool), 0).square().sum()


def regularizer(a, b, normalizer, form, exponent, block_size, permutation):
    if form == "exact":
        return r_off(a, b, normalizer)
    if permutation is not None:
        same = b is a
        a = a[:, permutation]
        b = a if same else b[:, permutation]
    return r_sum(a, b, normalizer, exponent, block_size or a.shape[1])


def barlow_twins(z_a, z_b, **form):
    n = len(z_a)
    a = functional.batch_norm(z_a, None, None, training=True, eps=1e-5)
    b = functional.batch_norm(z_b, None, None, training=True, eps=1e-5)
    diagonal = (a * b).sum(dim=0) / n
    return (1 - diagonal).square().sum() + 0.0051 * regularizer(a, b, n, **form)


def variance_covariance(z, **form):
    n, d = z.shape
    centred = z - z.mean(dim=0)
    deviations = (centred.square().sum(dim=0) / (n - 1) + 1e-4).sqrt()
    return functional.relu(1 - deviations).mean(), regularizer(centred, centred, n - 1, **form) / d


def vicreg(z_a, z_b, **form):
    variance_a, covariance_a = variance_covariance(z_a, **form)
    variance_b, covariance_b = variance_covariance(z_b, **form)
    return 25 * functional.mse_loss(z_a, z_b) + 25 * (variance_a + variance_b) / 2 + covariance_a + covariance_b


def sigreg_of_view(z, directions):
    """SIGReg of LeJEPA, see sigreg.hpp."""
    t = torch.linspace(0, 3, 17, dtype=z.dtype)
    normal = torch.exp(-t.square() / 2)
    weights = torch.full_like(t, 2 * 3 / 16)
    weights[0] = weights[-1] = 3 / 16
    angles = (z @ directions.T).unsqueeze(-1) * t
    distances = (angles.cos().mean(dim=0) - normal).square() + angles.sin().mean(dim=0).square()
    return len(z) * (distances @ (weights * normal)).mean()


def sigreg(z_a, z_b, directions):
    return sigreg_of_view(z_a, directions) + sigreg_of_view(z_b, directions)
