// What a caller cannot use, and others can: a value of another codec or function, without a tag that the caller's
// function names, or bytes of other programs. A load takes its place only when it brings something.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "gated_source.hpp"
#include "on_threads.hpp"
#include "two_managers.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

using Source = std::function<int()>;

/// A value that `there` can use and `here` cannot.
struct ForOthers {
  std::string name;
  std::function<void(CacheManager& there)> store;
  std::function<bool(CacheManager& there)> is_there;
  std::function<int(CacheManager& here, Source)> load;
};

/// The same function, as one release and as the next have it.
auto release(CacheManager& cache, std::vector<std::string> tags, Source source) {
  return cache.cached({.ttl = 60s, .prefix = "f", .name = "f", .tags = std::move(tags)},
                      [source](int) { return source(); });
}
int load_as_int(CacheManager& here, Source source) { return here.get_or_load("k", std::move(source)); }

const ForOthers kOthersTable[] = {
    {"OtherCodec", [](CacheManager& there) { there.set("k", std::string("theirs"), {.ttl = 60s}); },
     [](CacheManager& there) { return there.get("k") == "theirs"; }, load_as_int},
    {"RawBytes", [](CacheManager& there) { there.set("k", std::string("theirs"), {.ttl = 60s, .raw = true}); },
     [](CacheManager& there) { return there.get("k", {.raw = true}) == "theirs"; }, load_as_int},
    {"Counter", [](CacheManager& there) { there.increment("k", 5'000'000'000); },
     [](CacheManager& there) { return there.get<std::int64_t>("k") == 5'000'000'000; }, load_as_int},
    {"MissingTag", [](CacheManager& there) { release(there, {}, [] { return 7; })(1); },
     [](CacheManager& there) { return release(there, {}, [] { return 0; })(1) == 7; },
     [](CacheManager& here, Source source) { return release(here, {"new"}, std::move(source))(1); }},
    {"OtherResult",
     [](CacheManager& there) {
       there.cached({.ttl = 60s, .prefix = "f", .name = "f"}, [](int) { return std::string("theirs"); })(1);
     },
     [](CacheManager& there) {
       return there.cached({.ttl = 60s, .prefix = "f", .name = "f"}, [](int) { return std::string(); })(1) == "theirs";
     },
     [](CacheManager& here, Source source) { return release(here, {}, std::move(source))(1); }},
    {"Batch", [](CacheManager& there) { release(there, {}, [] { return 7; })(1); },
     [](CacheManager& there) { return release(there, {}, [] { return 0; })(1) == 7; },
     [](CacheManager& here, Source source) {
       return release(here, {"new"}, std::move(source)).many(std::vector<int>{1}).at(0).value();
     }},
    {"Refresh", [](CacheManager& there) { there.set("f:f:1", std::string("theirs"), {.ttl = 60s}); },
     [](CacheManager& there) { return there.get("f:f:1") == "theirs"; },
     [](CacheManager& here, Source source) { return release(here, {}, std::move(source)).refresh(1); }},
    {"RefreshOfRawBytes",
     [](CacheManager& there) { there.set("f:f:1", std::string("theirs"), {.ttl = 60s, .raw = true}); },
     [](CacheManager& there) { return there.get("f:f:1", {.raw = true}) == "theirs"; },
     [](CacheManager& here, Source source) { return release(here, {}, std::move(source)).refresh(1); }},
};

struct ValueOfOthers : ProxiedServer, ::testing::WithParamInterface<std::tuple<ForOthers, bool>> {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    auto writer = manager();
    of().store(writer);
    ASSERT_TRUE(is_there());
  }
  /// For a manager that has read nothing yet.
  bool is_there() const {
    auto reader = manager();
    return of().is_there(reader);
  }
  int load(Source source) const {
    auto here = manager();
    return of().load(here, std::move(source));
  }
  CacheManager manager() const {
    CacheManager made(over_redis(server->url(), std::get<1>(GetParam()), 5s));
    EXPECT_TRUE(!std::get<1>(GetParam()) || l1_is_up(made));
    return made;
  }
  const ForOthers& of() const { return std::get<0>(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Of, ValueOfOthers, ::testing::Combine(::testing::ValuesIn(kOthersTable), ::testing::Bool()),
                         [](const auto& tested) {
                           return std::get<0>(tested.param).name + levels_name(std::get<1>(tested.param));
                         });

TEST_P(ValueOfOthers, StaysWhenTheLoadFails) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THROW(load([]() -> int { throw std::runtime_error("the source is away"); }), std::exception);
    EXPECT_TRUE(is_there());
  }
}

TEST_P(ValueOfOthers, IsThereWhileTheLoadRuns) {
  GatedSource source;
  source.stop_next();
  auto loaded = std::async(std::launch::async, [&] { return load([&] { return source.read(); }); });
  ASSERT_TRUE(source.has_stopped_one());
  EXPECT_TRUE(is_there());
  source.go_on();
  EXPECT_EQ(loaded.get(), 1);
}

TEST_P(ValueOfOthers, IsReplacedByWhatWasLoaded) {
  EXPECT_EQ(load([] { return 3; }), 3);
  EXPECT_FALSE(is_there());
}

TEST_P(ValueOfOthers, IsReplacedByOneLoadOfTheFleet) {
  if (of().name.starts_with("Refresh")) GTEST_SKIP() << "each refresh loads";
  GatedSource source;
  source.stop_next();
  std::atomic<int> callers = 0;
  std::thread last([&] {
    EXPECT_TRUE(eventually([&] { return callers == 4 && source.has_stopped_one(); }));
    source.go_on();
  });
  on_threads(4, [&](std::size_t) {
    auto here = manager();
    ++callers;
    EXPECT_EQ(of().load(here, [&] { return source.read(); }), 1);
  });
  last.join();
  EXPECT_EQ(source.reads, 1);
}

TEST_P(ValueOfOthers, ThatIsRemovedMeanwhileIsNotReplaced) {
  GatedSource source;
  source.stop_next();
  auto loaded = std::async(std::launch::async, [&] { return load([&] { return source.read(); }); });
  ASSERT_TRUE(source.has_stopped_one());
  manager().delete_pattern("*");
  source.go_on();
  EXPECT_EQ(loaded.get(), 1);
  EXPECT_EQ(load([] { return 5; }), 5) << "what was removed while it was loaded is not stored";
}

TEST_P(ValueOfOthers, IsNotReplacedByAnOlderLoad) {
  GatedSource older;
  older.stop_next();
  auto began_first = std::async(std::launch::async, [&] { return load([&] { return older.read(); }); });
  ASSERT_TRUE(older.has_stopped_one());
  // Another release of the function, which does not wait for it.
  auto here = manager();
  const auto newer = release(here, {"another"}, [] { return 2; });
  auto by_hand = manager();
  const bool is_function = of().name == "MissingTag" || of().name == "OtherResult" || of().name == "Batch";
  const auto load_newer = [&]() -> std::string {
    if (is_function) return std::to_string(newer(1));
    if (of().name.starts_with("Refresh")) return std::to_string(newer.refresh(1));
    return by_hand.get_or_load("k", [] { return 2.5; }) == 2.5 ? "2" : "no";
  };
  EXPECT_EQ(load_newer(), "2");
  older.go_on();
  EXPECT_EQ(began_first.get(), 1);
  if (is_function || of().name.starts_with("Refresh")) {
    EXPECT_EQ(newer(1), 2);
  } else {
    EXPECT_EQ(manager().get<double>("k"), 2.5);
  }
}

TEST_P(ValueOfOthers, IsReplacedAtOnceAfterAStoreThatWasRefused) {
  GatedSource source;
  source.stop_next();
  auto loaded = std::async(std::launch::async, [&] { return load([&] { return source.read(); }); });
  ASSERT_TRUE(source.has_stopped_one());
  server->command({"CONFIG", "SET", "maxmemory", "1000"});
  source.go_on();
  EXPECT_EQ(loaded.get(), 1);
  server->command({"CONFIG", "SET", "maxmemory", "0"});
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(load([] { return 2; }), 2);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 900ms) << "no lease is left behind";
}

// --- a load of another codec is under way

struct LoadOfOthers : TwoManagers {
  void SetUp() override {
    TwoManagers::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    source.stop_next();
    theirs = std::async(std::launch::async, [&] {
      return there.get_or_load("k", [&] {
        const int read = source.read();
        if (fails) throw std::runtime_error("the source is away");
        return "theirs " + std::to_string(read);
      });
    });
    ASSERT_TRUE(source.has_stopped_one());
  }
  GatedSource source;
  std::atomic<bool> fails = false;
  std::future<std::string> theirs;
};
INSTANTIATE_TEST_SUITE_P(Over, LoadOfOthers, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(LoadOfOthers, IsNotWaitedFor) {
  int loads = 0;
  const auto load = [&] { return here.get_or_load("k", [&] { return ++loads; }); };
  EXPECT_EQ(load(), 1);
  EXPECT_EQ(load(), 1) << "it is stored beside";
  source.go_on();
  EXPECT_EQ(theirs.get(), "theirs 1");
  EXPECT_EQ(load(), 1) << "which began later and stays";
}

TEST_P(LoadOfOthers, IsNotEndedByALoadThatFails) {
  EXPECT_THROW(here.get_or_load("k", []() -> int { throw std::runtime_error("the source is away"); }),
               std::runtime_error);
  source.go_on();
  EXPECT_EQ(theirs.get(), "theirs 1");
  EXPECT_EQ(there.get_or_load("k", [] { return std::string("again"); }), "theirs 1");
}

TEST_P(LoadOfOthers, IsNotWaitedForWhenItFailsBesideAnother) {
  GatedSource mine;
  mine.stop_next();
  auto beside = std::async(std::launch::async, [&] { return here.get_or_load("k", [&] { return mine.read(); }); });
  ASSERT_TRUE(mine.has_stopped_one());
  fails = true;
  source.go_on();
  EXPECT_THROW(theirs.get(), std::runtime_error);
  EXPECT_EQ(there.get_or_load("k", [] { return std::string("again"); }), "again");
  mine.go_on();
  EXPECT_EQ(beside.get(), 1);
}

TEST_P(LoadOfOthers, IsStoredWhenOneBesideKeepsNothing) {
  GatedSource slow;
  slow.stop_next();
  auto loaded = std::async(std::launch::async, [&] {
    return there.cached({.ttl = 60s, .prefix = "f", .name = "f"}, [&](int) { return std::to_string(slow.read()); })(1);
  });
  ASSERT_TRUE(slow.has_stopped_one());
  EXPECT_EQ(here.cached({.ttl = 60s, .prefix = "f", .name = "f"}, [](int) { return 1; }).condition([](int) {
    return false;
  })(1),
            1);
  slow.go_on();
  EXPECT_EQ(loaded.get(), "1");
  EXPECT_EQ(there.get("f:f:1"), "1");
  source.go_on();
  EXPECT_EQ(theirs.get(), "theirs 1");
}

TEST_P(LoadOfOthers, IsStoredWhenTheSameManagerKeepsNothingBeside) {
  EXPECT_EQ(there.get_or_load("k", [] { return std::optional<int>(); }), std::nullopt);
  source.go_on();
  EXPECT_EQ(theirs.get(), "theirs 1");
  EXPECT_EQ(there.get("k"), "theirs 1");
  EXPECT_EQ(here.get("k"), "theirs 1");
}

TEST_P(LoadOfOthers, IsRevokedByAnInvalidationAllTheSame) {
  EXPECT_EQ(here.get_or_load("k", [] { return 1; }), 1);
  here.del("k");
  source.go_on();
  EXPECT_EQ(theirs.get(), "theirs 1");
  EXPECT_EQ(here.get_or_load("k", [] { return 2; }), 2);
  EXPECT_FALSE(there.get("k"));
}

}  // namespace
}  // namespace dsta::cache
