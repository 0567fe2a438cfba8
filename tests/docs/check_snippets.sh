#!/bin/sh
# Checks README.md and docs/*.md: every C++ block is quoted, to the letter, from a region of a program that the tests
# run, and every relative link leads to a file, and to a heading when it names one.
#   <!-- quoted from examples/010-quick_start.cpp [program] -->   stands on the line before the block;
#   // [program] and // [/program]   enclose the region, which is quoted without its common indentation.
# usage: check_snippets.sh [PROJECT_DIRECTORY]
set -eu
cd "${1:-$(dirname "$0")/../..}"

files=$(find README.md docs -name '*.md' 2>/dev/null | sort)
[ -n "$files" ] || { echo "no README.md and no docs/*.md in $(pwd)" >&2; exit 1; }

# shellcheck disable=SC2086  # a list of names without blanks
exec awk '
  function complain(text) {
    print FILENAME ":" FNR ": " text
    bad = 1
  }
  # The text of a region, dedented, without the marks of regions inside it; "" when there is none.
  function region(path, name,    line, rest, inside, count, lines, indent, least, i, text) {
    while ((getline line < path) > 0) {
      rest = line
      sub(/^ */, "", rest)
      if (rest == "// [" name "]") { inside = 1; continue }
      if (rest == "// [/" name "]") { inside = 0; continue }
      if (!inside || rest ~ /^\/\/ \[\/?[a-z_0-9]+\]$/) continue
      lines[++count] = line
      indent = length(line) - length(rest)
      if (rest != "" && (least == "" || indent < least)) least = indent
    }
    close(path)
    for (i = 1; i <= count; ++i) text = text substr(lines[i], least + 1) "\n"
    return text
  }
  # As the anchor of a heading is made: lower case, punctuation dropped, blanks to hyphens.
  function slug(heading) {
    heading = tolower(heading)
    gsub(/[^a-z0-9_ -]/, "", heading)
    gsub(/ /, "-", heading)
    return heading
  }
  function has_heading(path, anchor,    line, found, fenced) {
    while ((getline line < path) > 0) {
      if (line ~ /^```/) fenced = !fenced
      if (!fenced && line ~ /^#+ / && slug(substr(line, index(line, " ") + 1)) == anchor) found = 1
    }
    close(path)
    return found
  }
  function exists(path) { return system("test -e '\''" path "'\''") == 0 }
  function check_link(target,    folder, anchor) {
    if (target ~ /^[a-z]+:/) return
    anchor = ""
    if (index(target, "#")) {
      anchor = substr(target, index(target, "#") + 1)
      target = substr(target, 1, index(target, "#") - 1)
    }
    folder = FILENAME
    if (!sub(/\/[^\/]*$/, "/", folder)) folder = ""
    target = target == "" ? FILENAME : folder target
    ++links
    if (!exists(target)) complain("the link to " target " leads nowhere")
    else if (anchor != "" && !has_heading(target, anchor)) complain(target " has no heading #" anchor)
  }

  FNR == 1 { block = 0; code = 0; mark = "" }

  block && /^```$/ {
    block = 0
    ++blocks
    if (expected == "") complain("there is no region [" name "] in " path)
    else if (text != expected) complain("the block above is not what " path " [" name "] says:\n" expected)
    next
  }
  block { text = text $0 "\n"; next }
  code { if (/^```$/) code = 0; next }

  /^```cpp/ {
    block = 1
    text = ""
    if (mark !~ /^<!-- quoted from [^ ]+ \[[a-z_0-9]+\] -->$/) {
      complain("a C++ block without <!-- quoted from FILE [REGION] --> on the line before it")
      block = 0
      code = 1
      next
    }
    split(mark, word, " ")
    path = word[4]
    name = substr(word[5], 2, length(word[5]) - 2)
    expected = region(path, name)
    next
  }
  /^```/ { code = 1; next }

  {
    mark = $0
    rest = $0
    gsub(/`[^`]*`/, "", rest)
    while (match(rest, /\]\([^)]*\)/)) {
      check_link(substr(rest, RSTART + 2, RLENGTH - 3))
      rest = substr(rest, RSTART + RLENGTH)
    }
  }

  END {
    print blocks + 0 " quoted blocks and " links + 0 " links in " ARGC - 1 " files"
    exit bad
  }
' $files
