// One line a type, and the cache can keep it in a server: the fields that nlohmann converts.
#pragma once

#include <nlohmann/json.hpp>

#include "model.hpp"

namespace trading {

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Candle, open_time, open, high, low, close, volume)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Ticker, symbol, last, bid, ask, time)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Level, price, quantity)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(OrderBook, symbol, bids, asks)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Macd, line, signal, histogram)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Bands, lower, middle, upper)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Preferences, user_id, theme, currency, favourite)

}  // namespace trading
