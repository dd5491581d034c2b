#!/usr/bin/env bash
# .ci/abi with small libraries, compiled by abi_test.sh COMPILER.
set -euo pipefail
compiler=$1
abi=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)/.ci/abi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
  cat "$folder/output" >&2
  echo "failed: $*" >&2
  exit 1
}

readonly fields="size_t size; double weight; int form;"
readonly functions="int decorr_f(const decorr_options* options) { return options->form; }
double decorr_g(void) { return 0; }"

# make_library <name> <fields> <functions> [<soname>]
make_library() {
  mkdir -p "$folder/$1/include"
  printf '#include <stddef.h>\ntypedef struct decorr_options { %s } decorr_options;\n' "$2" \
    >"$folder/$1/include/c_api.h"
  printf '#include <c_api.h>\n%s\n' "$3" >"$folder/$1/library.c"
  "$compiler" -g -shared -fPIC -I"$folder/$1/include" "$folder/$1/library.c" \
    -Wl,-soname,"${4:-libdecorr.so.0}" -o "$folder/$1/libdecorr.so"
}

# compare <name> [--reviewed]: with the old one.
compare() {
  "$abi" "${@:2}" "$folder/old/include" "$folder/old/libdecorr.so" "$folder/$1/include" \
    "$folder/$1/libdecorr.so" >"$folder/output" 2>&1
}
accepted() { compare "$@" || fail "refused: $*"; }
refused() {
  if compare "${@:2}"; then fail "accepted: ${*:2}"; fi
  grep -q "$1" "$folder/output" || fail "${*:2}: nothing is said of \"$1\""
}

make_library old "$fields" "$functions"
accepted old
make_library added "$fields" "$functions int decorr_h(void) { return 1; }"
accepted added
make_library gone "$fields" "${functions%double*}"
refused "raise SOVERSION" gone
refused "raise SOVERSION" gone --reviewed
make_library other_soname "$fields" "${functions%double*}" libdecorr.so.1
accepted other_soname
make_library grown "$fields double more;" "$functions"
refused "pass --reviewed" grown
accepted grown --reviewed
make_library moved "size_t size; int form; double weight;" "$functions"
refused "pass --reviewed" moved
make_library argument "$fields" "${functions/double decorr_g(void)/double decorr_g(int x)}"
refused "pass --reviewed" argument
rm "$folder/old/libdecorr.so"
refused "No such file\|does not exist\|abidiff has failed" grown --reviewed
echo ".ci/abi: as expected"
