// Invalidations that L2 has not confirmed: none is lost, none is confirmed that was not applied.
#include "two_level/pending.hpp"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::RandomValues;
using testing_support::scaled;
using Kind = Pending::Kind;

void fill(Pending& pending, std::size_t count = Pending::kMost) {
  for (std::size_t i = 0; i < count; ++i) pending.add(Kind::key, "k" + std::to_string(i));
}

std::vector<std::pair<Kind, std::string>> named(const Pending& pending) {
  std::vector<std::pair<Kind, std::string>> names;
  for (const auto& intent : pending.all()) names.emplace_back(intent.kind, intent.name);
  return names;
}

TEST(Pending, WithoutAnyNothingIsConcerned) {
  const Pending pending;
  EXPECT_FALSE(pending.any());
  EXPECT_EQ(pending.size(), 0u);
  EXPECT_TRUE(pending.all().empty());
  EXPECT_FALSE(pending.concerns_key("k"));
  EXPECT_FALSE(pending.concerns_dependency("tag"));
}

TEST(Pending, AKeyConcernsItselfAPatternWhatMatches) {
  Pending pending;
  pending.add(Kind::key, "api:BTC");
  pending.add(glob_pattern("book:*"));
  pending.add(glob_pattern("[ab]?"));
  EXPECT_TRUE(pending.concerns_key("api:BTC"));
  EXPECT_FALSE(pending.concerns_key("api:BT"));
  EXPECT_FALSE(pending.concerns_key("api:BTCUSDT"));
  EXPECT_TRUE(pending.concerns_key("book:"));
  EXPECT_TRUE(pending.concerns_key("book:ETH"));
  EXPECT_TRUE(pending.concerns_key("b1")) << "each of several patterns is asked";
  EXPECT_FALSE(pending.concerns_key("c1"));
  EXPECT_FALSE(pending.concerns_dependency("api:BTC"));
}

TEST(Pending, APatternConcernsShortNamesThatItCouldMatch) {
  Pending pending;
  pending.add(glob_pattern("book:*LAST"));
  const std::string tail = "#" + std::string(32, '0');
  EXPECT_TRUE(pending.concerns_key("book:" + std::string(218, 'a') + tail));
  EXPECT_FALSE(pending.concerns_key("rook:" + std::string(218, 'a') + tail));
  EXPECT_FALSE(pending.concerns_key("book:" + std::string(217, 'a') + tail)) << "not the length of a short name";
}

TEST(Pending, TheNamespaceConcernsEveryKey) {
  for (const Kind kind : {Kind::epoch, Kind::flush_all}) {
    Pending pending;
    pending.add(kind);
    EXPECT_TRUE(pending.concerns_key("any"));
    EXPECT_TRUE(pending.concerns_key(""));
  }
}

TEST(Pending, ADependencyConcernsItsEntriesAndNoKey) {
  for (const Kind kind : {Kind::remove, Kind::expire}) {
    Pending pending;
    pending.add(kind, "symbol:BTC");
    EXPECT_TRUE(pending.concerns_dependency("symbol:BTC"));
    EXPECT_FALSE(pending.concerns_dependency("symbol:ETH"));
    EXPECT_FALSE(pending.concerns_dependency("symbol:*"));
    EXPECT_FALSE(pending.concerns_key("symbol:BTC"));
  }
}

TEST(Pending, AnIntentStandsOnceHoweverOftenItIsWanted) {
  Pending pending;
  for (int i = 0; i < 3; ++i) {
    pending.add(Kind::key, "k");
    pending.add(glob_pattern("k"));
    pending.add(Kind::epoch);
  }
  EXPECT_EQ(pending.size(), 3u) << "and another kind is another intent";
}

TEST(Pending, WhatWasConfirmedIsGone) {
  Pending pending;
  pending.add(Kind::key, "a");
  pending.add(Kind::remove, "a");
  const auto all = pending.all();
  ASSERT_EQ(all.size(), 2u);
  pending.confirm(all[0]);
  EXPECT_EQ(pending.size(), 1u);
  EXPECT_TRUE(pending.any());
  pending.confirm(all[0]);
  pending.confirm(all[1]);
  EXPECT_FALSE(pending.any());
  EXPECT_FALSE(pending.concerns_key("a"));
  EXPECT_FALSE(pending.concerns_dependency("a"));
}

TEST(Pending, WhatIsWantedAgainDuringItsApplyIsAppliedAgain) {
  Pending pending;
  pending.add(Kind::key, "k");
  const auto applied = pending.all();
  pending.add(Kind::key, "k");
  pending.confirm(applied[0]);
  EXPECT_TRUE(pending.any());
  EXPECT_TRUE(pending.concerns_key("k"));
  pending.confirm(pending.all()[0]);
  EXPECT_FALSE(pending.any());
}

TEST(Pending, WhatWasConfirmedAndThenWantedAnewIsAnotherIntent) {
  Pending pending;
  pending.add(Kind::key, "k");
  const auto first = pending.all();
  pending.confirm(first[0]);
  pending.add(Kind::key, "k");
  pending.confirm(first[0]);  // as a second thread may that applied the same
  EXPECT_TRUE(pending.concerns_key("k"));
}

