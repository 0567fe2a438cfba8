// Your own types as values and as arguments.
#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

#include <map>
#include <string>
#include <vector>

#include "check.hpp"

using namespace std::chrono_literals;

// [json]
struct Candle {
  std::string symbol;
  std::vector<double> closes;
  bool operator==(const Candle&) const = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Candle, symbol, closes)  // json.hpp does the rest

struct Book {
  std::map<std::string, double> bids;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Book, bids)
template <>
inline constexpr auto dsta::cache::json_format<Book> = dsta::cache::JsonFormat::cbor;  // or msgpack; default: text
// [/json]

// [json_format]
template <>
inline constexpr auto dsta::cache::json_format<std::vector<float>> = dsta::cache::JsonFormat::text;
// [/json_format]
static_assert(dsta::cache::codec<std::vector<float>>::name == "json");

// [trivial]
struct Tick {
  double price, size;
};
template <>
inline constexpr std::string_view dsta::cache::trivially_codable<Tick> = "tick/1";  // stored as its bytes
// [/trivial]

// [codec]
struct Quote {
  std::string text;
};
template <>
struct dsta::cache::codec<Quote> {
  static constexpr std::string_view name = "quote/1";  // change it when the layout changes
  static void encode(const Quote& value, std::string& out) { out += value.text; }
  static std::optional<Quote> decode(std::string_view bytes) { return Quote{std::string(bytes)}; }
};
// Bytes that the object owns elsewhere: the store adds them to its size.
inline std::size_t cache_weight(const Quote& quote) { return quote.text.capacity(); }
// [/codec]
static_assert(dsta::cache::Codable<Quote> && dsta::cache::Codable<Book>);

// [append_key]
struct Pair {
  std::string base, quote;
};
inline void append_key(dsta::cache::KeyWriter& key, const Pair& pair) { key(pair.base, pair.quote); }
// [/append_key]

int main() {
  dsta::cache::CacheManager cache;
  const Candle candle{"BTCUSDT", {64000, 64010.25}};
  cache.set("candle", candle);
  check(cache.get<Candle>("candle") == candle && !cache.get<Tick>("candle"),
        "back as the type it was stored as, or not");
  cache.set("book", Book{{{"64000", 1.5}}}), cache.set("tick", Tick{64000, 1}), cache.set("quote", Quote{"64000"});
  check(cache.get<Book>("book") && cache.get<Tick>("tick")->price == 64000 && cache.get<Quote>("quote"),
        "so are these");
  cache.set("json", nlohmann::json{{"a", {1, 2}}});
  check(cache.get<nlohmann::json>("json")->at("a").size() == 2, "nlohmann::json itself");

  auto rate = cache.cached({.prefix = "rate"}, [](const Pair& pair) { return pair.base == "BTC" ? 64000.0 : 1.0; });
  check(rate(Pair{"BTC", "USDT"}) == 64000.0 && rate.key_for(Pair{"BTC", "USDT"}) == "rate:(BTC,USDT,)",
        "as an argument");
}
