// What becomes of the in-process level while the invalidation channel is down: the policies of L1Options.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using SteadyClock = std::chrono::steady_clock;

/// How the channel goes down.
enum class Loss {
  channel,  ///< the server closes the channel alone, and it cannot be made again
  both,     ///< all connections are reset, and the channel cannot be made again
  silence,  ///< nothing comes through any more, and nobody says so
};

struct ChannelDown : ProxiedServer, ::testing::WithParamInterface<Loss> {
  static constexpr auto kPeriod = 100ms;
  /// What a busy machine takes beyond what was promised.
  static constexpr auto kSlack = 1500ms;

  void TearDown() override {
    if (server) server->command({"ACL", "SETUSER", "default", "+subscribe"});
  }
  void make(OnDisconnect policy, Duration max_stale_age = 1s) {
    ManagerOptions options = over_redis(proxy->url(), true);
    options.l1.on_disconnect = policy;
    options.l1.max_stale_age = max_stale_age;
    options.l1.ping_period = kPeriod;
    here = CacheManager(std::move(options));
    there = CacheManager(over_redis(server->url(), false, 5s));
    f = here.cached({.ttl = 600s, .prefix = "f"}, Function([](int) { return -1; }));
    theirs = there.cached({.ttl = 600s, .prefix = "f"}, Function([](int) { return -1; }));
    change(1);
    await([&] { return keeps(1); });
  }
  /// What is kept stays: no word of a change is still on its way.
  void await(const std::function<bool()>& kept) {
    ASSERT_TRUE(eventually([&] { return keeps_at_all(); }));
    ASSERT_TRUE(has_invalidated(there, here));
    ASSERT_TRUE(eventually(kept));
  }
  bool keeps_at_all() { return here.set("any", 1) && here.lookup<int>("any").source == Source::l1; }
  void lose(Loss loss) {
    lost_at = SteadyClock::now();
    if (loss == Loss::silence) return proxy->set(Fault::blackhole());
    proxy->set(Fault::error_reply("NOPERM not now").on("SUBSCRIBE"));
    if (loss == Loss::both) return proxy->reset_connections();
    server->command({"CLIENT", "KILL", "TYPE", "pubsub"});
  }
  /// By another process, a value set and one of a function.
  void change(int to) {
    ASSERT_TRUE(there.set("k", to));
    ASSERT_TRUE(theirs.put(1, to));
  }
  /// Both are kept here, and are so.
  bool keeps(int value) {
    const auto found = here.lookup<int>("k");
    return found.source == Source::l1 && found.value == value && f.peek(1) == value && f(1) == value;
  }
  bool is_lost(std::uint64_t times = 1) const { return here.get_stats().l1_suspensions == times; }
  Duration since_loss() const { return SteadyClock::now() - lost_at; }
  /// True when both are read, and are so. No read, in whatever way, brings what is kept from before.
  bool reads_nothing_older_than(int value) {
    const auto found = here.lookup<int>("k");
    EXPECT_TRUE(!found || *found.value >= value) << *found.value;
    const auto peeked = f.peek(1);
    EXPECT_TRUE(!peeked || *peeked >= value) << *peeked;
    const int called = f(1);
    EXPECT_TRUE(called == -1 || called >= value) << called;
    const int batched = f.many({1}).at(0).value();
    EXPECT_TRUE(batched == -1 || batched >= value) << batched;
    EXPECT_NE(found.source, Source::l1);
    return found.value == value && peeked == value && called == value;
  }
  /// After the in-process level was emptied.
  void expect_nothing_to_be_kept() {
    for (int i = 3; i < 6; ++i) {
      change(i);
      // Where the server is out of reach there are misses.
      EXPECT_TRUE(reads_nothing_older_than(i) || GetParam() != Loss::channel);
    }
    expect_removals_to_count();
    EXPECT_EQ(here.get_stats().entries, 0u) << "nothing new is kept";
  }
  /// What another process removes is not there, in whatever way it is asked for.
  void expect_removals_to_count() {
    ASSERT_TRUE(there.del("k"));
    theirs.invalidate(1);
    EXPECT_FALSE(here.get<int>("k"));
    EXPECT_FALSE(here.exists("k"));
    EXPECT_FALSE(here.get_ttl("k"));
    EXPECT_FALSE(f.peek(1));
    EXPECT_EQ(f.many({1}).at(0).value(), -1);
    theirs.invalidate(1);
    EXPECT_EQ(f(1), -1);
  }
  void expect_recovery(int value) {
    change(value);
    proxy->clear();
    EXPECT_TRUE(eventually([&] { return keeps(value); })) << "by itself";
    change(value + 1);
    EXPECT_TRUE(eventually([&] { return keeps(value + 1); })) << "and changes are reported";
  }

  using Function = std::function<int(int)>;
  CacheManager here, there;
  cached<Function> f = here.cached({}, Function([](int) { return 0; })), theirs = f;
  SteadyClock::time_point lost_at;
};
std::string loss_name(const ::testing::TestParamInfo<Loss>& tested) {
  constexpr const char* kNames[] = {"AClosedChannel", "Resets", "Silence"};
  return kNames[static_cast<int>(tested.param)];
}
INSTANTIATE_TEST_SUITE_P(After, ChannelDown, ::testing::Values(Loss::channel, Loss::both, Loss::silence), loss_name);

