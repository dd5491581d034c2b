#!/usr/bin/env bash
# Installs what is missing with apt, then builds and runs the tests.
#
#   tests/run.sh [--no-install] [--strict] [--configure] [--quick | STAGE...]
#
# Stages, in the order in which they run by default:
#   asan     unit tests compiled with Clang, under AddressSanitizer and UndefinedBehaviorSanitizer;
#            with --strict most of them, C's, and a minute of each of the fuzzers
#   tsan     the tests with threads under ThreadSanitizer
#   release  all tests, compiled with GCC, the unit tests against the single header; those of C,
#            Python, Rust, the installed package and Debian's packages too
# and two that run only when named, as the others have what they do:
#   quick    a part of the unit tests, with GCC at -O1: arguments, gradients, published results;
#            no sanitizers, no headers by themselves, no installed package, no bindings
#   clang    everything compiled with Clang; unit and link tests
# --quick is the stage quick. --no-install leaves the system as it is; tests of what is missing are
# left out. --strict is what .ci/run asks for: warnings are errors, and so is a test that would be
# left out; it adds the tests for those who change decorr (DECORR_MAINTAINER_TESTS: pages, flags,
# links, planted faults, bounds of rounding, the study, programs in R, Octave and C#), and gives asan
# more of them. Tests are compiled at -O1, what they test of libdecorr as it is released; other levels
# have rows in tests/portability.sh. --configure does no more than find out what there is to build.
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/install_missing.sh

# Of tests that are left out, and say so, where these are not there.
readonly binding_packages=(python3-numpy python3-torch libopenblas0-pthread gnuplot-nox cargo
  libopenmpi-dev openmpi-bin dpkg-dev file lintian)
# Of the tests that --strict adds.
readonly strict_packages=(r-base-core octave-dev mono-mcs mono-runtime abigail-tools git doxygen
  libjs-mathjax libmpfr-dev libboost-dev)
# Minutes of one core, compiling and running; with --strict twice as many.
declare -rA minutes=([quick]=3 [asan]=5 [tsan]=2 [release]=18 [clang]=10)
declare -rA purpose=(
  [quick]="a part of the unit tests with GCC: arguments, gradients, published results"
  [asan]="unit tests with Clang under AddressSanitizer and UndefinedBehaviorSanitizer; with --strict more"
  [tsan]="tests with threads under ThreadSanitizer"
  [release]="unit tests with GCC, C, Python, Rust, installed packages; with --strict all others"
  [clang]="everything compiled with Clang, unit and link tests"
)
# The unit tests that asan has without --strict.
readonly asan_pattern="test_arguments.cpp;test_storage.cpp"
jobs=$(nproc)
readonly jobs

say() { printf '\n== %s\n' "$*"; }

# Everything that the stages need, as Debian's packages.
needed_packages() {
  printf '%s\n' "${build_packages[@]}"
  for stage in "$@"; do
    case $stage in
      release)
        printf '%s\n' "${binding_packages[@]}"
        if [[ $strict == ON ]]; then printf '%s\n' "${strict_packages[@]}"; fi
        ;;
      # Where a release has no libclang-rt-dev, Clang brings its sanitizers with it.
      asan) printf '%s\n' clang libclang-rt-dev ;;
      clang) echo clang ;;
    esac
  done | sort -u
}

