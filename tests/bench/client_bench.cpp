// The way to Redis beside its peers, in one run: hiredis with a connection per thread, which is what services do, and
// redis-plus-plus with a pool as large, where it is installed. Values of 100 bytes, 100,000 keys.
//
// Only ratios inside one run say something: all of them share the processors with the server.
#include <benchmark/benchmark.h>
#include <hiredis/hiredis.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <dsta/cache.hpp>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#ifdef DSTA_CACHE_BENCH_REDIS_PLUS_PLUS
#include <sw/redis++/redis++.h>
#endif

#include "redis_server.hpp"

namespace {

using namespace std::chrono_literals;
using namespace dsta::cache;
using dsta::cache::testing_support::RedisServer;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeys = 100'000, kMany = 100, kThreads = 64;
const std::string kValue(100, 'v');

RedisServer& server() {
  static auto* running = new RedisServer;
  return *running;
}

const std::vector<std::string>& keys() {
  static const auto* made = [] {
    auto* all = new std::vector<std::string>;
    for (std::size_t i = 0; i < kKeys; ++i) all->push_back("bench:" + std::to_string(100'000'000 + i));
    return all;
  }();
  return *made;
}

// --- clients, all of one form

class Ours {
 public:
  explicit Ours(int) {}
  bool get(const std::string& key) { return manager().get(key, {.prefix = "b"}).has_value(); }
  bool set(const std::string& key) { return bool(manager().set(key, kValue, {.prefix = "b"})); }
  bool get_many(const std::vector<std::string>& some) {
    const auto values = manager().get_many(some, {.prefix = "b"});
    return std::ranges::all_of(values, [](const auto& value) { return value.has_value(); });
  }

 private:
  static CacheManager& manager() {
    static auto* one = [] {
      ManagerOptions options;
      options.url = server().url();
      options.default_ttl = 24h;
      options.l1.enabled = false;
      return new CacheManager(options);
    }();
    return *one;
  }
};

class Hiredis {
 public:
  explicit Hiredis(int) : context_(redisConnect("127.0.0.1", server().port())) {}
  bool get(const std::string& key) {
    return run([&] { return redisCommand(context_.get(), "GET %b", key.data(), key.size()); }, REDIS_REPLY_STRING);
  }
  bool set(const std::string& key) {
    return run(
        [&] {
          return redisCommand(context_.get(), "SET %b %b EX 86400", key.data(), key.size(), kValue.data(),
                              kValue.size());
        },
        REDIS_REPLY_STATUS);
  }
  /// One MGET.
  bool get_many(const std::vector<std::string>& some) {
    std::vector<const char*> words{"MGET"};
    std::vector<std::size_t> sizes{4};
    for (const auto& key : some) {
      words.push_back(key.data());
      sizes.push_back(key.size());
    }
    const auto count = static_cast<int>(words.size());
    return run([&] { return redisCommandArgv(context_.get(), count, words.data(), sizes.data()); }, REDIS_REPLY_ARRAY);
  }

 private:
  struct Free {
    void operator()(redisContext* context) const { redisFree(context); }
    void operator()(redisReply* reply) const { freeReplyObject(reply); }
  };
  template <class Command>
  bool run(const Command& command, int type) {
    const std::unique_ptr<redisReply, Free> reply(static_cast<redisReply*>(command()));
    if (!reply || reply->type != type) return false;
    // As a user would: the value is copied out of the reply.
    if (type == REDIS_REPLY_STRING) value_.assign(reply->str, static_cast<std::size_t>(reply->len));
    if (type == REDIS_REPLY_ARRAY) {
      values_.resize(reply->elements);
      for (std::size_t i = 0; i < reply->elements; ++i) {
        const redisReply& one = *reply->element[i];
        if (one.type != REDIS_REPLY_STRING) return false;
        values_[i].assign(one.str, static_cast<std::size_t>(one.len));
      }
    }
    return true;
  }
  std::unique_ptr<redisContext, Free> context_;
  std::string value_;
  std::vector<std::string> values_;
};

#ifdef DSTA_CACHE_BENCH_REDIS_PLUS_PLUS
class RedisPlusPlus {
 public:
  explicit RedisPlusPlus(int) {}
  bool get(const std::string& key) { return pool().get(key).has_value(); }
  bool set(const std::string& key) { return pool().set(key, kValue, 86400s); }
  bool get_many(const std::vector<std::string>& some) {
    std::vector<sw::redis::OptionalString> values;
    values.reserve(some.size());
    pool().mget(some.begin(), some.end(), std::back_inserter(values));
    return std::ranges::all_of(values, [](const auto& value) { return bool(value); });
  }

