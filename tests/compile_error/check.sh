#!/bin/sh
# Passes when CASE fails to compile with one error, in at most 25 lines, that contains the text after "// expect: " on the
# case's first line, and compiles with -DDSTA_CONTROL. Longer messages, of types deep inside a value, have their own limit:
# "// lines: N" on the second line. The error is a static assertion or a call that detail/refusal.hpp
# refuses.
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
echo "$output" | grep -q -e 'static assertion failed' -e 'static_assert failed' -e "from 'diagnose_if'" \
  -e ' is unavailable: ' -e 'use of deleted function .*<template-parameter[-0-9]*> = dsta::cache::v1::detail::error<' \
  -e 'use of deleted function ‘dsta::cache::v1::detail::error<' -e "use of deleted function 'dsta::cache::v1::detail::error<" ||
  fail "neither a static assertion nor a refusal"
limit=$(sed -n '2s|^// lines: ||p' "$case_file")
[ "$(echo "$output" | wc -l)" -le "${limit:-25}" ] || fail "more than ${limit:-25} lines"
echo "$errors" | grep -qF -e "$expected" || fail "the error does not say: $expected"
