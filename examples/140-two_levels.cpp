// A server that processes share: what one process loads the others find, and they are notified of what it changes.
//
// Two managers stand for two processes of a trading service. With DSTA_CACHE_URL=redis://… they share that server;
// without it each keeps its own in memory, and the program is the same.
#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

#include <cstdio>
#include <string>
#include <thread>

#include "check.hpp"

using namespace std::chrono_literals;
using dsta::cache::CacheManager, dsta::cache::CacheStats, dsta::cache::EntryOptions, dsta::cache::Health;
using dsta::cache::L1Options, dsta::cache::Level, dsta::cache::ManagerOptions, dsta::cache::SetResult;
using dsta::cache::Source, dsta::cache::OnDisconnect;

// [options]
const ManagerOptions service{
    .space = "trading-demo",                               // all of its keys at the server begin with trading-demo:
    .l1 = L1Options{.on_disconnect = OnDisconnect::serve,  // while the invalidation channel is down, use L1 …
                    .max_stale_age = 2s,                   // … for 2 s after its last sign of life, then empty it
                    .ping_period = 500ms},                 // a silent loss is noticed within two of these
};
// [/options]

int asked = 0;
double fetch_quote(const std::string&) { return 64000.0 + ++asked; }  // slow: asks the exchange

struct Process {
  CacheManager cache = CacheManager::from_env(service);
  dsta::cache::cached<double (*)(const std::string&)> quote =
      cache.cached({.ttl = 10s, .prefix = "quote", .tags = {"symbol:{0}"}}, fetch_quote);
};

// [ticker]
struct Ticker {
  double bid = 0, ask = 0;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Ticker, bid, ask)
// [/ticker]

// [outcome]
const char* what_to_do(const SetResult& result) {
  switch (result.status()) {
    case SetResult::stored:
      return "nothing: every process finds it";
    case SetResult::not_stored:  // result.reason() says why: the server is away, it is out of memory, …
      return "go on without it, or try again later";
    case SetResult::unknown:  // the server had it and did not answer in time
      return "read it back, or delete it";
  }
  return "";
}
// [/outcome]

/// Other processes are notified of a change a moment after it was made.
template <class Condition>
bool soon(Condition condition) {
  for (int i = 0; i < 5000 && !condition(); ++i) std::this_thread::sleep_for(1ms);
  return condition();
}

int main() {
  Process gateway, risk;
  const Health before = check_health(gateway.cache);
  check(before.healthy, before.healthy ? "whatever is behind it works" : before.error.c_str());
  const bool shared = before.backend == "redis";
  gateway.cache.flush_all();  // a server may remember an earlier run

  // [quotes]
  const bool same = gateway.quote("BTCUSDT") == risk.quote("BTCUSDT");
  check(same == shared && asked == (shared ? 1 : 2), "one load for all processes that share a server");
  risk.cache.invalidate_tag("symbol:BTCUSDT");
  check(!risk.quote.peek("BTCUSDT"), "gone at once where it was invalidated");
  if (shared) check(soon([&] { return !gateway.quote.peek("BTCUSDT"); }), "and elsewhere when the message arrives");
  // [/quotes]

  // [raw]
  const EntryOptions json{.ttl = 5s, .prefix = "ticker", .raw = true};
  gateway.cache.set("BTCUSDT", Ticker{64000.5, 64001.0}, json);  // redis-cli GET trading-demo:ticker:BTCUSDT
  if (shared) {
    check(risk.cache.get("BTCUSDT", json) == R"({"ask":64001.0,"bid":64000.5})", "JSON and nothing else");
    risk.cache.set("ETHUSDT", R"({"bid": 3000, "ask": 3000.25})", json);  // as a program in another language writes it
    check(gateway.cache.get<Ticker>("ETHUSDT", json)->ask == 3000.25, "and it is read like our own");
  }
  // [/raw]

  // [level]
  const EntryOptions here{.ttl = 1s, .prefix = "seen", .level = Level::l1};    // of no use to others: never sent
  const EntryOptions exact{.ttl = 1h, .prefix = "limit", .level = Level::l2};  // read from the server each time
  gateway.cache.set("sequence", 4711, here);
  gateway.cache.set("desk:7", 1'000'000, exact);
  check(!risk.cache.get<int>("sequence", here), "a value of one process");
  check(gateway.cache.lookup<int>("desk:7", exact).source == (shared ? Source::l2 : Source::l1),
        "no copy is kept here");
  if (shared) {
    risk.cache.set("desk:7", 500'000, exact);
    check(gateway.cache.get<int>("desk:7", exact) == 500'000, "so a lowered limit applies at once, in every process");
  }
  // [/level]

  // [stats]
  const CacheStats stats = risk.cache.get_stats();
  check((stats.l2_hits > 0) == shared, "values that the other process had loaded");
  check(stats.pending_invalidations == 0, "the server has confirmed every invalidation");
  std::printf("%llu errors, %llu writes without a reply, invalidation channel lost %llu times\n",
              static_cast<unsigned long long>(stats.l2_errors), static_cast<unsigned long long>(stats.unknown_writes),
              static_cast<unsigned long long>(stats.l1_suspensions));
  // [/stats]

  // [away]
  ManagerOptions nowhere = service;
  nowhere.url = "redis://127.0.0.1:1?connect_timeout=100ms&on_disconnect=flush";  // nobody listens there
  nowhere.log.level = dsta::cache::LogLevel::off;
  CacheManager away{nowhere};
  auto quote_again = away.cached({.ttl = 10s, .prefix = "quote"}, fetch_quote);
  check(quote_again("BTCUSDT") > 64000, "without the server the function is called: nothing throws");
  const SetResult result = away.set("k", 1);
  check(result == SetResult::not_stored && !result.reason().empty(), what_to_do(result));
  away.del("k");
  check(away.get_stats().pending_invalidations == 1, "the removal is pending until the server is back");
  check(away.get_stats().l2_errors > 0, "and failed requests are counted");
  const Health health = check_health(away);
  check(!health.healthy && health.backend == "redis", health.error.c_str());
  // [/away]
}
