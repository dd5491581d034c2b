"""The losses in plain PyTorch, for autograd to differentiate, beside which decorr.torch is set.

Written as the published codes compute them: the exact regularizer through the d x d matrix, the
relaxed one through real transforms of whole matrices. What the tests and train_digits.py compare
with.
"""

from __future__ import annotations

import torch
from torch.nn import functional


def off_diagonal_squares(c: torch.Tensor) -> torch.Tensor:
    """R_off: the sum of the squares off the diagonal."""
    return c.square().sum() - c.diagonal().square().sum()


def lag_penalty(a: torch.Tensor, b: torch.Tensor, divisor: int, exponent: int,
                half_middle: bool = False) -> torch.Tensor:
    """R_sum of C = a^T b / divisor in a single block, by the lag sums of its wrapped diagonals.

    With half_middle, that of one view with random signs, the middle lag of an even d counts half.
    """
    d = a.shape[1]
    spectrum = (torch.fft.rfft(a).conj() * torch.fft.rfft(b)).sum(dim=0)
    lags = torch.fft.irfft(spectrum, n=d) / divisor
    penalties = lags.square() if exponent == 2 else lags.abs()
    total = penalties[1:].sum()
    return total - penalties[d // 2] / 2 if half_middle and d % 2 == 0 else total


def regularizer(a: torch.Tensor, b: torch.Tensor, divisor: int, exponent=None, permutation=None,
                signs_a=None, signs_b=None) -> torch.Tensor:
    """R of C = a^T b / divisor: exact without an exponent, else relaxed in a single block."""
    if exponent is None:
        return off_diagonal_squares(a.T @ b / divisor)
    half_middle = a is b and signs_a is not None
    if signs_a is not None:
        a, b = a * signs_a, b * signs_b
    if permutation is not None:
        a, b = a[:, permutation], b[:, permutation]
    return lag_penalty(a, b, divisor, exponent, half_middle)


def barlow_twins(z_a: torch.Tensor, z_b: torch.Tensor, lambda_param=0.005, scale=1.0, exponent=None,
                 permutation=None, signs_a=None, signs_b=None) -> torch.Tensor:
    """lightly's BarlowTwinsLoss; solo-learn's barlow_loss_func with its scale."""
    n, d = z_a.shape
    normalize = torch.nn.BatchNorm1d(d, affine=False, track_running_stats=False)
    a, b = normalize(z_a), normalize(z_b)
    diagonal = (a * b).sum(dim=0) / n
    off_diagonal = regularizer(a, b, n, exponent, permutation, signs_a, signs_b)
    return scale * ((diagonal - 1).square().sum() + lambda_param * off_diagonal)


def variance_and_covariance(z: torch.Tensor, eps=1e-4, exponent=None, permutation=None,
                            signs=None) -> tuple[torch.Tensor, torch.Tensor]:
    """The unweighted terms of one view."""
    n, d = z.shape
    variance = functional.relu(1 - (z.var(dim=0) + eps).sqrt()).mean()
    centred = z - z.mean(dim=0)
    return variance, regularizer(centred, centred, n - 1, exponent, permutation, signs, signs) / d


def vicreg(z_a: torch.Tensor, z_b: torch.Tensor, lambda_param=25.0, mu_param=25.0, nu_param=1.0,
           eps=1e-4, sum_variance=False, exponent=None, permutation=None, signs_a=None,
           signs_b=None) -> torch.Tensor:
    """lightly's VICRegLoss; solo-learn's vicreg_loss_func with sum_variance."""
    variance_a, covariance_a = variance_and_covariance(z_a, eps, exponent, permutation, signs_a)
    variance_b, covariance_b = variance_and_covariance(z_b, eps, exponent, permutation, signs_b)
    variance = (variance_a + variance_b) / (1 if sum_variance else 2)
    return (lambda_param * functional.mse_loss(z_a, z_b) + mu_param * variance
            + nu_param * (covariance_a + covariance_b))