TEST(Pending, WhatWasReadBeforeIsToldFromWhatIsReadAfter) {
  Pending pending;
  pending.add(Kind::key, "k");
  const Pending::Mark before = pending.mark();
  EXPECT_FALSE(pending.confirmed_since(before));
  EXPECT_FALSE(pending.new_server_since(before));
  pending.confirm(pending.all()[0]);
  EXPECT_TRUE(pending.confirmed_since(before));
  EXPECT_FALSE(pending.new_server_since(before));
  pending.new_server();
  EXPECT_TRUE(pending.new_server_since(before));
  EXPECT_FALSE(pending.new_server_since(pending.mark()));
}

TEST(Pending, UpToTheLimitEachIsKept) {
  Pending pending;
  fill(pending);
  pending.add(Kind::key, "k0");  // known: takes no place
  EXPECT_EQ(pending.size(), Pending::kMost);
  EXPECT_FALSE(pending.concerns_key("another"));
}

TEST(Pending, BeyondTheLimitAllBecomeOneThatConcernsEverything) {
  Pending pending;
  fill(pending);
  pending.add(Kind::remove, "tag");
  EXPECT_EQ(named(pending), (std::vector<std::pair<Kind, std::string>>{{Kind::remove, "tag"}, {Kind::epoch, ""}}));
  EXPECT_TRUE(pending.concerns_key("k0"));
  EXPECT_TRUE(pending.concerns_key("another"));
  EXPECT_TRUE(pending.concerns_dependency("tag")) << "the one that was too much is kept as it is";
}

TEST(Pending, LongNamesBecomeOneBeforeTheyFillTheMemory) {
  Pending pending;
  const auto name = [](std::size_t i) { return std::to_string(i) + std::string(60'000, 'n'); };
  for (std::size_t i = 0; i < 1'000; ++i) {
    pending.add(i % 2 == 0 ? Kind::remove : Kind::pattern, name(i));
    ASSERT_LE(pending.size(), Pending::kMostBytes / 60'000 + 2);
    ASSERT_TRUE(pending.concerns_key("anything") || i < 70);
  }
  // What was confirmed makes room.
  Pending other;
  for (std::size_t i = 0; i < 1'000; ++i) {
    other.add(Kind::remove, name(i));
    for (const auto& intent : other.all()) other.confirm(intent);
    ASSERT_FALSE(other.any());
  }
  other.add(Kind::remove, name(0));
  EXPECT_FALSE(other.concerns_key("anything"));
}

TEST(Pending, TheEpochOfAnOverflowIsNotConfirmedByAnEarlierOne) {
  Pending pending;
  pending.add(Kind::epoch);
  for (int overflow = 0; overflow < 2; ++overflow) {
    const auto applied = pending.all();
    fill(pending);
    ASSERT_LT(pending.size(), Pending::kMost);
    for (const auto& intent : applied) {
      if (intent.kind == Kind::epoch) pending.confirm(intent);
    }
    EXPECT_TRUE(pending.concerns_key("another")) << overflow;
  }
}

TEST(Pending, AnOverflowForgetsNoFlush) {
  Pending pending;
  pending.add(Kind::flush_all);
  fill(pending);
  ASSERT_LT(pending.size(), Pending::kMost);
  bool flush = false;
  for (const auto& intent : pending.all()) flush = flush || intent.kind == Kind::flush_all;
  EXPECT_TRUE(flush);
}

TEST(Pending, IsBoundedWhateverComes) {
  Pending pending;
  for (std::size_t i = 0; i < 3 * Pending::kMost; ++i) {
    pending.add(i % 2 == 0 ? Kind::key : Kind::remove, std::to_string(i));
    ASSERT_LE(pending.size(), Pending::kMost);
  }
}

TEST(Pending, AgreesWithItsDefinition) {
  RandomValues random(5);
  Pending pending;
  std::map<std::pair<Kind, std::string>, std::size_t> wanted;  // when last
  std::vector<std::pair<Pending::Intent, std::size_t>> applied;
  for (std::size_t step = 0; step < scaled(100'000); ++step) {
    const Kind kind = random.one_in(2) ? Kind::key : Kind::remove;
    const std::string name = std::to_string(random.below(6));
    switch (random.below(3)) {
      case 0:
        pending.add(kind, name);
        wanted[{kind, name}] = step;
        break;
      case 1:
        applied.clear();
        for (const auto& intent : pending.all()) applied.emplace_back(intent, step);
        break;
      default:
        if (applied.empty()) break;
        const auto& [intent, when] = applied[random.below(applied.size())];
        pending.confirm(intent);
        const auto held = wanted.find({intent.kind, intent.name});
        if (held != wanted.end() && held->second < when) wanted.erase(held);
    }
    ASSERT_EQ(pending.any(), !wanted.empty());
    ASSERT_EQ(pending.size(), wanted.size());
    ASSERT_EQ(pending.concerns_key(name), wanted.contains({Kind::key, name}));
    ASSERT_EQ(pending.concerns_dependency(name), wanted.contains({Kind::remove, name}));
  }
}

}  // namespace
}  // namespace dsta::cache::detail
