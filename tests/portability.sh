#!/usr/bin/env bash
# Builds and runs unit tests with other compilers, standards, flags, libraries, systems and
# processors, and writes the table "What has been tried" of docs/policy.md.
#
#   tests/portability.sh [--no-install] [--again] [ROW...]
#   tests/portability.sh [--again] --system bookworm|trixie|jammy|noble [ROW...]
#   tests/portability.sh --list | --table
#
# Each row is a line of `rows` below. Without names all rows of a system that have not been run with
# the sources as they are now; --again runs those, too. A minute or more a row on one core, and more
# where a processor is emulated. The table has the rows that were run here, now or before, with what
# came of it; of the others it keeps what it had.
#
# This system is that which runs, and the rows of others are left out. --system runs the rows of a
# Debian or Ubuntu in a bare one, made by debootstrap in build/portability; it has to be run as root.
# Where they may, both install what they need with apt; the rows of what is missing are left out.
#
# From folders, where these are given, or from the Python package index:
#   MKL=folder          Intel's MKL, the package mkl: a folder in which libmkl_rt.so is found
#   EIGEN=folder        Eigen 5, the package eigency: a folder in which Eigen/Core is found
# and from a folder alone:
#   OTHER_FFTW=folder   FFTW in float, built for this processor: with include/ and lib/
set -euo pipefail
cd "$(dirname "$0")/.."
. docs/install_missing.sh

readonly folder=build/portability page=docs/policy.md
readonly results=$folder/results  # a file a row
readonly packages=(cmake ninja-build pkg-config libeigen3-dev libfftw3-dev doctest-dev)
# Beside the rooms of detail/, one by one: the published results, all gradients by finite
# differences. Where a processor is emulated, these would take ten times as long as all else.
readonly sources=(test_reference.cpp test_gradients.cpp) emulated_sources=(test_reference.cpp)

# Name, system, compiler, C++, flags, what else: libc++, eigen, mkl, fftw, or Debian's architecture.
rows() {
  cat <<'ROWS'
gcc12_O0        bookworm  g++-12      17  -O0                   -
gcc12_20_O1     bookworm  g++-12      20  -O1                   -
gcc12_O3        bookworm  g++-12      17  -O3,-march=native     -
gcc12_23_O2     bookworm  g++-12      23  -O2                   -
clang14_O1      bookworm  clang++-14  17  -O1                   -
clang14_20_O3   bookworm  clang++-14  20  -O3,-march=native     -
clang19_O2      bookworm  clang++-19  17  -O2                   -
clang19_23_O0   bookworm  clang++-19  23  -O0                   -
eigen5          bookworm  g++-12      17  -O1,-march=native     eigen
mkl             bookworm  g++-12      17  -O1                   mkl
own_fftw        bookworm  g++-12      17  -O1                   fftw
i386_x87        bookworm  g++         17  -O1                   i386
i386_sse2       bookworm  g++         17  -O1,-msse2,-mfpmath=sse  i386
arm64           bookworm  g++         17  -O1                   arm64
s390x           bookworm  g++         17  -O1                   s390x
gcc14_O2        trixie    g++-14      17  -O2                   -
gcc14_23_O3     trixie    g++-14      23  -O3,-march=native     -
gcc14_20_O0     trixie    g++-14      20  -O0                   -
clang19_libc++  trixie    clang++-19  17  -O1                   libc++
clang19_libc++_23  trixie  clang++-19  23  -O2                  libc++
gcc11           jammy     g++-11      17  -O2                   -
clang18         noble     clang++-18  20  -O2                   -
gcc13           noble     g++-13      23  -O2                   -
ROWS
}

say() { printf '\n== %s\n' "$*"; }
usage() { sed -n '2,/^set/{/^#/p}' "$0" >&2; }
this_system() { (. /etc/os-release && echo "${VERSION_CODENAME:-unknown}"); }

# What the tests depend on, in a few letters. There may be no git.
fingerprint() {
  find include cmake CMakeLists.txt tests/CMakeLists.txt tests/unit tests/support tests/data "${sources[@]/#/tests/}" -type f -print0 |
    sort -z | xargs -0 sha1sum | sha1sum | cut -c1-12
}

