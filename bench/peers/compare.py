#!/usr/bin/env python3
"""decorr beside PyTorch: the same losses on the same inputs, results checked equal, time and memory side by side.

    bench/peers/compare.py build/release/bench/decorr_single_call

Each side runs in a process of its own and on one thread, in turns, so that what disturbs the machine disturbs both.
Needs Linux, numpy and PyTorch (Debian, Ubuntu: python3-torch). Exits with 1 where results differ.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass, replace

TORCH_PROGRAM = pathlib.Path(__file__).with_name("single_call.py")
TOLERANCES = {"float32": 1e-5, "float64": 1e-9}


@dataclass(frozen=True)
class Case:
    name: str
    n: int = 256
    d: int = 8192
    scalar: str = "float32"
    loss: str = "barlow_twins"
    form: str = "relaxed"
    exponent: int = 2
    block_size: int = 0
    permuted: bool = False
    slices: int = 0  # of SIGReg, which decorr does not have: its C++ is peers/sigreg.hpp
    torch_repeats: int = 5

    def options(self):
        return [f"--rows={self.n}", f"--columns={self.d}", f"--scalar={self.scalar}", f"--loss={self.loss}",
                f"--form={self.form}", f"--exponent={self.exponent}", f"--block-size={self.block_size}",
                f"--slices={self.slices}"]


TIMED = [
    *[Case("Barlow Twins relaxed, permuted", d=d, permuted=True) for d in (512, 1024, 2048, 4096, 8192, 16384)],
    Case("Barlow Twins relaxed"),
    Case("Barlow Twins relaxed, q = 1", exponent=1),
    Case("VICReg relaxed", loss="vicreg"),
    Case("Barlow Twins relaxed, b = 128", d=2048, block_size=128, torch_repeats=1),
    Case("Barlow Twins exact", d=2048, form="exact", torch_repeats=1),
    *[Case("SIGReg", d=d, loss="sigreg", slices=1024, torch_repeats=1) for d in (512, 1024, 2048, 4096, 8192)],
]
# Odd lengths and a last block that is padded are among them.
CHECKED = [
    replace(case, n=25, scalar="float64", torch_repeats=1)
    for case in [
        Case("Barlow Twins relaxed, permuted", d=61, permuted=True),
        Case("Barlow Twins relaxed, q = 1", d=64, exponent=1),
        Case("Barlow Twins relaxed, b = 16, permuted", d=61, block_size=16, permuted=True),
        Case("Barlow Twins relaxed, b = 7, q = 1", d=61, block_size=7, exponent=1),
        Case("Barlow Twins exact", d=61, form="exact"),
        Case("VICReg relaxed, permuted, q = 1", d=61, loss="vicreg", exponent=1, permuted=True),
        Case("VICReg relaxed, b = 16", d=61, loss="vicreg", block_size=16),
        Case("VICReg exact", d=61, loss="vicreg", form="exact"),
        Case("SIGReg", d=61, loss="sigreg", slices=19),
    ]
]


def write_inputs(case, folder):
    """Two views with common features, which are correlated, shifted, and spread on both sides of VICReg's hinge."""
    random = numpy.random.default_rng(1)
    shape = case.n, case.d
    common = random.standard_normal(shape)
    common += random.standard_normal((case.n, 8)) @ random.standard_normal((8, case.d)) / 4
    spread, shift = random.uniform(0.3, 1.5, case.d), random.standard_normal(case.d)
    for view in "ab":
        z = shift + spread * (0.8 * common + 0.6 * random.standard_normal(shape))
        z.astype(case.scalar).tofile(folder / view)
    options = [f"--a={folder / 'a'}", f"--b={folder / 'b'}"]
    if case.permuted:
        random.permutation(case.d).astype("int64").tofile(folder / "permutation")
        options.append(f"--permutation={folder / 'permutation'}")
    if case.slices:
        directions = random.standard_normal((case.slices, case.d))
        directions /= numpy.linalg.norm(directions, axis=1, keepdims=True)
        directions.astype(case.scalar).tofile(folder / "directions")
        options.append(f"--directions={folder / 'directions'}")
    return options


def run(command, gradients):
    """What the program says, by key."""
    outputs = [f"--gradient-{view}={path}" for view, path in zip("ab", gradients)]
    result = subprocess.run(command + outputs, stdout=subprocess.PIPE, text=True, check=True,
                            env={**os.environ, "OMP_NUM_THREADS": "1"})
    return dict(line.split(" ", 1) for line in result.stdout.splitlines())


def difference(result, expected):
    """Largest difference over largest entry."""
    return float(numpy.abs(result - expected).max() / numpy.abs(expected).max())


