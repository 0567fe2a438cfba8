// A refresh whose source has no value any more removes the older one, also where the server does not do it at once.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <tuple>

#include "eventually.hpp"
#include "name_in.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Trouble { out_of_memory, silent_before, silent_later };

struct OwedRemoval : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Trouble>> {};
std::string trouble_name(const ::testing::TestParamInfo<OwedRemoval::ParamType>& tested) {
  constexpr const char* kNames[] = {"OutOfMemory", "SilentBefore", "SilentLater"};
  const auto [l1, trouble] = tested.param;
  return levels_name(l1) + name_in(kNames, trouble);
}
INSTANTIATE_TEST_SUITE_P(Over, OwedRemoval,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Values(Trouble::out_of_memory, Trouble::silent_before,
                                                              Trouble::silent_later)),
                         trouble_name);

TEST_P(OwedRemoval, OfARefreshThatBringsNothingIsMadeUpFor) {
  const bool l1 = std::get<0>(GetParam());
  const Trouble trouble = std::get<1>(GetParam());
  CacheManager here(over_redis(proxy->url(), l1)), there(over_redis(server->url(), false, 5s));
  std::atomic<bool> is_gone{false};
  const auto stop = [&] { proxy->set(Fault::blackhole()); };
  const EntryOptions options{.ttl = 1h, .prefix = "user"};
  const auto mine = here.cached(options, std::function<std::optional<std::string>(int)>([&](int) {
                                  if (!is_gone) return std::optional<std::string>("Ada");
                                  if (trouble == Trouble::silent_later) stop();
                                  return std::optional<std::string>();
                                }));
  const auto theirs = there.cached(
      options, std::function<std::optional<std::string>(int)>([](int) { return std::optional<std::string>(); }));
  ASSERT_TRUE(eventually([&] { return mine(1) == "Ada" && theirs.peek(1).has_value(); }));

  is_gone = true;
  if (trouble == Trouble::out_of_memory) server->command({"CONFIG", "SET", "maxmemory", "1"});
  if (trouble == Trouble::silent_before) stop();
  EXPECT_EQ(mine.refresh(1), std::nullopt);
  EXPECT_FALSE(mine.peek(1).has_value());
  server->command({"CONFIG", "SET", "maxmemory", "0"});
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return !theirs.peek(1).has_value(); }));
  EXPECT_FALSE(mine.peek(1).has_value());
}

}  // namespace
}  // namespace dsta::cache
