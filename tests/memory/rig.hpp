#pragma once
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <dsta/cache.hpp>

#include "eventually.hpp"
#include "l2/values/envelope.hpp"
#include "l2/values/keyspace.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache::testing_support {

enum class Backend { memory, redis, two_levels };

inline std::string backend_name(Backend backend) {
  return backend == Backend::memory ? "Memory" : backend == Backend::redis ? "Redis" : "TwoLevels";
}

/// One for the process.
inline RedisServer& the_server() {
  static RedisServer server;
  return server;
}

/// Where the values come from: each argument has a version, which is in its value.
class ValueSource {
 public:
  static constexpr int kArguments = 1 << 16;
  std::string value(int x) const { return text(x, at(x).load()); }
  std::string before(int x) const { return text(x, at(x).load() - 1); }
  void change(int x) { at(x).fetch_add(1); }

 private:
  static std::string text(int x, int version) {
    char buffer[64];
    std::snprintf(buffer, sizeof buffer, "the value of %d in its version %d, long enough", x, version);
    return buffer;
  }
  std::atomic<int>& at(int x) const { return versions_[static_cast<std::size_t>(x)]; }
  mutable std::array<std::atomic<int>, kArguments> versions_{};
};

/// A wrapper of any kind, of int.
struct AnyFunction {
  std::function<std::string(int)> call, refresh;
  std::function<void(int)> peek, invalidate, invalidate_matching, put;
  std::function<void(int, int)> many;
  std::function<void()> clear;
};

inline std::string plain(std::string value) { return value; }
inline std::string plain(std::optional<std::string> value) { return value.value_or("none"); }

template <class Wrapper>
AnyFunction any(const Wrapper& made, std::shared_ptr<ValueSource> source) {
  const auto wrapper = std::make_shared<Wrapper>(made);
  return {
      .call = [wrapper](int x) { return plain((*wrapper)(x)); },
      .refresh = [wrapper](int x) { return plain(wrapper->refresh(x)); },
      .peek = [wrapper](int x) { (void)wrapper->peek(x); },
      .invalidate = [wrapper](int x) { (void)wrapper->invalidate(x); },
      .invalidate_matching = [wrapper](int x) { (void)wrapper->invalidate_matching(x); },
      .put =
          [wrapper, source](int x) {
            using Value = decltype((*wrapper)(x));
            Value value(source->value(x));
            if constexpr (std::is_same_v<Value, std::optional<std::string>>) {
              if (x % 3 == 0) value.reset();
            }
            if (wrapper->put(x, value) != SetResult::stored) throw LoadError("not stored");
          },
      .many =
          [wrapper](int x, int y) {
            const int items[] = {x, y};
            for (const auto& outcome : wrapper->many(items)) (void)outcome.has_value();
          },
      .clear = [wrapper] { wrapper->cache_clear(); },
  };
}

/// The kinds of functions.
inline const std::vector<std::string>& function_kinds() {
  static const std::vector<std::string> kinds{"plain", "tagged", "adaptive", "context", "raw",    "negative",
                                              "timed", "soft",   "ahead",    "bulk",    "limited"};
  return kinds;
}

inline AnyFunction make_function(CacheManager& cache, const std::string& kind, std::shared_ptr<ValueSource> source) {
  using namespace std::chrono_literals;
  EntryOptions options{.ttl = 60s, .prefix = "memory", .name = kind};
  options.refresh_backoff = 1ms;
  const auto load = [source](int x) { return source->value(x); };
  if (kind == "tagged") options.tags = {"a-tag-that-needs-memory:{0}"};
  if (kind == "raw") options.raw = true;
  if (kind == "timed") options.load_timeout = 5s;
  if (kind == "soft") {
    options.ttl = 1ms;
    options.stale_for = 60s;
    options.soft_timeout = 5s;
  }
  if (kind == "ahead") options.refresh_ahead = 0.000001;
  if (kind == "limited") cache.limit_loads("memory", {.concurrent = 64, .queue = 64});
  if (kind == "adaptive") {
    return any(cache.cached(options, load).adaptive_tags([](const std::string& value) {
      return std::vector<std::string>{"a-tag-of-the-value:" + value.substr(0, 20)};
    }),
               source);
  }
  if (kind == "context") {
    return any(cache.cached(options,
                            [source](int x, LoadContext<std::string>& context) {
                              context.set_etag("an etag that needs some memory");
                              context.add_tag("a-tag-of-the-context:" + std::to_string(x));
                              return source->value(x);
                            }),
               source);
  }
  if (kind == "negative") {
    options.negative_ttl = 60s;
    return any(cache.cached(options,
                            [source](int x) {
                              return x % 3 == 0 ? std::optional<std::string>() : std::optional(source->value(x));
                            }),
               source);
  }
  if (kind == "bulk") {
    return any(cache.cached(options, load).bulk_loader([source](const std::vector<int>& items) {
      std::vector<std::string> values;
      for (const int x : items) values.push_back(source->value(x));
      return values;
    }),
               source);
  }
  return any(cache.cached(options, load), source);
}

