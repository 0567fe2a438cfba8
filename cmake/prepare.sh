#!/bin/sh
# Installs what building and testing need and this machine lacks (Debian 12, Ubuntu 24.04).
# usage: sh cmake/prepare.sh [--clang]     --clang: clang++ and clang-format-14 as well
set -eu

missing=
tool() {  # tool COMMAND PACKAGE
  command -v "$1" >/dev/null 2>&1 || missing="$missing $2"
}
library() {  # library PACKAGE
  case $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) in
    installed*) ;;
    *) missing="$missing $1" ;;
  esac
}

tool g++ g++
tool cmake cmake
tool ninja ninja-build
tool pkg-config pkg-config
# The server's binary without the service that the redis-server package starts: redis-check-rdb is
# the same executable, which serves when it is called by the name redis-server.
tool redis-check-rdb redis-tools
tool openssl openssl
if [ "${1-}" = --clang ]; then
  tool clang++ clang
  library libclang-rt-dev  # the sanitizers'
  tool clang-format-14 clang-format-14
fi

if ! command -v dpkg-query >/dev/null 2>&1; then
  echo "prepare: not a Debian system; install by hand what the build reports missing:${missing:-} hiredis" \
    "nlohmann-json fmt gtest gmock benchmark CLI11 SQLiteCpp date" >&2
  exit 0
fi
for package in libhiredis-dev nlohmann-json3-dev libfmt-dev libgtest-dev libgmock-dev libbenchmark-dev libssl-dev \
  libzstd-dev libcli11-dev libsqlitecpp-dev libhowardhinnant-date-dev; do
  library "$package"
done
# Boost.PFR; Debian 12's libboost-dev is too old for it.
if ! [ -e /usr/include/boost/pfr.hpp ]; then
  if [ "$(. /etc/os-release && echo "${VERSION_CODENAME-}")" = bookworm ]; then
    missing="$missing libboost1.81-dev"
  else
    missing="$missing libboost-dev"
  fi
fi
[ -n "$missing" ] || exit 0

cannot() {
  echo "prepare: cannot install$missing ($1)" >&2
  echo "prepare: install them by hand:  apt-get install$missing" >&2
  exit 1
}
as_root=
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null 2>&1 || cannot "neither root nor sudo"
  as_root=sudo
fi
install() {
  # shellcheck disable=SC2086  # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing
}

echo "prepare: installing$missing"
install >/dev/null 2>&1 || {  # often only the package lists are missing or old
  $as_root apt-get update || cannot "apt-get update failed"
  install || cannot "apt-get install failed"
}
