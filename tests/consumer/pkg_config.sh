#!/bin/sh
# usage: pkg_config.sh SOURCE PROGRAM COMPILER [FLAG...]     (PKG_CONFIG_PATH names the installed library)
set -eu
source=$1 program=$2
shift 2
# shellcheck disable=SC2046  # a list of flags
"$@" -std=c++20 "$source" -o "$program" $(pkg-config --cflags --libs dsta_cache)
"$program"
