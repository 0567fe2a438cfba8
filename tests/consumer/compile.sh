#!/bin/sh
# Compiles a program without a build system, and runs it.
# usage: compile.sh installed SOURCE PROGRAM COMPILER [FLAG...]    (PKG_CONFIG_PATH names the installed library)
#        compile.sh header_only SOURCE PROGRAM COMPILER [FLAG...]  (the library's sources as one of the program's)
set -eu
way=$1 source=$2 program=$3
shift 3
mkdir -p "$(dirname "$program")"
case $way in
  installed)
    # Not as system headers, whose warnings nobody sees.  shellcheck disable=SC2046  # a list of flags
    "$@" "$source" -o "$program" $(pkg-config --cflags --libs dsta_cache)
    ;;
  header_only)
    root=$(cd "$(dirname "$0")/../.." && pwd)
    cmake -D OUTPUT="$program.include" -D WITH_HEADERS=ON -P "$root/cmake/header_only.cmake"
    echo '#include <dsta/cache/src.hpp>' > "$program.src.cpp"
    "$@" -I"$program.include" "$program.src.cpp" "$source" -o "$program" -lhiredis -lfmt -pthread
    ;;
esac
exec "$program"
