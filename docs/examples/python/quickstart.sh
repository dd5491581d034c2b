#!/usr/bin/env bash
# Builds libdecorr for this machine and runs train_digits.py beside this file with the arguments
# given, on Debian or Ubuntu. Installs what is missing where it may, and says what to install where
# it may not.
set -euo pipefail
start_directory=$PWD
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

# The first Python that has PyTorch and NumPy: that of the user's choice, then the system's, for
# which apt installs them.
find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import numpy, torch' 2>/dev/null; then
      python=$candidate
      return
    fi
  done
  return 1
}

required=(g++ cmake make libeigen3-dev libfftw3-dev)
find_python || required+=(python3-numpy python3-torch)

if ! command -v dpkg-query >/dev/null; then
  echo "quickstart: not a Debian or Ubuntu. Install a C++17 compiler, CMake, make, Eigen 3.4," \
    "FFTW 3, NumPy and PyTorch, and do what README.md beside this script says." >&2
  exit 1
fi
missing=()
for package in "${required[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
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
if [ -z "${python:-}" ] && ! find_python; then
  echo "quickstart: neither python3 nor /usr/bin/python3 can import both numpy and torch" >&2
  exit 1
fi

echo "Compiling libdecorr, less than a minute"
build=build/python
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS=-march=native \
  -DDECORR_BUILD_C=ON -DDECORR_BUILD_TESTS=OFF -DDECORR_BUILD_BENCHMARKS=OFF \
  -DDECORR_BUILD_EXAMPLES=OFF -DDECORR_WARNINGS_AS_ERRORS=OFF >/dev/null
cmake --build "$build" --target decorr_c

root=$PWD
cd "$start_directory"
echo "Training with $("$python" -c 'import sys; print(sys.executable)')"
DECORR_LIBRARY=$root/$build/cmake/c/libdecorr.so PYTHONDONTWRITEBYTECODE=1 \
  exec "$python" "$root/docs/examples/python/train_digits.py" "$@"
