// load_timeout is the loader's: a server that does not answer takes no more than its part of it.
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

enum class Silence { stopped, no_replies, no_writes };
enum class Asking { call, many, refresh };

struct LoadTimeout : ProxiedServer, ::testing::WithParamInterface<std::tuple<bool, Silence, Asking>> {
  void TearDown() override {
    if (!server) return;
    server->resume();
    server->command({"CLIENT", "UNPAUSE"});
  }
};
std::string load_timeout_name(const ::testing::TestParamInfo<LoadTimeout::ParamType>& tested) {
  constexpr const char* kSilence[] = {"Stopped", "NoReplies", "NoWrites"};
  constexpr const char* kAsking[] = {"Call", "Many", "Refresh"};
  const auto [l1, silence, asking] = tested.param;
  return levels_name(l1) + kSilence[static_cast<int>(silence)] + kAsking[static_cast<int>(asking)];
}
INSTANTIATE_TEST_SUITE_P(
    Over, LoadTimeout,
    ::testing::Combine(::testing::Bool(), ::testing::Values(Silence::stopped, Silence::no_replies, Silence::no_writes),
                       ::testing::Values(Asking::call, Asking::many, Asking::refresh)),
    load_timeout_name);

TEST_P(LoadTimeout, IsNotUsedUpByASilentServer) {
  const auto [l1, silence, asking] = GetParam();
  CacheManager cache(over_redis(proxy->url(), l1, 1s));
  ASSERT_TRUE(!l1 || l1_is_up(cache));
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .load_timeout = 300ms},
                              std::function<int(int)>([](int n) { return n; }));
  ASSERT_EQ(f(0), 0);
  if (silence == Silence::stopped) server->pause();
  if (silence == Silence::no_replies) proxy->set(Fault::hold(Fault::Way::replies));
  if (silence == Silence::no_writes) server->command({"CLIENT", "PAUSE", "60000", "WRITE"});
  for (int n = 1; n <= 3; ++n) {
    int found = 0;
    EXPECT_NO_THROW(found = asking == Asking::call      ? f(n)
                            : asking == Asking::refresh ? f.refresh(n)
                                                        : f.many(std::vector<int>{n, n + 100})[0].value());
    EXPECT_EQ(found, n);
  }
}

}  // namespace
}  // namespace dsta::cache
