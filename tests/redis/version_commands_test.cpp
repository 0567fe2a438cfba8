// Versions where the server runs no scripts: made and raised by commands, whose steps mix with those of others.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "fault_proxy.hpp"
#include "l2_store_test.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

struct VersionCommands : testing_support::L2StoreTest {
  void SetUp() override {
    L2StoreTest::SetUp();
    if (!IsSkipped()) become("+@all -@scripting");
  }
  Version need(L2Store& store, const std::string& name, Duration life = 1h) {
    Versions versions;
    const std::vector<std::string> names{name};
    EXPECT_TRUE(store.versions().need(names, life, versions));
    const Version* const there = versions.there(name);
    return there ? *there : Version{};
  }
  Version need(const std::string& name, Duration life = 1h) { return need(*l2_store, name, life); }
};

TEST_F(VersionCommands, AMissingOneIsMadeAndStays) {
  const Version made = need("tag");
  EXPECT_NE(made.expired, 0u);
  EXPECT_FALSE(l2_store->has_scripts());
  EXPECT_EQ(need("tag"), made);
  EXPECT_TRUE(there(l2_store->keys().clock()));
  EXPECT_EQ(life(l2_store->keys().epoch()), -1) << "that of the namespace is kept for ever";
  EXPECT_TRUE(there(l2_store->keys().copy(l2_store->keys().epoch())));
}

TEST_F(VersionCommands, ItIsKeptForAsLongAsItIsNeeded) {
  need("tag", 60s);
  EXPECT_TRUE(lives(l2_store->keys().version("tag"), 120'000));
  need("tag", 1h);
  EXPECT_TRUE(lives(l2_store->keys().version("tag"), 7'200'000));
  need("tag", 60s);
  EXPECT_TRUE(lives(l2_store->keys().version("tag"), 7'200'000)) << "never shorter";
  need("tag", Duration::zero());
  EXPECT_EQ(life(l2_store->keys().version("tag")), -1);
  ASSERT_TRUE(l2_store->versions().raise("tag", true));
  EXPECT_EQ(life(l2_store->keys().version("tag")), -1) << "nor by being raised";
}

TEST_F(VersionCommands, RaisedItIsHigherAndSaysWhatBecameOfEntries) {
  const Version before = need("tag");
  ASSERT_TRUE(l2_store->versions().raise("tag", true));
  const Version removed = need("tag");
  EXPECT_GT(removed.removed, before.expired);
  EXPECT_EQ(removed.removed, removed.expired);
  ASSERT_TRUE(l2_store->versions().raise("tag", false));
  const Version expired = need("tag");
  EXPECT_EQ(expired.removed, removed.removed);
  EXPECT_GT(expired.expired, removed.expired);
  const auto clock = l2_store->versions().read_clock();
  ASSERT_TRUE(clock);
  EXPECT_EQ(clock->value(), expired.expired);
  EXPECT_TRUE(clock->may_have_raised(VersionClock::hash_of("tag"), before.expired));
  EXPECT_TRUE(clock->may_have_raised(VersionClock::hash_of("other"), before.expired)) << "it is not known";
}

TEST_F(VersionCommands, AnEvictedOneComesBackFromItsCopy) {
  ASSERT_TRUE(l2_store->versions().raise_epoch());
  const std::string there = at(l2_store->keys().epoch());
  command({"DEL", l2_store->keys().epoch()});
  need("tag");
  EXPECT_EQ(at(l2_store->keys().epoch()), there);
}

/// Two that raise a version at once may come to the same number: what was stored between the two must not count.
TEST_F(VersionCommands, RaisesThatCrossAreBothRaises) {
  need("tag");
  constexpr int kThreads = 4, kRaises = 50;
  // The clock is ahead of time, so that numbers come from it and not from the time.
  const std::string ahead = std::to_string(need("tag").expired + 1'000'000'000'000);
  command({"SET", l2_store->keys().clock(), ahead + " " + ahead + "-0"});
  std::vector<std::jthread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([this] {
      L2Store store(options());
      std::vector<std::uint64_t> noted;
      for (int n = 0; n < kRaises; ++n) {
        noted.push_back(need(store, "tag").expired);
        EXPECT_TRUE(store.versions().raise("tag", true));
        const Version now = need(store, "tag");
        for (const std::uint64_t old : noted) EXPECT_EQ(now.evaluate(old), Version::Verdict::gone);
      }
    });
  }
}

/// One that only expires was looked at before, and is executed behind one that removes.
TEST_F(VersionCommands, WhatWasRemovedIsNotMadeToExpireOnly) {
  const Version noted = need("tag");
  testing_support::FaultProxy proxy(server->port());
  Options late = options();
  late.link.address.port = proxy.port();
  L2Store other(std::move(late));
  EXPECT_EQ(need(other, "tag"), noted);
  proxy.set(testing_support::Fault::hold().on("SET"));
  std::jthread expiring([&] { EXPECT_TRUE(other.versions().raise("tag", false)); });
  EXPECT_TRUE(testing_support::eventually([&] { return proxy.counters().faults > 0; }));
  EXPECT_TRUE(l2_store->versions().raise("tag", true));
  const Version removed = need("tag");
  proxy.clear();
  expiring.join();
  const Version now = need("tag");
  EXPECT_EQ(now.evaluate(noted.expired), Version::Verdict::gone);
  EXPECT_GT(now.expired, removed.expired) << "and never lower";
}

TEST_F(VersionCommands, ScriptsAreUsedOnceTheyAreAllowed) {
  need("tag");
  ASSERT_FALSE(l2_store->has_scripts());
  command({"ACL", "SETUSER", user, "+@scripting"});
  command({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});  // on a new connection it is asked again
  for (int i = 0; i < 3 && !l2_store->has_scripts(); ++i) need("other" + std::to_string(i));
  EXPECT_TRUE(l2_store->has_scripts());
  EXPECT_EQ(l2_store->missing_text(), "");
}

}  // namespace
}  // namespace dsta::cache::detail
