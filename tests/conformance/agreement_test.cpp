// Two managers of one space that change the same things: in the end both have what the server has.
#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <future>
#include <latch>
#include <random>
#include <string>
#include <vector>

#include "backend_test.hpp"
#include "has_invalidated.hpp"
#include "on_threads.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using detail::Core;

struct Agreement : BackendTest {
  using Function = std::function<int(int)>;

  void SetUp() override {
    BackendTest::SetUp();
    if (IsSkipped()) return;
    other = manager();
    if (!has_l1()) return;
    for (CacheManager* one : {&cache, &other}) {
      ASSERT_TRUE(eventually([&] { return one->set("warm", 1) && one->lookup<int>("warm").source == Source::l1; }));
    }
  }
  /// At once where nothing is kept in-process.
  void let_hear(CacheManager& from, CacheManager& to) const {
    if (has_l1()) {
      ASSERT_TRUE(has_invalidated(from, to));
    }
  }
  /// A function whose value names its tag.
  cached<Function> tagged_by_value(CacheManager& manager, Function function) const {
    return manager.cached({.ttl = 60s, .prefix = "f"}, std::move(function)).adaptive_tags([](int value) {
      return std::vector{"of:" + std::to_string(value)};
    });
  }
  CacheManager other;
};
INSTANTIATE_TEST_SUITE_P(On, Agreement, redis_backends(), backend_name);

TEST_P(Agreement, ATagThatOnlyAForeignValueNamesIsInvalidated) {
  const auto mine = tagged_by_value(cache, [](int) { return 1; });
  const auto theirs = tagged_by_value(other, [](int) { return 2; });
  EXPECT_EQ(theirs(1), 2);
  EXPECT_EQ(theirs(3), 2);
  cache.invalidate_tag("of:1");
  let_hear(cache, other);
  EXPECT_EQ(theirs.peek(1), 2) << "that was another";
  cache.invalidate_tag("of:2");
  EXPECT_FALSE(mine.peek(1));
  EXPECT_EQ(mine(1), 1);
  let_hear(cache, other);
  EXPECT_EQ(theirs(1), 1);
  EXPECT_FALSE(theirs.peek(3));
  cache.invalidate_tag("of:2");
  let_hear(cache, other);
  EXPECT_EQ(theirs.peek(1), 1) << "of the value that is there now it is no tag";
}

/// A load here, overtaken by an invalidation, made there, of a tag that nothing but the value names.
struct LateTag : Agreement {
  enum class Moment { in_loader, before_tags_are_known, before_l2_store, before_l1_store };

  void SetUp() override {
    Agreement::SetUp();
    if (IsSkipped()) return;
    cache.core()->probe = [this](Core::Point point, std::string_view key) {
      if (key != "f:1") return;
      if (point == Core::Point::before_store) reach(Moment::before_tags_are_known);
      if (point == Core::Point::before_l2_store) reach(Moment::before_l2_store);
      if (point == Core::Point::before_l1_store) reach(Moment::before_l1_store);
    };
    mine = tagged_by_value(cache, [this](int) {
      const int value = source;
      reach(Moment::in_loader);
      return value;
    });
    theirs = tagged_by_value(other, [this](int) { return source.load(); });
  }
  void reach(Moment here) {
    if (here != moment || !armed.exchange(false)) return;
    source = 2;
    // Not on this thread, which is loading.
    std::async(std::launch::async, [&] {
      other.invalidate_tag("of:1");
      let_hear(other, cache);
    }).get();
    reader = std::async(std::launch::async, [&] { return mine(1); });
    reader.wait_for(5ms);
  }
  void expect_new() {
    ASSERT_TRUE(reader.valid()) << "it never came to its moment";
    EXPECT_EQ(reader.get(), 2) << "who came at once";
    EXPECT_EQ(mine(1), 2);
    EXPECT_EQ(theirs(1), 2);
    EXPECT_EQ(cache.get<int>("f:1"), 2);
  }

  Moment moment{};
  std::atomic<bool> armed = false;
  std::atomic<int> source = 1;
  std::future<int> reader;
  cached<Function> mine = cache.cached({}, Function([](int) { return 0; })), theirs = mine;
};
INSTANTIATE_TEST_SUITE_P(On, LateTag, redis_backends(), backend_name);

