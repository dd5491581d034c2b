#!/bin/sh
# Two objects that are compiled for different processors share no function that uses instructions
# of the second one alone: the linker keeps one copy of those with the same name, and a processor of
# the first kind may meet the second's.
#
#   check_vector_code.sh <nm> <objdump> <baseline object> <other object>
set -eu
nm=$1 objdump=$2 baseline=$3 other=$4

weak_functions() { "$nm" --defined-only "$1" | awk '$2 == "W" { print $3 }'; }

# In 64-bit mode C4, C5 and 62 begin a VEX or an EVEX prefix and nothing else: AVX, AVX2, AVX-512,
# FMA and BMI. A segment's prefix may stand before it.
found=$({
  weak_functions "$baseline" | sed 's/^/first /'
  weak_functions "$other" | sed 's/^/second /'
  "$objdump" -d -w "$other"
} | awk '
  $1 == "first" && NF == 2 { first[$2]; next }
  $1 == "second" && NF == 2 { if ($2 in first) { shared[$2]; ++names } next }
  /^[0-9a-f]+ <.*>:$/ { name = substr($2, 2, length($2) - 3); next }
  /^ +[0-9a-f]+:/ {
    sub(/^ +[0-9a-f]+:[ \t]+/, "")
    sub(/^((64|65|2e|3e) )+/, "")
    if ($0 !~ /^(c4|c5|62) / && $0 !~ /[ \t](popcnt|lzcnt|movbe)/) next
    ++all
    if (!(name in shared)) next
    if (!(name in count)) { sub(/^[0-9a-f ]*\t/, ""); example[name] = $0 }
    ++count[name]
  }
  END {
    if (names < 10 || all < 100) {
      print "nothing to judge by: " names + 0 " shared names, " all + 0 " vector instructions"
    }
    for (name in count) print name ": " count[name] ", such as " example[name]
  }')
if [ -z "$found" ]; then exit 0; fi
echo "Instructions of $other in functions that $baseline has under the same name:"
if command -v c++filt >/dev/null; then
  echo "$found" | c++filt
else
  echo "$found"
fi | sort
exit 1
