#!/usr/bin/env bash
# docs/install_missing.sh against a dpkg and an apt that are made up: what it takes for installed, and
# how it calls them.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$root/docs/install_missing.sh"

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export PATH=$folder:$PATH FOLDER=$folder

# make_program <name>: from its text on the standard input.
make_program() {
  { printf '#!/bin/bash\n'; cat; } >"$folder/$1"
  chmod +x "$folder/$1"
}
fail() {
  echo "failed: $*" >&2
  exit 1
}

# A package of two architectures, one of which only half of it is there, one removed, one unknown. What
# stands for a format is expanded as dpkg-query does.
make_program dpkg-query <<'PROGRAM'
format=${2#--showformat=}
case $3 in
  two) states=(installed installed) ;;
  half) states=(half-installed) ;;
  removed) states=(config-files) ;;
  mixed) states=(config-files installed) ;;
  *) if [ -e "$FOLDER/installed-$3" ]; then states=(installed); else exit 1; fi ;;
esac
for state in "${states[@]}"; do printf "${format//'${db:Status-Status}'/$state}"; done
PROGRAM
find_missing two half removed mixed unknown
[ "${missing[*]}" = "half removed unknown" ] || fail "missing are: ${missing[*]}"

# An index that cannot be read, beside those that can.
make_program apt-get <<'PROGRAM'
echo "$*" >>"$FOLDER/calls"
echo "${DEBIAN_FRONTEND:-}" >>"$FOLDER/frontends"
case $* in
  update*) echo "E: The repository 'nowhere' is not signed." >&2; exit 100 ;;
  *--simulate*) echo "Inst unknown" ;;
  install*) touch "$FOLDER/installed-unknown" ;;
esac
PROGRAM
make_program apt-cache <<'PROGRAM'
[ "$2" = unknown ]
PROGRAM
make_program sudo <<'PROGRAM'
shift
exec "$@"
PROGRAM
install_available two unknown nowhere >"$folder/output" 2>&1 || fail "an index ends it"
[ "${missing[*]}" = nowhere ] || fail "missing are: ${missing[*]}"
grep -q "apt-get update has failed" "$folder/output" || fail "nothing is said of the index"
call=$(grep '^install' "$folder/calls" | grep -v -e --simulate)
for option in -y --no-install-recommends Dpkg::Options::=--force-confdef \
  Dpkg::Options::=--force-confold; do
  [[ " $call " == *" $option "* ]] || fail "$option is not in: $call"
done
[[ $call == *" unknown" ]] || fail "installed is: $call"
[ "$(tail -1 "$folder/frontends")" = noninteractive ] || fail "dpkg may ask"
echo "install_missing.sh: as expected"
