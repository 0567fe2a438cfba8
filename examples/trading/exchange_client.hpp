// The exchange's REST client. Honestly: a simulation, the one part of this service that is not real.
//
// A real client needs a network and an account. This one makes its answers out of the last candle in the database,
// sleeps as long as a request would travel, and fails when told to. Nothing is remembered between calls.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "candle_store.hpp"
#include "model.hpp"

namespace trading {

class ExchangeError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Thread-safe. The store must outlive it.
class ExchangeClient {
 public:
  /// `latency`: how long every request takes; 0 = no sleep.
  ExchangeClient(CandleStore& store, std::string interval, std::chrono::milliseconds latency)
      : store_(store), interval_(std::move(interval)), latency_(latency) {}

  /// Throws ExchangeError for an unknown symbol, and while the exchange is down.
  Ticker ticker(const std::string& symbol);
  OrderBook order_book(const std::string& symbol);

  /// From now on every request fails, or none does.
  void set_down(bool down) { down_ = down; }

  /// How many requests reached the exchange, failed ones included.
  std::uint64_t requests() const { return requests_; }

 private:
  Candle request(const std::string& symbol);

  CandleStore& store_;
  const std::string interval_;
  const std::chrono::milliseconds latency_;
  std::atomic<bool> down_{false};
  std::atomic<std::uint64_t> requests_{0};
};

}  // namespace trading
