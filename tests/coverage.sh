#!/usr/bin/env bash
# Which lines and branches of include/ the tests' programs do not reach. What no test can reach is
# listed with the reason in tests/coverage_exceptions.txt; anything else that is not reached fails.
#
#   tests/coverage.sh [--no-install]
#
# Counts by Clang's source-based coverage, in a build of its own, build/coverage, with threads and
# MPI: about half an hour of one core (JOBS=1: one at a time). Of templates only what is instantiated
# somewhere counts, and conditions that are constants do not.
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/install_missing.sh

readonly version=19 build=build/coverage
readonly programs=(decorr_tests decorr_unit_tests decorr_failure_test decorr_allocation_test
  decorr_soak_test decorr_fftw_state_test mpi/decorr_mpi_test)

case ${1:-} in
  '') install_available "clang-$version" "llvm-$version" "libclang-rt-$version-dev" \
    "libomp-$version-dev" libopenmpi-dev openmpi-bin cmake ninja-build pkg-config libeigen3-dev \
    libfftw3-dev doctest-dev ;;
  --no-install) ;;
  *)
    sed -n '2,/^set/{/^#/p}' "$0" >&2
    exit 2
    ;;
esac

# Counts are differences of others, so none may be lost between threads.
counted="-fprofile-instr-generate -fcoverage-mapping -fprofile-update=atomic -fprofile-list=$PWD/tests/coverage_sources.txt"
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER="clang-$version" \
  -DCMAKE_CXX_COMPILER="clang++-$version" -DCMAKE_CXX_FLAGS="$counted" \
  -DCMAKE_CXX_FLAGS_DEBUG=-O1 -DDECORR_BUILD_TESTS=ON -DDECORR_TESTS_UNITY=ON -DDECORR_OPENMP=ON \
  -DDECORR_MPI=ON -DDECORR_INSTALL=OFF -DDECORR_BUILD_C=OFF -DDECORR_BUILD_INSPECT=OFF \
  -DDECORR_BUILD_BENCHMARKS=OFF -DDECORR_BUILD_EXAMPLES=OFF >/dev/null
cmake --build "$build" --parallel "${JOBS:-$(nproc)}" --target "${programs[@]##*/}"

# Each program by itself, as a template of one name may be compiled otherwise in another.
mapfile -t headers < <(find "$PWD/include" -name '*.hpp')
rm -rf "$build/counts"
mkdir -p "$build/counts"
export OMP_WAIT_POLICY=passive
for program in "${programs[@]}"; do
  name=${program##*/}
  echo "== $name"
  export LLVM_PROFILE_FILE=$PWD/$build/counts/$name.%p.profraw
  case $name in
    decorr_mpi_test) (cd "$build" && ctest -R '^mpi\.[123]$' >counts/mpi.log) || {
      cat "$build/counts/mpi.log"
      exit 1
    } ;;
    # One that does nothing but repeat others on much data, which takes as long as all of them.
    *) "$build/tests/$program" --minimal \
      --test-case-exclude="both routes of the grouped form agree to rounding" ;;
  esac
  "llvm-profdata-$version" merge -sparse -o "$build/counts/$name.profdata" "$build/counts/$name".*.profraw
  for format in lcov text; do
    "llvm-cov-$version" export -skip-functions -format="$format" \
      -instr-profile="$build/counts/$name.profdata" "$build/tests/$program" "${headers[@]}" \
      >"$build/counts/$name.$format" 2>"$build/counts/$name.log" || {
      cat "$build/counts/$name.log"
      exit 1
    }
  done
done
python3 tests/coverage.py tests/coverage_exceptions.txt "$build"/counts/*.lcov "$build"/counts/*.text
