// Whether an entry counts and how fresh it is: the rule, and the facts about entries of L1 and of L2.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "entry/entry.hpp"
#include "two_level/l2_validity.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

constexpr Validity<int> kEntry{.refresh_at = 20, .fresh_until = 30, .stale_until = 40};

TEST(Validity, GoesFromFreshToDueToStaleToMiss) {
  for (int now = -1; now < 50; ++now) {
    const Freshness expected = now < 20   ? Freshness::fresh
                               : now < 30 ? Freshness::due
                               : now < 40 ? Freshness::stale
                                          : Freshness::miss;
    EXPECT_EQ(evaluate(kEntry, now), expected) << now;
  }
}

TEST(Validity, WithoutAStaleWindowAnEntryIsNeverStale) {
  Validity<int> entry = kEntry;
  entry.stale_until = entry.fresh_until;
  EXPECT_EQ(evaluate(entry, 29), Freshness::due);
  EXPECT_EQ(evaluate(entry, 30), Freshness::miss);
  entry.expired = true;
  EXPECT_EQ(evaluate(entry, 10), Freshness::miss);
}

TEST(Validity, AnExpiredEntryIsStaleFromItsFirstMoment) {
  Validity<int> entry = kEntry;
  entry.expired = true;
  for (const int now : {0, 25, 39}) EXPECT_EQ(evaluate(entry, now), Freshness::stale) << now;
  EXPECT_EQ(evaluate(entry, 40), Freshness::miss);
}

TEST(Validity, AForeignRemovedOrIdleEntryIsAMissAtAnyTime) {
  for (bool Validity<int>::*fact : {&Validity<int>::foreign, &Validity<int>::removed, &Validity<int>::idle}) {
    for (const bool expired : {false, true}) {
      Validity<int> entry = kEntry;
      entry.*fact = true;
      entry.expired = expired;
      for (const int now : {0, 25, 35, 45}) EXPECT_EQ(evaluate(entry, now), Freshness::miss) << now;
    }
  }
}

/// An entry of L1 of its own function, and another function that might ask for it.
struct ValidityInL1 : ::testing::Test {
  ValidityInL1() {
    node = make_node<int>({"k", {}, 1, true}, 7);
    node->refresh_at = node->fresh_until = node->stale_until = now + 1h;
    node->sequence = 10;
    mine.references = other.references = 1;  // theirs
  }
  void give_tags_and_idle_ttl(Duration idle_ttl) {
    auto extra = std::make_unique<NodeExtra>();
    extra->tags = tags.find({"t"});
    extra->idle_ttl = idle_ttl;
    extra->last_read = now;
    node->extra = extra.release();
  }
  Validity<TimePoint> seen_by(const Identity* reader, TimePoint time) const { return validity_of(*node, reader, time); }

  TimePoint now{1000h};
  std::atomic<std::size_t> beside{0};
  TagTable tags{beside};
  Identity mine{.prefix = "mine", .function = true}, other{.prefix = "other", .function = true};
  NodeRef node;
};

TEST_F(ValidityInL1, IsForeignOnlyToAnotherFunction) {
  node->identity = &mine;
  EXPECT_TRUE(seen_by(&other, now).foreign);
  EXPECT_FALSE(seen_by(&mine, now).foreign);
  EXPECT_FALSE(seen_by(nullptr, now).foreign);
  other.function = false;
  EXPECT_FALSE(seen_by(&other, now).foreign) << "a manual call sees every entry";
}

TEST_F(ValidityInL1, IsRemovedByTheClearOfItsFunctionOrReader) {
  mine.cleared = other.cleared = 10;
  EXPECT_FALSE(seen_by(&mine, now).removed) << "read after the clear";
  mine.cleared = 11;
  EXPECT_TRUE(seen_by(&mine, now).removed) << "stored by hand, and read by a function that was cleared";
  EXPECT_FALSE(seen_by(nullptr, now).removed);
  node->identity = &mine;
  EXPECT_TRUE(seen_by(nullptr, now).removed) << "whoever asks";
  mine.cleared = 10;
  EXPECT_FALSE(seen_by(nullptr, now).removed);
}

TEST_F(ValidityInL1, ATagThatWasInvalidatedLaterRemovesOrExpires) {
  give_tags_and_idle_ttl({});
  tags.invalidate("t", 10, true);
  EXPECT_FALSE(seen_by(nullptr, now).removed) << "it began at that point";
  tags.invalidate("t", 11, false);
  EXPECT_TRUE(seen_by(nullptr, now).expired);
  EXPECT_FALSE(seen_by(nullptr, now).removed);
  tags.invalidate("t", 11, true);
  EXPECT_TRUE(seen_by(nullptr, now).removed);
}

