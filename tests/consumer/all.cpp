// Includes every public header and uses most of what they offer, for the ways in which users compile them.
#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>
#include <dsta/cache/message.hpp>
#include <dsta/cache/testing.hpp>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

using namespace std::chrono_literals;
using namespace dsta::cache;

namespace {

struct Quote {
  std::string symbol;
  double price = 0;
  std::optional<std::int64_t> volume;
};

struct User {
  std::string name;
  int age = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(User, name, age)

using Parts = std::map<std::string, std::variant<int, double>>;

struct Session {
  std::unique_ptr<int> token;
};

}  // namespace

template <>
inline constexpr auto dsta::cache::fields<Quote> = dsta::cache::members<&Quote::symbol, &Quote::price, &Quote::volume>;
template <>
inline constexpr bool dsta::cache::in_process_only<Session> = true;

namespace {

int wrong = 0;

void expect(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "%s: not so\n", what);
  ++wrong;
}

}  // namespace

int main() {
  auto cache = CacheManager::from_env();
  expect(bool(cache.set("greeting", "hello", {.ttl = 60s, .tags = {"words"}})), "set");
  expect(cache.get("greeting") == "hello", "get");

  auto quotes = cache.cached({.ttl = 60s, .prefix = "quotes", .tags = {"symbol:{0}"}}, [](const std::string& symbol) {
    return std::vector<Quote>{{symbol, 1.5, 7}, {symbol, 2.5, std::nullopt}};
  });
  expect(quotes("BTC").size() == 2 && quotes("BTC")[0].volume == 7, "named fields");
  cache.invalidate_tag("symbol:BTC");
  expect(!quotes.peek("BTC"), "tags");

  auto users = cache.cached({.ttl = 60s, .prefix = "users"}, [](int id) { return User{"u" + std::to_string(id), id}; });
  expect(users(3).age == 3 && users.refresh(3).name == "u3" && users.invalidate(3), "JSON");

  auto halves = cache.cached({.ttl = 60s, .prefix = "halves", .negative_ttl = 1s},
                             [](int x, LoadContext<std::optional<Parts>>& load) -> std::optional<Parts> {
                               load.add_tag("late");
                               if (x < 0) return std::nullopt;
                               return Parts{{"x", x}, {"half", x / 2.0}};
                             });
  expect(halves(4)->size() == 2 && !halves(-1), "containers, negative values");

  auto sessions = cache.cached({.ttl = 60s, .prefix = "sessions"},
                               [](int id) { return std::make_shared<Session>(Session{std::make_unique<int>(id)}); });
  expect(*sessions(5)->token == 5, "in-process only");

  expect(cache.get_or_load("answer", [] { return 42; }, {.ttl = 60s}) == 42, "get_or_load");
  expect(cache.increment("n", 2) == 2, "increment");
  cache.set_many<int>({{"a", 1}, {"b", 2}}, {.ttl = 60s});

  const auto many = cache.get_many<int>({"a", "b", "c"});
  expect(many.size() == 3 && many[1] == 2 && !many[2], "get_many");

  CacheInvalidator invalidator(cache);
  invalidator.invalidate_symbol_data("BTC");
  expect(cache.get_stats().hits > 0 && check_health(cache).healthy, "statistics and health");
  cache.flush_all();
  return wrong;
}
