#!/usr/bin/env python3
"""Trains a small PyTorch network on handwritten digits without their labels, twice from the same
random numbers: with the loss in plain PyTorch, and with decorr's. The losses are the same but for
rounding, the times of training are not. Then a linear probe of the encoder, and the time that a large loss takes either way.

Needs PyTorch, NumPy and libdecorr; ../quickstart.sh gets and builds them.
"""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import sys
import time
from typing import Callable

# What is compared is the code. The linear algebra behind PyTorch reads this when it is loaded.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
# The modules of this file's clone, and the losses to compare with.
sys.path[:0] = [str(HERE.parent), str(HERE.parent / "reference")]

import autograd_losses
import decorr
from decorr.torch import BarlowTwinsLoss, VICRegLoss

Criterion = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

TRAIN_IMAGES = 1200  # the rest, written by other people, is for testing
DIGITS = HERE.parents[2] / "docs/examples/data/digits.csv"


# ---- The losses to be compared

def decorr_criterion(settings: argparse.Namespace, seed: int) -> Criterion:
    """decorr's loss; signs are drawn anew for every batch."""
    loss = {"barlow_twins": BarlowTwinsLoss, "vicreg": VICRegLoss}[settings.loss]
    if settings.regularizer == "exact":
        return loss()
    return loss(regularizer="relaxed", exponent=settings.exponent, planning="estimate",
                generator=torch.Generator().manual_seed(seed))


def autograd_criterion(settings: argparse.Namespace, seed: int) -> Criterion:
    """The same in plain PyTorch."""
    loss = {"barlow_twins": autograd_losses.barlow_twins,
            "vicreg": autograd_losses.vicreg}[settings.loss]
    if settings.regularizer == "exact":
        return loss
    generator = torch.Generator().manual_seed(seed)

    def criterion(z_a: torch.Tensor, z_b: torch.Tensor) -> torch.Tensor:
        signs = [2 * torch.randint(0, 2, z_a.shape[1:], dtype=torch.int8, generator=generator) - 1
                 for _ in "ab"]
        return loss(z_a, z_b, exponent=settings.exponent, signs_a=signs[0], signs_b=signs[1])
    return criterion


# ---- Data and network