/// A manager, its functions and where their values come from. Shared with the threads that ask it, which may hang.
struct Rig {
  Rig(Backend which, const std::string& kind_of_function, bool with_peer = true)
      : backend(which), kind(kind_of_function) {
    if (backend != Backend::memory) the_server().command({"FLUSHALL"});
    cache.emplace(options());
    function = make_function(*cache, kind, source);
    if (backend == Backend::memory || !with_peer) return;
    peer.emplace(over_redis(the_server().url(), false, std::chrono::milliseconds(1000)));
    peers_function = make_function(*peer, kind, source);
  }
  ManagerOptions options() const {
    if (backend != Backend::memory) {
      return over_redis(the_server().url(), backend == Backend::two_levels, std::chrono::milliseconds(1000));
    }
    ManagerOptions own;
    own.url = "memory:";
    own.log.level = LogLevel::off;
    return own;
  }
  /// What the function's callers are to get.
  std::string right(int x) const { return kind == "negative" && x % 3 == 0 ? "none" : source->value(x); }
  std::string before(int x) const { return kind == "negative" && x % 3 == 0 ? "none" : source->before(x); }

  const Backend backend;
  const std::string kind;
  const std::shared_ptr<ValueSource> source = std::make_shared<ValueSource>();
  std::optional<CacheManager> cache, peer;
  AnyFunction function, peers_function;
  /// Made before memory is short.
  std::string key, tag, text, pattern;
  std::vector<std::string> keys;
  std::vector<std::pair<std::string, std::string>> items;
};

/// What another thread gets; "hangs" when that takes too long on any machine, and then the rig is never destroyed.
template <class Ask>
std::string ask_elsewhere(const std::shared_ptr<Rig>& rig, Ask ask) {
  struct Asked {
    std::promise<std::string> answer;
  };
  auto asked = std::make_shared<Asked>();
  auto answer = asked->answer.get_future();
  std::thread thread([rig, ask, asked] {
    try {
      asked->answer.set_value(ask(*rig));
    } catch (const std::exception& e) {
      asked->answer.set_value(std::string("threw ") + e.what());
    }
  });
  if (answer.wait_for(std::chrono::seconds(5)) != std::future_status::ready) {
    thread.detach();

    return "hangs";
  }
  thread.join();
  return answer.get();
}

/// Leases at the server, of loads that are under way.
inline std::string leases_at_the_server() {
  const detail::KeySpace names(ManagerOptions{}.space);
  std::string found;
  const std::string all = the_server().command({"KEYS", "*"});
  for (std::size_t at = 0; at < all.size();) {
    const std::size_t end = std::min(all.find('\n', at), all.size());
    const std::string key = all.substr(at, end - at);
    at = end + 1;
    const auto kind = names.parse(key).kind;
    if (kind == detail::KeySpace::Kind::raw_lease) found += key + " ";
    if (kind != detail::KeySpace::Kind::entry) continue;
    const std::string bytes = the_server().command({"GET", key});
    if (std::holds_alternative<detail::LeaseView>(detail::decode_lease(bytes))) found += key + " ";
  }
  return found;
}

inline bool tries_all_points() {
  const char* const given = std::getenv("DSTA_CACHE_ALLOCATION");
  return given && std::string(given) == "long";
}

/// From 1 to `last`; some of them where not all are to be tried.
inline std::vector<long> points(long last, long most) {
  std::vector<long> chosen;
  constexpr long kAll = 300;
  const long step = std::max(1L, last / (tries_all_points() ? kAll : most));
  for (long at = 1; at <= last; at += step) chosen.push_back(at);
  return chosen;
}

}  // namespace dsta::cache::testing_support
