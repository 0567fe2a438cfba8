// What things are called in the server: each by a name of its own, whatever bytes the user's keys are made of.
#include "l2/values/keyspace.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <string>
#include <string_view>

#include <dsta/cache/error.hpp>

#include "base/glob.hpp"
#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::RandomValues;
using testing_support::scaled;
using KeyKind = KeySpace::Kind;

const KeySpace kKeys("dsta");

/// Made of what the library's own keys are made of, so that a confusion of two would show.
std::string tricky_name(RandomValues& random) {
  using namespace std::string_view_literals;
  static constexpr std::array kPieces = {"\x01"sv,   "\x01"sv,  "epoch"sv, "v:"sv, "n:"sv,     "lease:"sv,
                                         "copy:{"sv, "raw:{"sv, "clock"sv, "}"sv,  "order:"sv, ":"sv,
                                         "t"sv,      "\0"sv,    "a"sv,     "{"sv,  "\xff\r"sv, "dsta:"sv};
  std::string name;
  for (std::size_t left = random.below(5); left != 0; --left) name += random.pick(kPieces);
  return name;
}

std::string token(RandomValues& random) { return "t" + std::to_string(random.below(3)); }

TEST(KeySpace, EveryNameOfAnEntryIsReadBack) {
  RandomValues random(1);
  for (std::size_t left = scaled(50'000); left != 0; --left) {
    const std::string name = random.one_in(2) ? tricky_name(random) : random.value<std::string>();
    const std::string key = kKeys.entry(name);
    ASSERT_TRUE(key.starts_with("dsta:"));
    const auto named = kKeys.parse(key);
    ASSERT_EQ(named.kind, KeyKind::entry) << ::testing::PrintToString(name);
    ASSERT_EQ(named.name, name);
  }
}

TEST(KeySpace, OnlyKeysThatBeginWithAByteOneAreEscaped) {
  EXPECT_EQ(kKeys.entry("api:price:BTCUSDT"), "dsta:api:price:BTCUSDT");
  EXPECT_EQ(kKeys.entry(""), "dsta:");
  EXPECT_EQ(kKeys.entry("a\x01"), "dsta:a\x01");
  EXPECT_EQ(kKeys.entry("\x01z"), "dsta:\x01\x01z");
}

TEST(KeySpace, TheNamesInTheServerAreThoseThatOtherVersionsKnow) {
  using namespace std::string_literals;
  EXPECT_EQ(kKeys.epoch(), "dsta:\x01"s + "epoch");
  EXPECT_EQ(kKeys.version("symbol:BTC"), "dsta:\x01v:symbol:BTC");
  EXPECT_EQ(kKeys.version(function_dependency("api:price")), "dsta:\x01v:\x01"s + "api:price");
  EXPECT_EQ(kKeys.notice("t1", "symbol:BTC"), "dsta:\x01n:t1:symbol:BTC");
  EXPECT_EQ(kKeys.refresh_lease("k", 17), "dsta:\x01lease:0000000000000011:k");
  EXPECT_EQ(kKeys.clock(), "dsta:\x01"s + "clock");
  EXPECT_EQ(kKeys.copy(kKeys.epoch()), "dsta:\x01"s + "copy:{dsta:\x01" + "epoch}");
  EXPECT_EQ(kKeys.copy(kKeys.version(function_dependency("f"))), "dsta:\x01"s + "copy:{dsta:\x01v:\x01" + "f}");
  EXPECT_EQ(kKeys.raw_lease("k"), "dsta:\x01raw:{dsta:k}");
  EXPECT_EQ(kKeys.raw_lease("\x01z"), "dsta:\x01raw:{dsta:\x01\x01z}");
  EXPECT_EQ(kKeys.order("k"), "dsta:\x01order:k");
}

TEST(KeySpace, WhatIsOfTheLibraryIsReadBackAndIsNoEntry) {
  RandomValues random(2);
  EXPECT_EQ(kKeys.parse(kKeys.epoch()).kind, KeyKind::epoch);
  EXPECT_EQ(kKeys.parse(kKeys.clock()).kind, KeyKind::own);
  EXPECT_EQ(kKeys.parse(kKeys.copy(kKeys.epoch())).kind, KeyKind::own);
  for (std::size_t left = scaled(20'000); left != 0; --left) {
    const std::string name = tricky_name(random), mine = token(random);
    const std::string version = kKeys.version(name), notice = kKeys.notice(mine, name);
    ASSERT_EQ(kKeys.parse(version).kind, KeyKind::version);
    ASSERT_EQ(kKeys.parse(version).name, name);
    ASSERT_EQ(kKeys.parse(notice).kind, KeyKind::notice);
    ASSERT_EQ(kKeys.parse(notice).name, name);
    ASSERT_EQ(kKeys.parse(notice).token, mine);
    ASSERT_EQ(kKeys.parse(kKeys.refresh_lease(name, 17)).kind, KeyKind::own);
    ASSERT_EQ(kKeys.parse(kKeys.order(name)).kind, KeyKind::own);
    ASSERT_EQ(kKeys.parse(kKeys.copy(version)).kind, KeyKind::own);
    ASSERT_EQ(kKeys.parse(kKeys.raw_lease(name)).kind, KeyKind::raw_lease) << ::testing::PrintToString(name);
    ASSERT_EQ(kKeys.parse(kKeys.raw_lease(name)).name, name);
    ASSERT_EQ(kKeys.uploaded(kKeys.upload(mine, kKeys.entry(name))), name) << ::testing::PrintToString(name);
    for (const std::string& other : {version, notice, kKeys.entry(name), kKeys.raw_lease(name)}) {
      ASSERT_FALSE(kKeys.uploaded(other)) << ::testing::PrintToString(other);
    }
  }
}

TEST(KeySpace, NoTwoThingsHaveOneName) {
  RandomValues random(3);
  std::map<std::string, std::string> owners;
  const auto claim = [&](const std::string& key, const std::string& owner) {
    const auto& held = owners.emplace(key, owner).first->second;
    ASSERT_EQ(held, owner) << ::testing::PrintToString(key);
  };
  claim(kKeys.epoch(), "the epoch");
  claim(kKeys.clock(), "the clock");
  claim(kKeys.copy(kKeys.epoch()), "the epoch's copy");
  for (std::size_t left = scaled(20'000); left != 0; --left) {
    const std::string name = tricky_name(random), mine = token(random);
    claim(kKeys.entry(name), "entry " + name);
    claim(kKeys.version(name), "version " + name);
    claim(kKeys.notice(mine, name), "notice " + mine + " of " + name);
    claim(kKeys.refresh_lease(name, 17), "lease " + name);
    claim(kKeys.refresh_lease(name, 18), "later lease " + name);
    claim(kKeys.copy(kKeys.version(name)), "copy " + name);
    claim(kKeys.raw_lease(name), "raw lease " + name);
    claim(kKeys.order(name), "order " + name);
  }
}

/// What Redis Cluster puts on a slot: what is between the first brace and the next, if anything is.
std::string_view hashed_part(std::string_view key) {
  const auto open = key.find('{');
  const auto close = open == key.npos ? open : key.find('}', open + 1);
  return close == key.npos || close == open + 1 ? key : key.substr(open + 1, close - open - 1);
}

TEST(KeySpace, WhatAScriptTouchesIsOnOneSlotWithoutBraces) {
  for (const std::string_view name : {"api:price:BTC", "k", "\x01z"}) {
    EXPECT_EQ(hashed_part(kKeys.raw_lease(name)), hashed_part(kKeys.entry(name)));
    EXPECT_EQ(hashed_part(kKeys.copy(kKeys.version(name))), hashed_part(kKeys.version(name)));
  }
  EXPECT_EQ(hashed_part(kKeys.copy(kKeys.epoch())), hashed_part(kKeys.epoch()));
}

TEST(KeySpace, WhatStandsUnderAnotherSpaceIsForeign) {
  for (const std::string_view key : {"", "dsta", "dst:k", "dsta2:k", "Dsta:k", "x:dsta:k", "dsta\x01:k"}) {
    EXPECT_EQ(kKeys.parse(key).kind, KeyKind::foreign) << key;
  }
  EXPECT_EQ(kKeys.parse(KeySpace("dsta2").epoch()).kind, KeyKind::foreign);
}

TEST(KeySpace, WhatALaterVersionAddsIsNeitherEntryNorKnown) {
  for (const std::string_view rest :
       {"\x01", "\x01probe:1", "\x01n:without-a-second-colon", "\x01vv", "\x01zzz", "\x01raw:{", "\x01raw:{}",
        "\x01raw:{other:k}", "\x01raw:{dsta:k", "\x01raw:dsta:k"}) {
    EXPECT_EQ(kKeys.parse("dsta:" + std::string(rest)).kind, KeyKind::own) << rest;
  }
}

TEST(KeySpace, AGlobFindsEachMatchingKeyAndItsRawLease) {
  using namespace std::string_view_literals;
  static constexpr std::array kPieces = {"\x01"sv,     "a"sv,    "b"sv,    "*"sv,      "?"sv,
                                         "[\x01-a]"sv, "[^b]"sv, "[ab]"sv, "\\\x01"sv, "\\a"sv};
  static constexpr std::array kLetters = {"\x01"sv, "a"sv, "b"sv};
  RandomValues random(4);
  std::size_t matched = 0;
  for (std::size_t left = scaled(50'000); left != 0; --left) {
    std::string pattern(random.pick(kPieces)), name(random.pick(kLetters));
    for (std::size_t more = random.below(4); more != 0; --more) pattern += random.pick(kPieces);
    for (std::size_t more = random.below(4); more != 0; --more) name += random.pick(kLetters);
    if (!Glob(pattern).matches(name)) continue;
    ++matched;
    for (const std::string& key : {kKeys.entry(name), kKeys.raw_lease(name)}) {
      ASSERT_TRUE(Glob(kKeys.glob(pattern)).matches(key))
          << ::testing::PrintToString(pattern) << " on " << ::testing::PrintToString(key);
    }
  }
  EXPECT_GT(matched, scaled(50'000) / 20);
}

TEST(KeySpace, AGlobOverKeysLooksAtThisSpaceOnly) {
  for (const std::string_view pattern : {"*", "?*", "api:*", "[^a]*", "[adi]*BTC*", ""}) {
    EXPECT_TRUE(kKeys.glob(pattern).starts_with("dsta:")) << pattern;
    EXPECT_FALSE(Glob(kKeys.glob(pattern)).matches("other:api:1")) << pattern;
    EXPECT_FALSE(Glob(kKeys.glob(pattern)).matches("dsta2:api:1")) << pattern;
  }
}

}  // namespace
}  // namespace dsta::cache::detail