TEST_F(ValidityInL1, IsIdleWhenNobodyReadsItForItsIdleTtl) {
  give_tags_and_idle_ttl(5s);
  EXPECT_FALSE(seen_by(nullptr, now + 5s - 1ns).idle);
  EXPECT_TRUE(seen_by(nullptr, now + 5s).idle);
  node->extra->last_read = now + 1s;
  EXPECT_FALSE(seen_by(nullptr, now + 5s).idle);
  node->extra->idle_ttl = {};
  EXPECT_FALSE(seen_by(nullptr, now + 500h).idle) << "zero: for ever";
}

constexpr std::uint64_t kEpoch = 1'000;

struct Evaluated {
  Freshness freshness;
  bool expired;
};

/// An entry with a ttl up to 300, a refresh from 200 on, served stale until 400.
struct Entry {
  EnvelopeTerms terms{.created = 100, .fresh_until = 300, .refresh_after = 200, .stale_until = 400};
  std::vector<std::uint64_t> epochs{kEpoch};
  std::vector<std::pair<std::string, std::uint64_t>> tags = {};

  Evaluated evaluated(const Versions& versions, std::int64_t now = 150, const Identity* reader = nullptr) const {
    std::vector<TagVersion> views;
    for (const auto& [name, version] : tags) views.push_back({name, version});
    const std::string bytes = encode(Envelope{terms, {}, 0, epochs, views, "", "k", "v"});
    const auto validity = validity_of(std::get<EnvelopeView>(decode(bytes, "k")), versions, reader);
    return {evaluate(validity, now), validity.expired};
  }
};

Versions known(std::vector<std::pair<std::string, std::optional<Version>>> tags = {}) {
  Versions versions;
  versions.add("", Version{kEpoch, kEpoch});
  for (auto& [name, version] : tags) versions.add(name, version);
  return versions;
}

Identity function(std::string prefix, std::string name) {
  return {.prefix = std::move(prefix), .name = std::move(name), .function = true};
}

TEST(ValidityAtL2, AnEntryIsFreshThenDueThenStaleThenGone) {
  const Versions versions = known();
  const std::pair<std::int64_t, Freshness> expected[] = {
      {0, Freshness::fresh},   {199, Freshness::fresh}, {200, Freshness::due},  {299, Freshness::due},
      {300, Freshness::stale}, {399, Freshness::stale}, {400, Freshness::miss}, {kNever - 1, Freshness::miss}};
  for (const auto& [now, freshness] : expected) {
    const Evaluated evaluated = Entry{}.evaluated(versions, now);
    EXPECT_EQ(evaluated.freshness, freshness) << now;
    EXPECT_FALSE(evaluated.expired) << now;
  }
}

TEST(ValidityAtL2, WithoutAStaleWindowAnEntryEndsWithItsTtl) {
  Entry entry;
  entry.terms.stale_until = entry.terms.fresh_until;
  EXPECT_EQ(entry.evaluated(known(), 299).freshness, Freshness::due);
  EXPECT_EQ(entry.evaluated(known(), 300).freshness, Freshness::miss);
}

TEST(ValidityAtL2, AnEntryForEverIsAlwaysFresh) {
  EXPECT_EQ((Entry{.terms = {}}.evaluated(known(), kNever - 1).freshness), Freshness::fresh);
}

TEST(ValidityAtL2, AnEntryCountsOnlyInTheEpochThatItNoted) {
  for (const std::uint64_t noted : {kEpoch - 1, kEpoch + 1, std::uint64_t{0}}) {
    EXPECT_EQ((Entry{.epochs = {noted}}.evaluated(known()).freshness), Freshness::miss) << noted;
  }
  EXPECT_EQ((Entry{.epochs = {}}.evaluated(known()).freshness), Freshness::miss);
  EXPECT_EQ((Entry{.epochs = {kEpoch, kEpoch}}.evaluated(known()).freshness), Freshness::miss);
  Versions softly;
  softly.add("", Version{kEpoch, kEpoch + 5});
  EXPECT_EQ(Entry{}.evaluated(softly).freshness, Freshness::miss) << "an epoch does not expire, it is over";
}

TEST(ValidityAtL2, AVersionThatIsMissingOrWasNotLookedAtMakesAMiss) {
  EXPECT_EQ(Entry{}.evaluated(Versions()).freshness, Freshness::miss);
  const Entry entry{.tags = {{"tag", 50}}};
  EXPECT_EQ(entry.evaluated(known({{"tag", Version{50, 50}}})).freshness, Freshness::fresh);
  EXPECT_EQ(entry.evaluated(known({{"tag", std::nullopt}})).freshness, Freshness::miss);
  EXPECT_EQ(entry.evaluated(known()).freshness, Freshness::miss);
}

TEST(ValidityAtL2, WhatWasStoredByHandEveryFunctionMayTake) {
  const Identity f = function("f", ""), by_hand{.prefix = "f"};
  const Versions cleared = known({{function_dependency("f"), Version{200, 200}}});
  EXPECT_EQ(Entry{}.evaluated(cleared, 150, &f).freshness, Freshness::fresh) << "at L2 it has no version of f";
  EXPECT_EQ(Entry{}.evaluated(cleared, 150, &by_hand).freshness, Freshness::fresh);
  const Entry of_f{.tags = {{function_dependency("f"), 200}}};
  EXPECT_EQ(of_f.evaluated(cleared, 150, &f).freshness, Freshness::fresh);
  EXPECT_EQ(of_f.evaluated(cleared, 150, &by_hand).freshness, Freshness::fresh) << "manual calls see every entry";
}

