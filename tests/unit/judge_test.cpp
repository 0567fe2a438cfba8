// Whether an entry of the shared level counts, and how fresh it is: by the server's time and by the versions.
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "two_level/shared.hpp"

namespace dsta::cache::detail {
namespace {

constexpr std::uint64_t kEpoch = 1'000;

/// An entry with a ttl up to 300, a refresh from 200 on, served stale until 400.
struct Entry {
  EnvelopeTerms terms{.created = 100, .fresh_until = 300, .refresh_after = 200, .stale_until = 400};
  std::vector<std::uint64_t> epochs{kEpoch};
  std::vector<std::pair<std::string, std::uint64_t>> tags = {};

  Judged judged(const Versions& versions, std::int64_t now = 150, const Identity* reader = nullptr) const {
    std::vector<TagVersion> views;
    for (const auto& [name, version] : tags) views.push_back({name, version});
    const std::string bytes = encode(Envelope{terms, {}, 0, epochs, views, "", "k", "v"});
    return judge(std::get<EnvelopeView>(decode(bytes, "k")), versions, now, reader);
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

TEST(SharedJudge, AnEntryIsFreshThenDueThenStaleThenGone) {
  const Versions versions = known();
  const std::pair<std::int64_t, Freshness> expected[] = {
      {0, Freshness::fresh},   {199, Freshness::fresh}, {200, Freshness::due},  {299, Freshness::due},
      {300, Freshness::stale}, {399, Freshness::stale}, {400, Freshness::miss}, {kNever - 1, Freshness::miss}};
  for (const auto& [now, freshness] : expected) {
    const Judged judged = Entry{}.judged(versions, now);
    EXPECT_EQ(judged.freshness, freshness) << now;
    EXPECT_FALSE(judged.expired) << now;
  }
}

TEST(SharedJudge, WithoutAStaleWindowAnEntryEndsWithItsTtl) {
  Entry entry;
  entry.terms.stale_until = entry.terms.fresh_until;
  EXPECT_EQ(entry.judged(known(), 299).freshness, Freshness::due);
  EXPECT_EQ(entry.judged(known(), 300).freshness, Freshness::miss);
}

TEST(SharedJudge, AnEntryForEverIsAlwaysFresh) {
  EXPECT_EQ((Entry{.terms = {}}.judged(known(), kNever - 1).freshness), Freshness::fresh);
}

TEST(SharedJudge, AnEntryCountsOnlyInTheEpochThatItNoted) {
  for (const std::uint64_t noted : {kEpoch - 1, kEpoch + 1, std::uint64_t{0}}) {
    EXPECT_EQ((Entry{.epochs = {noted}}.judged(known()).freshness), Freshness::miss) << noted;
  }
  EXPECT_EQ((Entry{.epochs = {}}.judged(known()).freshness), Freshness::miss);
  EXPECT_EQ((Entry{.epochs = {kEpoch, kEpoch}}.judged(known()).freshness), Freshness::miss);
  Versions softly;
  softly.add("", Version{kEpoch, kEpoch + 5});
  EXPECT_EQ(Entry{}.judged(softly).freshness, Freshness::miss) << "an epoch does not expire, it is over";
}

TEST(SharedJudge, AVersionThatIsMissingOrWasNotLookedAtMakesAMiss) {
  EXPECT_EQ(Entry{}.judged(Versions()).freshness, Freshness::miss);
  const Entry entry{.tags = {{"tag", 50}}};
  EXPECT_EQ(entry.judged(known({{"tag", Version{50, 50}}})).freshness, Freshness::fresh);
  EXPECT_EQ(entry.judged(known({{"tag", std::nullopt}})).freshness, Freshness::miss);
  EXPECT_EQ(entry.judged(known()).freshness, Freshness::miss);
}

TEST(SharedJudge, WhatWasStoredByHandIsOfNoFunctionAndAllMayTakeIt) {
  const Identity f = function("f", ""), by_hand{.prefix = "f"};
  const Versions cleared = known({{function_dependency("f"), Version{200, 200}}});
  EXPECT_EQ(Entry{}.judged(cleared, 150, &f).freshness, Freshness::fresh) << "at L2 it has no version of f";
  EXPECT_EQ(Entry{}.judged(cleared, 150, &by_hand).freshness, Freshness::fresh);
  const Entry of_f{.tags = {{function_dependency("f"), 200}}};
  EXPECT_EQ(of_f.judged(cleared, 150, &f).freshness, Freshness::fresh);
  EXPECT_EQ(of_f.judged(cleared, 150, &by_hand).freshness, Freshness::fresh) << "manual calls see every entry";
}

TEST(SharedJudge, ATagThatWasRemovedSinceTakesTheEntryWithIt) {
  const Entry entry{.tags = {{"tag", 50}}};
  EXPECT_EQ(entry.judged(known({{"tag", Version{51, 51}}})).freshness, Freshness::miss);
  EXPECT_EQ(entry.judged(known({{"tag", Version{51, 60}}})).freshness, Freshness::miss);
  EXPECT_EQ(entry.judged(known({{"tag", Version{40, 49}}})).freshness, Freshness::miss)
      << "noted later than what is known: the version key was lost and made again";
}

TEST(SharedJudge, AnExpiredTagMakesTheEntryStaleBeforeItsTtl) {
  const Entry entry{.tags = {{"tag", 50}}};
  const Versions versions = known({{"tag", Version{50, 60}}});
  for (const std::int64_t now : {0, 150, 250, 350}) {
    const Judged judged = entry.judged(versions, now);
    EXPECT_EQ(judged.freshness, Freshness::stale) << now;
    EXPECT_TRUE(judged.expired);
  }
  EXPECT_EQ(entry.judged(versions, 400).freshness, Freshness::miss);
}

TEST(SharedJudge, WithoutAStaleWindowAnExpiredTagMakesAMiss) {
  Entry entry{.tags = {{"tag", 50}}};
  entry.terms.stale_until = entry.terms.fresh_until;
  EXPECT_EQ(entry.judged(known({{"tag", Version{50, 60}}})).freshness, Freshness::miss);
}

TEST(SharedJudge, OneTagThatIsGoneIsEnoughWhateverTheOthersSay) {
  const Version current{50, 50}, expired{50, 60}, removed{60, 60};
  const Entry entry{.tags = {{"a", 50}, {"b", 50}, {"c", 50}}};
  const auto judged = [&](Version a, Version b, Version c) {
    return entry.judged(known({{"a", a}, {"b", b}, {"c", c}})).freshness;
  };
  EXPECT_EQ(judged(current, current, current), Freshness::fresh);
  EXPECT_EQ(judged(current, expired, current), Freshness::stale);
  EXPECT_EQ(judged(removed, current, current), Freshness::miss);
  EXPECT_EQ(judged(expired, current, removed), Freshness::miss);
  EXPECT_EQ(judged(removed, current, expired), Freshness::miss);
}

TEST(SharedJudge, AFunctionTakesNothingThatAnotherFunctionStored) {
  const std::string stored_by = function_dependency("api:price");
  const Entry entry{.tags = {{stored_by, 50}}};
  const Versions versions = known({{stored_by, Version{50, 50}}});
  const Identity same = function("api", "price"), other = function("api", "prices");
  EXPECT_EQ(entry.judged(versions, 150, &same).freshness, Freshness::fresh);
  EXPECT_EQ(entry.judged(versions, 150, &other).freshness, Freshness::miss);
  EXPECT_EQ(entry.judged(versions, 150, nullptr).freshness, Freshness::fresh) << "a manual call sees every entry";
  EXPECT_EQ(Entry{}.judged(versions, 150, &other).freshness, Freshness::fresh) << "stored by hand";
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
