#!/usr/bin/env bash
# Builds libdecorr for this machine and runs examples/train_digits.py with the arguments given, on
# Debian or Ubuntu. Installs what is missing where it may, and says what to install where it may not.
set -euo pipefail
start_directory=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The first Python that has PyTorch and NumPy: that of the user's choice, then the system's, for
# which apt installs them.
find_python() {
  for python in python3 /usr/bin/python3; do
    if "$python" -c 'import numpy, torch' 2>/dev/null; then return; fi
  done
  return 1
}

# Whether this Python's PyTorch is Debian's, which takes its products from the system's BLAS.
torch_is_debians() {
  "$python" -c 'import sys, torch; sys.exit(not torch.__file__.startswith("/usr/lib/python3/"))'
}

required=(g++ cmake make libeigen3-dev libfftw3-dev)
find_python || required+=(python3-numpy python3-torch)
# Without OpenBLAS Debian's PyTorch would be compared with the products of the reference library,
# fifty times slower.
if ! find_python || torch_is_debians; then required+=(libopenblas0-pthread); fi
. docs/install_missing.sh
install_missing "a C++17 compiler, CMake, make, Eigen 3.4, FFTW 3, NumPy and PyTorch, and do what \
README.md beside this script says." "${required[@]}"
if ! find_python; then
  echo "quickstart: neither python3 nor /usr/bin/python3 can import both numpy and torch" >&2
  exit 1
fi

echo "Compiling libdecorr, less than a minute"
build=build/python
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-march=native \
  -DDECORR_BUILD_C=ON -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF \
  -DDECORR_BUILD_BENCHMARKS=OFF -DDECORR_BUILD_EXAMPLES=OFF >/dev/null
cmake --build "$build" --target decorr_c

root=$PWD
cd "$start_directory"
echo "Training with $("$python" -c 'import sys; print(sys.executable)')"
DECORR_LIBRARY=$root/$build/extras/c/libdecorr.so PYTHONDONTWRITEBYTECODE=1 \
  exec "$python" "$root/extras/python/examples/train_digits.py" "$@"
