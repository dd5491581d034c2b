#!/usr/bin/env bash
# The whole study of docs/evidence.md: builds the program, installs the data and what is missing
# where it may, makes all rows that are not there yet, and writes the page's measured part and its
# plots. About two hours on two cores. It may be stopped at any time, and goes on where it was when
# it is started again.
#
#   bench/representation/study.sh [--data digits | fashion | FOLDER] [OPTION...]
#
# FOLDER has the IDX files of MNIST or of a data set in its form. Other options go to
# `decorr_representation study`, which lists them with --help: --seeds, --steps, --only, --list, ...
# Results are in build/evidence/<data>/results.jsonl.
set -euo pipefail
cd "$(dirname "$0")/../.."
. docs/install_missing.sh

data=fashion
options=()
while (($# > 0)); do
  case $1 in
    --data)
      data=$2
      shift
      ;;
    *) options+=("$1") ;;
  esac
  shift
done

packages=(g++ cmake make pkg-config libeigen3-dev libfftw3-dev libcli11-dev zlib1g-dev
  nlohmann-json3-dev gnuplot-nox python3)
if [[ $data == fashion ]]; then packages+=(dataset-fashion-mnist); fi
install_missing "a C++17 compiler, CMake, make, Eigen 3.4, FFTW 3, CLI11, zlib, JSON for Modern C++, \
gnuplot and Python 3" "${packages[@]}"

build=build/study
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_BENCHMARKS=ON -DDECORR_BUILD_C=OFF \
  -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF -DDECORR_BUILD_EXAMPLES=OFF
cmake --build "$build" --target decorr_representation

# Threads that spin while they wait take the time of others where there are few processors.
export OMP_WAIT_POLICY=passive
folder=build/evidence/$(basename "$data")
study=("$build/bench/representation/decorr_representation" study --data "$data" --folder "$folder")
"${study[@]}" ${options[@]+"${options[@]}"}
if [[ -s $folder/results.jsonl ]]; then
  rows=$("${study[@]}" --list | wc -l)
  python3 bench/representation/evidence.py "$folder/results.jsonl" docs/evidence.md "$rows"
fi
