// Values without JSON: standard types, named fields, messages, what stays in the process.
#include <dsta/cache.hpp>
#include <dsta/cache/message.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#if __has_include(<boost/pfr.hpp>)
#include <dsta/cache/pfr.hpp>
#endif

#include "check.hpp"

using namespace std::chrono_literals;

// [fields]
struct Candle {
  std::int64_t time = 0;
  double open = 0, high = 0, low = 0, close = 0, volume = 0;
  std::int64_t trades = 0;
  bool operator==(const Candle&) const = default;
};
template <>
inline constexpr auto dsta::cache::fields<Candle> =
    dsta::cache::members<&Candle::time, &Candle::open, &Candle::high, &Candle::low, &Candle::close, &Candle::volume,
                         &Candle::trades>;
// [/fields]

// [version]
struct Fee {
  double amount = 0;  // in cents; it was in dollars before version 2
};
template <>
inline constexpr auto dsta::cache::fields<Fee> = dsta::cache::members<&Fee::amount>.version("2");
// [/version]

// [private]
class Account {
 public:
  Account() = default;
  explicit Account(std::string owner) : owner_(std::move(owner)) {}
  const std::string& owner() const { return owner_; }
  static constexpr auto cache_fields() { return dsta::cache::members<&Account::owner_, &Account::positions_>; }

 private:
  std::string owner_;
  std::map<std::string, double> positions_;
};
// [/private]

#if __has_include(<boost/pfr.hpp>)
// [pfr]
struct Tick {  // with #include <dsta/cache/pfr.hpp>
  std::int64_t time = 0;
  double price = 0;
  std::string venue;
};
template <>
inline constexpr bool dsta::cache::reflected<Tick> = true;
// [/pfr]
#endif

// [in_process]
struct Model {
  std::function<double(double)> predict;
};
template <>
inline constexpr bool dsta::cache::in_process_only<Model> = true;
// [/in_process]

/// As protobuf makes them.
struct Quote {
  std::string body;
  bool SerializeToString(std::string* out) const {
    *out = body;
    return true;
  }
  bool ParseFromArray(const void* bytes, int size) {
    body.assign(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
    return true;
  }
};

int main() {
  dsta::cache::CacheManager cache;

  // [standard]
  using Book = std::map<std::string, std::vector<std::pair<double, double>>>;
  cache.set("book", Book{{"bids", {{64000, 1.5}}}, {"asks", {}}}, {.ttl = 5s});
  cache.set("close", std::optional(std::chrono::sys_days(std::chrono::year(2026) / 11 / 27)));
  // [/standard]
  check(cache.get<Book>("book")->at("bids").size() == 1, "standard containers, nested, need nothing");

  int calls = 0;
  auto candles = cache.cached({.ttl = 300s, .prefix = "candles"}, [&calls](const std::string&, int limit) {
    ++calls;
    return std::vector<Candle>(static_cast<std::size_t>(limit));
  });
  check(candles("BTCUSDT", 3) == candles("BTCUSDT", 3) && calls == 1, "so do vectors of what has named fields");
  static_assert(dsta::cache::codec<std::vector<Fee>>::name == "bin1:[#1:2{amount:f64}]");
  cache.set("account", Account("ann"));
  check(cache.get<Account>("account")->owner() == "ann", "a class may list its private members");
#if __has_include(<boost/pfr.hpp>)
  cache.set("tick", Tick{1, 64000.5, "X"});
  check(cache.get<Tick>("tick")->venue == "X", "fields that Boost.PFR finds");
#endif
  cache.set("model", Model{[](double x) { return 2 * x; }});
  check(cache.get<Model>("model")->predict(2) == 4, "what stays in this process needs no codec");
  cache.set("quote", Quote{"64000"});
  check(cache.get<Quote>("quote")->body == "64000", "messages write and read themselves");
}
