#!/usr/bin/env bash
# Installs what is missing, then builds and runs the tests.
#
#   tests/run.sh [--no-install] [--quick | STAGE...]
#
# Stages, in the order in which they run by default:
#   format   clang-format leaves the sources as they are
#   tidy     clang-tidy has no complaint
#   asan     unit tests compiled with Clang, under AddressSanitizer and UndefinedBehaviorSanitizer
#   tsan     the tests with threads under ThreadSanitizer
#   release  everything compiled with GCC, the unit tests against the single header; all tests,
#            those of Python, Rust, the installed package and Debian's packages too
# and one that runs only when named, as asan has most of it:
#   clang    everything compiled with Clang; unit and link tests
# --quick is release alone, without installing what only the tests for Python, Rust and Debian's
# packages need: they are left out where it is missing. --no-install leaves the system as it is.
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/install_missing.sh

readonly base_packages=(g++ cmake ninja-build pkg-config libeigen3-dev libfftw3-dev doctest-dev
  libbenchmark-dev libcli11-dev)
# Of tests that are left out, and say so, where these are not there.
readonly binding_packages=(python3-numpy python3-torch libopenblas0-pthread gnuplot-nox cargo
  dpkg-dev file lintian)
jobs=$(nproc)
readonly jobs

say() { printf '\n== %s\n' "$*"; }

# Everything that the stages need, as Debian's packages.
needed_packages() {
  printf '%s\n' "${base_packages[@]}"
  for stage in "$@"; do
    case $stage in
      release) if [[ $quick == no ]]; then printf '%s\n' "${binding_packages[@]}"; fi ;;
      format) echo clang-format ;;
      tidy) printf '%s\n' clang clang-tidy ;;
      # Where a release has no such package, Clang brings its sanitizers with it.
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
  local missing as_root package known=()
  find_missing "$@"
  if ((${#missing[@]} == 0)); then return; fi
  if [[ $install == no ]] || ! become_root; then
    say "Missing. Install with: sudo apt-get install ${missing[*]}"
    # Without Clang's tools their stages are skipped, and without some others tests.
    for package in "${missing[@]}"; do
      if [[ " ${base_packages[*]} " == *" $package "* ]]; then exit 1; fi
    done
    return
  fi
  "${as_root[@]}" apt-get update -qq
  for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
  done
  if ((${#known[@]} == 0)); then return; fi
  say "Installing ${known[*]}"
  apt_install "${known[@]}"
}

# True if the tool is there; else says that the stage is left out.
has_tool() {
  if command -v "$1" >/dev/null; then return; fi
  say "Skipped, as $1 is missing: $2"
  return 1
}

sources() { find include tests bench docs -name '*.[ch]pp' -o -name '*.[ch]' | sort; }

run_format() {
  has_tool clang-format format || return 0
  say "clang-format"
  sources | tr '\n' '\0' | xargs -0 clang-format --dry-run --Werror
}

run_tidy() {
  has_tool clang-tidy tidy || return 0
  say "clang-tidy"
  cmake --preset asan >/dev/null
  printf '%s\0' tests/link/first.cpp build/asan/cmake/c/c_api.cpp |
    xargs -0 -n 1 -P "$jobs" clang-tidy --quiet -p build/asan
}

run_preset() {
  say "$1: configure and build"
  cmake --preset "$1"
  "${@:2}" cmake --build --preset "$1" --parallel "$jobs"
  say "$1: tests"
  "${@:2}" ctest --preset "$1" --parallel "$jobs"
}

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
quick=no
stages=()
for argument in "$@"; do
  case $argument in
    --no-install) install=no ;;
    --quick)
      quick=yes
      stages=(release)
      ;;
    format | tidy | asan | tsan | clang | release) stages+=("$argument") ;;
    *)
      sed -n '2,/^set/{/^#/p}' "$0" >&2
      exit 2
      ;;
  esac
done
if ((${#stages[@]} == 0)); then stages=(format tidy asan tsan release); fi

mapfile -t packages <<<"$(needed_packages "${stages[@]}")"
install_needed "${packages[@]}"
for stage in "${stages[@]}"; do "run_$stage"; done
