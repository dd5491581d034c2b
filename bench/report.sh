#!/usr/bin/env bash
# Runs the benchmarks that docs/performance.md shows and rewrites its measured part and its plots.
# Takes about half an hour, a third of which counts bytes where valgrind is. Needs cmake, a compiler, Eigen, FFTW3, Google Benchmark, CLI11,
# gnuplot and python3, and for the comparison with PyTorch, which is left out otherwise, a python3
# that has it (Debian, Ubuntu: cmake g++ libeigen3-dev libfftw3-dev libbenchmark-dev libcli11-dev
# gnuplot-nox python3-torch libopenblas0-pthread).
set -euo pipefail
cd "$(dirname "$0")/.."

build=build/report
cmake -S . -B "$build" -DCMAKE_BUILD_TYPE=Release -DDECORR_BUILD_BENCHMARKS=ON \
  -DDECORR_BUILD_C=OFF -DDECORR_BUILD_INSPECT=OFF -DDECORR_BUILD_TESTS=OFF \
  -DDECORR_BUILD_EXAMPLES=OFF
cmake --build "$build" --target decorr_benchmarks decorr_single_call

measure() {  # name, filter of case names
  echo "== $1"
  "$build/bench/decorr_benchmarks" --benchmark_filter="$2" \
    --benchmark_min_time=0.05 --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true \
    --benchmark_out="$build/$1.json" --benchmark_out_format=json |
    { grep -E '_median' || true; }
}

forms='(relaxed|relaxed/signs|relaxed/block_size:512/signs|exact_correlation|exact_gram)'
measure growth "^((transforms|products_gram|products_correlation)/float/n:256/d:[0-9]+|barlow_twins/float/n:256/d:[0-9]+/$forms)/real_time$"
measure forms '^((transforms|copy|products_gram|products_correlation)/(float|double)/n:256/d:8192|(barlow_twins|vicreg)/float/n:256/d:8192/(relaxed|exact_).*|(barlow_twins|vicreg)/double/n:256/d:8192/(relaxed.*|exact_gram))/real_time$'
measure batches "^((transforms|products_gram)/float/n:(64|1024|4096)/d:2048|transforms/float/n:1024/d:8192|products_gram/float/n:1024/d:8192|barlow_twins/float/n:(64|1024|4096)/d:2048/$forms|barlow_twins/float/n:1024/d:8192/(relaxed|relaxed/signs|relaxed/block_size:512/signs|exact_gram))/real_time$"
measure lengths '^(transforms|barlow_twins)/float/n:256/d:(8190|8191|8192|10007)(/relaxed)?/real_time$'

measure patience '^(transforms|barlow_twins)/float/n:256/d:[0-9]+/(patient|patient_relaxed)/real_time$'

# Counts are the same on every machine, and are kept in build/report until they are removed.
if command -v valgrind >/dev/null; then
  for rows in 128 512; do
    echo "== bytes, n = $rows"
    if [[ ! -s $build/bytes_$rows.md ]]; then
      ROWS=$rows bench/bytes.sh >"$build/bytes.part"
      mv "$build/bytes.part" "$build/bytes_$rows.md"
    fi
  done
  measure traffic '^traffic/.*/real_time$'
fi

measure choice '^(barlow_twins|vicreg)/float/n:[0-9]+/d:[0-9]+/choice/.*/real_time$'

# With OTHER_FFTW, the folder of another build's libfftw3f.so.3, what is gained by linking that one:
# FFTW's own sources make it by ./configure --enable-float --enable-shared --enable-sse2 --enable-avx
# --enable-avx2 --enable-avx512 && make, where the processor has these instructions.
rm -f "$build/other_fftw.json"
if [[ -n ${OTHER_FFTW:-} ]]; then
  LD_LIBRARY_PATH=$OTHER_FFTW${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} measure other_fftw \
    "^(transforms/float/n:256/d:[0-9]+|(barlow_twins|vicreg)/float/n:256/d:[0-9]+/choice/(signs|recommended))/real_time$"
fi

# A table for each version of PyTorch that these have. Another one in an environment of its own:
#   python3 -m venv build/torch && build/torch/bin/pip install numpy torch
rm -f "$build"/peers_*.json
versions=()
for python in /usr/bin/python3 python3 build/torch/bin/python; do
  version=$("$python" -c 'import numpy, torch; print(torch.__version__)' 2>/dev/null) || continue
  if [[ " ${versions[*]-} " == *" $version "* ]]; then continue; fi
  versions+=("$version")
  echo "== peers: PyTorch $version"
  "$python" bench/peers/compare.py "$build/bench/decorr_single_call" --json "$build/peers_${#versions[@]}.json"
done

python3 bench/report.py "$build" docs/performance.md