TEST_P(LateTag, InvalidatedDuringTheLoadHidesTheValue) {
  for (const Moment when :
       {Moment::in_loader, Moment::before_tags_are_known, Moment::before_l2_store, Moment::before_l1_store}) {
    SCOPED_TRACE(static_cast<int>(when));
    mine.invalidate(1);
    let_hear(cache, other);
    source = 1;
    moment = when;
    armed = true;
    mine(1);
    expect_new();
  }
}

TEST_P(LateTag, InvalidatedBeforeItArrivesHidesTheValue) {
  if (!has_l1()) GTEST_SKIP() << "whoever comes later looks for himself";
  EXPECT_EQ(theirs(1), 1);
  moment = Moment::before_l1_store;
  armed = true;
  EXPECT_EQ(mine(1), 1);
  expect_new();
}

TEST_P(Agreement, AfterConcurrentChangesBothHaveWhatTheServerHas) {
  std::atomic<int> last = 0;
  const auto number = [&](int) { return ++last; };
  const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"t{0}"}};
  const auto mine = cache.cached(options, Function(number)), theirs = other.cached(options, Function(number));
  const auto act = [&](CacheManager& manager, const cached<Function>& f, std::mt19937& random) {
    switch (random() % 8) {
      case 0:
      case 1:
        manager.set("f:1", ++last, {.ttl = 60s, .tags = {"t1"}});
        break;
      case 2:
        f.put(1, ++last);
        break;
      case 3:
      case 4:
        manager.del("f:1");
        break;
      case 5:
        manager.invalidate_tag("t1");
        break;
      case 6:
        f(1);
        break;
      default:
        (void)manager.get<int>("f:1");
    }
  };
  std::size_t there = 0, rounds = scaled(200);
  for (unsigned seed = 1; seed <= rounds; ++seed) {
    SCOPED_TRACE(seed);
    std::barrier begin(2);
    on_threads(2, [&](std::size_t i) {
      std::mt19937 random(2 * seed + static_cast<unsigned>(i));
      begin.arrive_and_wait();
      for (auto acts = 1 + random() % 3; acts > 0; --acts) {
        i == 0 ? act(cache, mine, random) : act(other, theirs, random);
      }
    });
    let_hear(cache, other);
    let_hear(other, cache);
    const auto at_server = other.get<int>("f:1", {.level = Level::l2});
    there += at_server ? 1 : 0;
    ASSERT_EQ(cache.get<int>("f:1"), at_server);
    ASSERT_EQ(other.get<int>("f:1"), at_server);
    ASSERT_EQ(mine.peek(1), theirs.peek(1));
  }
  EXPECT_GT(there, 0u);
  EXPECT_LT(there, rounds);
}

TEST_P(Agreement, LoadsThatNeedEachOthersKeysEndInTime) {
  // Here x needs y, and there y needs x: each waits for the other's lease.
  std::latch both(2);
  const auto count_down = [&](std::atomic<bool>& first) {
    if (first.exchange(false)) both.arrive_and_wait();
  };
  std::atomic<bool> first_here = true, first_there = true;
  const EntryOptions x{.ttl = 60s, .prefix = "x"}, y{.ttl = 60s, .prefix = "y"};
  const auto my_y = cache.cached(y, Function([](int) { return 1; }));
  const auto my_x = cache.cached(x, Function([&](int i) { return count_down(first_here), 10 + my_y(i); }));
  const auto their_x = other.cached(x, Function([](int) { return 2; }));
  const auto their_y = other.cached(y, Function([&](int i) { return count_down(first_there), 20 + their_x(i); }));
  const auto begun = std::chrono::steady_clock::now();
  on_threads(2, [&](std::size_t i) {
    if (i == 0) {
      const int got = my_x(1);
      EXPECT_TRUE(got == 11 || got == 32) << got << ": with its own y, or with the one that was brought meanwhile";
    } else {
      const int got = their_y(1);
      EXPECT_TRUE(got == 22 || got == 31) << got << ": with its own x, or with the one that was brought meanwhile";
    }
  });
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s + 2s) << "no longer than a lease lasts without its holder";
}

}  // namespace
}  // namespace dsta::cache
