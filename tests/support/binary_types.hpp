#pragma once
/// Types of the binary codec, nested in every way, and random values of them.
#include <array>
#include <bit>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/codec.hpp>

namespace dsta::cache::testing_support {

enum class Verdict : std::int8_t { sell = -1, hold = 0, buy = 1 };

/// No padding: a vector of them is one copy.
struct Candle {
  std::int64_t time = 0;
  double open = 0, high = 0, low = 0, close = 0, volume = 0;
  std::int64_t trades = 0;
  bool operator==(const Candle&) const = default;
};

/// Padding between the fields, and a bool, which not every byte is.
struct Fill {
  bool maker = false;
  std::int32_t quantity = 0;
  std::uint8_t venue = 0;
  double price = 0;
  bool operator==(const Fill&) const = default;
};

struct Order {
  std::string symbol;
  std::vector<Fill> fills;
  std::optional<std::chrono::system_clock::time_point> done;
  std::variant<std::monostate, double, std::string> limit;
  Verdict verdict = Verdict::hold;
  char venue[4] = {};
  bool operator==(const Order&) const = default;
};

/// Contains itself.
struct Tree {
  std::int32_t value = 0;
  std::vector<Tree> children;
  bool operator==(const Tree&) const = default;
};

/// With a codec of the user's own, which comes before all others.
struct Ticker {
  std::string symbol;
  bool operator==(const Ticker&) const = default;
};

struct Nothing {
  bool operator==(const Nothing&) const = default;
};

}  // namespace dsta::cache::testing_support

template <>
inline constexpr auto dsta::cache::fields<dsta::cache::testing_support::Candle> =
    dsta::cache::members<&dsta::cache::testing_support::Candle::time, &dsta::cache::testing_support::Candle::open,
                         &dsta::cache::testing_support::Candle::high, &dsta::cache::testing_support::Candle::low,
                         &dsta::cache::testing_support::Candle::close, &dsta::cache::testing_support::Candle::volume,
                         &dsta::cache::testing_support::Candle::trades>;
template <>
inline constexpr auto dsta::cache::fields<dsta::cache::testing_support::Fill> =
    dsta::cache::members<&dsta::cache::testing_support::Fill::maker, &dsta::cache::testing_support::Fill::quantity,
                         &dsta::cache::testing_support::Fill::venue, &dsta::cache::testing_support::Fill::price>;
template <>
inline constexpr auto dsta::cache::fields<dsta::cache::testing_support::Order> =
    dsta::cache::members<&dsta::cache::testing_support::Order::symbol, &dsta::cache::testing_support::Order::fills,
                         &dsta::cache::testing_support::Order::done, &dsta::cache::testing_support::Order::limit,
                         &dsta::cache::testing_support::Order::verdict, &dsta::cache::testing_support::Order::venue>;
template <>
inline constexpr auto dsta::cache::fields<dsta::cache::testing_support::Tree> =
    dsta::cache::members<&dsta::cache::testing_support::Tree::value, &dsta::cache::testing_support::Tree::children>;
template <>
inline constexpr auto dsta::cache::fields<dsta::cache::testing_support::Nothing> = dsta::cache::members<>;

template <>
struct dsta::cache::codec<dsta::cache::testing_support::Ticker> {
  static constexpr std::string_view name = "ticker/1";
  static void encode(const testing_support::Ticker& value, std::string& out) { out += "<" + value.symbol + ">"; }
  static std::optional<testing_support::Ticker> decode(std::string_view bytes) {
    if (bytes.size() < 2 || bytes.front() != '<' || bytes.back() != '>') return std::nullopt;
    return testing_support::Ticker{std::string(bytes.substr(1, bytes.size() - 2))};
  }
};

namespace dsta::cache::testing_support {

/// Calls `test.template operator()<T>()` for types of every kind.
template <class Test>
void for_binary_types(const Test& test) {
  using std::string;
  const auto each = [&]<class... Ts>(std::type_identity<std::tuple<Ts...>>) { (test.template operator()<Ts>(), ...); };
  each(std::type_identity<
       std::tuple<std::vector<double>, std::vector<bool>, std::vector<string>, std::vector<std::vector<int>>,
                  std::deque<std::int16_t>, std::deque<string>, std::list<std::uint8_t>, std::list<string>,
                  std::forward_list<int>, std::forward_list<std::pair<string, char>>, std::array<double, 3>,
                  std::array<string, 2>, std::array<int, 0>, std::u16string, std::vector<std::u32string>>>{});
  each(std::type_identity<std::tuple<
           std::set<int>, std::set<string>, std::multiset<std::uint8_t>, std::unordered_set<string>,
           std::unordered_multiset<std::uint8_t>, std::map<string, int>, std::map<int, std::vector<string>>,
           std::multimap<std::uint8_t, bool>, std::unordered_map<string, std::unordered_map<int, double>>,
           std::unordered_multimap<int, string>, std::vector<std::deque<int>>, std::map<bool, std::set<bool>>>>{});
  each(std::type_identity<std::tuple<
           std::pair<int, double>, std::pair<string, std::vector<int>>, std::tuple<>, std::tuple<bool, string, Verdict>,
           std::vector<std::tuple<std::uint8_t, double>>, std::variant<int, string, std::vector<double>>,
           std::vector<std::variant<std::monostate, bool, string>>, std::vector<std::optional<double>>,
           std::optional<std::vector<std::optional<string>>>, std::vector<std::shared_ptr<const std::vector<int>>>>>{});
  each(std::type_identity<std::tuple<std::chrono::milliseconds, std::chrono::duration<double>,
                                     std::vector<std::chrono::system_clock::time_point>, std::chrono::sys_days,
                                     std::map<std::chrono::sys_seconds, double>, std::chrono::year_month_day,
                                     std::chrono::year_month, std::vector<std::chrono::weekday>,
                                     std::tuple<std::chrono::year, std::chrono::month, std::chrono::day>>>{});
  each(std::type_identity<
       std::tuple<Candle, std::vector<Candle>, Fill, std::vector<Fill>, std::array<Fill, 2>, Order, std::vector<Order>,
                  std::map<string, Order>, Tree, std::vector<Tree>, Nothing, std::vector<Nothing>, std::vector<Ticker>,
                  std::map<string, std::pair<Ticker, Candle>>, std::vector<long double>, std::vector<Verdict>>>{});
}

/// Draws values of those types; the same for a seed.
class BinaryValues {
 public:
  explicit BinaryValues(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t n) { return static_cast<std::size_t>(engine_() % n); }

