// A source that can answer "unchanged": contract specifications that an exchange serves with an etag.
#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "check.hpp"

using namespace std::chrono_literals;

struct Answer {
  int status = 200;
  std::string etag = {};
  std::string body = {};
};

/// Stands for an HTTP client: answers 304 without a body when the caller has the current version.
struct Exchange {
  Answer get(const std::string& symbol, std::string_view known_etag) {
    if (down) return {.status = 503};
    if (symbol == "GONE") return {.status = 404};
    if (known_etag == version) return {.status = 304};
    ++bodies_sent;
    return {.etag = version, .body = symbol + " tick=" + tick};
  }
  std::string version = "v1", tick = "0.1";
  bool down = false;
  int bodies_sent = 0;
};

int main() {
  dsta::cache::testing::CleanCache clean{{.executor = std::make_shared<dsta::cache::testing::InlineExecutor>()}};
  auto& cache = clean.cache;
  auto& clock = *clean.clock;
  Exchange exchange;

  // [conditional]
  auto contract = cache.cached({.ttl = 60s, .prefix = "contract", .stale_for = 1h},
                               [&](const std::string& symbol, dsta::cache::LoadContext<std::string>& load) {
                                 const Answer answer = exchange.get(symbol, load.etag());
                                 if (answer.status == 304) return load.not_modified();
                                 if (answer.status == 503 && load.previous()) return load.skip();
                                 if (answer.status != 200) load.fail("status " + std::to_string(answer.status));
                                 load.set_etag(answer.etag);
                                 return answer.body;
                               });
  check(contract("BTCUSDT") == "BTCUSDT tick=0.1" && exchange.bodies_sent == 1, "the context is not passed by callers");
  // [/conditional]

  // [not_modified]
  clock.advance(61s);
  check(contract("BTCUSDT") == "BTCUSDT tick=0.1", "past its ttl: served, and refreshed in the background");
  check(exchange.bodies_sent == 1, "the exchange said that it is unchanged");
  check(cache.get_ttl("contract:BTCUSDT") == 60s, "and it is fresh again for a whole ttl");
  exchange.version = "v2", exchange.tick = "0.01";
  check(contract.refresh("BTCUSDT") == "BTCUSDT tick=0.01", "another etag: the new value");
  // [/not_modified]

  // [skip]
  exchange.down = true;
  clock.advance(61s);
  check(contract("BTCUSDT") == "BTCUSDT tick=0.01", "the exchange is down: the value stays");
  check(cache.lookup("contract:BTCUSDT").stale, "it is no fresher than before");
  check(contract.cache_info().load_failures == 0, "skip is not a failure");
  exchange.down = false;
  clock.advance(5s);  // the default refresh_backoff
  contract("BTCUSDT");
  check(!cache.lookup("contract:BTCUSDT").stale, "asked again after refresh_backoff");
  // [/skip]

  // [fail]
  std::string why;
  try {
    contract("GONE");
  } catch (const dsta::cache::LoadError& error) {
    why = error.what();
  }
  check(why == "status 404", "fail is an exception with a reason");
  // [/fail]

  // [ttl_and_tags]
  auto auction = cache.cached({.ttl = 60s, .prefix = "auction"},
                              [](const std::string& symbol, dsta::cache::LoadContext<double>& load) {
                                load.set_ttl(5s);  // the source said how long
                                load.add_tag("venue:" + symbol.substr(0, symbol.find('.')));
                                return 101.25;
                              });
  auction("XETR.SAP");
  check(cache.get_ttl("auction:XETR.SAP") == 5s, "the ttl of this load");
  cache.invalidate_tag("venue:XETR");
  check(!auction.peek("XETR.SAP"), "the tag of this load");
  // [/ttl_and_tags]
}
