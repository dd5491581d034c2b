#!/usr/bin/env bash
# Runs the benchmarks that docs/performance.md shows and rewrites its measured part and its plots.
# Takes about five minutes. Needs cmake, a compiler, Eigen, FFTW3, Google Benchmark,
# python3 and gnuplot (Debian, Ubuntu: cmake g++ libeigen3-dev libfftw3-dev libbenchmark-dev
# python3-minimal gnuplot-nox).
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/report
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_BENCHMARKS=ON \
  -DDECORR_BUILD_TESTS=OFF -DDECORR_BUILD_EXAMPLES=OFF
cmake --build "$build" --target decorr_benchmarks

measure() {  # name, filter of case names
  echo "== $1"
  "$build/bench/decorr_benchmarks" --benchmark_filter="$2" \
    --benchmark_min_time=0.05 --benchmark_repetitions=3 \
    --benchmark_out="$build/$1.json" --benchmark_out_format=json |
    grep -E '_median' || true
}

forms='(relaxed|relaxed/signs|relaxed/block_size:512/signs|exact_correlation|exact_gram)'
measure growth "^((transforms|products_gram|products_correlation)/float/n:256/d:[0-9]+|barlow_twins/float/n:256/d:[0-9]+/$forms)/real_time$"
measure forms '^((transforms|copy|products_gram|products_correlation)/float/n:256/d:8192|(barlow_twins|vicreg)/float/n:256/d:8192/.*)/real_time$'
measure primes '^(transforms|barlow_twins)/float/n:256/d:(8190|8191|10007)(/relaxed)?/real_time$'

python3 bench/report.py "$build" docs/performance.md
