#!/usr/bin/env bash
# Counts the memory traffic of the recommended calls: which matrices cross a cache, and how often.
# Prints a table: lines that miss a second-level cache of 2 MiB, read or written, times their 64
# bytes, in matrices of n x d numbers, of a second call beyond a first.
#
#   bench/bytes.sh [CALL...]      all of the table unless told otherwise; some minutes
#
# Counted by valgrind's cachegrind, so the same on every machine: FFTW measures nothing, and the
# compiler, which is c++ or CXX, makes code for x86-64-v3 (AVX2), which valgrind knows. SCALAR is
# float or double; ROWS (128) and FEATURES (8192) are n and d. ALIGNMENT is that of the matrices in
# bytes: 32, Eigen's with AVX2, or 64, as with AVX-512.
# With PROGRAM, a decorr_counted_calls that is built already, nothing is built. Needs Eigen, FFTW3,
# CLI11 and valgrind (Debian, Ubuntu: g++ libeigen3-dev libfftw3-dev libcli11-dev valgrind).
set -euo pipefail
cd "$(dirname "$0")/.."

rows=${ROWS:-128}
features=${FEATURES:-8192}
scalar=${SCALAR:-float}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

program=${PROGRAM:-}
if [[ -z $program ]]; then
  program=$folder/decorr_counted_calls
  "${CXX:-c++}" -std=c++17 -O3 -march=x86-64-v3 -DNDEBUG -Iinclude -isystem /usr/include/eigen3 \
    -DEIGEN_MAX_ALIGN_BYTES="${ALIGNMENT:-32}" -DEIGEN_MAX_STATIC_ALIGN_BYTES=32 \
    bench/counted_calls.cpp -o "$program" -lfftw3f -lfftw3 -lpthread
fi

# misses <call> <order> <number of calls>: of data, in the last level.
misses() {
  valgrind --tool=cachegrind --cache-sim=yes --LL=2097152,16,64 \
    --cachegrind-out-file=/dev/null "$program" --call "$1" --order "$2" --calls "$3" \
    --rows "$rows" --features "$features" --scalar "$scalar" 2>&1 |
    sed -n 's/.*LLd misses: *\([0-9,]*\).*/\1/p' | tr -d ,
}

row() {  # call, order
  local once twice
  once=$(misses "$1" "$2" 1)
  twice=$(misses "$1" "$2" 2)
  local bytes=4
  [[ $scalar == float ]] || bytes=8
  awk -v name="$1${2/row_major/}" -v lines=$((twice - once)) -v size=$((rows * features * bytes)) \
    'BEGIN { sub(/column_major/, ", column-major", name); printf "| %s | %.1f |\n", name, lines * 64 / size }'
}

echo "n = $rows, d = $features, $scalar"
echo
echo "| call | matrices |"
echo "| --- | --- |"
if (($# > 0)); then
  for call in "$@"; do row "$call" row_major; done
  exit
fi
for call in barlow_twins/signs barlow_twins/signs/not_standardized vicreg/signs \
  variance_covariance/signs r_sum barlow_twins/block_size:512/signs vicreg/block_size:512/signs; do
  row "$call" row_major
done
row barlow_twins/signs column_major
row vicreg/signs column_major
row copy row_major
row transforms row_major
