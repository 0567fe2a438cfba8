#!/bin/sh
# Installs what building and testing need and this machine lacks (Debian 12, Ubuntu 24.04).
# usage: sh cmake/prepare.sh [--clang | --example]
#   --clang    clang++ and clang-format-14 as well
#   --example  only what the trading example needs
set -eu
for_tests=true
[ "${1-}" != --example ] || for_tests=false

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
if $for_tests; then
  # The server's binary without the service that the redis-server package starts: redis-check-rdb is
  # the same executable, which serves when it is called by the name redis-server.
  tool redis-check-rdb redis-tools
  tool openssl openssl
fi
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
packages="libhiredis-dev nlohmann-json3-dev libfmt-dev libssl-dev libzstd-dev libcli11-dev libsqlitecpp-dev \
  libhowardhinnant-date-dev"
$for_tests && packages="$packages libgtest-dev libgmock-dev libbenchmark-dev"
for package in $packages; do
  library "$package"
done
# Boost.PFR; Debian 12's libboost-dev is too old for it.
if $for_tests && ! [ -e /usr/include/boost/pfr.hpp ]; then
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

# apt tries each package for minutes where there is no network: one small file says so sooner.
first=$(apt-get update --print-uris 2>/dev/null | sed -n "s/^'\\([^']*\\)'.*/\\1/p;1q")
probe=$(mktemp -d)
trap 'rm -rf "$probe"' EXIT
if [ -n "$first" ] && [ -x /usr/lib/apt/apt-helper ]; then
  timeout 20 /usr/lib/apt/apt-helper -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10 \
    download-file "$first" "$probe/release" >/dev/null 2>&1 || cannot "no answer from $first"
fi

update() {
  $as_root apt-get -q update || cannot "apt-get update failed"
}
install() {
  # shellcheck disable=SC2086  # a list of words
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing
}

echo "prepare: installing$missing"
[ -n "$(find /var/lib/apt/lists -name '*Packages*' -mtime -1 2>/dev/null | head -n 1)" ] || update
install || {  # the package lists may be older than the packages
  update
  install || cannot "apt-get install failed"
}
