// An invalidation that the server refuses waits by itself: it holds up no other one, and repeats nothing that was done.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <string>
#include <utility>

#include "eventually.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct RefusedInvalidation : ProxiedServer {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    here = CacheManager(over_redis(proxy->url(), false, 500ms));
    there = CacheManager(over_redis(server->url(), false, 5s));
    ASSERT_TRUE(here.set("any", 1));
    server->command({"ACL", "SETUSER", "default", "-scan"});
  }
  void TearDown() override {
    if (server) server->command({"ACL", "SETUSER", "default", "+scan"});
  }
  /// How often the server refused a SCAN.
  static int refusals() {
    const std::string all = server->command({"INFO", "commandstats"});
    const auto of_scan = all.find("cmdstat_scan:");
    if (of_scan == std::string::npos) return 0;
    const std::string word = "rejected_calls=";
    return std::stoi(all.substr(all.find(word, of_scan) + word.size()));
  }
  CacheManager here, there;
};

TEST_F(RefusedInvalidation, FlushAllRaisesTheEpochOnce) {
  here.flush_all();
  ASSERT_EQ(here.get_stats().pending_invalidations, 1u);
  ASSERT_TRUE(eventually([&] { return refusals() > 0; }));
  ASSERT_TRUE(there.set("k", 1));
  const int before = refusals();
  ASSERT_TRUE(eventually([&] { return refusals() >= before + 2; }));
  EXPECT_EQ(there.get<int>("k"), 1) << "set after everything was flushed";
  server->command({"ACL", "SETUSER", "default", "+scan"});
  EXPECT_TRUE(eventually([&] { return here.get_stats().pending_invalidations == 0; }));
}

TEST_F(RefusedInvalidation, ThatEndsItsConnectionEachTimeHoldsUpNoOther) {
  server->command({"ACL", "SETUSER", "default", "+scan"});
  const auto tagged = EntryOptions{.ttl = 60s, .tags = {"t"}};
  ASSERT_TRUE(there.set("k", 1, tagged));
  ASSERT_EQ(here.get<int>("k"), 1);
  proxy->set(Fault::reset_before());
  here.delete_pattern("x*");
  here.invalidate_tag("t");
  ASSERT_EQ(here.get_stats().pending_invalidations, 2u);
  proxy->set(Fault::reset_before().on("SCAN"));
  EXPECT_TRUE(eventually([&] { return !there.get<int>("k"); })) << "the tag is invalidated";
  EXPECT_TRUE(eventually([&] { return here.get_stats().pending_invalidations == 1; }));
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return here.get_stats().pending_invalidations == 0; }));
}

TEST_F(RefusedInvalidation, HoldsUpNoRemovalOfAKey) {
  ASSERT_TRUE(there.set("k", 1));
  here.delete_pattern("x*");
  proxy->set(Fault::error_reply("LOADING Redis is loading the dataset in memory"));
  here.del("k");
  ASSERT_EQ(here.get_stats().pending_invalidations, 2u);
  proxy->clear();
  EXPECT_TRUE(eventually([&] { return !there.get<int>("k"); }));
  EXPECT_TRUE(eventually([&] { return here.get_stats().pending_invalidations == 1; }));
}

struct UnknownLease : ProxiedServer {};

TEST_F(UnknownLease, OfARawValueHoldsUpNoOtherProcess) {
  CacheManager here(over_redis(proxy->url(), false, 200ms)), there(over_redis(server->url(), false, 5s));
  const EntryOptions raw{.ttl = 60s, .prefix = "f", .raw = true};
  std::atomic<bool> elsewhere_is_prompt{false};
  std::function<void()> in_loader = [] {};
  const auto theirs = there.cached(raw, std::function<int(int)>([](int) { return 2; }));
  const auto mine = here.cached(raw, std::function<int(int)>([&](int) {
                                  std::exchange(in_loader, [] {})();
                                  return 1;
                                }));
  ASSERT_EQ(mine(2), 1) << "what is needed once, like scripts, is there";
  in_loader = [&] {
    proxy->clear();  // now the server takes the lease
    ASSERT_TRUE(eventually([&] { return here.set("connected again", 1); }));
    auto other = std::async(std::launch::async, [&] { return theirs(1); });
    elsewhere_is_prompt = other.wait_for(2s) == std::future_status::ready;
  };
  proxy->set(Fault::hold(Fault::Way::requests).on("EVALSHA"));
  EXPECT_EQ(mine(1), 1);
  EXPECT_TRUE(elsewhere_is_prompt) << "though the load goes on here";
}

TEST_F(UnknownLease, TakenAfterAnInvalidationStoresNothing) {
  CacheManager here(over_redis(proxy->url(), false, 200ms)), there(over_redis(server->url(), false, 5s));
  const EntryOptions options{.ttl = 60s, .prefix = "f"};
  std::atomic<int> source{1};
  std::function<void()> in_loader = [] {};
  const auto theirs = there.cached(options, std::function<int(int)>([&](int) { return source.load(); }));
  const auto mine = here.cached(options, std::function<int(int)>([&](int) {
                                  const int loaded = source;
                                  std::exchange(in_loader, [] {})();
                                  return loaded;
                                }));
  ASSERT_EQ(mine(2), 1) << "what is needed once, like scripts, is there";
  in_loader = [&] {
    source = 2;
    theirs.invalidate(1);
    const auto sets_before = calls_of(*server, "set");
    proxy->clear();  // now the server takes the lease
    ASSERT_TRUE(eventually([&] { return calls_of(*server, "set") > sets_before; }));
    ASSERT_TRUE(eventually([&] { return here.set("connected again", 1); }));
  };
  proxy->set(Fault::hold(Fault::Way::requests).on("SET"));
  EXPECT_EQ(mine(1), 1) << "asked before the invalidation";
  EXPECT_EQ(theirs(1), 2);
  EXPECT_EQ(mine(1), 2);
}

}  // namespace
}  // namespace dsta::cache
