#pragma once
/// Random values that are hard on a key encoding: separators, escapes, look-alikes of other kinds, extremes. The same
/// from every compiler and library for a seed, so keys made of them can be kept in a file.
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/key.hpp>

namespace dsta::cache::testing_support {

enum class Side : std::int8_t { sell = -1, none = 0, buy = 1 };

/// A user's own type. Equal spellings of a pair split differently are unequal.
struct TradingPair {
  std::string base, quote;
  bool operator==(const TradingPair&) const = default;
};
inline void append_key(KeyWriter& key, const TradingPair& pair) { key(pair.base, pair.quote); }

class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t bits() { return engine_(); }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class T, std::size_t N>
  const T& pick(const std::array<T, N>& from) {
    return from[below(N)];
  }

  template <class T>
  T value() {
    T drawn{};
    draw(drawn);
    return drawn;
  }

 private:
  void draw(std::string& text) {
    using namespace std::string_view_literals;
    static constexpr std::array kPieces = {
        ""sv,     ":"sv,    "%"sv,   "~"sv,
        "a:b"sv,  "\"\""sv, "("sv,   ")"sv,
        ","sv,    "*"sv,    "?"sv,   "["sv,
        "]"sv,    "\\"sv,   " "sv,   "\n"sv,
        "\0"sv,   "{0}"sv,  "!"sv,   "0!"sv,
        "a"sv,    "b"sv,    "A"sv,   "0"sv,
        "1"sv,    "-"sv,    "-1"sv,  "1,"sv,
        "%3A"sv,  "true"sv, "nan"sv, "#"sv,
        "@"sv,    "a,"sv,   "(i"sv,  "i32"sv,
        "\x7f"sv, "\xff"sv, "é"sv,   "BTCUSDT"sv,
        "5s"sv,   "0x0"sv,  "\t"sv,  "1234567890abcdef"sv,
    };
    for (std::size_t left = below(4); left > 0; --left) text += pick(kPieces);
    // Long enough for the end of the key to become a hash; many are equal but for the last bytes.
    if (one_in(40)) text.insert(0, 240 + below(40), 'x');
  }

  void draw(bool& value) { value = one_in(2); }

  void draw(std::monostate&) {}

  template <std::integral T>
  void draw(T& value) {
    using Limits = std::numeric_limits<T>;
    static constexpr std::array kEdges = {
        T{0}, T{1}, T{7}, T{9}, T{10}, T{99}, T{100}, Limits::max(), Limits::min(), static_cast<T>(Limits::max() / 2)};
    value = one_in(2) ? pick(kEdges) : static_cast<T>(bits() >> below(64));
    if constexpr (std::is_signed_v<T>) {
      if (one_in(4) && value != Limits::min()) value = static_cast<T>(-value);
    }
  }

  /// Never NaN, which is unequal to itself.
  void draw(double& value) {
    using Limits = std::numeric_limits<double>;
    static constexpr std::array kEdges = {0.0,
                                          -0.0,
                                          1.0,
                                          -1.0,
                                          0.1,
                                          0.5,
                                          1e15,
                                          1e16,
                                          1e21,
                                          1e22,
                                          123456789.0,
                                          Limits::max(),
                                          Limits::lowest(),
                                          Limits::min(),
                                          Limits::denorm_min(),
                                          Limits::epsilon(),
                                          Limits::infinity(),
                                          -Limits::infinity()};
    value = pick(kEdges);
    if (one_in(3)) value = std::nextafter(value, one_in(2) ? 0.0 : 1e300);
    if (one_in(3)) value = static_cast<double>(static_cast<std::int64_t>(bits())) / 1024.0;
  }

  void draw(Side& side) { side = static_cast<Side>(static_cast<int>(below(3)) - 1); }

  void draw(TradingPair& pair) {
    draw(pair.base);
    draw(pair.quote);
  }

  template <class Rep, class Period>
  void draw(std::chrono::duration<Rep, Period>& span) {
    span = std::chrono::duration<Rep, Period>(value<Rep>());
  }

  template <class T>
  void draw(std::optional<T>& maybe) {
    if (!one_in(4)) draw(maybe.emplace());
  }

  template <class T>
  void draw(std::vector<T>& items) {
    items.resize(below(4));
    for (auto&& item : items) item = value<T>();
  }

  template <class A, class B>
  void draw(std::pair<A, B>& both) {
    draw(both.first);
    draw(both.second);
  }

  template <class... Ts>
  void draw(std::tuple<Ts...>& all) {
    std::apply([&](auto&... each) { (draw(each), ...); }, all);
  }

  template <class... Ts>
  void draw(std::variant<Ts...>& one) {
    std::size_t chosen = below(sizeof...(Ts));
    ((chosen-- == 0 ? draw(one.template emplace<Ts>()) : void()), ...);
  }

  template <class K, class V>
  void draw(std::map<K, V>& items) {
    for (std::size_t left = below(4); left > 0; --left) items[value<K>()] = value<V>();
  }

  template <class T>
  void draw(std::unordered_set<T>& items) {
    for (std::size_t left = below(5); left > 0; --left) items.insert(value<T>());
  }

  std::mt19937_64 engine_;
};

}  // namespace dsta::cache::testing_support