TEST(ValidityAtL2, ATagThatWasRemovedSinceTakesTheEntryWithIt) {
  const Entry entry{.tags = {{"tag", 50}}};
  EXPECT_EQ(entry.evaluated(known({{"tag", Version{51, 51}}})).freshness, Freshness::miss);
  EXPECT_EQ(entry.evaluated(known({{"tag", Version{51, 60}}})).freshness, Freshness::miss);
  EXPECT_EQ(entry.evaluated(known({{"tag", Version{40, 49}}})).freshness, Freshness::miss)
      << "noted later than what is known: the version key was lost and made again";
}

TEST(ValidityAtL2, AnExpiredTagMakesTheEntryStaleBeforeItsTtl) {
  const Entry entry{.tags = {{"tag", 50}}};
  const Versions versions = known({{"tag", Version{50, 60}}});
  for (const std::int64_t now : {0, 150, 250, 350}) {
    const Evaluated evaluated = entry.evaluated(versions, now);
    EXPECT_EQ(evaluated.freshness, Freshness::stale) << now;
    EXPECT_TRUE(evaluated.expired);
  }
  EXPECT_EQ(entry.evaluated(versions, 400).freshness, Freshness::miss);
}

TEST(ValidityAtL2, WithoutAStaleWindowAnExpiredTagMakesAMiss) {
  Entry entry{.tags = {{"tag", 50}}};
  entry.terms.stale_until = entry.terms.fresh_until;
  EXPECT_EQ(entry.evaluated(known({{"tag", Version{50, 60}}})).freshness, Freshness::miss);
}

TEST(ValidityAtL2, OneTagThatIsGoneIsEnoughWhateverTheOthersSay) {
  const Version current{50, 50}, expired{50, 60}, removed{60, 60};
  const Entry entry{.tags = {{"a", 50}, {"b", 50}, {"c", 50}}};
  const auto evaluated = [&](Version a, Version b, Version c) {
    return entry.evaluated(known({{"a", a}, {"b", b}, {"c", c}})).freshness;
  };
  EXPECT_EQ(evaluated(current, current, current), Freshness::fresh);
  EXPECT_EQ(evaluated(current, expired, current), Freshness::stale);
  EXPECT_EQ(evaluated(removed, current, current), Freshness::miss);
  EXPECT_EQ(evaluated(expired, current, removed), Freshness::miss);
  EXPECT_EQ(evaluated(removed, current, expired), Freshness::miss);
}

TEST(ValidityAtL2, AFunctionTakesNothingThatAnotherFunctionStored) {
  const std::string stored_by = function_dependency("api:price");
  const Entry entry{.tags = {{stored_by, 50}}};
  const Versions versions = known({{stored_by, Version{50, 50}}});
  const Identity same = function("api", "price"), other = function("api", "prices");
  EXPECT_EQ(entry.evaluated(versions, 150, &same).freshness, Freshness::fresh);
  EXPECT_EQ(entry.evaluated(versions, 150, &other).freshness, Freshness::miss);
  EXPECT_EQ(entry.evaluated(versions, 150, nullptr).freshness, Freshness::fresh) << "a manual call sees every entry";
  EXPECT_EQ(Entry{}.evaluated(versions, 150, &other).freshness, Freshness::fresh) << "stored by hand";
}

Found other(std::string bytes, DecodeError decode_error = DecodeError::not_an_envelope) {
  Found found;
  found.kind = Found::Kind::other;
  found.bytes = std::move(bytes);
  found.decode_error = decode_error;
  return found;
}

TEST(CountsPlain, ACounterIsDecimalDigitsAndARawValueAnything) {
  EXPECT_TRUE(counts_plain(other("42"), false));
  EXPECT_TRUE(counts_plain(other("-1"), false));
  EXPECT_FALSE(counts_plain(other("42 "), false));
  EXPECT_FALSE(counts_plain(other("text"), false));
  EXPECT_FALSE(counts_plain(other(""), false));
  EXPECT_TRUE(counts_plain(other("text"), true));
  EXPECT_TRUE(counts_plain(other(""), true));
}

TEST(CountsPlain, WhatIsNoEntryOrNoStringCountsForNothing) {
  for (const bool raw : {false, true}) {
    EXPECT_FALSE(counts_plain(Found(), raw));
    EXPECT_FALSE(counts_plain(other("42", DecodeError::corrupt), raw));
    EXPECT_FALSE(counts_plain(other("42", DecodeError::other_key), raw));
    Found list = other("");
    list.of_other_type = true;
    EXPECT_FALSE(counts_plain(list, raw));
  }
}

}  // namespace
}  // namespace dsta::cache::detail
