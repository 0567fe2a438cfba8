// A process that forks: parent and child both go on with the manager, and neither sees the other's replies.
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "checked_value.hpp"
#include "eventually.hpp"
#include "over_redis.hpp"
#include "redis_server.hpp"
#include "scale.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

/// Its destructor asks the cache.
struct Asking {
  static inline std::atomic<CacheManager*> of{nullptr};
  Asking() = default;
  Asking(const Asking&) = default;
  Asking& operator=(const Asking&) = default;
  ~Asking() {
    if (CacheManager* const cache = of) static_cast<void>(cache->exists("other"));
  }
};

}  // namespace

template <>
struct codec<Asking> {
  static constexpr std::string_view name = "asking";
  static void encode(const Asking&, std::string&) {}
  static std::optional<Asking> decode(std::string_view) { return Asking(); }
};

namespace {

struct Fork : ::testing::TestWithParam<bool> {
  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
    if (kSanitized) GTEST_SKIP() << "sanitizers do not follow a fork with threads";
    server = std::make_unique<RedisServer>();
    cache = CacheManager(over_redis(server->url(), GetParam(), 5s));
  }
  /// How many of `count` operations came out wrong for the process called `me`.
  std::uint64_t work(const std::string& me, std::uint64_t count) {
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 1; i <= count; ++i) {
      const std::string key = me + std::to_string(i % 50);
      const std::string text = CheckedValue{key, i}.text();
      if (i % 3 == 0) {
        wrong += cache.increment("n:" + me) == static_cast<std::int64_t>(i / 3) ? 0 : 1;
      } else if (i % 3 == 1) {
        wrong += cache.set(key, text) ? 0 : 1;
        wrong += cache.get(key) == text ? 0 : 1;
      } else {
        const auto common = cache.get("common" + std::to_string(i % 20));
        const auto value = common ? CheckedValue::parse(*common) : std::nullopt;
        wrong += value && value->key == "common" + std::to_string(i % 20) ? 0 : 1;
      }
    }
    return wrong;
  }
  /// Runs `body` in a child; true when it returned true there. The child's end runs nothing of the test's.
  template <class Body>
  static pid_t in_child(Body body) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(body() ? 0 : 1);
    return child;
  }
  static bool went_well(pid_t child) {
    int status = -1;
    // A child that hangs is a failure, not a test that hangs.
    if (!eventually([&] { return ::waitpid(child, &status, WNOHANG) == child; }, 60s)) {
      ::kill(child, SIGKILL);
      ::waitpid(child, &status, 0);
      return false;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }
  void fill() {
    for (int i = 0; i < 20; ++i) {
      const std::string key = "common" + std::to_string(i);
      ASSERT_TRUE(cache.set(key, CheckedValue{key, 1}.text(), {.ttl = 600s}));
    }
  }
  std::unique_ptr<RedisServer> server;
  CacheManager cache;
};
INSTANTIATE_TEST_SUITE_P(On, Fork, ::testing::Bool(), [](const auto& tested) { return levels_name(tested.param); });

