# What scripts that install Debian's packages have in common; they source it.

is_installed() {
  # One of another package, or built by hand, will do.
  case $1 in
    gnuplot-nox) if command -v gnuplot >/dev/null; then return 0; fi ;;
    cargo) if command -v cargo >/dev/null; then return 0; fi ;;
  esac
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
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

# apt_install <package>...: after become_root and apt-get update.
apt_install() {
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "$@" >/dev/null
}

# install_missing <what they are and what to do elsewhere> <package>...: installs what is missing
# where it may, and says what to install where it may not, in which case it ends the script.
install_missing() {
  local elsewhere=$1 missing as_root
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "quickstart: not a Debian or Ubuntu. Install $elsewhere" >&2
    exit 1
  fi
  find_missing "$@"
  if [ ${#missing[@]} -eq 0 ]; then return; fi
  if ! become_root; then
    echo "quickstart: missing packages. Install them, then run this again:" >&2
    echo "  sudo apt-get update && sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  apt_install "${missing[@]}"
}
