// Threads of a manager with a server behind: what holds where there are none to be had, and that they end with it.
#include <sys/resource.h>

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/warmer.hpp>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "thread_shortage.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Threads : ProxiedServer {
  static bool keeps(CacheManager& cache) { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; }
};

/// No descriptor more for this process than it has now.
class DescriptorShortage {
 public:
  DescriptorShortage() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    ::setrlimit(RLIMIT_NOFILE, &none);
  }
  ~DescriptorShortage() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

TEST_F(Threads, AManagerStartsWithoutThemAndUsesThemLater) {
  auto shortage = std::make_unique<ThreadShortage>();
  CacheManager cache(over_redis(server->url(), true, 1s));
  EXPECT_TRUE(cache.set("k", 1));
  EXPECT_EQ(cache.lookup<int>("k").source, Source::l2) << "nobody would say that it changed";
  const auto f = cache.cached({.ttl = 60s, .prefix = "f"}, std::function<int(int)>([](int n) { return n; }));
  EXPECT_EQ(f(3), 3);
  EXPECT_TRUE(cache.del("k"));
  EXPECT_TRUE(library_threads().empty());
  shortage.reset();
  EXPECT_TRUE(eventually([&] { return keeps(cache); }));
}

TEST_F(Threads, AManagerStartsWithoutDescriptorsAndUsesThemLater) {
  auto shortage = std::make_unique<DescriptorShortage>();
  CacheManager cache(over_redis(server->url(), true, 1s));
  const SetResult result = cache.set("k", 1);
  EXPECT_EQ(result, SetResult::not_stored);
  EXPECT_FALSE(result.reason().empty());
  shortage.reset();
  EXPECT_TRUE(eventually([&] { return keeps(cache); }));
}

TEST_F(Threads, WithoutThemCallsReconnectAndConfirmRemovals) {
  const ThreadShortage shortage;
  CacheManager cache(over_redis(proxy->url(), false, 300ms));
  ASSERT_TRUE(cache.set("k", 1));
  proxy->set(Fault::refuse());
  proxy->reset_connections();
  cache.del("k");
  ASSERT_EQ(cache.get_stats().pending_invalidations, 1u);
  EXPECT_EQ(stored("dsta:k").empty(), false);
  proxy->clear();
  EXPECT_TRUE(eventually([&] {
    (void)cache.get<int>("other");
    return cache.get_stats().pending_invalidations == 0;
  }));
  EXPECT_EQ(server->command({"EXISTS", "dsta:k"}), "0");
  EXPECT_TRUE(library_threads().empty());
}

TEST_F(Threads, ARemovalIsConfirmedByAThreadThatCouldNotBeHadAtFirst) {
  CacheManager cache(over_redis(proxy->url(), false, 300ms));
  ASSERT_TRUE(cache.set("k", 1));
  proxy->set(Fault::error_reply("NOPERM no").on("UNLINK"));
  {
    const ThreadShortage shortage;
    cache.del("k");
  }
  (void)cache.get<int>("other");
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; })) << "without a further call";
}

TEST_F(Threads, NoneOutlivesItsManagerWhateverItIsAt) {
  const auto check = [&](const char* state, bool l1, const std::function<void()>& before,
                         const std::function<void(CacheManager&)>& then) {
    SCOPED_TRACE(state);
    proxy->clear();
    auto cache = std::make_unique<CacheManager>(over_redis(proxy->url(), l1, 500ms));
    const auto f = cache->cached({.ttl = 60s, .prefix = "f", .load_timeout = 5s},
                                 std::function<int(int)>([](int n) { return n; }));  // keeps the core
    EXPECT_EQ(f(1), 1);
    const auto schedule = cache->core()->every(1h, [] {});
    before();
    then(*cache);
    EXPECT_FALSE(library_threads().empty());
    cache.reset();
    EXPECT_THAT(library_threads(), ::testing::IsEmpty());
  };
  const auto nothing = [] {};
  check("coherent", true, nothing, [](CacheManager& cache) { EXPECT_TRUE(eventually([&] { return keeps(cache); })); });
  check("just begun", true, nothing, [](CacheManager&) {});
  check(
      "a removal waits", true,
      [&] {
        proxy->set(Fault::refuse());
        proxy->reset_connections();
      },
      [](CacheManager& cache) { cache.del("k"); });
  check(
      "nobody answers", true,
      [&] {
        proxy->set(Fault::never_answer());
        proxy->reset_connections();
      },
      [](CacheManager& cache) {
        cache.del("k");
        std::this_thread::sleep_for(100ms);  // until it connects
      });
  check(
      "the connections are cut", true, [&] { proxy->set(Fault::blackhole()); },
      [](CacheManager&) { std::this_thread::sleep_for(1200ms); });  // a ping period: it is asked for a sign of life
}

TEST_F(Threads, ALogThatHangsDoesNotDelayInvalidations) {
  std::atomic<bool> goes_on = false;
  std::atomic<int> calls = 0;
  ManagerOptions options = over_redis(proxy->url(), true, 500ms);
  options.log = {LogLevel::warning, [&](LogLevel, std::string_view message) {
                   if (message.find("channel is down") == std::string_view::npos) return;
                   ++calls;
                   while (!goes_on) std::this_thread::sleep_for(1ms);
                   throw std::runtime_error("nor does one that throws");
                 }};
  CacheManager cache(options);
  const std::shared_ptr<void> end(nullptr, [&](void*) { goes_on = true; });  // whatever fails
  ASSERT_TRUE(eventually([&] { return keeps(cache); }));
  proxy->reset_connections();
  ASSERT_TRUE(eventually([&] { return calls == 1; }));
  ASSERT_TRUE(eventually([&] { return keeps(cache); })) << "the channel is made again";
  server->command({"DEL", "dsta:k"});
  EXPECT_TRUE(eventually([&] { return !cache.get<int>("k"); })) << "and is notified";
}

TEST_F(Threads, AChannelThatIsRefusedDoesNotCallTheLogItself) {
  std::atomic<int> said = 0;
  std::atomic<int> on_channel = 0;
  ManagerOptions options = over_redis(proxy->url(), true, 500ms);
  options.log = {LogLevel::warning, [&](LogLevel, std::string_view message) {
                   char name[16] = {};
                   ::pthread_getname_np(::pthread_self(), name, sizeof name);
                   if (std::string_view(name) == "dsta-channel") ++on_channel;
                   if (message.find("no invalidation channel") != std::string_view::npos) ++said;
                 }};
  proxy->set(Fault::error_reply("NOPERM no").on("SUBSCRIBE"));
  CacheManager cache(options);
  EXPECT_TRUE(cache.set("k", 1));
  EXPECT_TRUE(eventually([&] { return said == 1; }));
  EXPECT_EQ(on_channel, 0);
}

}  // namespace
}  // namespace dsta::cache
