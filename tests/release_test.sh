#!/usr/bin/env bash
# What `.ci/release --check` refuses, in a repository that has of this one what it reads.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() {
  cat "$folder/output" >&2
  echo "failed: $*" >&2
  exit 1
}

# No settings but these.
export HOME=$folder GIT_CONFIG_NOSYSTEM=1
export GIT_AUTHOR_NAME=test GIT_AUTHOR_EMAIL=test@decorr.example
export GIT_COMMITTER_NAME=test GIT_COMMITTER_EMAIL=test@decorr.example
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
mkdir "$folder/copy"
(cd "$root" && cp --parents .ci/release .gitignore CHANGELOG.md CITATION.cff README.md \
  cmake/packaging/debian/changelog cmake/packaging/vcpkg/vcpkg.json extras/python/pyproject.toml \
  extras/rust/Cargo.lock extras/rust/Cargo.toml extras/rust/tests/dependent/Cargo.lock \
  include/decorr/version.hpp tests/check_versions.cmake "$folder/copy")
cd "$folder/copy"

# write_changes <first section>: above those that are there.
write_changes() {
  printf '# Changes\n\n## %s\n\n' "$1" >CHANGELOG.md
  sed -n '/^## [0-9]/,$p' "$root/CHANGELOG.md" >>CHANGELOG.md
}
commit() { git add --all && git commit --quiet --message "$1"; }
accepted() { .ci/release --check >"$folder/output" 2>&1 || fail "refused: $*"; }
refused() {
  if .ci/release --check >"$folder/output" 2>&1; then fail "accepted, though $1"; fi
  grep -q "$2" "$folder/output" || fail "$1: nothing is said of \"$2\""
}

version=$(sed -n 's/^## \([0-9][^ ]*\) - .*/\1/p' CHANGELOG.md | head -n 1)
git init --quiet
write_changes "$version - 2026-12-01"
commit "A version"
accepted "$version"

touch new_file
refused "a file is not committed" "No release: what is not committed"
rm new_file

write_changes Unreleased
commit "More to come"
refused "there are changes of no version" "begins with \"## Unreleased\""
write_changes "$version"
commit "No date"
refused "the date is missing" "begins with \"## $version\""
write_changes "99.0.0 - 2026-12-01"
commit "Another version"
refused "the changelog has another version" "CHANGELOG.md has the version \"99.0.0\""

write_changes "$version - 2026-12-01"
sed -i 's/^version: .*/version: 99.0.0/' CITATION.cff
commit "Another version to be cited"
refused "a file has another version" "CITATION.cff has the version \"99.0.0\""
git checkout --quiet HEAD^ -- CITATION.cff
commit "The version to be cited"
accepted "$version"

git tag "v$version"
accepted "$version, whose tag is here"
printf '\n' >>CHANGELOG.md
commit "After the tag"
refused "the version has been released" "No release: v$version is the tag of another commit"
echo ".ci/release --check: as expected"
