// A server that runs no scripts: what others do to a key while it is loaded stays as it is, whatever the load brings.
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct WithoutScripts : ::testing::Test {
  static inline const EntryOptions kAMinute{.ttl = 60s};
  static inline const EntryOptions kThere{.ttl = 60s, .level = Level::l2};

  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    RedisOptions options;
    options.users = {"app on >pw ~* &* +@all -@scripting"};
    server = std::make_unique<RedisServer>(options);
  }
  ManagerOptions options(bool l1 = true) const {
    return over_redis("redis://app:pw@127.0.0.1:" + std::to_string(server->port()), l1, 2s);
  }
  /// Finds out that there are no scripts.
  static void warm(CacheManager& cache) {
    (void)cache.get_or_load(
        "warm", [] { return 1; }, kAMinute);
  }
  bool has(const std::string& key) const { return server->command({"EXISTS", "dsta:" + key}) == "1"; }

  std::unique_ptr<RedisServer> server;
};

TEST_F(WithoutScripts, ALoadLeavesWhatItsProcessHasSet) {
  for (const bool l1 : {true, false}) {
    CacheManager a(options(l1)), b(options(false));
    warm(a);
    const auto during = [&](const std::string& key, const std::function<void()>& change) {
      EXPECT_EQ(a.get_or_load(
                    key,
                    [&] {
                      change();
                      return 1;
                    },
                    kAMinute),
                1);
    };
    during("set", [&] { ASSERT_TRUE(a.set("set", 2, kAMinute)); });
    EXPECT_EQ(b.get<int>("set"), 2) << l1;
    during("counter", [&] {
      a.del("counter");
      EXPECT_EQ(a.increment("counter", 5), 5);
    });
    EXPECT_EQ(b.get<int>("counter"), 5) << l1;
    b.del_many({"set", "counter"});
  }
}

TEST_F(WithoutScripts, ALoadThatFailsLeavesWhatOthersHaveSet) {
  for (const bool l1 : {true, false}) {
    CacheManager a(options(l1)), b(options(false));
    warm(a);
    const auto failing = [&]() -> int {
      EXPECT_TRUE(b.set("k", 2, kAMinute));
      throw std::runtime_error("failed");
    };
    EXPECT_THROW((void)a.get_or_load("k", failing, kThere), std::runtime_error);
    EXPECT_EQ(b.get<int>("k"), 2) << l1;
    b.del("k");
  }
}

/// The next load finds nothing that keeps it from storing.
TEST_F(WithoutScripts, ALoadThatStoresNothingTakesItsMarkAway) {
  CacheManager a(options());
  warm(a);
  const auto f = a.cached({.ttl = 60s, .prefix = "f", .tags = {"tag"}}, std::function<int(int)>([&](int i) {
                            if (i == 1) throw std::runtime_error("failed");
                            if (i == 2) a.invalidate_tag("tag");
                            if (i == 3) a.flush_all();
                            return i;
                          }));
  EXPECT_THROW(f(1), std::runtime_error);
  EXPECT_FALSE(has(f.key_for(1)));
  EXPECT_EQ(f(2), 2);
  EXPECT_FALSE(has(f.key_for(2)));
  EXPECT_EQ(f(3), 3);
  EXPECT_FALSE(has(f.key_for(3)));
}

/// What it has found was invalidated, and another load has begun in its place.
TEST_F(WithoutScripts, ARefreshStoresOnlyOverWhatItHasFound) {
  CacheManager a(options(false)), b(options(false));
  std::atomic<int> source{1};
  std::function<void()> during_refresh, during_load;
  const EntryOptions kept{.ttl = 60s, .prefix = "f"};
  const auto loader = [&](std::function<void()>& once) {
    return std::function<int(int)>([&](int) {
      const int read = source;
      if (const auto now = std::exchange(once, nullptr)) now();
      return read;
    });
  };
  const auto here = a.cached(kept, loader(during_refresh)), there = b.cached(kept, loader(during_load));
  ASSERT_EQ(here(1), 1);
  ASSERT_EQ(there(1), 1);
  std::promise<void> loading, go_on;
  std::thread other;
  during_load = [&] {
    loading.set_value();
    go_on.get_future().wait();
  };
  during_refresh = [&] {
    source = 2;
    there.invalidate(1);
    other = std::thread([&] { EXPECT_EQ(there(1), 2); });
    loading.get_future().wait();
  };
  EXPECT_EQ(here.refresh(1), 1);
  CacheManager c(options(false));
  EXPECT_EQ(c.get<int>("f:1"), std::nullopt);
  go_on.set_value();
  other.join();
  EXPECT_EQ(here(1), 2);
}

TEST_F(WithoutScripts, ARefreshLeavesNoOlderValueThanWasSet) {
  CacheManager a(options(false)), b(options(false));
  std::function<void()> once;
  const auto f = a.cached({.ttl = 60s, .prefix = "f"}, std::function<int(int)>([&](int) {
                            if (const auto now = std::exchange(once, nullptr)) now();
                            return 1;
                          }));
  ASSERT_EQ(f(1), 1);
  once = [&] { ASSERT_TRUE(b.set("f:1", 2, kAMinute)); };
  EXPECT_EQ(f.refresh(1), 1);
  EXPECT_NE(b.get<int>("f:1"), 1);
  EXPECT_EQ(f.refresh(1), 1);
  EXPECT_EQ(b.get<int>("f:1"), 1) << "what nobody has changed is replaced";
}

/// What a load has overwritten, it removes, and does not forget to where the server refuses it at first.
TEST_F(WithoutScripts, AStoreThatCrossedASetIsUndoneForSure) {
  FaultProxy proxy(server->port());
  ManagerOptions by_proxy = options(false);
  by_proxy.url = "redis://app:pw@127.0.0.1:" + std::to_string(proxy.port());
  by_proxy.l1.untracked_ttl = 1min;
  CacheManager a(std::move(by_proxy)), b(options(false));
  warm(a);
  const auto load = [&] {
    EXPECT_TRUE(b.set("k", 2, kAMinute));
    proxy.set(Fault::error_reply("ERR not now").on("UNLINK").times(1));
    return 1;
  };
  EXPECT_EQ(a.get_or_load("k", load, kAMinute), 1);
  EXPECT_TRUE(eventually([&] { return !has("k"); }, 5s));
}

}  // namespace
}  // namespace dsta::cache
