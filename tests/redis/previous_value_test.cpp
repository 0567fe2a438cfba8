// A loader may hand on the value that it is shown, which was read before it began. A caller that comes after an
// invalidation gets nothing that was made of what was read before it.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <tuple>

#include "eventually.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Removal { late_tag, known_tag, del, clear, flush, pattern };

struct PreviousValue : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Removal>> {
  using Function = std::function<int(int, LoadContext<int>&)>;
};
std::string name_of(const ::testing::TestParamInfo<PreviousValue::ParamType>& tested) {
  constexpr const char* kNames[] = {"LateTag", "KnownTag", "Del", "Clear", "Flush", "Pattern"};
  const auto [l1, removal] = tested.param;
  return levels_name(l1) + kNames[static_cast<int>(removal)];
}
INSTANTIATE_TEST_SUITE_P(Over, PreviousValue,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Removal::late_tag, Removal::known_tag, Removal::del,
                                                              Removal::clear, Removal::flush, Removal::pattern)),
                         name_of);

TEST_P(PreviousValue, IsHandedToNobodyAfterItsInvalidation) {
  const auto [l1, removal] = GetParam();
  CacheManager here(over_redis(proxy->url(), l1, 5s)), there(over_redis(server->url(), false, 5s));
  ASSERT_TRUE(!l1 || l1_is_up(here));
  std::atomic<int> source{1}, loads{0};
  const EntryOptions options{.ttl = 60s, .prefix = "f", .tags = {"known"}};
  const auto mine = here.cached(options, Function([&](int, LoadContext<int>& load) {
                                  load.add_tag("late");
                                  return ++loads == 2 && load.previous() ? load.skip() : source.load();
                                }));
  const auto theirs = there.cached(options, Function([&](int, LoadContext<int>&) { return source.load(); }));
  ASSERT_EQ(mine(1), 1);

  const auto reads = calls_of(*server, "get");
  // The old value has been read, and its loader has not begun. Without L1 the caller reads, too, before it joins.
  proxy->set(l1 ? Fault::hold(Fault::Way::replies).on("GET") : Fault::delay(30ms));
  auto refreshed = std::async(std::launch::async, [&] { return mine.refresh(1); });
  ASSERT_TRUE(eventually([&] { return calls_of(*server, "get") > reads; }));
  source = 2;
  if (removal == Removal::late_tag) there.invalidate_tag("late");
  if (removal == Removal::known_tag) there.invalidate_tag("known");
  if (removal == Removal::del) there.del("1", {.prefix = "f"});
  if (removal == Removal::clear) theirs.cache_clear();
  if (removal == Removal::flush) there.flush_all();
  if (removal == Removal::pattern) there.delete_pattern("f:*");
  ASSERT_TRUE(!l1 || has_invalidated(there, here));

  auto asked = std::async(std::launch::async, [&] { return mine(1); });
  if (l1) {
    eventually([&] { return calls_of(*server, "get") > reads + 1 || here.get_stats().coalesced > 0; }, 300ms);
    proxy->clear();
  }
  EXPECT_EQ(asked.get(), 2);
  refreshed.get();
  EXPECT_EQ(mine(1), 2);
}

}  // namespace
}  // namespace dsta::cache
