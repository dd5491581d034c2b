# For the quickstart scripts, which source it.
#
#   install_missing <what they are and what to do elsewhere> <package>...
#
# Installs Debian's packages that are missing where it may, and says what to install where it may
# not, in which case it ends the script.

is_installed() {
  # A gnuplot of another package, or one built by hand, will do.
  if [ "$1" = gnuplot-nox ] && command -v gnuplot >/dev/null; then return 0; fi
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_missing() {
  local elsewhere=$1 package missing=() as_root
  shift
  if ! command -v dpkg-query >/dev/null; then
    echo "quickstart: not a Debian or Ubuntu. Install $elsewhere" >&2
    exit 1
  fi
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  if [ ${#missing[@]} -eq 0 ]; then return; fi

  if [ "$(id -u)" = 0 ]; then
    as_root=(env)
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo env)
  else
    echo "quickstart: missing packages. Install them, then run this again:" >&2
    echo "  sudo apt-get update && sudo apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "Installing ${missing[*]}"
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    -o Dpkg::Use-Pty=0 "${missing[@]}" >/dev/null
}