TEST_P(Fork, ParentAndChildGoOnAndNothingIsMixedUp) {
  fill();
  const pid_t child = in_child([&] { return work("child", 10'000) == 0; });
  ASSERT_GT(child, 0);
  EXPECT_EQ(work("parent", 10'000), 0u);
  EXPECT_TRUE(went_well(child));
}

TEST_P(Fork, AChildsWriteIsSeenByItsParent) {
  ASSERT_TRUE(cache.set("k", "parent's"));
  EXPECT_TRUE(went_well(in_child([&] { return bool(cache.set("k", "child's")); })));
  EXPECT_TRUE(eventually([&] { return cache.get("k") == "child's"; }, 1s));
}

TEST_P(Fork, AChildServesNoInvalidatedValueOfItsParentsOwn) {
  if (!GetParam()) GTEST_SKIP() << "there is no in-process level";
  int source = 1;
  const auto f = cache.cached({.ttl = 600s, .prefix = "own", .tags = {"t"}, .level = Level::l1},
                              std::function<int(int)>([&](int) { return source; }));
  ASSERT_EQ(f(1), 1);
  int invalidated[2];
  ASSERT_EQ(::pipe(invalidated), 0);
  const pid_t child = in_child([&] {
    source = 2;
    char byte = 0;
    if (::read(invalidated[0], &byte, 1) != 1 || f.peek(1).value_or(2) != 2 || f(1) != 2) return false;
    source = 3;
    return eventually([&] { return f(1) == 2; }, 5s) && f(1) == 2;  // and keeps what it loads
  });
  cache.invalidate_tag("t");
  ASSERT_EQ(::write(invalidated[1], "!", 1), 1);
  EXPECT_TRUE(went_well(child));
  ::close(invalidated[0]);
  ::close(invalidated[1]);
}

TEST_P(Fork, AChildDestroysItsParentsValuesWhereTheyMayAskTheCache) {
  const auto f = cache.cached({.ttl = 600s, .prefix = "asking", .tags = {"t"}, .level = Level::l1},
                              std::function<Asking(int)>([](int) { return Asking(); }));
  for (int i = 0; i < 100; ++i) static_cast<void>(f(i));
  EXPECT_TRUE(went_well(in_child([&] {
    Asking::of = &cache;
    return !cache.get("nothing");
  })));
}

TEST_P(Fork, AParentsWriteIsSeenByItsChild) {
  ASSERT_TRUE(cache.set("k", "before"));
  const pid_t child = in_child([&] { return eventually([&] { return cache.get("k") == "after"; }, 5s); });
  std::this_thread::sleep_for(100ms);
  ASSERT_TRUE(cache.set("k", "after"));
  EXPECT_TRUE(went_well(child));
}

/// What the manager's own threads are at when it forks is not left half done in the child.
TEST_P(Fork, NoneHappensInTheMiddleOfAReport) {
  if (!GetParam()) GTEST_SKIP() << "nothing is reported without an in-process level";
  CacheManager others(over_redis(server->url(), false, 5s));
  std::atomic<bool> inside = false, seen = false;
  const std::function<void()> dawdle = [&] {
    inside = seen = true;
    std::this_thread::sleep_for(20ms);
    inside = false;
  };
  ASSERT_TRUE(eventually([&] { return cache.set("k", 1) && cache.lookup<int>("k").source == Source::l1; }));
  cache.core()->before_report = &dawdle;
  ASSERT_TRUE(others.set("k", 2));
  ASSERT_TRUE(eventually([&] { return seen.load(); }));
  EXPECT_TRUE(went_well(in_child([&] { return !inside; })));
  cache.core()->before_report = nullptr;
  EXPECT_TRUE(eventually([&] { return !inside; }));
}

TEST_P(Fork, AChildFindsNothingTakenByTheThreadsThatItDoesNotHave) {
  CacheManager others(over_redis(server->url(), false, 5s));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(others.set("k" + std::to_string(i), i, {.ttl = 600s, .tags = {"t"}}));
  const std::jthread storm([&](const std::stop_token& over) {
    for (int i = 0; !over.stop_requested(); ++i) {
      others.set("k" + std::to_string(i % 100), i, {.ttl = 600s, .tags = {"t"}});
      if (i % 10 == 0) others.invalidate_tag("t");
    }
  });
  for (std::size_t left = scaled(200); left != 0; --left) {
    const pid_t child = in_child([&] {
      // Many at once, as the first thing that the child does with it.
      std::atomic<int> wrong = 0;
      std::vector<std::thread> threads;
      for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
          const std::string own = "own" + std::to_string(::getpid()) + "-" + std::to_string(t);
          wrong += cache.set(own, t) && cache.get<int>(own) == t ? 0 : 1;
          for (int i = 0; i < 100; ++i) (void)cache.get<int>("k" + std::to_string(i));
        });
      }
      for (auto& thread : threads) thread.join();
      return wrong == 0;
    });
    ASSERT_TRUE(went_well(child));
  }
}

TEST_P(Fork, AChildConfirmsWhatItsParentCouldNotYet) {
  ASSERT_TRUE(cache.set("k", 1));
  server->command({"ACL", "SETUSER", "default", "-unlink"});
  cache.del("k");
  EXPECT_EQ(cache.get_stats().pending_invalidations, 1u);
  server->command({"ACL", "SETUSER", "default", "+unlink"});
  const pid_t child = in_child([&] {
    cache.invalidate_tag("t");  // which is also a beginning
    return eventually([&] { return bool(cache.set("k", 2)); }, 5s);
  });
  EXPECT_TRUE(went_well(child));
}

TEST_P(Fork, AChildAppliesWhatItInvalidatesFirstOfAll) {
  const auto f = cache.cached({.ttl = 600s, .prefix = "f"}, std::function<int(int)>([](int x) { return x; }));
  const std::pair<const char*, std::function<void()>> ways[] = {
      {"invalidate", [&] { f.invalidate(1); }},
      {"del", [&] { cache.del("f:1"); }},
      {"del_many", [&] { cache.del_many({"f:1"}); }},
      {"delete_pattern", [&] { cache.delete_pattern("f:*"); }},
  };
  const auto may_remove = [&](bool may) {
    server->command({"ACL", "SETUSER", "default", may ? "+unlink" : "-unlink"});
  };
  for (const auto& [name, way] : ways) {
    // The parent has had a thread that confirms.
    may_remove(false);
    f.invalidate(7);
    may_remove(true);
    ASSERT_TRUE(eventually([&] { return cache.get_stats().pending_invalidations == 0; })) << name;
    ASSERT_EQ(f(1), 1);
    ASSERT_EQ(server->command({"EXISTS", "dsta:f:1"}), "1") << name;

    may_remove(false);
    const auto refusals = info_number(*server, "errorstats", "errorstat_NOPERM:count=");
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      try {
        way();
        std::this_thread::sleep_for(60s);
      } catch (...) {  // the parent sees that nothing was removed
      }
      ::_exit(1);
    }
    EXPECT_TRUE(eventually([&] { return info_number(*server, "errorstats", "errorstat_NOPERM:count=") > refusals; }))
        << name;
    may_remove(true);
    EXPECT_TRUE(eventually([&] { return server->command({"EXISTS", "dsta:f:1"}) == "0"; })) << name;
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    cache.del("f:1");  // from the parent's own level
  }
}

TEST(ForkOfAnInProcessCache, GivesTheChildThreadsOfItsOwn) {
  if (kSanitized) GTEST_SKIP() << "sanitizers do not follow a fork with threads";
  CacheManager cache(ManagerOptions{.url = "memory:"});
  const auto twice = cache.cached({.ttl = 600s, .prefix = "twice", .load_timeout = 30s}, [](int x) { return 2 * x; });
  ASSERT_EQ(twice(1), 2) << "now the pool has a thread that waits for work";
  std::this_thread::sleep_for(50ms);
  EXPECT_TRUE(Fork::went_well(Fork::in_child([&] { return twice(1) == 2 && twice(2) == 4; })));
  EXPECT_EQ(twice(3), 6);
}

}  // namespace
}  // namespace dsta::cache