TEST_P(ChannelDown, FlushServesNothingOlderAfterTwoPeriods) {
  make(OnDisconnect::flush);
  lose(GetParam());
  change(2);
  ASSERT_TRUE(eventually([&] { return is_lost(); }));
  EXPECT_LE(since_loss(), 2 * kPeriod + kSlack);
  EXPECT_TRUE(eventually([&] { return here.get_stats().entries == 0; }, kSlack));
  expect_nothing_to_be_kept();
  expect_recovery(5);
  lose(GetParam());
  EXPECT_TRUE(eventually([&] { return is_lost(2); })) << "each loss is counted";
  here.clear_stats();
  EXPECT_TRUE(is_lost(0));
}

TEST_P(ChannelDown, BypassReadsTheServerAndForgetsAfterwards) {
  make(OnDisconnect::bypass);
  ASSERT_TRUE(there.set("unchanged", 7));
  ASSERT_TRUE(there.set("both", 7));
  const auto is_here = [&](const char* key) { return here.lookup<int>(key).source == Source::l1; };
  await([&] { return is_here("unchanged") && is_here("both") && keeps(1); });
  lose(GetParam());
  change(2);
  ASSERT_TRUE(eventually([&] { return is_lost(); }));
  EXPECT_LE(since_loss(), 2 * kPeriod + kSlack);
  const EntryOptions own{.level = Level::l1};
  ASSERT_TRUE(here.set("own", 1, own));
  // At both levels: what L2 has, too, is in question.
  EXPECT_EQ(here.get_or_load(
                "both", [] { return -1; }, own),
            -1);
  for (int i = 3; i < 6; ++i) {
    change(i);
    EXPECT_TRUE(reads_nothing_older_than(i) || GetParam() != Loss::channel);
    EXPECT_NE(here.lookup<int>("unchanged").source, Source::l1);
    EXPECT_EQ(here.get<int>("own", own), 1) << "what no other process can change is not in question";
    EXPECT_EQ(here.get_or_load(
                  "own", [] { return 0; }, own),
              1);
    EXPECT_TRUE(here.get_ttl("own", own));
  }
  EXPECT_GE(here.get_stats().entries, 3u) << "it stays, unread";
  expect_removals_to_count();
  expect_recovery(5);
  EXPECT_EQ(here.lookup<int>("unchanged").source, Source::l2) << "and is dropped when the channel is up again";
  EXPECT_TRUE(is_lost());
}

TEST_P(ChannelDown, ServeGoesOnForMaxStaleAgeAndNoLonger) {
  constexpr auto kAge = 1500ms;
  make(OnDisconnect::serve, kAge);
  lose(GetParam());
  change(2);
  ASSERT_TRUE(eventually([&] { return is_lost(); }));
  EXPECT_TRUE(keeps(1) || since_loss() > kAge / 3) << "since the channel was last known to be up";
  ASSERT_TRUE(eventually([&] { return here.get_stats().entries == 0; }));
  EXPECT_GE(since_loss(), kAge / 3);
  EXPECT_LE(since_loss(), kAge + kSlack);
  expect_nothing_to_be_kept();
  expect_recovery(5);
}

TEST_P(ChannelDown, ServeEndsInTimeAndSoDoesClosing) {
  if (GetParam() != Loss::channel) GTEST_SKIP() << "one way to lose it will do";
  constexpr auto kAge = 300ms;
  make(OnDisconnect::serve, kAge);
  std::vector<std::pair<std::string, int>> fillers;
  for (int i = 0; i < 20'000; ++i) fillers.emplace_back("filler:" + std::to_string(i), i);
  there.set_many(fillers);
  // A pattern that waits to be confirmed, and takes forty scans at 150 ms each once it is tried.
  proxy->set(Fault::error_reply("OOM not now").on("SCAN"));
  here.delete_pattern("filler:*");
  EXPECT_EQ(here.get_stats().pending_invalidations, 1u);
  proxy->set(Fault::delay(150ms).on("SCAN"));
  server->command({"ACL", "SETUSER", "default", "-subscribe"});
  std::this_thread::sleep_for(100ms);
  server->command({"CLIENT", "KILL", "TYPE", "pubsub"});
  lost_at = SteadyClock::now();
  ASSERT_TRUE(eventually([&] { return is_lost(); }));
  EXPECT_TRUE(eventually([&] { return here.lookup<int>("k").source != Source::l1; }));
  EXPECT_LE(since_loss(), kAge + kSlack);
  EXPECT_EQ(here.get_stats().pending_invalidations, 1u) << "it still goes on";
  const auto begun = SteadyClock::now();
  here = CacheManager();
  EXPECT_LE(SteadyClock::now() - begun, kSlack);
}

TEST_P(ChannelDown, ServeEndsWhenTheChannelIsBackIfThatIsSooner) {
  make(OnDisconnect::serve, 60s);
  lose(GetParam());
  change(2);
  ASSERT_TRUE(eventually([&] { return is_lost(); }));
  EXPECT_TRUE(keeps(1));
  expect_recovery(2);
}

}  // namespace
}  // namespace dsta::cache
