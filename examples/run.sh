#!/bin/sh
# Builds and runs the trading example. usage: sh examples/run.sh [its arguments; --help names them]
set -eu
cd "$(dirname "$0")/.."

sh cmake/prepare.sh --example
cmake --preset demo
cmake --build --preset demo --target trading
exec build/demo/examples/trading/trading "$@"
