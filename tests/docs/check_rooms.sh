#!/bin/sh
# Checks that includes between the rooms of src/ go one way, down the list below, that l1 and l2 do not know each other,
# and that docs/design.md is true: it names every room, its files exist, and they contain the names that it gives.
# usage: check_rooms.sh [PROJECT_DIRECTORY]
set -eu
cd "${1:-$(dirname "$0")/../..}"

rooms="api engine load two_level l2/values l2/topology l2/tracking l2/client l2/resp l2/net l1 entry base"

wrong=$(grep -rn '^#include "' src | awk -F'[:"]' -v rooms="$rooms" '
  BEGIN { n = split(rooms, all, " "); for (i = 1; i <= n; ++i) height[all[i]] = n - i + 1 }
  function room(path) { sub(/\/[^\/]*$/, "", path); return path }
  {
    from = room(substr($1, 5)); to = room($4)
    if (!(from in height)) { print $1 ": in no room"; next }
    if (!(to in height)) { print $1 " includes " $4 ": name it from src/, by its room"; next }
    other_level = from == "l1" && to ~ /^l2/ || from ~ /^l2/ && to == "l1"
    if (height[to] > height[from] || other_level) print $1 " includes " $4 ": upward"
  }')

for room in $rooms; do
  grep -q "src/$room/" docs/design.md || wrong="$wrong
docs/design.md does not name src/$room/"
done
for file in $(grep -oE '(src|include|tests)/[A-Za-z0-9_/]+(\.[ch]pp|/)' docs/design.md | sort -u); do
  [ -e "$file" ] || wrong="$wrong
docs/design.md names $file, which is not there"
done
# `Class::name` in `file`, `name` (`file`): the file contains the name.
places=$(grep -oE '`[A-Za-z_:]+` (in `|\(`)(src|include|tests)/[A-Za-z0-9_/]+\.[ch]pp`' docs/design.md |
  sed -E 's/^`([A-Za-z_]+::)*([A-Za-z_]+)` (in `|\(`)(.*)`$/\2 \4/')
[ -n "$places" ] || wrong="$wrong
docs/design.md gives no name with its file"
while read -r name file; do
  [ ! -e "$file" ] || grep -qw "$name" "$file" || wrong="$wrong
docs/design.md names $name in $file, which does not contain it"
done <<END
$places
END
# The table of src/l2: `file` in the first column, without folder and extension.
files=$(awk '/^## / { inside = 0 } /From the bottom:$/ { inside = 1 } inside && /^\| `/' docs/design.md |
  cut -d'|' -f2 | grep -oE '`[a-z0-9_]+`' | tr -d '`')
[ -n "$files" ] || wrong="$wrong
docs/design.md has no table of the files of src/l2"
for file in $files; do
  find src -name "$file.[ch]pp" | grep -q . || wrong="$wrong
docs/design.md names the file $file, which is not there"
done

[ -z "$wrong" ] && exit 0
echo "$wrong"
exit 1