def compare(case, program, rounds, repeats):
    """One row of the table."""
    torch_command = [sys.executable, str(TORCH_PROGRAM), f"--repeats={min(repeats, case.torch_repeats)}"]
    sides = {"decorr": [program, f"--repeats={repeats}"], "torch": torch_command}
    runs = {side: [] for side in sides}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        options = case.options() + write_inputs(case, folder)
        gradients = {side: [folder / f"{side}_{view}" for view in "ab"] for side in sides}
        for _ in range(rounds):
            for side, command in sides.items():
                runs[side].append(run(command + options, gradients[side]))
        arrays = {side: [numpy.fromfile(path, case.scalar) for path in paths] for side, paths in gradients.items()}

    row = asdict(case)
    for side in sides:
        of = {key: statistics.median(float(a_run[key]) for a_run in runs[side])
              for key in ("milliseconds", "peak_memory_kib", "baseline_memory_kib")}
        row[f"{side}_ms"] = of["milliseconds"]
        row[f"{side}_memory_kib"] = of["peak_memory_kib"] - of["baseline_memory_kib"]
        row[f"{side}_peak_kib"] = of["peak_memory_kib"]
    row["ratio"] = row["torch_ms"] / row["decorr_ms"]
    values = [numpy.float64(runs[side][-1]["value"]) for side in sides]
    row["value_difference"] = difference(*values)
    row["gradient_difference"] = float(numpy.max([difference(*pair) for pair in zip(*arrays.values())]))
    # A NaN is no success.
    row["equal"] = all(row[key] <= TOLERANCES[case.scalar] for key in ("value_difference", "gradient_difference"))
    return row, runs["torch"][-1]["libraries"]


def print_table(rows):
    print(f"\n{'':32} {'n':>5} {'d':>6} {'decorr':>9} {'PyTorch':>9} {'ratio':>6}   {'memory (process peak), MiB':^33} "
          f"{'differences':>15}")
    print(f"{'':32} {'':5} {'':6} {'ms':>9} {'ms':>9} {'':6}   {'decorr':>16} {'PyTorch':>16} {'value':>7} gradient")
    for row in rows:
        memory = [f"{row[side + '_memory_kib'] / 1024:.1f} ({row[side + '_peak_kib'] / 1024:.0f})"
                  for side in ("decorr", "torch")]
        print(f"{row['name']:32} {row['n']:5} {row['d']:6} {row['decorr_ms']:9.3g} {row['torch_ms']:9.4g} "
              f"{row['ratio']:6.1f}   {memory[0]:>16} {memory[1]:>16} {row['value_difference']:7.0e} "
              f"{row['gradient_difference']:8.0e}")
    print("Memory is what a call takes beyond its inputs and gradients.")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="decorr_single_call, as built with DECORR_BUILD_BENCHMARKS")
    parser.add_argument("--quick", action="store_true", help="small sizes: checks the results, measures little")
    parser.add_argument("--rounds", type=int, default=5, help="turns of both sides for each case")
    parser.add_argument("--json", metavar="FILE", type=pathlib.Path, help="file for all that was measured")
    options = parser.parse_args()
    if not os.access(options.program, os.X_OK):
        parser.error(f"{options.program} is no program; build the target decorr_single_call")

    checked, timed = [], []
    for case in CHECKED:
        row, libraries = compare(case, options.program, rounds=1, repeats=1)
        checked.append(row)
        print(f"float64, {case.name}: value {row['value_difference']:.0e}, "
              f"gradient {row['gradient_difference']:.0e}", flush=True)
    print(libraries)
    for case in TIMED:
        if options.quick:
            case = replace(case, n=32, d=512)
        row, _ = compare(case, options.program, options.rounds, repeats=20)
        timed.append(row)
        print(f"{case.name}: decorr {row['decorr_ms']:.3g} ms, PyTorch {row['torch_ms']:.4g} ms", flush=True)
    print_table(timed)
    if "/blas/libblas" in libraries:
        print("PyTorch's products ran on the reference BLAS, which is slow. Debian, Ubuntu: libopenblas0-pthread.")
    if options.json:
        report = {"libraries": libraries, "rounds": options.rounds, "checked": checked, "timed": timed}
        options.json.write_text(json.dumps(report, indent=1) + "\n")

    different = [row for row in checked + timed if not row["equal"]]
    for row in different:
        print(f"DIFFERENT, {row['scalar']}: {row['name']}")
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    missing = [name for name in ("numpy", "torch") if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"{sys.executable} has no {' and no '.join(missing)}. Debian, Ubuntu: install python3-torch, "
                 "which is for /usr/bin/python3")
    import numpy

    main()
