#!/bin/sh
# Passes when CASE fails to compile with one error, a static assertion that contains the text after
# "// expect: " on the case's first line, and compiles with -DDSTA_CONTROL.
# usage: check.sh CASE COMPILER [ARGUMENT...]
set -u
export LC_ALL=C
case_file=$1
shift
expected=$(sed -n '1s|^// expect: ||p' "$case_file")

fail() {
  echo "$case_file: $1"
  echo "$output"
  exit 1
}
compile() {
  output=$("$@" -std=c++20 -fsyntax-only -fmessage-length=0 "$case_file" 2>&1)
}

output=
[ -n "$expected" ] || fail "the first line is not '// expect: TEXT'"
compile "$@" -DDSTA_CONTROL || fail "the control does not compile"
compile "$@" && fail "compiles, but must not"
errors=$(echo "$output" | grep ' error: ')
[ "$(echo "$errors" | wc -l)" -eq 1 ] || fail "more or less than one error"
echo "$errors" | grep -q -e 'static assertion failed' -e 'static_assert failed' || fail "not a static assertion"
echo "$errors" | grep -qF -e "$expected" || fail "the error does not say: $expected"
