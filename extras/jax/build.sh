#!/usr/bin/env bash
# Compiles libdecorr_jax.so, which decorr_jax.py wants beside it, for the JAX of a Python:
#
#   extras/jax/build.sh [PYTHON]
#
# libdecorr is found by pkg-config (docs/c.md), or in the folder that DECORR_LIB_DIR names. JAX's
# part is a header that comes with it. Seconds.
set -euo pipefail
cd "$(dirname "$0")"

xla=$("${1:-python3}" -c 'import jax; print(jax.ffi.include_dir())')
if [[ -n ${DECORR_LIB_DIR:-} ]]; then
  flags=(-I../../include "-L$DECORR_LIB_DIR" "-Wl,-rpath,$DECORR_LIB_DIR" -ldecorr)
else
  read -ra flags <<<"$(pkg-config --cflags --libs decorr-c) -Wl,-rpath,$(pkg-config --variable=libdir decorr-c)"
fi
# XLA's header has members with the names of their types, which GCC takes for an error.
"${CXX:-g++}" -std=c++17 -O2 -fPIC -shared -fpermissive -Wall -Wextra -Wconversion -Wshadow -isystem "$xla" \
  decorr_jax.cpp -o libdecorr_jax.so "${flags[@]}"
