#!/bin/sh
# Checks that the table of entry options in docs/freshness.md has the fields of EntryOptions, in their order: C++ wants
# designated initializers in the order of the struct, and people write them in the order of the table.
# usage: check_options.sh [PROJECT_DIRECTORY]
set -eu
cd "${1:-$(dirname "$0")/../..}"

fields=$(awk '/^struct EntryOptions/ { inside = 1 } /^};/ { inside = 0 }
  inside && /^  [A-Za-z].* [a-z_]+ = \{\};$/ { print $(NF - 2) }' include/dsta/cache/options.hpp)
rows=$(awk '/^## / { inside = $0 == "## Entry options" }
  inside && /^\| `/ { gsub(/`/, "", $2); print $2 }' docs/freshness.md)
[ -n "$fields" ] && [ "$fields" = "$rows" ] && exit 0
echo "EntryOptions has" $fields
echo "docs/freshness.md has" $rows
exit 1
