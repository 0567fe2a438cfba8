// A tag that only the value names is not known while the value is loaded. A caller that comes after the invalidation of
// such a tag has returned joins no load that began before it, whatever becomes of the invalidation channel.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "eventually.hpp"
#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "hook_clock.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Naming { adaptive_tags, bulk_loader, load_context };
enum class Channel { up, down, back };

struct LateTag : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Naming, Channel, TagMode>> {
  using Call = std::function<int()>;

  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    const bool l1 = std::get<bool>(GetParam());
    here = CacheManager(over_redis(proxy->url(), l1, 5s));
    there = CacheManager(over_redis(server->url(), false, 5s));
    ASSERT_TRUE(!l1 || l1_is_up(here));
  }
  Call caller(Naming naming) {
    const EntryOptions options{.ttl = 60s, .prefix = "f"};
    const auto late = [](int) { return std::vector<std::string>{"late"}; };
    if (naming == Naming::load_context) {
      const auto f =
          here.cached(options, std::function<int(int, LoadContext<int>&)>([this](int, LoadContext<int>& load) {
                        load.add_tag("late");
                        return source.read();
                      }));
      return [f] { return f(1); };
    }
    auto f = here.cached(options, std::function<int(int)>([this](int) { return source.read(); })).adaptive_tags(late);
    if (naming == Naming::adaptive_tags) return [f] { return f(1); };
    const auto bulk = std::move(f).bulk_loader(
        [this](const std::vector<int>& keys) { return std::vector<int>(keys.size(), source.read()); });
    return [bulk] { return bulk.many(std::vector<int>{1, 2})[0].value(); };
  }
  void lose_channel() {
    const auto before = here.get_stats().l1_suspensions;
    proxy->set(Fault::error_reply("NOPERM not now").on("SUBSCRIBE"));
    server->command({"CLIENT", "KILL", "TYPE", "pubsub"});
    ASSERT_TRUE(eventually([&] { return here.get_stats().l1_suspensions > before; }));
  }

  GatedSource source;
  CacheManager here, there;
};
std::string name_of(const ::testing::TestParamInfo<LateTag::ParamType>& tested) {
  constexpr const char* kNaming[] = {"Adaptive", "Bulk", "Context"};
  constexpr const char* kChannel[] = {"", "ChannelDown", "ChannelBack"};
  const auto [l1, naming, channel, mode] = tested.param;
  return levels_name(l1) + kNaming[static_cast<int>(naming)] + kChannel[static_cast<int>(channel)] +
         (mode == TagMode::expire ? "Expire" : "");
}
INSTANTIATE_TEST_SUITE_P(Over, LateTag,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Naming::adaptive_tags, Naming::bulk_loader,
                                                              Naming::load_context),
                                            ::testing::Values(Channel::up, Channel::down, Channel::back),
                                            ::testing::Values(TagMode::remove, TagMode::expire)),
                         name_of);

TEST_P(LateTag, InvalidatedLetsNoLaterCallerJoinTheLoad) {
  const auto [l1, naming, channel, mode] = GetParam();
  if (!l1 && channel != Channel::up) GTEST_SKIP() << "there is no channel";
  const Call call = caller(naming);

  source.stop_next();
  auto before = std::async(std::launch::async, call);
  ASSERT_TRUE(source.has_stopped_one());
  if (channel != Channel::up) lose_channel();
  source.value = 2;
  there.invalidate_tag("late", mode);
  ASSERT_EQ(there.get_stats().pending_invalidations, 0u);
  if (channel == Channel::back) {
    proxy->clear();
    ASSERT_TRUE(l1_is_up(here));
  }
  ASSERT_TRUE(!l1 || channel == Channel::down || has_invalidated(there, here));

  auto after = std::async(std::launch::async, call);
  // It loads by itself, or waits for whoever does. Only one that has joined is counted.
  eventually([&] { return source.reads == 2 || here.get_stats().coalesced > 0; }, 300ms);
  source.go_on();
  EXPECT_EQ(after.get(), 2);
  before.get();
  EXPECT_EQ(call(), 2);
}

enum class Invalidation { own_tag, tag, key };

/// A caller that comes after an invalidation has returned, at each moment of a call that finds the value at L2.
struct FoundMeanwhile : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Invalidation>> {};
std::string name_of_found(const ::testing::TestParamInfo<FoundMeanwhile::ParamType>& tested) {
  constexpr const char* kInvalidation[] = {"OwnTag", "Tag", "Key"};
  const auto [l1, invalidation] = tested.param;
  return levels_name(l1) + kInvalidation[static_cast<int>(invalidation)];
}
INSTANTIATE_TEST_SUITE_P(Over, FoundMeanwhile,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(Invalidation::own_tag,
                                                                                 Invalidation::tag, Invalidation::key)),
                         name_of_found);

TEST_P(FoundMeanwhile, IsNotGivenToThoseWhoCameAfterAnInvalidation) {
  const bool l1 = std::get<bool>(GetParam());
  const auto invalidation = std::get<Invalidation>(GetParam());
  ManagerOptions options = over_redis(server->url(), l1, 5s);
  options.clock = std::make_shared<HookClock>();
  CacheManager here(std::move(options)), there(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(!l1 || l1_is_up(here));
  std::atomic<int> source{0};
  const auto function = [&](CacheManager& cache) {
    return cache.cached({.ttl = 60s, .prefix = "f"}, std::function<int(int)>([&](int) { return source.load(); }))
        .adaptive_tags([](int) { return std::vector<std::string>{"late"}; });
  };
  const auto mine = function(here), theirs = function(there);
  const auto invalidate = [&](int key) {
    if (invalidation == Invalidation::own_tag) here.invalidate_tag("late");
    if (invalidation == Invalidation::tag) there.invalidate_tag("late");
    if (invalidation == Invalidation::key) theirs.invalidate(key);
    ASSERT_TRUE(!l1 || invalidation == Invalidation::own_tag || has_invalidated(there, here));
  };

  bool hooked = true;
  for (int moment = 1; hooked && moment < 40; ++moment) {
    const int old = ++source;
    ASSERT_EQ(theirs(moment), old);
    std::future<int> after;
    hooked = false;
    HookClock::before_hook = moment;
    HookClock::hook = [&] {
      hooked = true;
      ++source;
      invalidate(moment);
      after = std::async(std::launch::async, [&] { return mine(moment); });
      // It joins, or reads by itself. This call must not wait for it: it may be waited for.
      after.wait_for(50ms);
    };
    mine(moment);
    HookClock::hook = nullptr;
    if (hooked) {
      EXPECT_EQ(after.get(), source) << "at moment " << moment;
    }
    EXPECT_EQ(mine(moment), source) << "at moment " << moment << ", again";
  }
  EXPECT_FALSE(hooked) << "there are more moments";
}

}  // namespace
}  // namespace dsta::cache
