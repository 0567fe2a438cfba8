// A model cache kept by the channel, while everything between it and the server goes wrong.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "fault_proxy.hpp"
#include "l2/client/link.hpp"
#include "l2/tracking/channel.hpp"
#include "redis_server.hpp"
#include "scale.hpp"
#include "wire_client.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::FaultProxy;
using testing_support::kSanitized;
using testing_support::NetError;
using testing_support::RedisServer;
using testing_support::WireClient;
using Bad = testing_support::Fault;

constexpr int kKeys = 24;

std::string name(int k) { return "dsta:" + std::to_string(k); }

/// Erased when reported, emptied when the channel is down, filled only by what was asked for under the epoch that still
/// is.
class ModelCache : public ChannelListener {
 public:
  struct Ticket {
    std::uint64_t epoch, generation;
  };

  void on_keys(std::span<const std::string_view> keys) override {
    const std::lock_guard lock(mutex_);
    for (const std::string_view key : keys) {
      const int k = std::stoi(std::string(key.substr(5)));
      if (k < kKeys) {
        forget(k);
      } else {
        last_mark_ = k;
        changed_.notify_all();
      }
    }
  }
  void on_flush() override {
    const std::lock_guard lock(mutex_);
    for (int k = 0; k < kKeys; ++k) forget(k);
  }
  void on_up(TimePoint /*known_good*/) override {
    const std::lock_guard lock(mutex_);
    is_up_ = true;
    ++epoch_;
    changed_.notify_all();
  }
  void on_down(std::string_view) override {
    const std::lock_guard lock(mutex_);
    is_up_ = false;
    ++epoch_;
    ++times_down;
    for (int k = 0; k < kKeys; ++k) forget(k);
  }

  Ticket ticket(int k) {
    const std::lock_guard lock(mutex_);
    return {epoch_, key(k).generation};
  }
  void fill(int k, Ticket ticket, const std::string& value) {
    const std::lock_guard lock(mutex_);
    if (!is_up_ || ticket.epoch != epoch_ || ticket.generation != key(k).generation) return;
    key(k).value = value;
    ++fills;
  }
  void erase(int k) {
    const std::lock_guard lock(mutex_);
    forget(k);
  }
  std::optional<std::string> value(int k) {
    const std::lock_guard lock(mutex_);
    return key(k).value;
  }
  bool await_mark(int mark, Duration patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return last_mark_ == mark; });
  }
  bool await_up() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, 30s, [&] { return is_up_; });
  }

  std::atomic<int> fills = 0, times_down = 0;

 private:
  struct Key {
    std::optional<std::string> value;
    std::uint64_t generation = 0;
  };
  Key& key(int k) { return keys_[static_cast<std::size_t>(k)]; }
  void forget(int k) {
    key(k).value.reset();
    ++key(k).generation;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  // Under mutex_.
  std::array<Key, kKeys> keys_;
  std::uint64_t epoch_ = 0;
  bool is_up_ = false;
  int last_mark_ = 0;
};

/// Reads through the cache; now and then writes past it, as its owner does.
void use(Link& link, ModelCache& cache, std::uint64_t seed, const std::atomic<bool>& stop) {
  std::mt19937_64 random(seed);
  while (!stop) {
    const int k = static_cast<int>(random() % kKeys);
    if (random() % 16 == 0) {
      cache.erase(k);
      link.run(Request{"SET", name(k), "own" + std::to_string(random() % 1000)}, Purpose::write);
      cache.erase(k);
      continue;
    }
    if (cache.value(k)) {
      std::this_thread::yield();
      continue;
    }
    const auto ticket = cache.ticket(k);
    const Answer answer = link.run(Request{"GET", name(k)}, Purpose::read);
    if (answer && !answer.replies[0].is(Reply::Kind::error)) cache.fill(k, ticket, answer.replies[0].text);
    if (!answer) std::this_thread::sleep_for(1ms);
  }
}

