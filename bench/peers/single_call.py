#!/usr/bin/env python3
"""bench/single_call.cpp in PyTorch: the same options and output. Run by compare.py, in a process of its own."""

import argparse
import re
import statistics
import time

import numpy
import torch

import losses


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--a", required=True)
    parser.add_argument("--b", required=True)
    parser.add_argument("--rows", type=int, required=True)
    parser.add_argument("--columns", type=int, required=True)
    parser.add_argument("--scalar", choices=["float32", "float64"], default="float32")
    parser.add_argument("--loss", choices=["barlow_twins", "vicreg", "sigreg"], default="barlow_twins")
    parser.add_argument("--form", choices=["relaxed", "exact"], default="relaxed")
    parser.add_argument("--exponent", type=int, default=2)
    parser.add_argument("--block-size", type=int, default=0)
    parser.add_argument("--permutation")
    parser.add_argument("--slices", type=int, default=0)
    parser.add_argument("--directions")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--gradient-a")
    parser.add_argument("--gradient-b")
    return parser.parse_args()


def read(path, dtype):
    return torch.from_numpy(numpy.fromfile(path, dtype))


def peak_memory_kib():
    """Not getrusage's ru_maxrss: that one starts at the size of the process that started this one."""
    with open("/proc/self/status", encoding="ascii") as status:
        return int(re.search(r"VmHWM:\s*(\d+)", status.read()).group(1))


def blas():
    """What matrix products run on: how PyTorch was built, or the library where the system decides."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        library = re.search(r"\S*/libblas\.so\S*", maps.read())
    return library.group() if library else re.search(r"BLAS_INFO=(\w+)", torch.__config__.show()).group(1)


def main():
    options = arguments()
    torch.set_num_threads(1)
    shape = options.rows, options.columns
    a, b = (read(path, options.scalar).reshape(shape).requires_grad_() for path in (options.a, options.b))
    permutation = read(options.permutation, "int64") if options.permutation else None
    loss = getattr(losses, options.loss)
    form = {"form": options.form, "exponent": options.exponent, "block_size": options.block_size,
            "permutation": permutation}
    if options.slices:
        form = {"directions": read(options.directions, options.scalar).reshape(options.slices, -1)}

    def call(z_a, z_b, **settings):
        value = loss(z_a, z_b, **settings)
        return value.item(), torch.autograd.grad(value, (z_a, z_b))

    # Code is loaded when it is first used; it shall not count as memory of the call.
    tiny = torch.rand(2, 2, 8, dtype=a.dtype).requires_grad_()
    call(*tiny, **({"directions": tiny[0].detach()} if options.slices else {**form, "block_size": 0, "permutation": None}))

    # The gradients are made by the call, and do not count either.
    baseline = peak_memory_kib() + 2 * a.numel() * a.element_size() // 1024
    value, gradients = call(a, b, **form)
    times = []
    for _ in range(options.repeats):
        gradients = None
        start = time.perf_counter()
        value, gradients = call(a, b, **form)
        times.append(1000 * (time.perf_counter() - start))
    peak = peak_memory_kib()

    print("value", value)
    print("milliseconds", statistics.median(times))
    print("peak_memory_kib", peak)
    print("baseline_memory_kib", baseline)
    transforms = "MKL" if torch.backends.mkl.is_available() else "PocketFFT"
    print(f"libraries PyTorch {torch.__version__}, transforms by {transforms}, products by {blas()}")
    for path, gradient in zip((options.gradient_a, options.gradient_b), gradients):
        if path:
            gradient.numpy().tofile(path)


if __name__ == "__main__":
    main()
