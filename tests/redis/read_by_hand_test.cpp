// What a manual call reads of a function's entries, and keeps in L1, is served to no function: nobody has compared
// whose it is, and which tags it carries.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <tuple>

#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Reading { none, get, get_many, lookup };

struct ReadByHand : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Reading, bool>> {
  using Function = std::function<int(int)>;

  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    const bool l1 = std::get<0>(GetParam());
    here = CacheManager(over_redis(server->url(), l1, 5s));
    there = CacheManager(over_redis(server->url(), l1, 5s));
    ASSERT_TRUE(!l1 || (l1_is_up(here) && l1_is_up(there)));
  }
  void read_by_hand(const std::string& key, int value) {
    const auto [l1, reading, wrapped_before] = GetParam();
    if (reading == Reading::none) return;
    if (reading == Reading::get) {
      EXPECT_EQ(here.get<int>(key), value);
    }
    if (reading == Reading::get_many) {
      EXPECT_EQ(here.get_many<int>({key}).front(), value);
    }
    if (reading == Reading::lookup) {
      EXPECT_EQ(here.lookup<int>(key).value, value);
    }
    EXPECT_EQ(here.lookup<int>(key).source, l1 ? Source::l1 : Source::l2) << "for manual calls it is kept";
  }
  bool l1() const { return std::get<0>(GetParam()); }
  bool wrapped_before() const { return std::get<2>(GetParam()); }

  CacheManager here, there;
};
std::string reading_name(const ::testing::TestParamInfo<ReadByHand::ParamType>& tested) {
  constexpr const char* kNames[] = {"NotRead", "Get", "GetMany", "Lookup"};
  const auto [l1, reading, wrapped_before] = tested.param;
  return levels_name(l1) + kNames[static_cast<int>(reading)] + (wrapped_before ? "OfAKnownFunction" : "");
}
INSTANTIATE_TEST_SUITE_P(Over, ReadByHand,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Reading::none, Reading::get, Reading::get_many,
                                                              Reading::lookup),
                                            ::testing::Bool()),
                         reading_name);

TEST_P(ReadByHand, AnEntryWithFewerTagsIsNoHitOfTheFunction) {
  std::atomic<int> source{1};
  const auto load = Function([&](int) { return source.load(); });
  const auto wrap = [&] {
    return here.cached({.ttl = 60s, .prefix = "f", .name = "load", .tags = {"old", "new"}}, load);
  };
  const auto old_release = there.cached({.ttl = 60s, .prefix = "f", .name = "load", .tags = {"old"}}, load);
  ASSERT_EQ(old_release(1), 1);
  ASSERT_TRUE(!l1() || has_invalidated(there, here));
  std::optional<cached<Function>> mine;
  if (wrapped_before()) mine.emplace(wrap());
  read_by_hand("f:load:1", 1);
  if (!mine) mine.emplace(wrap());

  source = 2;
  EXPECT_EQ((*mine)(1), 2) << "what is there could not be invalidated by the tag";
  source = 3;
  there.invalidate_tag("new");
  ASSERT_TRUE(!l1() || has_invalidated(there, here));
  EXPECT_EQ((*mine)(1), 3);
}

TEST_P(ReadByHand, AnEntryOfAnotherFunctionIsServedToNone) {
  const auto wrap = [](CacheManager& cache) {
    return cache.cached({.ttl = 60s, .prefix = "f", .name = "load"}, Function([](int n) { return 100 + n; }));
  };
  ASSERT_EQ(wrap(there)(1), 101);
  ASSERT_TRUE(!l1() || has_invalidated(there, here));
  std::optional<cached<Function>> same;
  if (wrapped_before()) same.emplace(wrap(here));
  read_by_hand("f:load:1", 101);
  const auto other =
      here.cached({.ttl = 60s, .prefix = "f"}, std::function<int(const std::string&)>([](const auto&) { return 7; }))
          .key_builder([](const std::string& key) { return key; });
  ASSERT_EQ(other.key_for("load:1"), "f:load:1");
  EXPECT_EQ(other("load:1"), 7);
  EXPECT_EQ(other("load:1"), 7);
}

}  // namespace
}  // namespace dsta::cache
