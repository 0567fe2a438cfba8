#!/bin/sh
# Builds and runs the tests. usage: sh tests/run.sh [test|asan|tsan|clang]
set -eu
cd "$(dirname "$0")/.."
preset=${1:-test}

case $preset in
  clang | asan | tsan) sh cmake/prepare.sh --clang ;;
  *) sh cmake/prepare.sh ;;
esac

CMAKE_BUILD_PARALLEL_LEVEL=$(nproc)
CTEST_PARALLEL_LEVEL=$((2 * CMAKE_BUILD_PARALLEL_LEVEL))  # most tests wait most of the time
export CMAKE_BUILD_PARALLEL_LEVEL CTEST_PARALLEL_LEVEL

# Older ThreadSanitizer runtimes abort on kernels that randomize addresses by more than 28 bits.
if [ "$preset" = tsan ] && setarch -R true 2>/dev/null; then
  exec setarch -R cmake --workflow --preset tsan
fi
exec cmake --workflow --preset "$preset"
