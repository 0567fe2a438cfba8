// Values by key: every manual call.
#include <dsta/cache.hpp>

#include <cstdio>
#include <string>

#include "check.hpp"

using namespace std::chrono_literals;

int main() {
  dsta::cache::CacheManager cache;

  // [set_get]
  const dsta::cache::SetResult result = cache.set("user:1", "Ada", {.ttl = 30min, .prefix = "session"});
  check(result && result.status() == dsta::cache::SetResult::stored, "stored, not_stored or (with a server) unknown");
  check(cache.get("user:1", {.prefix = "session"}) == "Ada", "get is get<std::string>");
  check(!cache.get("user:1"), "another prefix is another key");
  check(!cache.get<int>("user:1", {.prefix = "session"}), "a value of another type is a miss");
  check(cache.get_or("user:2", "nobody", {.prefix = "session"}) == "nobody", "get_or falls back, and stores nothing");
  check(cache.exists("session:user:1"), "the full key is prefix, ':' and key");
  // [/set_get]

  // [ttl]
  const auto left = cache.get_ttl("session:user:1");
  check(left && *left > 29min && *left <= 30min, "get_ttl: the time left");
  std::printf("%s, %.0f seconds\n", left->text().c_str(), left->seconds());  // 1799.999s, 1800 seconds
  cache.set("constant", 3.14, {.ttl = dsta::cache::forever});
  check(cache.get_ttl("constant") == dsta::cache::forever && !cache.get_ttl("absent"), "forever; nullopt when absent");
  const auto refused = cache.set("constant", 2.72, {.ttl = 0s});
  check(refused == dsta::cache::SetResult::not_stored && !refused.reason().empty() && !cache.exists("constant"),
        "a ttl of zero: not stored, and the old value is removed");
  // [/ttl]

  // [get_or_load]
  int loads = 0;
  const auto load = [&loads] { return ++loads * 100; };
  const int first = cache.get_or_load("limit", load, {.ttl = 5min, .prefix = "config"});
  check(first == 100 && cache.get_or_load("limit", load, {.prefix = "config"}) == 100,
        "loaded once, then from the cache");
  // [/get_or_load]

  // [lookup]
  const dsta::cache::Lookup<int> found = cache.lookup<int>("limit", {.prefix = "config"});
  check(found && found.value == 100 && found.source == dsta::cache::Source::l1, "lookup: the value and its level");
  check(!found.stale && found.age >= 0s && found.age < 1min, "and its age");
  // [/lookup]

  // [many]
  cache.set_many<int>({{"a", 1}, {"b", 2}}, {.prefix = "many"});
  const auto values = cache.get_many<int>({"a", "b", "c"}, {.prefix = "many"});
  check(values[0] == 1 && values[1] == 2 && !values[2], "get_many: in the order of the keys");
  check(cache.del_many({"a", "c"}, {.prefix = "many"}) == 1, "del_many: how many existed");
  // [/many]

  // [counter]
  check(cache.increment("calls", 1, {.ttl = 1h, .prefix = "stats"}) == 1,
        "a counter starts at 0; its ttl starts when it is created");
  check(cache.increment("calls", 41, {.prefix = "stats"}) == 42, "increment returns the new value");
  check(cache.get<int>("calls", {.prefix = "stats"}) == 42, "a counter reads as any integer type it fits");
  // [/counter]

  // [delete]
  check(cache.del("user:1", {.prefix = "session"}) && !cache.del("user:1", {.prefix = "session"}), "del");
  cache.set("user:1", "a", {.prefix = "session"}), cache.set("user:2", "b", {.prefix = "session"});
  check(cache.delete_pattern("user:*", {.prefix = "session"}) == 2, "delete_pattern: how many matched");
  cache.flush_all();
  check(cache.get_stats().entries == 0, "flush_all empties the manager");
  // [/delete]
}