  template <class T>
  T value(int depth = 0) {
    T drawn{};
    draw(drawn, depth);
    return drawn;
  }

 private:
  std::size_t few(int depth) { return below(depth > 3 ? 2 : 5); }

  template <class T>
    requires std::is_arithmetic_v<T>
  void draw(T& value, int) {
    if constexpr (std::same_as<T, bool>) {
      value = engine_() % 2 == 0;
    } else if constexpr (std::integral<T>) {
      value = static_cast<T>(engine_() >> below(64));
    } else {
      value = static_cast<T>(static_cast<std::int64_t>(engine_())) / 1024;
    }
  }
  void draw(Verdict& value, int) { value = static_cast<Verdict>(static_cast<int>(below(3)) - 1); }
  void draw(std::monostate&, int) {}
  template <class C>
  void draw(std::basic_string<C>& value, int) {
    value.resize(below(3) == 0 ? below(40) : below(4));
    for (C& c : value) c = static_cast<C>(engine_());
  }
  template <class Rep, class Period>
  void draw(std::chrono::duration<Rep, Period>& span, int depth) {
    span = std::chrono::duration<Rep, Period>(value<Rep>(depth));
  }
  template <class Clock, class Duration>
  void draw(std::chrono::time_point<Clock, Duration>& time, int depth) {
    time = std::chrono::time_point<Clock, Duration>(value<Duration>(depth));
  }
  void draw(std::chrono::year& year, int) { year = std::chrono::year(static_cast<int>(below(60'000)) - 30'000); }
  void draw(std::chrono::month& month, int) { month = std::chrono::month(static_cast<unsigned>(below(256))); }
  void draw(std::chrono::day& day, int) { day = std::chrono::day(static_cast<unsigned>(below(256))); }
  void draw(std::chrono::weekday& day, int) { day = std::chrono::weekday(static_cast<unsigned>(below(7))); }
  void draw(std::chrono::year_month& month, int depth) {
    month = value<std::chrono::year>(depth) / value<std::chrono::month>(depth);
  }
  void draw(std::chrono::year_month_day& day, int depth) {
    day = value<std::chrono::year_month>(depth) / value<std::chrono::day>(depth);
  }
  template <class T>
  void draw(std::optional<T>& maybe, int depth) {
    if (below(3) != 0) maybe = value<T>(depth + 1);
  }
  template <class T>
  void draw(std::shared_ptr<const T>& maybe, int depth) {
    if (below(3) != 0) maybe = std::make_shared<const T>(value<T>(depth + 1));
  }
  template <class A, class B>
  void draw(std::pair<A, B>& both, int depth) {
    draw(both.first, depth), draw(both.second, depth);
  }
  template <class... Ts>
  void draw(std::tuple<Ts...>& all, int depth) {
    std::apply([&](auto&... each) { (draw(each, depth), ...); }, all);
  }
  template <class... Ts>
  void draw(std::variant<Ts...>& one, int depth) {
    std::size_t chosen = below(sizeof...(Ts));
    ((chosen-- == 0 ? draw(one.template emplace<Ts>(), depth + 1) : void()), ...);
  }
  template <class T, std::size_t N>
  void draw(std::array<T, N>& items, int depth) {
    for (T& item : items) draw(item, depth);
  }
  template <class T, std::size_t N>
  void draw(T (&items)[N], int depth) {
    for (T& item : items) draw(item, depth);
  }
  template <std::ranges::range Range>
    requires requires { typename Range::allocator_type; }
  void draw(Range& items, int depth) {
    for (std::size_t left = few(depth); left > 0; --left) {
      if constexpr (requires { typename Range::mapped_type; }) {
        items.emplace(value<typename Range::key_type>(depth + 1), value<typename Range::mapped_type>(depth + 1));
      } else if constexpr (requires { typename Range::key_type; }) {
        items.emplace(value<typename Range::key_type>(depth + 1));
      } else if constexpr (requires { items.push_back(value<typename Range::value_type>()); }) {
        items.push_back(value<typename Range::value_type>(depth + 1));
      } else {
        items.push_front(value<typename Range::value_type>(depth + 1));
      }
    }
  }
  void draw(Ticker& ticker, int depth) { draw(ticker.symbol, depth); }
  template <detail::Described T>
  void draw(T& described, int depth) {
    std::apply([&](auto&... each) { (draw(each, depth + 1), ...); }, detail::FieldsOf<T>::tie(described));
  }

  std::mt19937_64 engine_;
};

/// Equal, also where what a pointer points to is meant.
template <class T>
bool same_value(const T& a, const T& b) {
  return a == b;
}
template <class T>
bool same_value(const std::vector<std::shared_ptr<const T>>& a, const std::vector<std::shared_ptr<const T>>& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) { return x && y ? *x == *y : !x && !y; });
}

}  // namespace dsta::cache::testing_support