# ---- What a row needs: each sets `options` for CMake, and returns false where it cannot be had.

needs() { # <package>...
  if [[ $install == yes ]]; then
    install_available "$@"
  else
    find_missing "$@"
  fi
  if ((${#missing[@]} == 0)); then return; fi
  echo "  missing: ${missing[*]}"
  return 1
}

compiler_packages() { # <compiler>
  case $1 in
    clang++-*) echo "clang-${1#clang++-}" ;;
    *) echo "$1" ;;
  esac
}

# The wheel of a Python package, unpacked in `unpacked`.
from_package_index() { # <package>
  unpacked=$PWD/$folder/$1
  if [[ -d $unpacked ]]; then return; fi
  needs python3-venv || return 1
  python3 -m venv "$folder/python" &&
    "$folder/python/bin/pip" download -q --no-deps --dest "$folder/wheels" "$1" &&
    "$folder/python/bin/python" -m zipfile -e "$folder/wheels/$1"-*.whl "$unpacked"
}

use_mkl() {
  local unpacked=${MKL:-} library
  if [[ -z $unpacked ]]; then from_package_index mkl || return 1; fi
  library=$(find "$unpacked" -name 'libmkl_rt.so*' | head -n 1)
  if [[ -z $library ]]; then return 1; fi
  local version=${library#*mkl-}
  libraries="MKL ${version%%.d*}, in long double FFTW"
  options+=(-DFFTW3_FLOAT_LIBRARY="$library" -DFFTW3_DOUBLE_LIBRARY="$library"
    -DFFTW3_INCLUDE_DIR=/usr/include)
  run+=("LD_LIBRARY_PATH=$(dirname "$library")" MKL_THREADING_LAYER=SEQUENTIAL)
}

use_eigen() {
  local unpacked=${EIGEN:-} core config=$PWD/$folder/eigen_config
  if [[ -z $unpacked ]]; then from_package_index eigency || return 1; fi
  core=$(find "$(realpath "$unpacked")" -path '*/Eigen/Core' | head -n 1)
  if [[ -z $core ]]; then return 1; fi
  eigen_folder=${core%/Eigen/Core}
  mkdir -p "$config"
  cat >"$config/Eigen3Config.cmake" <<CMAKE
if(NOT TARGET Eigen3::Eigen)
  add_library(Eigen3::Eigen INTERFACE IMPORTED)
  target_include_directories(Eigen3::Eigen SYSTEM INTERFACE "$eigen_folder")
endif()
CMAKE
  cat >"$config/Eigen3ConfigVersion.cmake" <<CMAKE
set(PACKAGE_VERSION "$(eigen_version "$eigen_folder")")
set(PACKAGE_VERSION_COMPATIBLE TRUE)
CMAKE
  options+=(-DEigen3_DIR="$config")
}

use_fftw() {
  if [[ -z ${OTHER_FFTW:-} ]]; then return 1; fi
  libraries="FFTW built for this processor, in double and long double Debian's"
  options+=(-DFFTW3_FLOAT_LIBRARY="$(realpath "$OTHER_FFTW/lib/libfftw3f.so")")
  run+=("LD_LIBRARY_PATH=$OTHER_FFTW/lib")
}

# Debian's packages of another architecture, unpacked in a folder, by an apt that knows no other; the
# compiler's own libraries are in /usr/<triple>.
use_architecture() { # <architecture> <triple> <processor>
  local root=$PWD/$folder/packages_$1 triple=$2 apt package precision library
  needs "g++-$triple" || return 1
  if [[ $1 != i386 ]]; then needs qemu-user-static || return 1; fi
  if [[ ! -d $root/usr ]]; then
    apt=(-qq -o APT::Architecture="$1" -o APT::Architectures::="$1" -o Dir::State="$root/state"
      -o Dir::State::status="$root/status" -o Dir::Cache="$root/cache" -o APT::Sandbox::User=root)
    mkdir -p "$root/state/lists/partial" "$root/cache/archives/partial" "$root/packages"
    touch "$root/status"
    # The index that fails may be one that nothing here comes from.
    apt-get "${apt[@]}" update || true
    (cd "$root/packages" && apt-get "${apt[@]}" download libfftw3-dev libfftw3-single3 \
      libfftw3-double3 libfftw3-long3 libeigen3-dev doctest-dev) || return 1
    for package in "$root"/packages/*.deb; do dpkg -x "$package" "$root"; done
  fi
  eigen_folder=$root/usr/include/eigen3
  compiler=$triple-g++
  library=$root/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH -a"$1" 2>/dev/null || echo "$triple")/libfftw3
  options+=(-DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR="$3" -DCMAKE_FIND_ROOT_PATH="$root"
    -DCMAKE_FIND_ROOT_PATH_MODE_PACKAGE=ONLY -DFFTW3_INCLUDE_DIR="$root/usr/include"
    -DDECORR_MPI=OFF)
  for precision in f:FLOAT :DOUBLE l:LONG_DOUBLE; do
    options+=("-DFFTW3_${precision#*:}_LIBRARY=$library${precision%:*}.so")
  done
  if [[ $1 == i386 ]]; then
    # This processor, with that architecture's libraries.
    emulator=(/usr/"$triple"/lib/ld-linux.so.2 --library-path "/usr/$triple/lib:${library%/*}")
  else
    emulator=("qemu-$3-static" -L "/usr/$triple")
    tested=("${emulated_sources[@]}")
  fi
  options+=("-DCMAKE_CROSSCOMPILING_EMULATOR=$(IFS=';' && echo "${emulator[*]}")")
}

prepare() { # <what else>
  case $1 in
    -) ;;
    libc++)
      needs "libc++-${compiler##*-}-dev" "libc++abi-${compiler##*-}-dev" || return 1
      options+=(-DCMAKE_EXE_LINKER_FLAGS=-stdlib=libc++)
      flags+=" -stdlib=libc++"
      libraries="libc++"
      ;;
    mkl | eigen | fftw) "use_$1" ;;
    i386) use_architecture i386 i686-linux-gnu i386 ;;
    arm64) use_architecture arm64 aarch64-linux-gnu aarch64 ;;
    s390x) use_architecture s390x s390x-linux-gnu s390x ;;
  esac
}

# ---- One row

eigen_version() { # <folder>
  local -A part
  local name number
  while read -r _ name number _; do part[$name]=$number; done < <(
    grep -hE '#define EIGEN_(WORLD|MAJOR|MINOR|PATCH)_VERSION [0-9]' -r \
      "$1/Eigen/Version" "$1/Eigen/src/Core/util/Macros.h" 2>/dev/null)
  local major=${part[EIGEN_WORLD_VERSION]:-0}
  if [[ -n ${part[EIGEN_PATCH_VERSION]:-} ]]; then
    echo "${part[EIGEN_MAJOR_VERSION]}.${part[EIGEN_MINOR_VERSION]}.${part[EIGEN_PATCH_VERSION]}"
  else
    echo "$major.${part[EIGEN_MAJOR_VERSION]:-0}.${part[EIGEN_MINOR_VERSION]:-0}"
  fi
}

compiler_name() {
  local version
  version=$("$compiler" -dumpfullversion 2>/dev/null || "$compiler" -dumpversion)
  case $compiler in
    clang*) version=$("$compiler" -dumpversion) && echo "Clang $version" ;;
    *) echo "GCC $version" ;;
  esac
}

system_name() { # <what else>
  local processor
  case $1 in
    i386) processor="x86, 32 bits" ;;
    arm64) processor="arm64 (qemu)" ;;
    s390x) processor="s390x, big endian (qemu)" ;;
    *) processor=$(uname -m | tr _ -) ;;
  esac
  # shellcheck disable=SC2153  # of /etc/os-release
  echo "$(. /etc/os-release && echo "${NAME%% *} $VERSION_ID"), $processor"
}

# Sets `cases` to how many cases have passed, of how many. False where one has failed, or a program.
run_tests() { # <build folder>
  local program passed=0 total=0 rc=0 output t='' p=''
  for program in decorr_unit_tests decorr_tests; do
    output=$1.out
    env OMP_WAIT_POLICY=passive "${run[@]}" "${emulator[@]}" "$1/tests/$program" >"$output" 2>&1 || rc=1
    cat "$output"
    read -r t p < <(sed -n 's/.*test cases: *\([0-9]*\) | *\([0-9]*\) passed.*/\1 \2/p' "$output") ||
      rc=1
    total=$((total + ${t:-0})) passed=$((passed + ${p:-0}))
    t='' p=''
  done
  rm "$output"
  cases="$passed of $total"
  return "$rc"
}

run_row() { # <name> <system> <compiler> <standard> <flags> <what else>
  local name=$1 compiler=$3 standard=$4 flags=${5//,/ } with=$6
  local build=$folder/$name log=$folder/$name.log verdict=passed cases='' started=$SECONDS
  local tested=("${sources[@]}") libraries='' options=() run=() emulator=() eigen_folder=/usr/include/eigen3 openmp='' needed
  needed=("${packages[@]}")
  case $with in i386 | arm64 | s390x) ;; *) needed+=("$(compiler_packages "$compiler")") ;; esac
  say "$name: $3, C++$4, $flags, $with"
  if ! needs "${needed[@]}" || ! prepare "$with"; then
    say "$name is left out, as something that it needs is missing"
    left_out+=("$name")
    return
  fi
  local told_flags=${flags/ -stdlib=libc++/}
  if [[ $compiler == g++* && $flags == *-march=native* ]]; then
    # Wrong about the compiler's own AVX-512 intrinsics (GCC bug 105593).
    flags+=" -Wno-maybe-uninitialized -Wno-uninitialized"
  fi
  rm -rf "$build"
  {
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_COMPILER="$compiler" \
      -DCMAKE_CXX_FLAGS="$flags" -DCMAKE_CXX_FLAGS_DEBUG= -DCMAKE_CXX_STANDARD="$standard" \
      -DDECORR_WARNINGS_AS_ERRORS=ON -DDECORR_TEST_PATTERN="$(IFS=';' && echo "${tested[*]}")" -DDECORR_TESTS_UNITY=ON \
      -DDECORR_BUILD_TESTS=ON -DDECORR_BUILD_C=OFF -DDECORR_BUILD_INSPECT=OFF -DDECORR_INSTALL=OFF \
      -DDECORR_BUILD_BENCHMARKS=OFF -DDECORR_BUILD_EXAMPLES=OFF "${options[@]}" &&
      env "${run[@]}" cmake --build "$build" --parallel "${JOBS:-$(nproc)}" \
        --target decorr_unit_tests decorr_tests
  } >"$log" 2>&1 || verdict="does not compile"
  if [[ $verdict == passed ]]; then
    run_tests "$build" >>"$log" 2>&1 || verdict="fails"
    if ! grep -q '^OpenMP_CXX_FLAGS:STRING=-' "$build/CMakeCache.txt"; then openmp=", without OpenMP"; fi
  fi
  local tried=${libraries:+, $libraries}
  if [[ $verdict != passed ]]; then
    tail -n 30 "$log"
    failed+=("$name")
  else
    rm -rf "$build"
  fi
  say "$name: $verdict, $cases cases, $((SECONDS - started)) s"
  {
    printf '%s\t' "$name" "$prints" "$verdict" "$(system_name "$with")" \
      "$(compiler_name)$openmp" "C++$standard \`$told_flags\`" \
      "Eigen $(eigen_version "$eigen_folder")$tried"
    printf '%s\n' "$cases"
  } >"$results/$name"
}

# ---- A bare system

# debootstrap knows Ubuntu's releases by name, an older one not the newer ones, which are made alike.
debootstrap_scripts() { # <system>
  local scripts=/usr/share/debootstrap
  if [[ -e $scripts/scripts/$1 ]]; then return; fi
  rm -rf "$folder/debootstrap"
  cp -r "$scripts" "$folder/debootstrap"
  ln -sf gutsy "$folder/debootstrap/scripts/$1"
  export DEBOOTSTRAP_DIR=$PWD/$folder/debootstrap
}

make_root() { # <system> <root>
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg components=main
  case $1 in
    jammy | noble)
      needs ubuntu-keyring || true
      keys=/usr/share/keyrings/ubuntu-archive-keyring.gpg components=main,universe
      ;;
  esac
  needs debootstrap || return 1
  debootstrap_scripts "$1"
  say "$1: a bare system in $2"
  debootstrap --variant=minbase --keyring="$keys" --components="$components" \
    --include=ca-certificates "$1" "$2" >"$folder/$1.log" 2>&1 || {
    tail -n 5 "$folder/$1.log"
    rm -rf "$2"
    return 1
  }
}

