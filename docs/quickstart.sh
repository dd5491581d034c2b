#!/usr/bin/env bash
# Builds docs/examples/train_digits.cpp and runs it with the arguments given, on Debian or Ubuntu.
# Installs what is missing where it may, and says what to install where it may not.
set -euo pipefail
start_directory=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/.."

required=(g++ cmake make pkg-config libeigen3-dev libfftw3-dev libcli11-dev gnuplot-nox)
is_installed() {
  # A gnuplot of another package, or one built by hand, will do.
  if [ "$1" = gnuplot-nox ] && command -v gnuplot >/dev/null; then return 0; fi
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

if ! command -v dpkg-query >/dev/null; then
  echo "quickstart: not a Debian or Ubuntu. Install a C++17 compiler, CMake, make, pkg-config," \
    "Eigen 3.4, FFTW 3, CLI11 and gnuplot; then run: cmake -S . -B build/quickstart" \
    "-DDECORR_BUILD_EXAMPLES=ON && cmake --build build/quickstart --target train_digits" >&2
  exit 1
fi
missing=()
for package in "${required[@]}"; do
  is_installed "$package" || missing+=("$package")
done

if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo env)
  else
    echo "quickstart: missing packages. Install them, then run this again:" >&2
    echo "  sudo apt-get update && sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
fi

echo "Compiling, about a minute"
build=build/quickstart
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_EXAMPLES=ON \
  -DDECORR_BUILD_TESTS=OFF -DDECORR_BUILD_BENCHMARKS=OFF -DDECORR_WARNINGS_AS_ERRORS=OFF
cmake --build "$build" --target train_digits

root=$PWD
cd "$start_directory"
# Of an option given twice the last counts.
"$root/$build/docs/examples/train_digits" --data "$root/docs/examples/data/digits.csv" \
  --output "$root/$build/pictures" "$@"
