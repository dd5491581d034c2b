#!/usr/bin/env bash
# The maintainers' check of the sources: clang-format leaves them as they are, clang-tidy has no
# complaint, and Clang no warning.
#
#   tests/check_style.sh [--no-install] [--fix]
#
# These tools judge otherwise from version to version. This takes the one that .clang-format and
# .clang-tidy are for, which Debian 12 and 13 both have, and installs it where it may. --fix formats
# the sources first. About four minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/install_missing.sh

readonly version=19
readonly format=clang-format-$version tidy=clang-tidy-$version

say() { printf '\n== %s\n' "$*"; }

install=yes
fix=no
for argument in "$@"; do
  case $argument in
    --no-install) install=no ;;
    --fix) fix=yes ;;
    *)
      sed -n '2,/^set/{/^#/p}' "$0" >&2
      exit 2
      ;;
  esac
done

if [[ $install == yes ]] && command -v apt-get >/dev/null; then
  # Of the fuzzers the headers that come with this version's own libFuzzer.
  install_available "$format" "$tidy" "libclang-rt-$version-dev" clang libclang-rt-dev libopenmpi-dev \
    openmpi-bin libmpfr-dev libboost-dev "${build_packages[@]}"
fi
for tool in "$format" "$tidy" clang++ cmake ninja; do
  if command -v "$tool" >/dev/null; then continue; fi
  say "The style is not checked, as $tool is missing"
  # A check that CI asked for has then failed.
  if [[ ${CI:-} == true ]]; then exit 1; else exit 0; fi
done

say "$format"
mapfile -t sources < <(find include extras tests bench docs -name '*.[ch]pp' -o -name '*.[ch]' | sort)
if [[ $fix == yes ]]; then "$format" -i "${sources[@]}"; fi
"$format" --dry-run --Werror "${sources[@]}"
echo "${#sources[@]} files as they should be"

# lint <checks> <file>...: without the numbers of warnings in other people's headers.
lint() {
  local checks=$1 number=0 file
  shift
  # shellcheck disable=SC2016  # for the shell that xargs starts
  for file in "$@"; do
    number=$((number + 1))
    printf '%s\0' "$number of $#: $file" "$file"
  done | xargs -0 -n 2 -P "$(nproc)" bash -o pipefail -c '
    echo "  $3"
    "$1" --quiet -p build/style --checks="$2" "$4" 2>&1 |
      sed "/^[0-9]* warnings\{0,1\}.* generated\.$/d"' \
    lint "$tidy" "$checks"
}

say "$tidy"
# Only configured: how the files are compiled.
cmake --preset clang -B build/style -DDECORR_C_CHOOSES_PROCESSOR=OFF -DDECORR_BUILD_INSPECT=ON \
  -DDECORR_BUILD_EXAMPLES=ON -DDECORR_BUILD_BENCHMARKS=ON -DDECORR_BUILD_FUZZERS=ON \
  -DDECORR_BUILD_TRAINERS=ON -DDECORR_TESTS_UNITY=ON >/dev/null
lint '' tests/link/first.cpp
# It does not see from the checks of arguments that there are features to divide by, nor that a pass
# is there where nothing has failed, nor that a unique_ptr keeps what it is made from.
lint '-clang-analyzer-core.DivideZero,-clang-analyzer-core.NullDereference,-clang-analyzer-core.CallAndMessage,-clang-analyzer-cplusplus.NewDeleteLeaks' \
  extras/c/*.cpp
# Of what wants LibTorch or dlib, what is compiled here.
trainers=()
for file in extras/trainers/tests/*.cpp docs/examples/train_digits_{libtorch,dlib}.cpp; do
  if grep -qF "/$file\"" build/style/compile_commands.json; then trainers+=("$file"); fi
done
say "Warnings of Clang $version in tests, benchmarks and programs"
# The unit tests in the batches that they are compiled in, in a quarter of the time.
batches=(build/style/tests/CMakeFiles/decorr_{tests,unit_tests}.dir/Unity/*.cxx)
# One check that finds nothing there, as the tool wants one.
lint '-*,clang-diagnostic-*,misc-definitions-in-headers' "${batches[@]}" tests/*_test.cpp tests/fuzz/*.cpp \
  extras/c/tests/*.c extras/c/tests/*.cpp extras/inspect/*.cpp extras/inspect/tests/*.cpp bench/*.cpp bench/numerics/*.cpp \
  bench/representation/*.cpp bench/representation/tests/*.cpp docs/examples/train_digits.cpp \
  docs/examples/train_digits_distributed.cpp docs/examples/reference/*.cpp "${trainers[@]}"
