#!/bin/sh
# Prints what the public headers cost a file that includes them: user time of -fsyntax-only, medians of interleaved runs.
# usage: sh tests/compile_cost.sh [RUNS] [COMPILER]     default: 5 g++
#
#   cache.hpp   a file with one wrapped function, against the standard headers alone that our headers include directly:
#               at most 1.3 times
#   json.hpp    a file with one codec in use, against those standard headers and <nlohmann/json.hpp>: at most 1.2 times
set -eu
cd "$(dirname "$0")/.."
runs=${1:-5}
compiler=${2:-g++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/cache.cpp" <<'END'
#include <dsta/cache.hpp>

double fetch_price(const std::string& symbol);
double price(dsta::cache::CacheManager& cache) {
  auto cached_price = cache.cached({.ttl = std::chrono::seconds(60), .prefix = "price"}, fetch_price);
  return cached_price("BTCUSDT");
}
END
cat > "$work/json.cpp" <<'END'
#include <dsta/cache/json.hpp>

struct Candle {
  std::string symbol;
  double open, close;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Candle, symbol, open, close)
std::string encode(const Candle& candle) {
  std::string bytes;
  dsta::cache::codec<Candle>::encode(candle, bytes);
  return bytes;
}
bool decode(std::string_view bytes) { return dsta::cache::codec<Candle>::decode(bytes).has_value(); }
END
# What stands in the headers of ours that a file reaches: standard headers and <nlohmann/json.hpp>.
for name in cache json; do
  "$compiler" -std=c++20 -Iinclude -M "$work/$name.cpp" | tr -s ' \\' '\n\n' | grep '^include/dsta/' |
    xargs grep -hoE '^#include <([a-z_0-9.]+|nlohmann/[a-z_.]+)>' | sort -u > "$work/only_$name.cpp"
done

run=0
while [ "$run" -lt "$runs" ]; do
  for name in only_cache cache only_json json; do
    # The second line of `times` has what the children of a shell took: user and system.
    sh -c '"$1" -std=c++20 -Iinclude -fsyntax-only "$2"; times' sh "$compiler" "$work/$name.cpp" |
      awk 'NR == 2 { split($1, part, /[ms]/); print part[1] * 60 + part[2] }' >> "$work/$name.times"
  done
  run=$((run + 1))
done

median() {
  sort -n "$work/$1.times" | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2 }'
}
for name in cache json; do
  awk -v name="$name" -v with="$(median $name)" -v without="$(median only_$name)" 'BEGIN {
    printf "%s.hpp: %.2f s, what it includes %.2f s: %.2f times\n", name, with, without, with / without
  }'
done
