# shellcheck shell=bash
# What scripts that install Debian's packages have in common; they source it.

# All that the project's own programs, tests and benchmarks are compiled with.
# shellcheck disable=SC2034  # used by those that source this
build_packages=(g++ cmake ninja-build pkg-config libeigen3-dev libfftw3-dev doctest-dev
  libbenchmark-dev libcli11-dev zlib1g-dev nlohmann-json3-dev)

is_installed() {
  # One of another package, or built by hand, will do.
  case $1 in
    gnuplot-nox) if command -v gnuplot >/dev/null; then return 0; fi ;;
    cargo) if command -v cargo >/dev/null; then return 0; fi ;;
    libopenblas0-pthread)
      if [[ $(/sbin/ldconfig -p 2>/dev/null) == *libopenblas.so* ]]; then return 0; fi
      ;;
  esac
  # A word for each of the package's architectures.
  local states
  states=$(dpkg-query --show --showformat='${db:Status-Status} ' "$1" 2>/dev/null) || return 1
  [[ " $states" == *" installed "* ]]
}

# find_missing <package>...: sets `missing` to those that are not installed.
find_missing() {
  local package
  missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
}

# Sets `as_root` to what has to stand before a command. False where this user may not.
become_root() {
  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n env)
  else
    return 1
  fi
}

# apt_install <package>...: after become_root and apt-get update. Says how far it is now and then,
# as hundreds of packages take minutes.
apt_install() {
  # Nobody is asked what becomes of a configuration file that was changed here: it stays.
  local options=(-y -qq --no-install-recommends -o Dpkg::Options::=--force-confdef
    -o Dpkg::Options::=--force-confold) total line count=0
  total=$(apt-get install --simulate "${options[@]}" "$@" | grep -c '^Inst ') || true
  echo "Installing $*: $total packages with what they need, to be downloaded first"
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install "${options[@]}" \
    -o Dpkg::Use-Pty=0 "$@" </dev/null | while read -r line; do
    case $line in
      Unpacking*)
        count=$((count + 1))
        if [ $((count % 50)) -eq 0 ]; then echo "  $count of $total unpacked"; fi
        ;;
    esac
  done
}

# install_available <package>...: installs what is missing where it may, as far as this system has
# it, and sets `missing` to what is so afterwards.
install_available() {
  local as_root package known=()
  find_missing "$@"
  if [ ${#missing[@]} -eq 0 ] || ! become_root; then return; fi
  # The index that fails may be one that nothing here comes from.
  "${as_root[@]}" apt-get update -qq ||
    echo "apt-get update has failed for some index; trying with what there is" >&2
  for package in "${missing[@]}"; do
    if apt-cache show "$package" >/dev/null 2>&1; then known+=("$package"); fi
  done
  if [ ${#known[@]} -eq 0 ]; then return; fi
  apt_install "${known[@]}"
  find_missing "$@"
}

# install_missing <what they are and what to do elsewhere> <package>...: installs what is missing
# where it may, and says what to install where it may not, in which case it ends the script.
install_missing() {
  local elsewhere=$1 missing
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "${0##*/}: not a Debian or Ubuntu. Install $elsewhere" >&2
    exit 1
  fi
  install_available "$@"
  if [ ${#missing[@]} -ne 0 ]; then
    echo "${0##*/}: missing packages. Install them, then run this again:" >&2
    echo "  sudo apt-get update && sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
}