run_in_system() { # <system> <argument>...
  local system=$1 root=$PWD/$folder/system_$1
  shift
  if [[ $(id -u) != 0 ]]; then
    echo "--system has to be run as root" >&2
    exit 1
  fi
  mkdir -p "$folder"
  if [[ ! -d $root ]]; then make_root "$system" "$root"; fi
  mkdir -p "$root/decorr"
  export root
  # In a name space of its own, so that all mounts end with it.
  # shellcheck disable=SC2016  # for the shell that unshare starts
  unshare --mount --propagation private bash -ec '
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount --bind . "$root/decorr"
    exec chroot "$root" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 JOBS="${JOBS:-}" \
      PATH=/usr/sbin:/usr/bin:/sbin:/bin /decorr/tests/portability.sh "$@"' \
    run_in_system "$@" </dev/null
}

# ---- The table

write_table() {
  local name line table
  table=$folder/table.md
  {
    echo
    echo '| row | system | compiler | standard, flags | libraries | test cases |'
    echo '| --- | --- | --- | --- | --- | --- |'
    while read -r name _; do
      line=$(awk -F'\t' '{
        printf "| `%s` | %s | %s | %s | %s | %s%s |\n", $1, $4, $5, $6, $7, $8,
          $3 == "passed" ? "" : ", **" $3 "**" }' "$results/$name" 2>/dev/null || true)
      if [[ -z $line ]]; then line=$(grep -F "| \`$name\` |" "$page" || true); fi
      echo "${line:-| \`$name\` | not run | | | | |}"
    done < <(rows)
    echo
  } >"$table"
  sed -i -e "/^<!-- rows: /,/^<!-- end of the rows/{/^<!--/!d}" -e "/^<!-- rows: /r $table" "$page"
  rm "$table"
}