/// Another process, past the proxy.
void change(const RedisServer& server, std::uint64_t seed, const std::atomic<bool>& stop) {
  std::mt19937_64 random(seed);
  WireClient client = WireClient::tcp(server.port(), 20s);
  while (!stop) {
    const std::string key = name(static_cast<int>(random() % kKeys));
    switch (random() % 100) {
      case 0:
        client.call({"FLUSHALL"});
        break;
      case 1:
      case 2:
      case 3:
      case 4:
        client.call({"UNLINK", key});
        break;
      default:
        client.call({"SET", key, std::to_string(random() % 1'000'000)});
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2'000));
  }
}

void annoy(RedisServer& server, FaultProxy& proxy, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto plan = [&] {
    proxy.schedule(random(), {{Bad::pass(), 2000},
                              {Bad::delay(5ms), 20},
                              {Bad::delay(40ms), 2},
                              {Bad::reset_before(), 1},
                              {Bad::reset_after(), 1},
                              {Bad::truncate(2), 1},
                              {Bad::garbage(3), 1}});
  };
  plan();
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(250ms);
    switch (random() % 8) {
      case 0:
        server.command({"CLIENT", "KILL", "TYPE", "pubsub"});
        break;
      case 1:
        proxy.reset_connections();
        break;
      case 2:
        proxy.set(Bad::blackhole());
        std::this_thread::sleep_for(200ms);
        plan();
        break;
      case 3:
        server.pause();
        std::this_thread::sleep_for(100ms);
        server.resume();
        break;
      case 4:
        proxy.set(Bad::hold(Bad::Way::replies));
        std::this_thread::sleep_for(50ms);
        plan();
        break;
      default:
        break;
    }
  }
}

TEST(ChannelChaos, AfterwardsTheCacheAgreesWithTheServerOnEveryKey) {
  if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
  RedisServer server;
  int fills = 0, times_down = 0;
  for (std::uint64_t seed = 1; seed <= (kSanitized ? 3 : 10); ++seed) {
    SCOPED_TRACE(seed);
    FaultProxy proxy(server.port());
    LinkOptions options;
    options.address.host = "127.0.0.1";
    options.address.port = proxy.port();
    options.operation_timeout = options.connect_timeout = 300ms;
    options.log.level = LogLevel::off;
    Link link(options);
    ModelCache cache;
    const Channel channel({.prefix = "dsta:", .ping_period = 100ms}, link, cache);
    ASSERT_TRUE(cache.await_up());
    std::atomic<bool> stop = false;
    {
      std::vector<std::jthread> threads;
      for (std::uint64_t t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] { use(link, cache, seed * 10 + t, stop); });
        threads.emplace_back([&, t] { change(server, seed * 10 + 5 + t, stop); });
      }
      annoy(server, proxy, seed);
      proxy.clear();
      // The last second is whole again, so that there is something in the cache to be wrong.
      EXPECT_TRUE(cache.await_up());
      std::this_thread::sleep_for(200ms);
      stop = true;
    }
    // What was reported before a mark has arrived when the mark has.
    bool reported = false;
    for (int mark = kKeys + 1; !reported && mark < kKeys + 100; ++mark) {
      ASSERT_TRUE(cache.await_up());
      server.command({"SET", name(mark), "mark"});
      reported = cache.await_mark(mark, 500ms);
    }
    ASSERT_TRUE(reported);
    for (int k = 0; k < kKeys; ++k) {
      const auto cached = cache.value(k);
      const std::string stored = server.command({"GET", name(k)});
      if (cached) {
        EXPECT_EQ(cached->empty() ? "(nil)" : *cached, stored) << k;
      }
    }
    fills += cache.fills;
    times_down += cache.times_down;
  }
  EXPECT_GT(fills, 100);
  EXPECT_GT(times_down, 0);
  RecordProperty("fills", fills);
  RecordProperty("times_down", times_down);
}

}  // namespace
}  // namespace dsta::cache::detail