 private:
  static sw::redis::Redis& pool() {
    static auto* one = [] {
      sw::redis::ConnectionOptions options;
      options.host = "127.0.0.1";
      options.port = server().port();
      sw::redis::ConnectionPoolOptions size;
      size.size = kThreads;
      return new sw::redis::Redis(options, size);
    }();
    return *one;
  }
};
#endif

// --- what they are asked

/// The keys are there for all of them before the first measurement.
template <class Client>
void fill(const benchmark::State&) {
  static const bool filled = [] {
    Client client(0);
    for (const auto& key : keys()) client.set(key);
    return true;
  }();
  benchmark::DoNotOptimize(filled);
}

class Keys {
 public:
  explicit Keys(const benchmark::State& state) : random_(static_cast<std::uint32_t>(state.thread_index())) {}
  const std::string& next() { return keys()[random_() % kKeys]; }
  std::uint32_t percent() { return static_cast<std::uint32_t>(random_() % 100); }

 private:
  std::minstd_rand random_;
};

/// `kSets` of a hundred calls store.
template <class Client, int kSets>
void Calls(benchmark::State& state) {
  Client client(state.thread_index());
  Keys keys(state);
  for (auto _ : state) {
    const std::string& key = keys.next();
    const bool done = keys.percent() < kSets ? client.set(key) : client.get(key);
    if (!done) state.SkipWithError("no reply");
  }
  state.SetItemsProcessed(state.iterations());
}

template <class Client>
void GetMany(benchmark::State& state) {
  Client client(state.thread_index());
  Keys keys(state);
  std::vector<std::string> some(kMany);
  for (auto _ : state) {
    for (auto& key : some) key = keys.next();
    if (!client.get_many(some)) state.SkipWithError("no reply");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kMany));
}

/// Calls that begin by the clock, 20,000 a second in all, whatever the last ones took: `p50_us` from when each should
/// have begun.
template <class Client>
void OpenLoop(benchmark::State& state) {
  Client client(state.thread_index());
  Keys keys(state);
  const auto pace = std::chrono::nanoseconds(std::int64_t{1'000'000'000} * state.threads() / 20'000);
  auto due = Clock::now() + pace * state.thread_index() / state.threads();
  std::vector<double> taken;
  for (auto _ : state) {
    std::this_thread::sleep_until(due);
    if (!client.get(keys.next())) state.SkipWithError("no reply");
    taken.push_back(std::chrono::duration<double, std::micro>(Clock::now() - due).count());
    due += pace;
  }
  if (taken.empty()) return;
  const auto middle = taken.begin() + static_cast<std::ptrdiff_t>(taken.size() / 2);
  std::ranges::nth_element(taken, middle);
  state.counters["p50_us"] = benchmark::Counter(*middle, benchmark::Counter::kAvgThreads);
}

/// Two processes that use all the time they get, while it lives.
class BusyNeighbours {
 public:
  BusyNeighbours() {
    for (pid_t& child : children_) {
      child = ::fork();
      if (child != 0) continue;
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      for (std::uint64_t i = 0;; ++i) benchmark::DoNotOptimize(i);
    }
  }
  ~BusyNeighbours() {
    for (const pid_t child : children_) {
      if (child <= 0) continue;
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
  }
  BusyNeighbours(const BusyNeighbours&) = delete;
  BusyNeighbours& operator=(const BusyNeighbours&) = delete;

 private:
  pid_t children_[2] = {};
};
std::optional<BusyNeighbours> neighbours;

template <class Client>
void begin_busy(const benchmark::State& state) {
  fill<Client>(state);
  neighbours.emplace();
}
void end_busy(const benchmark::State&) { neighbours.reset(); }

template <class Client>
void add_rows(const std::string& name) {
  const auto add = [&](const char* what, void (*run)(benchmark::State&)) {
    return benchmark::RegisterBenchmark((what + ("/" + name)).c_str(), run)->Setup(fill<Client>)->UseRealTime();
  };
  add("get", Calls<Client, 0>)->Threads(1)->Threads(8)->Threads(kThreads);
  add("set", Calls<Client, 100>)->Threads(1)->Threads(8)->Threads(kThreads);
  add("get90_set10", Calls<Client, 10>)->Threads(8)->Threads(kThreads);
  add("get_many100", GetMany<Client>)->Threads(1)->Threads(8);
  add("get_open_loop", OpenLoop<Client>)->Threads(kThreads);
  add("get_beside_two_busy", Calls<Client, 0>)
      ->Setup(begin_busy<Client>)
      ->Teardown(end_busy)
      ->Threads(8)
      ->Threads(kThreads);
}

[[maybe_unused]] const bool registered = [] {
  add_rows<Hiredis>("hiredis");
#ifdef DSTA_CACHE_BENCH_REDIS_PLUS_PLUS
  add_rows<RedisPlusPlus>("redis_plus_plus");
#endif
  add_rows<Ours>("dsta");
  return true;
}();

}  // namespace