install=yes
again=no
system=
names=()
passed_on=()
while (($# > 0)); do
  case $1 in
    --no-install) install=no ;;
    --again) again=yes passed_on+=(--again) ;;
    --system)
      system=${2:?a system, as bookworm}
      shift
      ;;
    --list) rows && exit ;;
    --table) write_table && exit ;;
    -*) usage && exit 2 ;;
    *)
      if ! rows | grep -q "^$1 "; then
        echo "no row $1; --list has them" >&2
        exit 2
      fi
      names+=("$1")
      ;;
  esac
  shift
done

if [[ -n $system && $system != "$(this_system)" ]]; then
  run_in_system "$system" "${passed_on[@]}" "${names[@]}"
  exit
fi
mkdir -p "$results"
prints=$(fingerprint)
readonly prints
failed=()
left_out=()
missing=()
while read -r -u 3 name on rest; do
  if ((${#names[@]} > 0)) && [[ " ${names[*]} " != *" $name "* ]]; then continue; fi
  if [[ $on != "$(this_system)" ]]; then
    left_out+=("$name")
    continue
  fi
  if [[ $again == no ]] && grep -q "^$name	$prints	passed	" "$results/$name" 2>/dev/null; then
    say "$name has passed with these sources"
    continue
  fi
  read -r -a columns <<<"$rest"
  run_row "$name" "$on" "${columns[@]}"
done 3< <(rows)
write_table
if ((${#left_out[@]} > 0)); then say "Left out here: ${left_out[*]}"; fi
if ((${#failed[@]} > 0)); then
  say "Failed: ${failed[*]}"
  exit 1
fi
