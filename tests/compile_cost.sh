#!/bin/sh
# What the public headers cost a file that includes them: user time of `-fsyntax-only`, medians of interleaved runs.
# usage: sh tests/compile_cost.sh [RUNS] [COMPILER]     default: 5 g++
#
#   cache.hpp   a file with one wrapped function, against the standard headers alone that our headers include; at most
#               1.3 times as long
#   json.hpp    what it and a codec in use add to that file, against what <nlohmann/json.hpp> alone adds; at most 1.2
set -eu
cd "$(dirname "$0")/.."
runs=${1:-5}
compiler=${2:-g++}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/wrapped.cpp" <<'END'
#include <dsta/cache.hpp>

double fetch_price(const std::string& symbol);
double price(dsta::cache::CacheManager& cache) {
  auto cached_price = cache.cached({.ttl = std::chrono::seconds(60), .prefix = "price"}, fetch_price);
  return cached_price("BTCUSDT");
}
END
{ cat "$work/wrapped.cpp" && echo '#include <nlohmann/json.hpp>'; } > "$work/nlohmann.cpp"
{ cat "$work/wrapped.cpp" && cat <<'END'; } > "$work/json.cpp"
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
# The standard headers that our headers include: every header of ours that the file reaches, and what stands in it.
"$compiler" -std=c++20 -Iinclude -M "$work/wrapped.cpp" | tr -s ' \\' '\n\n' | grep '^include/dsta/' |
  xargs grep -hoE '^#include <[a-z_0-9.]+>' | sort -u > "$work/standard.cpp"

times() {  # times NAME: adds the user time of one run, in seconds, to NAME.times
  { time -p "$compiler" -std=c++20 -Iinclude -fsyntax-only "$work/$1.cpp"; } 2>&1 |
    awk '/^user/ { print $2 }' >> "$work/$1.times"
}
run=0
while [ "$run" -lt "$runs" ]; do
  for name in standard wrapped nlohmann json; do times "$name"; done
  run=$((run + 1))
done

median() { sort -n "$work/$1.times" | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int(NR / 2) + 1]) / 2 }'; }
awk -v standard="$(median standard)" -v wrapped="$(median wrapped)" -v nlohmann="$(median nlohmann)" \
  -v json="$(median json)" 'BEGIN {
    printf "cache.hpp: %.2f s, its standard headers %.2f s: %.2f times\n", wrapped, standard, wrapped / standard
    printf "json.hpp: adds %.2f s, nlohmann/json.hpp %.2f s: %.2f times\n", json - wrapped, nlohmann - wrapped,
      (json - wrapped) / (nlohmann - wrapped)
  }'
