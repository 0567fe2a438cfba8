#include "random_walk.hpp"

#include <algorithm>
#include <cmath>

namespace trading {
namespace {

/// splitmix64 (Steele, Lea, Flood 2014). std::normal_distribution would differ between standard libraries.
class Generator {
 public:
  explicit Generator(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }

  /// In [0, 1).
  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// Near enough to a standard normal: the sum of twelve uniforms has variance 1.
  double normal() {
    double sum = -6;
    for (int i = 0; i < 12; ++i) sum += uniform();
    return sum;
  }

 private:
  std::uint64_t state_;
};

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325u;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return hash;
}

double to_cents(double price) { return std::max(std::round(price * 100) / 100, 0.01); }

}  // namespace

std::vector<Candle> random_walk(std::string_view symbol, const WalkOptions& options) {
  constexpr double kVolatility = 0.008;
  Generator random{options.seed ^ fnv1a(symbol)};
  double price = to_cents(50 + 950 * random.uniform());

  std::vector<Candle> candles;
  candles.reserve(options.count);
  for (std::size_t i = 0; i < options.count; ++i) {
    Candle candle;
    candle.open_time = options.first_open_time + static_cast<std::int64_t>(i) * options.step;
    candle.open = price;
    candle.close = to_cents(price * (1 + kVolatility * random.normal()));
    candle.high = to_cents(std::max(candle.open, candle.close) * (1 + kVolatility * random.uniform()));
    candle.low = to_cents(std::min(candle.open, candle.close) * (1 - kVolatility * random.uniform()));
    candle.volume = std::round(1000 * (0.5 + random.uniform()));
    price = candle.close;
    candles.push_back(candle);
  }
  return candles;
}

}  // namespace trading