# With apt where it may; elsewhere it says what is wanted, and CMake stops at what it needs.
install_needed() {
  if ! command -v apt-get >/dev/null; then
    say "Needed here: $*, or what this system calls them"
    return
  fi
  local missing package
  if [[ $install == yes ]]; then
    start_clock
    install_available "$@"
    stop_clock
  else
    find_missing "$@"
  fi
  if ((${#missing[@]} == 0)); then return; fi
  say "Missing. Install with: sudo apt-get install ${missing[*]}"
  # Without Clang its stages are left out, and without some others tests.
  for package in "${missing[@]}"; do
    if [[ " ${build_packages[*]} " == *" $package "* ]]; then exit 1; fi
  done
}

# True if the tool is there; else says that the stage is left out.
has_tool() {
  if command -v "$1" >/dev/null; then return; fi
  say "$2 is left out, as $1 is missing"
  refuse_if_strict
  return 1
}

refuse_if_strict() {
  if [[ $strict == OFF ]]; then return; fi
  echo "Stopped: with --strict nothing may be left out" >&2
  exit 1
}

# What a build directory does without is told; the rest of what CMake found, where it fails.
configure() {
  local log=build/configure_$1.log
  mkdir -p build
  local options=(-DDECORR_WARNINGS_AS_ERRORS="$strict" -DDECORR_MAINTAINER_TESTS="$strict"
    -DDECORR_BUILD_BENCHMARKS=OFF -DDECORR_TESTS_OPTIMIZATION=-O1)
  # Benchmarks have no tests; that they compile tests/check_style.sh finds out. What is published, and
  # what rounding does, says nothing of memory. Either stage's options are set with and without
  # --strict, as CMake keeps those of the last time.
  case $1-$strict in
    release-ON)
      options+=(-DDECORR_BUILD_EXAMPLES=AUTO -UDECORR_C_CHOOSES_PROCESSOR)
      ;;
    release-OFF)
      options+=(-DDECORR_BUILD_EXAMPLES=OFF -DDECORR_C_CHOOSES_PROCESSOR=OFF)
      ;;
    asan-OFF)
      options+=(-DDECORR_TEST_PATTERN="$asan_pattern" -DDECORR_BUILD_C=OFF -DDECORR_BUILD_FUZZERS=OFF)
      ;;
  esac
  if ! cmake --preset "$1" "${options[@]}" >"$log" 2>&1; then
    cat "$log"
    exit 1
  fi
  if ! grep -E '(Tests?|tests) .*skipped|(is|are) off, as' "$log"; then return; fi
  if [[ $1 == release ]]; then refuse_if_strict; fi
}

# Minutes and seconds since the start, every half minute: the largest files are compiled for
# minutes, in which nothing else is said, and some tests are programs that build others.
start_clock() {
  while sleep 30 &>/dev/null; do printf '  %d:%02d\n' $((SECONDS / 60)) $((SECONDS % 60)); done &
  clock=$!
}
stop_clock() {
  if [[ -n $clock ]]; then kill "$clock"; fi
  clock=
}
clock=
trap stop_clock EXIT

run_preset() {
  say "$1: ${purpose[$1]}"
  start_clock
  configure "$1"
  if [[ $configure_only == yes ]]; then
    # Not a dry run, which ends before it looks at the targets.
    cmake --build --preset "$1" -- -t commands | wc -l | sed 's/$/ commands/'
    stop_clock
    return
  fi
  "${@:2}" cmake --build --preset "$1" --parallel "$jobs"
  say "$1: tests"
  # A test that repeats others on much data.
  local without=()
  if [[ $1-$strict == release-OFF ]]; then
    without=(--exclude-regex '^both routes of the grouped form agree')
  fi
  "${@:2}" ctest --preset "$1" --parallel "$jobs" "${without[@]}"
  stop_clock
}

run_quick() { run_preset quick; }

run_asan() {
  has_tool clang++ asan || return 0
  run_preset asan
}

# ThreadSanitizer of this age does not know all the address layouts of newer kernels.
run_tsan() {
  local fixed_layout=()
  if setarch "$(uname -m)" -R true 2>/dev/null; then fixed_layout=(setarch "$(uname -m)" -R); fi
  run_preset tsan "${fixed_layout[@]}"
}

run_clang() {
  has_tool clang++ clang || return 0
  run_preset clang
}

run_release() { run_preset release; }

install=yes
strict=OFF
configure_only=no
stages=()
for argument in "$@"; do
  case $argument in
    --no-install) install=no ;;
    --strict) strict=ON ;;
    --configure) configure_only=yes ;;
    --quick) stages+=(quick) ;;
    quick | asan | tsan | clang | release) stages+=("$argument") ;;
    *)
      sed -n '2,/^set/{/^#/p}' "$0" >&2
      exit 2
      ;;
  esac
done
if ((${#stages[@]} == 0)); then stages=(asan tsan release); fi

echo "What follows, and about how many minutes it takes on $jobs cores:"
if [[ $install == yes ]]; then echo "  install   3  what is missing, with apt"; fi
times=1
if [[ $strict == ON ]]; then times=2; fi
for stage in "${stages[@]}"; do
  printf '  %-7s  %2d  %s\n' "$stage" "$(((minutes[$stage] * times + jobs - 1) / jobs))" \
    "${purpose[$stage]}"
done

mapfile -t packages < <(needed_packages "${stages[@]}")
install_needed "${packages[@]}"
for stage in "${stages[@]}"; do "run_$stage"; done
if [[ $configure_only == yes ]]; then exit; fi
say "Every stage passed: ${stages[*]}"