def load_digits(path: pathlib.Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of 8 x 8 pixels between 0 and 1, one a row, and their labels."""
    rows = torch.from_numpy(numpy.loadtxt(path, delimiter=",", dtype=numpy.float32))
    return rows[:, :64] / 16, rows[:, 64].long()


def random_views(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images turned, stretched, slanted and shifted a little, fainter or darker, noisy, and
    sometimes with a hole."""
    n = len(images)

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.empty(n).uniform_(low, high, generator=generator)

    angle, slant = uniform(-0.2, 0.2), uniform(-0.15, 0.15)
    height, width = uniform(0.85, 1.15), uniform(0.85, 1.15)
    cosine, sine = angle.cos(), angle.sin()
    shift = [uniform(-0.15, 0.15), uniform(-0.15, 0.15)]  # 0.6 pixels
    transform = torch.stack([cosine / width, -sine / height + slant, shift[0],
                             sine / width, cosine / height, shift[1]], dim=1).reshape(n, 2, 3)
    grid = nn.functional.affine_grid(transform, [n, 1, 8, 8], align_corners=False)
    views = nn.functional.grid_sample(images.reshape(n, 1, 8, 8), grid, align_corners=False)
    views *= uniform(0.8, 1.2).reshape(n, 1, 1, 1)
    views += 0.05 * torch.randn(views.shape, generator=generator)
    has_hole = uniform(0, 1) < 0.2
    top, left = (torch.randint(0, 6, [n, 1], generator=generator) for _ in range(2))
    place = torch.arange(8)
    in_rows, in_columns = ((place >= first) & (place < first + 3) for first in (top, left))
    hole = in_rows[:, :, None] & in_columns[:, None, :] & has_hole[:, None, None]
    return views.squeeze(1).masked_fill(hole, 0).reshape(n, 64)


def layers(sizes: list[int], last_is_linear: bool) -> nn.Sequential:
    """Linear layers without bias, each but a linear last one with batch normalization and ReLU."""
    parts = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        parts += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
    return nn.Sequential(*(parts[:-2] if last_is_linear else parts))


# ---- Training

def train(images: torch.Tensor, criterion: Criterion, settings: argparse.Namespace,
          dtype: torch.dtype) -> tuple[list[float], nn.Module]:
    """The loss of every step, and the encoder."""
    torch.manual_seed(settings.seed)
    encoder = layers([64, 512, 512, 128], last_is_linear=False)
    projector = layers([128, 256, settings.dimension], last_is_linear=True)
    network = nn.Sequential(encoder, projector).to(dtype)
    optimizer = torch.optim.Adam(network.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(
        1, (step + 1) / 50) * (1 + math.cos(math.pi * step / settings.steps)) / 2)
    generator = torch.Generator().manual_seed(settings.seed)
    losses = []
    for _ in range(settings.steps):
        batch = images[torch.randperm(len(images), generator=generator)[:settings.batch_size]]
        views = torch.cat([random_views(batch, generator) for _ in "ab"]).to(dtype)
        z_a, z_b = network(views).chunk(2)
        loss = criterion(z_a, z_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses, encoder


def probe_accuracy(encode: Callable[[torch.Tensor], torch.Tensor], images: torch.Tensor,
                   labels: torch.Tensor) -> float:
    """Test accuracy of ridge regression from features to one-hot labels."""
    with torch.no_grad():
        x = encode(images).double()
    train_x = x[:TRAIN_IMAGES]
    x = (x - train_x.mean(dim=0)) / (train_x.var(dim=0, unbiased=False) + 1e-6).sqrt()
    train_x, test_x = x[:TRAIN_IMAGES], x[TRAIN_IMAGES:]
    targets = nn.functional.one_hot(labels[:TRAIN_IMAGES]).double()
    moments = train_x.T @ train_x + 0.3 * TRAIN_IMAGES * torch.eye(x.shape[1])
    weights = torch.linalg.solve(moments, train_x.T @ (targets - targets.mean(dim=0)))
    scores = test_x @ weights + targets.mean(dim=0)
    return (scores.argmax(dim=1) == labels[TRAIN_IMAGES:]).double().mean().item()


def name_of(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def compare_training(settings: argparse.Namespace) -> None:
    """Both runs in both precisions: loss curves, their difference, and the probes."""
    images, labels = load_digits(settings.data)
    curves, encoders = {}, {}
    for dtype in (torch.float64, torch.float32):
        for side, make in (("autograd", autograd_criterion), ("decorr", decorr_criterion)):
            print(f"training with {side} in {name_of(dtype)}, {settings.steps} steps: ", end="",
                  flush=True)
            start = time.perf_counter()
            curves[dtype, side], encoders[side] = train(
                images[:TRAIN_IMAGES], make(settings, settings.seed), settings, dtype)
            print(f"{time.perf_counter() - start:.1f} s")

    print(f"{settings.loss}, {settings.regularizer}, n = {settings.batch_size}, "
          f"d = {settings.dimension}: loss at each step")
    print(f"{'':>6} {'float64':^27} {'float32':^27}")
    print(f"{'step':>6} " + f"{'autograd':>13} {'decorr':>13} " * 2)
    every = max(1, settings.steps // 10)
    for step in sorted({*range(0, settings.steps, every), settings.steps - 1}):
        print(f"{step + 1:6} " + " ".join(f"{curve[step]:13.6f}" for curve in curves.values()))
    for dtype in (torch.float64, torch.float32):
        differences = [abs(ours - theirs) / abs(theirs) for ours, theirs in
                       zip(curves[dtype, "decorr"], curves[dtype, "autograd"])]
        # NaN in either is no agreement.
        largest = max(differences) if all(map(math.isfinite, differences)) else math.nan
        print(f"largest relative difference, {name_of(dtype)}: {largest:.1e}, "
              f"at the first step {differences[0]:.1e}")
    print("  (in float32 rounding takes some ReLU to the other side of zero now and then)")

    print(f"accuracy of a linear probe on {len(images) - TRAIN_IMAGES} test images: "
          f"raw pixels {probe_accuracy(lambda x: x, images, labels):.3f}", end="")
    for side, encoder in encoders.items():
        print(f", trained with {side} {probe_accuracy(encoder.eval(), images, labels):.3f}", end="")
    print()


# ---- Times

def milliseconds(criterion: Criterion, z_a: torch.Tensor, z_b: torch.Tensor) -> float:
    """Of one loss and its gradients."""
    start = time.perf_counter()
    torch.autograd.grad(criterion(z_a, z_b), [z_a, z_b])
    return 1000 * (time.perf_counter() - start)


def compare_times(settings: argparse.Namespace) -> None:
    """The least of several turns, in which all sides run once."""
    n, d = 256, settings.timed_dimension
    generator = torch.Generator().manual_seed(settings.seed)
    z_a, z_b = (torch.randn(n, d, generator=generator).requires_grad_() for _ in "ab")
    times = {}
    print(f"\ntimes at d = {d}, a minute at most", flush=True)
    # What takes long is not disturbed by little.
    for regularizer, turns in (("exact", 2), ("relaxed", 7)):
        case = argparse.Namespace(loss=settings.loss, regularizer=regularizer, exponent=2)
        sides = {"autograd": autograd_criterion(case, 0), "decorr": decorr_criterion(case, 0)}
        for side, criterion in sides.items():
            if regularizer == "relaxed":
                milliseconds(criterion, z_a, z_b)  # plans its transforms
            times[regularizer, side] = math.inf
        for _ in range(turns):
            for side, criterion in sides.items():
                key = regularizer, side
                times[key] = min(times[key], milliseconds(criterion, z_a, z_b))

    print(f"{settings.loss}, loss and gradients at n = {n}, d = {d}, float32, one thread, "
          "milliseconds")
    print(f"{'':10} {'autograd':>10} {'decorr':>10} {'ratio':>7}")
    for regularizer in ("exact", "relaxed"):
        theirs, ours = (times[regularizer, side] for side in ("autograd", "decorr"))
        print(f"{regularizer:10} {theirs:10.1f} {ours:10.1f} {theirs / ours:7.1f}")


def positive(text: str) -> int:
    """For argparse."""
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loss", choices=["barlow_twins", "vicreg"], default="barlow_twins")
    parser.add_argument("--regularizer", choices=["exact", "relaxed"], default="relaxed",
                        help="relaxed, the default: with random signs, drawn anew for every batch")
    parser.add_argument("--exponent", type=int, choices=[1, 2], default=2,
                        help="of the relaxed regularizer; the weights are those for 2, the default")
    parser.add_argument("--dimension", type=positive, default=1024,
                        help="features of the projector's output, d; default %(default)s")
    parser.add_argument("--steps", type=positive, default=100, help="default %(default)s")
    parser.add_argument("--batch-size", type=int, choices=range(2, TRAIN_IMAGES + 1),
                        metavar="N", default=256, help="default %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers")
    parser.add_argument("--data", type=pathlib.Path, default=DIGITS, help="digits.csv")
    parser.add_argument("--timed-dimension", type=int, default=8192,
                        help="d of the times at the end; default %(default)s, 0: no times")
    settings = parser.parse_args()

    if not settings.data.is_file():
        parser.error(f"{settings.data} is no file")
    torch.set_num_threads(1)  # decorr's losses follow this
    print(f"PyTorch {torch.__version__}, decorr {decorr.version()} ({decorr.cpu()})")
    compare_training(settings)
    if settings.timed_dimension > 0:
        compare_times(settings)


if __name__ == "__main__":
    main()
