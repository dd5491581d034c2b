#!/usr/bin/env bash
# Builds docs/examples/train_digits.cpp and runs it with the arguments given, on Debian or Ubuntu.
# Installs what is missing where it may, and says what to install where it may not.
set -euo pipefail
start_directory=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. docs/install_missing.sh
install_missing "a C++17 compiler, CMake, make, pkg-config, Eigen 3.4, FFTW 3, CLI11 and gnuplot; \
then run: cmake -S . -B build/quickstart -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_EXAMPLES=ON && \
cmake --build build/quickstart --target train_digits" \
  g++ cmake make pkg-config libeigen3-dev libfftw3-dev libcli11-dev gnuplot-nox

echo "Compiling, about a minute"
build=build/quickstart
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_EXAMPLES=ON -DDECORR_BUILD_C=OFF \
  -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF -DDECORR_BUILD_BENCHMARKS=OFF
cmake --build "$build" --target train_digits

root=$PWD
cd "$start_directory"
# Of an option given twice the last counts.
"$root/$build/docs/examples/train_digits" --data "$root/docs/examples/data/digits.csv" \
  --output "$root/$build/pictures" "$@"
