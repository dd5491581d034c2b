#!/usr/bin/env bash
# Measures rounding errors against MPFR, and rewrites the measured part of docs/numerics.md.
#
#   bench/numerics/report.sh [--seed N]
#
# Ten minutes on one core. Needs cmake, a compiler, Eigen, FFTW3, Google Benchmark, CLI11, MPFR and Boost's headers (Debian,
# Ubuntu: cmake g++ libeigen3-dev libfftw3-dev libbenchmark-dev libcli11-dev libmpfr-dev libboost-dev).
set -euo pipefail
cd "$(dirname "$0")/../.."

build=build/report
page=docs/numerics.md
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_BENCHMARKS=ON -DDECORR_BUILD_C=OFF \
  -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF -DDECORR_BUILD_EXAMPLES=OFF
cmake --build "$build" --target decorr_numerics
"$build/bench/decorr_numerics" "$@" >"$build/numerics.part"
{
  sed '/^<!-- measured: /q' "$page"
  echo
  cat "$build/numerics.part"
  sed -n '/^<!-- end of the measured part/,$p' "$page"
} >"$build/numerics.md"
cp "$build/numerics.md" "$page"
echo "wrote $page"
