#!/bin/sh
# Builds and runs the tests.
set -eu
usage='usage: sh tests/run.sh [test|clang|asan|tsan]
  test   everything, with g++ (the default)
  clang  everything but the long tests, with clang++
  asan   under AddressSanitizer and UndefinedBehaviorSanitizer
  tsan   under ThreadSanitizer'
preset=${1:-test}
case $preset in
  test | clang | asan | tsan) [ $# -le 1 ] || preset= ;;
  -h | --help) echo "$usage" && exit 0 ;;
  *) preset= ;;
esac
if [ -z "$preset" ]; then
  echo "tests/run.sh: not understood: $*" >&2
  echo "$usage" >&2
  exit 2
fi

cd "$(dirname "$0")/.."
case $preset in
  test) sh cmake/prepare.sh ;;
  *) sh cmake/prepare.sh --clang ;;
esac

CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)
# Most tests wait most of the time; under the sanitizers they compute.
case $preset in
  test | clang) CTEST_PARALLEL_LEVEL=$((3 * CMAKE_BUILD_PARALLEL_LEVEL)) ;;
  *) CTEST_PARALLEL_LEVEL=$((2 * CMAKE_BUILD_PARALLEL_LEVEL)) ;;
esac
DSTA_CACHE_CHAOS=${DSTA_CACHE_CHAOS:-short}  # see docs/testing.md
export CMAKE_BUILD_PARALLEL_LEVEL CTEST_PARALLEL_LEVEL DSTA_CACHE_CHAOS

# Older ThreadSanitizer runtimes abort on kernels that randomize addresses by more than 28 bits.
if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then
  exec setarch -R cmake --workflow --preset tsan
fi
exec cmake --workflow --preset "$preset"
