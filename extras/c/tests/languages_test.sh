#!/usr/bin/env bash
# Runs a program of docs/languages.md: languages_test.sh PAGE SECTION FOLDER CHECK writes the
# section's blocks into the folder, each to the file that its first line names, runs the section's
# commands there, and hands the last line that they print to CHECK.
set -euo pipefail
page=$1
section=$2
folder=$3
check=$4

rm -rf "$folder"
mkdir -p "$folder"
awk -v section="## $section" -v folder="$folder/" '
  /^## / { inside = $0 == section }
  !inside { next }
  /^```$/ { state = ""; next }
  /^```sh$/ { state = "text"; file = "commands.sh"; next }
  /^```/ { state = "name"; next }
  state == "name" { file = $2; state = "text" }
  state == "text" { print > (folder file) }
' "$page"

cd "$folder"
sh -e commands.sh | tee printed.txt
tail -n 1 printed.txt | "$check"
