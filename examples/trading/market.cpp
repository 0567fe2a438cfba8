#include "market.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "candle_csv.hpp"
#include "random_walk.hpp"

namespace trading {
namespace {

void add(Market& market, CandleStore& store, const std::string& symbol, std::vector<Candle> candles) {
  market.upcoming[symbol] = candles.back();
  candles.pop_back();
  store.replace_series(symbol, market.interval, candles);
  market.stored += candles.size();
  market.symbols.push_back(symbol);
}

}  // namespace

Market load_market(const Options& options, CandleStore& store) {
  Market market;
  WalkOptions walk;
  walk.seed = options.seed;
  walk.count = options.candles_per_symbol;
  market.interval = interval_name(walk.step);
  market.source = fmt::format("random walk, seed {}", options.seed);

  if (!options.candles.empty()) {
    auto candles = read_candles(options.candles);
    if (candles.size() < kFewestCandles) {
      throw std::runtime_error(
          fmt::format("{}: {} candles; the indicators need {}", options.candles, candles.size(), kFewestCandles));
    }
    market.source =
        options.symbols.empty() ? options.candles : fmt::format("{} and a {}", options.candles, market.source);
    walk.first_open_time = candles.front().open_time;
    walk.step = step_of(candles);
    market.interval = interval_name(walk.step);
    add(market, store, options.symbol, std::move(candles));
  }
  for (const auto& symbol : options.symbols) add(market, store, symbol, random_walk(symbol, walk));
  return market;
}

}  // namespace trading
