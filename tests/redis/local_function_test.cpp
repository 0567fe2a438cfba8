// A function of Level::l1 keeps its values in its process, with an L1 or without: what another process invalidates
// counts from when the invalidation has returned.
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <string>
#include <tuple>

#include "eventually.hpp"
#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Removal { tag, clear, flush };

struct LocalFunction : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Removal>> {
  using Function = std::function<int(int)>;
};
std::string removal_name(const ::testing::TestParamInfo<LocalFunction::ParamType>& tested) {
  constexpr const char* kNames[] = {"Tag", "Clear", "Flush"};
  const auto [l1, removal] = tested.param;
  return levels_name(l1) + kNames[static_cast<int>(removal)];
}
INSTANTIATE_TEST_SUITE_P(Over, LocalFunction,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Removal::tag, Removal::clear, Removal::flush)),
                         removal_name);

TEST_P(LocalFunction, LetsNobodyJoinALoadInvalidatedElsewhere) {
  const auto [l1, removal] = GetParam();
  GatedSource source;
  CacheManager here(over_redis(server->url(), l1, 5s)), there(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(!l1 || l1_is_up(here));
  const EntryOptions options{.ttl = 60s, .prefix = "f", .name = "load", .tags = {"t"}, .level = Level::l1};
  const auto mine = here.cached(options, Function([&](int) { return source.read(); }));
  const auto theirs = there.cached(options, Function([&](int) { return source.value.load(); }));

  source.stop_next();
  auto before = std::async(std::launch::async, [&] { return mine(1); });
  ASSERT_TRUE(source.has_stopped_one());
  source.value = 2;
  if (removal == Removal::tag) there.invalidate_tag("t");
  if (removal == Removal::clear) theirs.cache_clear();
  if (removal == Removal::flush) there.flush_all();
  ASSERT_TRUE(!l1 || has_invalidated(there, here));

  auto after = std::async(std::launch::async, [&] { return mine(1); });
  eventually([&] { return source.reads == 2 || here.get_stats().coalesced > 0; }, 300ms);
  source.go_on();
  EXPECT_EQ(after.get(), 2);
  before.get();
  EXPECT_EQ(mine(1), 2);
}

}  // namespace
}  // namespace dsta::cache
