#!/usr/bin/env bash
# How long a file that uses decorr takes to compile: README's program, beside one that multiplies
# two matrices of Eigen's and one that only includes Eigen. Prints a table: seconds of user time,
# the least of the runs, and ratios to the product.
#
#   bench/compile_time.sh [RUNS]      5 unless told otherwise; about a minute
#
# The compiler is c++, or CXX. Needs Eigen and FFTW3; builds nothing that stays.
set -euo pipefail
cd "$(dirname "$0")/.."

runs=${1:-5}
if ! [[ $runs =~ ^[1-9][0-9]*$ ]]; then
  sed -n '2,/^set/{/^#/p}' "$0" >&2
  exit 2
fi
compiler=${CXX:-c++}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The first C++ block of the page, which is a program.
awk '/^```/ && inside { exit } inside { print } /^```cpp$/ { inside = 1 }' README.md >"$folder/readme.cpp"
cat >"$folder/product.cpp" <<'END'
#include <Eigen/Core>

void multiply(const Eigen::MatrixXf& a, const Eigen::MatrixXf& b, Eigen::MatrixXf& c) {
  c.noalias() = a * b;
}
END
echo '#include <Eigen/Core>' >"$folder/include.cpp"

flags=(-std=c++17 -O3 -march=native -Iinclude)
if command -v pkg-config >/dev/null && pkg-config --exists eigen3 fftw3f; then
  read -ra found <<<"$(pkg-config --cflags eigen3 fftw3f)"
  flags+=("${found[@]}")
else
  flags+=(-isystem /usr/include/eigen3)
fi

# seconds <name>: the least user time of the runs.
seconds() {
  local TIMEFORMAT=%U run
  for ((run = 0; run < runs; ++run)); do
    { time "$compiler" "${flags[@]}" -c "$folder/$1.cpp" -o "$folder/$1.o" 2>"$folder/messages"; } 2>&1 ||
      { cat "$folder/messages" >&2; return 1; }
  done | sort -g | head -n 1
}

product=$(seconds product)
include=$(seconds include)
readme=$(seconds readme)

"$compiler" --version | head -n 1
echo "-O3 -march=native, seconds of user time, least of $runs"
echo
echo "| file | seconds | ratio |"
echo "| --- | --- | --- |"
row() {
  awk -v name="$1" -v time="$2" -v product="$product" \
    'BEGIN { printf "| %s | %.1f | %.1f |\n", name, time, time / product }'
}
row "README's program" "$readme"
row "a product of two Eigen matrices" "$product"
row "\`#include <Eigen/Core>\` alone" "$include"
