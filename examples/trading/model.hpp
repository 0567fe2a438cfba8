// What the market-data service deals in: plain values, comparable, with no behaviour of their own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace trading {

struct Candle {
  std::int64_t open_time = 0;  ///< milliseconds since 1970, UTC
  double open = 0;
  double high = 0;
  double low = 0;
  double close = 0;
  double volume = 0;
  bool operator==(const Candle&) const = default;
};

struct Ticker {
  std::string symbol;
  double last = 0;
  double bid = 0;
  double ask = 0;
  std::int64_t time = 0;  ///< milliseconds since 1970, UTC
  bool operator==(const Ticker&) const = default;
};

struct Level {
  double price = 0;
  double quantity = 0;
  bool operator==(const Level&) const = default;
};

struct OrderBook {
  std::string symbol;
  std::vector<Level> bids;  ///< best (highest) first
  std::vector<Level> asks;  ///< best (lowest) first
  bool operator==(const OrderBook&) const = default;
};

struct Macd {
  double line = 0;
  double signal = 0;
  double histogram = 0;
  bool operator==(const Macd&) const = default;
};

struct Bands {
  double lower = 0;
  double middle = 0;
  double upper = 0;
  bool operator==(const Bands&) const = default;
};

struct Preferences {
  int user_id = 0;
  std::string theme;
  std::string currency;
  std::string favourite;  ///< the symbol shown first
  bool operator==(const Preferences&) const = default;
};

}  // namespace trading
