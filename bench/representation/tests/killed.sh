#!/usr/bin/env bash
# Kills a training, and a study, at random instants until they end, and compares what they print and
# write with what an undisturbed run does: all but the times has to be the same, character by
# character. Times end in _ms, and a row of costs is nothing else.
#
#   killed.sh <decorr_representation> <folder>
set -euo pipefail
program=$1
folder=$2
rm -rf "$folder"
mkdir -p "$folder"

without_times() { sed -E 's/"(seconds|[a-z]*_?(ms|milliseconds))": ?[-+0-9.e]+,?//g'; }

# until_it_ends <command>...: at most 8 kills; the last run is left alone. The seed makes the
# instants others in every line, but what the process is doing then is up to the machine.
RANDOM=14
until_it_ends() {
  local attempt kills=0
  for attempt in {1..8}; do
    "$@" >"$folder/output" &
    local process=$!
    sleep "0.$((RANDOM % 60 + 20))"
    if ! kill -KILL "$process" 2>/dev/null; then
      wait "$process"
      break
    fi
    if wait "$process" 2>/dev/null; then break; fi
    kills=$((kills + 1))
    if [[ $attempt == 8 ]]; then "$@" >"$folder/output"; fi
  done
  echo "killed $kills times"
  if ((kills < 2)); then
    echo "too few to have seen anything" >&2
    exit 1
  fi
}

# By another number of threads, too.
training=(train --dimension 256 --batch-size 128 --steps 400 --loss vicreg --block-size 64)
"$program" --threads 2 "${training[@]}" | grep -A 100 '^{' | without_times >"$folder/expected"
until_it_ends "$program" --threads 1 "${training[@]}" --checkpoint "$folder/checkpoint" \
  --checkpoint-seconds 0.02
if ! [[ -s $folder/checkpoint ]]; then
  echo "no checkpoint was written" >&2
  exit 1
fi
grep -A 100 '^{' "$folder/output" | without_times | diff "$folder/expected" -

study=(study --steps 30 --draws 5 --seeds 3 --checkpoint-seconds 0.02
  --only 'leaving.*/signs/|adversarial copies.*/(plain|signs)/')
"$program" --threads 2 "${study[@]}" --folder "$folder/undisturbed" >/dev/null
until_it_ends "$program" --threads 2 "${study[@]}" --folder "$folder/killed"
for run in undisturbed killed; do
  without_times <"$folder/$run/results.jsonl" | sort >"$folder/$run.rows"
done
diff "$folder/undisturbed.rows" "$folder/killed.rows"
echo "$(wc -l <"$folder/killed.rows") rows, the same"
