#include "exchange_client.hpp"

#include <algorithm>
#include <thread>

#include <fmt/format.h>

namespace trading {
namespace {

constexpr double kHalfSpread = 0.0001;  // of the price
constexpr int kDepth = 5;

}  // namespace

Candle ExchangeClient::request(const std::string& symbol) {
  ++requests_;
  if (latency_.count() > 0) std::this_thread::sleep_for(latency_);
  if (down_) throw ExchangeError(fmt::format("exchange: 503 for {}", symbol));
  const auto candles = store_.recent_candles(symbol, interval_, 1);
  if (candles.empty()) throw ExchangeError(fmt::format("exchange: unknown symbol {}", symbol));
  return candles.back();
}

Ticker ExchangeClient::ticker(const std::string& symbol) {
  const Candle last = request(symbol);
  return {symbol, last.close, last.close * (1 - kHalfSpread), last.close * (1 + kHalfSpread), last.open_time};
}

OrderBook ExchangeClient::order_book(const std::string& symbol) {
  const Candle last = request(symbol);
  const double quantity = std::max(last.volume, 1.0) / 100;
  OrderBook book{symbol, {}, {}};
  for (int level = 1; level <= kDepth; ++level) {
    book.bids.push_back({last.close * (1 - level * kHalfSpread), quantity * level});
    book.asks.push_back({last.close * (1 + level * kHalfSpread), quantity * level});
  }
  return book;
}

}  // namespace trading
