// What encoding and decoding cost: the binary codec beside JSON and CBOR, and beside copying the same bytes into memory
// that is allocated for them, which nothing can do without.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/json.hpp>

namespace {

/// One shape for each codec; `Format` tells the types apart.
template <int Format>
struct Candle {
  std::int64_t time = 0;
  double open = 0, high = 0, low = 0, close = 0, volume = 0;
  std::int64_t trades = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Candle, time, open, high, low, close, volume, trades)
};
using BinaryCandle = Candle<0>;
using JsonCandle = Candle<1>;
using CborCandle = Candle<2>;

/// With text inside and padding between.
template <int Format>
struct Trade {
  std::string symbol;
  bool buy = false;
  double price = 0;
  std::int32_t quantity = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Trade, symbol, buy, price, quantity)
};
using BinaryTrade = Trade<0>;
using JsonTrade = Trade<1>;
using CborTrade = Trade<2>;

}  // namespace

template <>
inline constexpr auto dsta::cache::fields<BinaryCandle> =
    dsta::cache::members<&BinaryCandle::time, &BinaryCandle::open, &BinaryCandle::high, &BinaryCandle::low,
                         &BinaryCandle::close, &BinaryCandle::volume, &BinaryCandle::trades>;
template <>
inline constexpr auto dsta::cache::fields<BinaryTrade> =
    dsta::cache::members<&BinaryTrade::symbol, &BinaryTrade::buy, &BinaryTrade::price, &BinaryTrade::quantity>;
template <>
inline constexpr auto dsta::cache::json_format<std::vector<CborCandle>> = dsta::cache::JsonFormat::cbor;
template <>
inline constexpr auto dsta::cache::json_format<std::vector<CborTrade>> = dsta::cache::JsonFormat::cbor;

namespace {

using namespace dsta::cache;

constexpr std::size_t kCount = 1000;

/// Prices with two decimals, as a server of the market gives them.
double price(std::size_t i, int offset) {
  return static_cast<double>(6'400'000 + static_cast<int>(i * 37 % 5000) + offset) / 100;
}

void fill(auto& candle, std::size_t i) {
  candle.time = 1'700'000'000'000 + static_cast<std::int64_t>(i) * 60'000;
  candle.open = price(i, 0), candle.high = price(i, 120), candle.low = price(i, -95), candle.close = price(i, 33);
  candle.volume = static_cast<double>(i * 7919 % 100'000) / 1000;
  candle.trades = static_cast<std::int64_t>(i * 31 % 977);
}
template <int Format>
void fill(Trade<Format>& trade, std::size_t i) {
  trade.symbol = i % 3 == 0 ? "BTCUSDT" : "ETHUSDT-PERPETUAL";
  trade.buy = i % 2 == 0, trade.price = price(i, 0), trade.quantity = static_cast<std::int32_t>(i % 500);
}

template <class T>
std::vector<T> sample() {
  std::vector<T> values(kCount);
  for (std::size_t i = 0; i < kCount; ++i) fill(values[i], i);
  return values;
}

template <class T>
void Encode(benchmark::State& state) {
  const auto values = sample<T>();
  std::size_t size = 0;
  for (auto _ : state) {
    std::string bytes;
    codec<std::vector<T>>::encode(values, bytes);
    benchmark::DoNotOptimize(bytes.data());
    benchmark::ClobberMemory();
    size = bytes.size();
  }
  state.counters["bytes"] = static_cast<double>(size);
}

template <class T>
void Decode(benchmark::State& state) {
  std::string bytes;
  codec<std::vector<T>>::encode(sample<T>(), bytes);
  for (auto _ : state) {
    auto values = codec<std::vector<T>>::decode(bytes);
    benchmark::DoNotOptimize(values->data());
    benchmark::ClobberMemory();
  }
}

/// The floor: as many bytes as the binary codec's, allocated and copied.
void CopyCandles(benchmark::State& state) {
  std::string bytes;
  codec<std::vector<BinaryCandle>>::encode(sample<BinaryCandle>(), bytes);
  for (auto _ : state) {
    const std::unique_ptr<char[]> copy(new char[bytes.size()]);
    std::memcpy(copy.get(), bytes.data(), bytes.size());
    benchmark::DoNotOptimize(copy.get());
    benchmark::ClobberMemory();
  }
  state.counters["bytes"] = static_cast<double>(bytes.size());
}

BENCHMARK(CopyCandles);
BENCHMARK(Encode<BinaryCandle>);
BENCHMARK(Decode<BinaryCandle>);
BENCHMARK(Encode<JsonCandle>);
BENCHMARK(Decode<JsonCandle>);
BENCHMARK(Encode<CborCandle>);
BENCHMARK(Decode<CborCandle>);
BENCHMARK(Encode<BinaryTrade>);
BENCHMARK(Decode<BinaryTrade>);
BENCHMARK(Encode<JsonTrade>);
BENCHMARK(Decode<JsonTrade>);
BENCHMARK(Encode<CborTrade>);
BENCHMARK(Decode<CborTrade>);

}  // namespace
