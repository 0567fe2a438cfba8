// How long values live, and what is served when they are old or their source is down.
#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

#include <optional>
#include <stdexcept>
#include <string>

#include "check.hpp"

using namespace std::chrono_literals;

int calls = 0;
bool down = false;
int fetch(const std::string&) {
  if (down) throw std::runtime_error("the exchange is down");
  return ++calls;
}

int main() {
  dsta::cache::testing::CleanCache clean{{.executor = std::make_shared<dsta::cache::testing::InlineExecutor>()}};
  auto& cache = clean.cache;
  auto& clock = *clean.clock;

  // [stale_for]
  auto price = cache.cached({.ttl = 60s, .prefix = "price", .stale_for = 10min}, fetch);
  check(price("BTC") == 1, "loaded");
  clock.advance(61s);
  check(price("BTC") == 1 && price("BTC") == 2, "past its ttl: the old value at once, and a refresh in the background");
  down = true;
  clock.advance(9min);
  check(price("BTC") == 2 && cache.lookup<int>("price:BTC").stale, "the source is down: the old value is still served");
  clock.advance(3min);
  bool thrown = false;
  try {
    price("BTC");
  } catch (const std::runtime_error&) {
    thrown = true;
  }
  check(thrown, "past ttl + stale_for: the function's own exception");
  // [/stale_for]
  down = false;

  // [refresh_backoff]
  int asked = 0;
  auto quote =
      cache.cached({.ttl = 60s, .prefix = "quote", .stale_for = 1h, .refresh_backoff = 30s},
                   [&](const std::string&) { return ++asked == 1 ? 64000.5 : throw std::runtime_error("down"); });
  quote("BTC");
  clock.advance(61s);
  double sum = 0;
  for (int i = 0; i < 100; ++i) sum += quote("BTC");
  check(sum == 100 * 64000.5 && asked == 2, "a hundred calls: the source was asked once more, and failed");
  clock.advance(30s);
  check(quote("BTC") == 64000.5 && asked == 3, "asked again when refresh_backoff was over");
  // [/refresh_backoff]

  // [not_kept]
  double last_trade = 12.5;
  auto last =
      cache.cached({.ttl = 60s, .prefix = "last", .stale_for = 1h}, [&](const std::string&) { return last_trade; })
          .condition([](double traded) { return traded > 0; });
  last("LUNA");
  last_trade = 0;  // delisted
  clock.advance(61s);
  check(last("LUNA") == 12.5, "the stale value, and a refresh: its value must not be kept");
  check(!last.peek("LUNA"), "so the old value is removed too");
  // [/not_kept]

  // [refresh_ahead]
  auto ticker = cache.cached({.ttl = 60s, .prefix = "ticker", .refresh_ahead = 0.8}, fetch);
  const int first = ticker("BTC");
  clock.advance(50s);  // past 0.8 * 60 s
  check(ticker("BTC") == first, "a hit that starts a refresh in the background");
  clock.advance(50s);
  check(ticker.peek("BTC") == first + 1, "a key in use never expires under its users");
  // [/refresh_ahead]

  // [xfetch]
  auto report = cache.cached({.ttl = 60s, .prefix = "report", .xfetch = 1}, [&](int) {
    clock.advance(10s);  // expensive: it takes ten seconds
    return ++calls;
  });
  const auto earlier = cache.get_stats().early_refreshes;
  for (int day = 0; day < 60; ++day) report(day), clock.advance(55s), report(day);
  const auto refreshed = cache.get_stats().early_refreshes - earlier;
  check(refreshed > 10 && refreshed < 60, "5 s before the end: about six in ten are refreshed, at random");
  check(report.cache_info().misses == 60, "and nobody waited for them");
  // [/xfetch]

  // [negative]
  auto find =
      cache.cached({.ttl = 1h, .prefix = "user", .negative_ttl = 30s}, [](int id) -> std::optional<std::string> {
        ++calls;
        return id == 1 ? std::optional<std::string>("Ada") : std::nullopt;
      });
  const int before = calls;
  check(!find(2) && !find(2) && calls == before + 1, "the absence of user 2 is cached");
  check(cache.get_ttl("user:2") == 30s, "for half a minute");
  // [/negative]

  // [adaptive]
  auto token = cache.cached({.prefix = "token"}, fetch).adaptive_ttl([](int value) { return value * 1s; });
  const int seconds = token("app");
  check(cache.get_ttl("token:app") == seconds * 1s, "the ttl comes from the value");
  // [/adaptive]

  // [jitter]
  cache.set("a", 1, {.ttl = 100s, .jitter = 0.1, .idle_ttl = 30s});
  check(*cache.get_ttl("a") >= 90s && *cache.get_ttl("a") <= 100s, "up to a tenth shorter, at random");
  clock.advance(20s), (void)cache.get<int>("a"), clock.advance(20s);
  check(cache.exists("a"), "read within 30 s: kept");
  clock.advance(30s);
  check(!cache.exists("a"), "not read for 30 s: gone");
  // [/jitter]
}
