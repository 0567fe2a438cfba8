#!/bin/sh
# Compares the cost of the hot paths with the golden file: allocations must be equal, and instructions, counted where
# valgrind is there, no more than a tenth above.
#
#     check_cost.sh PROGRAM GOLDEN            fails if a row costs more
#     check_cost.sh PROGRAM GOLDEN --update   writes the golden file again
#
# Instructions are those of an optimized build by g++: an unoptimized one has DSTA_COST_INSTRUCTIONS=no.
set -eu
program=$1
golden=$2
update=${3:-}

instructions_of() {
  for count in 1000 3000; do
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$count" 2>&1 | awk '/Collected/ {print $4}'
  done | awk 'NR == 1 {first = $1} NR == 2 {printf "%d\n", ($1 - first) / 2000}'
}

counts=yes
if [ "${DSTA_COST_INSTRUCTIONS:-yes}" = no ] || ! command -v valgrind >/dev/null; then
  counts=no
  echo "instructions are not counted"
fi

new=$(mktemp)
trap 'rm -f "$new"' EXIT
for row in $("$program" --list); do
  allocations=$("$program" "$row" 2000)
  instructions=-
  [ $counts = no ] || instructions=$(instructions_of "$row")
  echo "$row $allocations $instructions"
done >"$new"

if [ "$update" = --update ]; then
  [ $counts = yes ] || { echo "an update needs valgrind" >&2; exit 2; }
  { grep '^#' "$golden" || true; cat "$new"; } >"$golden.new"
  mv "$golden.new" "$golden"
  exit 0
fi

awk '
  FNR == 1 { file++ }
  /^#/ { next }
  file == 1 { allocations[$1] = $2; instructions[$1] = $3; next }
  {
    printf "%-20s allocations %6s (golden %6s)  instructions %6s (golden %6s)\n", $1, $2, allocations[$1], $3, instructions[$1]
    seen[$1] = 1
    if (!($1 in allocations)) { print "  is not in the golden file"; bad = 1; next }
    if ($2 + 0 > allocations[$1] + 0.05) { print "  more allocations"; bad = 1 }
    if ($2 + 0 < allocations[$1] - 0.05) { print "  fewer allocations: update the golden file"; bad = 1 }
    if ($3 != "-" && $3 > instructions[$1] * 1.1) { print "  more instructions"; bad = 1 }
  }
  END {
    for (row in allocations) if (!(row in seen)) { print row " is missing"; bad = 1 }
    exit bad
  }' "$golden" "$new"
