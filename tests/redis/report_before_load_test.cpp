// Another process changes a key after a load has read what stands there, and before its loader begins: nothing at the
// server stands for that load any more, so nothing is reported when the key changes again.
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <string>

#include "gated_source.hpp"
#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

auto stale_soon(CacheManager& cache, GatedSource& source) {
  return cache.cached({.ttl = 1ms, .prefix = "f", .name = "f", .stale_for = 1h}, [&](int) { return source.read(); });
}

struct LoadOfWhatStands {
  std::string name;
  std::string key;
  std::function<void(CacheManager& there)> store;
  std::function<std::function<int()>(CacheManager& here, GatedSource&)> call;
};
const LoadOfWhatStands kLoadsTable[] = {
    {"Displacing", "k", [](CacheManager& there) { there.set("k", std::string("theirs"), {.ttl = 1h}); },
     [](CacheManager& here, GatedSource& source) -> std::function<int()> {
       return [&] { return here.get_or_load("k", [&] { return source.read(); }); };
     }},
    {"RefreshOfAStaleValue", "f:f:1",
     [](CacheManager& there) {
       GatedSource source;
       stale_soon(there, source)(1);
     },
     [](CacheManager& here, GatedSource& source) -> std::function<int()> {
       return [f = stale_soon(here, source)] { return f(1); };
     }},
};

struct ReportBeforeLoad : ProxiedServer, ::testing::WithParamInterface<LoadOfWhatStands> {};
INSTANTIATE_TEST_SUITE_P(Of, ReportBeforeLoad, ::testing::ValuesIn(kLoadsTable),
                         [](const auto& tested) { return tested.param.name; });

TEST_P(ReportBeforeLoad, LeavesNobodyAnOlderValueAfterTheNextChange) {
  const auto& of = GetParam();
  GatedSource source;  // before the managers, whose background loads read it
  auto there = CacheManager(over_redis(server->url(), true, 5s));
  of.store(there);
  auto here = CacheManager(over_redis("redis://127.0.0.1:" + std::to_string(proxy->port()), true, 5s));
  ASSERT_TRUE(l1_is_up(here));
  source.stop_next();
  const auto call = of.call(here, source);
  proxy->set(Fault::hold().on("SET"));  // of the lease beside what stands there
  auto first = std::async(std::launch::async, call);
  ASSERT_TRUE(eventually([&] { return proxy->counters().faults > 0; }));
  ASSERT_TRUE(there.del(of.key));
  ASSERT_TRUE(has_invalidated(there, here));
  proxy->clear();
  ASSERT_TRUE(source.has_stopped_one());
  source.value = 2;
  there.del(of.key);
  auto second = std::async(std::launch::async, call);
  EXPECT_EQ(second.wait_for(5s), std::future_status::ready) << "it does not wait for the load that read 1";
  source.go_on();
  EXPECT_EQ(second.get(), 2);
  first.get();
}

}  // namespace
}  // namespace dsta::cache
