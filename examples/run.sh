#!/bin/sh
# Builds and runs the trading example. usage: sh examples/run.sh [its arguments]
set -eu
cd "$(dirname "$0")/.."

sh cmake/prepare.sh
cmake --workflow --preset demo
exec build/demo/examples/trading/trading "$@"
