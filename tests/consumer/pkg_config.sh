#!/usr/bin/env bash
# Compiles and runs the consumer without CMake: pkg_config.sh COMPILER OUTPUT PACKAGE...
# INCLUDE_DIRECTORY, where set, is that of decorr's headers; else PACKAGE has decorr among its own.
# SOURCE and STANDARD, where set, stand for another program.
set -euo pipefail
compiler=$1
output=$2
shift 2

cd "$(dirname "$0")"
read -ra flags <<<"$(pkg-config --cflags --libs "$@")"
"$compiler" -std="${STANDARD:-c++17}" ${INCLUDE_DIRECTORY:+-I "$INCLUDE_DIRECTORY"} \
  "${SOURCE:-consumer.cpp}" -o "$output" "${flags[@]}"
"$output"
