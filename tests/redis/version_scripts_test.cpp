// The scripts that raise and make versions: no version ever comes twice, whatever the server's clock does and whatever
// it evicts.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "l2/values/scripts.hpp"
#include "l2_store_test.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::string_literals;

std::uint64_t time_here() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

/// A version "k" under the clock "clock", and with `copied` one that is kept for ever, whose copy is "copy".
struct VersionScript : testing_support::L2StoreTest, ::testing::WithParamInterface<bool> {
  void SetUp() override {
    L2StoreTest::SetUp();
    if (!IsSkipped() && !GetParam()) become("+@all -time");
  }
  std::vector<std::string> keys(const std::string& key, bool copied) const {
    return copied ? std::vector{key, "clock"s, "copy"s} : std::vector{key, "clock"s};
  }
  std::string raise(const std::string& how, bool copied = false, const std::string& key = "k") const {
    return eval(kRaiseVersion, keys(key, copied),
                {how, "60000", std::to_string(time_here()), VersionClock::hash_of(key)});
  }
  std::string need(const std::string& life, bool copied = false, const std::string& key = "k") const {
    return eval(kNeedVersion, keys(key, copied), {life, std::to_string(time_here())});
  }
  void put(const std::string& bytes) const { command({"SET", "k", bytes}); }
  void put(const std::string& bytes, const std::string& life) const { command({"SET", "k", bytes, "PX", life}); }
  Version version(const std::string& key = "k") const {
    const auto parsed = parse_version(at(key));
    EXPECT_TRUE(parsed) << at(key);
    return parsed.value_or(Version{});
  }
  std::uint64_t clock() const {
    const auto parsed = VersionClock::parse(at("clock"));
    EXPECT_TRUE(parsed) << at("clock");
    return parsed ? parsed->value() : 0;
  }
  static std::string both(std::uint64_t version) { return std::to_string(version) + " " + std::to_string(version); }
};
const auto kClockName = [](const auto& of) { return of.param ? "ByTheServersTime"s : "ByTheCallersTime"s; };
INSTANTIATE_TEST_SUITE_P(With, VersionScript, ::testing::Bool(), kClockName);

TEST_P(VersionScript, OneThatIsRaisedAndWasNotThereIsMadeAsOfNow) {
  const auto before = time_here();
  EXPECT_EQ(raise("expire"), "1");
  EXPECT_GE(version().removed, before);
  EXPECT_LE(version().removed, time_here());
  EXPECT_EQ(version().expired, version().removed) << "what is older is not known to be no more than expired";
  EXPECT_TRUE(lives("k", 60'000));
  EXPECT_EQ(clock(), version().expired);
  EXPECT_EQ(life("clock"), -1);
}

TEST_P(VersionScript, EachIsGreaterThanTheOneBefore) {
  Version last;
  for (int i = 0; i < 200; ++i) {
    raise(i % 2 == 0 ? "remove" : "expire");
    const Version now = version();
    ASSERT_GT(now.expired, last.expired) << i;
    ASSERT_GE(now.removed, last.removed) << i;
    last = now;
  }
}

TEST_P(VersionScript, TheClockTellsTheLastRaises) {
  need("60000");
  const std::uint64_t made = clock();
  raise("remove", false, "a");
  const std::uint64_t after_a = clock();
  raise("expire", false, "b");
  const auto recorded = [&] { return VersionClock::parse(at("clock")).value_or(VersionClock()); };
  const std::string a = VersionClock::hash_of("a"), b = VersionClock::hash_of("b"), c = VersionClock::hash_of("c");
  EXPECT_TRUE(recorded().may_have_raised(a, made));
  EXPECT_TRUE(recorded().may_have_raised(b, made));
  EXPECT_FALSE(recorded().may_have_raised(c, made));
  EXPECT_FALSE(recorded().may_have_raised(a, after_a));
  EXPECT_TRUE(recorded().may_have_raised(b, after_a));
  for (int i = 0; i < 40; ++i) raise("remove", false, "b");
  EXPECT_TRUE(recorded().may_have_raised(c, made)) << "it goes back no further than what is recorded";
  const std::uint64_t late = clock();
  raise("remove", false, "b");
  EXPECT_FALSE(recorded().may_have_raised(c, late));
}

TEST_P(VersionScript, OfTwoInASpaceTheLaterIsTheHigher) {
  std::uint64_t last = 0;
  for (int i = 0; i < 50; ++i) {
    for (const std::string& key : {"a"s, "b"s, "c"s}) {
      raise("remove", false, key);
      ASSERT_GT(version(key).expired, last);
      last = version(key).expired;
      ASSERT_EQ(clock(), last);
    }
  }
}

TEST_P(VersionScript, RaisingGoesNotBackWhenTheServersTimeDoes) {
  // What was written when the time was eleven days ahead, wherever it still stands.
  const std::uint64_t ahead = time_here() + 1'000'000'000'000;
  for (const std::string& how : {"expire"s, "remove"s}) {
    for (const std::string& where : {"k"s, "clock"s, "copy"s}) {
      command({"DEL", "k", "clock", "copy"});
      command({"SET", where, where == "clock" ? std::to_string(ahead) : both(ahead)});
      for (std::uint64_t n = 1; n <= 3; ++n) {
        raise(how, true);
        EXPECT_EQ(version().expired, ahead + n) << "one more, to the microsecond: " << where;
        EXPECT_EQ(clock(), ahead + n);
      }
    }
  }
}

TEST_P(VersionScript, ExpiringKeepsRemovedAndRemovingRaisesBoth) {
  put("100 200", "1000000");
  raise("expire");
  EXPECT_EQ(version().removed, 100u);
  EXPECT_GT(version().expired, 200u);
  raise("remove");
  EXPECT_GT(version().removed, 200u);
  EXPECT_EQ(version().removed, version().expired);
  EXPECT_TRUE(lives("k", 1'000'000)) << "it is kept as long as it was to be";
}

TEST_P(VersionScript, OneForEverStaysForEver) {
  put("100 200");
  raise("remove");
  EXPECT_EQ(life("k"), -1);
  put("100 200", "1000");
  raise("remove", true);
  EXPECT_EQ(life("k"), -1) << "it has a copy, so it is one for ever";
}

TEST_P(VersionScript, WhatIsNoVersionIsReplacedByOne) {
  for (const std::string& damage : {"damage"s, ""s, "1"s, "1 2 3"s, "-1 2"s}) {
    put(damage, "1000000");
    raise("expire");
    EXPECT_EQ(version().removed, version().expired);
    EXPECT_TRUE(lives("k", 60'000));
  }
  command({"SET", "clock", "damage"});
  put("100 200");
  raise("remove");
  EXPECT_EQ(clock(), version().expired);
}

TEST_P(VersionScript, OneForEverIsCopiedWhenItIsRaised) {
  for (const std::string& how : {"expire"s, "remove"s, "expire"s}) {
    raise(how, true);
    EXPECT_EQ(at("copy"), at("k"));
    EXPECT_EQ(life("copy"), -1);
  }
  command({"DEL", "copy"});
  raise("remove", false);
  EXPECT_FALSE(there("copy"));
}

TEST_P(VersionScript, OneForEverThatWasEvictedIsRaisedFromItsCopy) {
  command({"SET", "copy", "100 200"});
  raise("expire", true);
  EXPECT_EQ(version().removed, 100u) << "what is older than that is no more than expired";
  EXPECT_GT(version().expired, 200u);
  EXPECT_EQ(at("copy"), at("k"));
}

TEST_P(VersionScript, AMissingOneIsMadeAsOfNowWithoutAClock) {
  const auto before = time_here();
  const std::string made = need("60000");
  EXPECT_EQ(made, at("k"));
  EXPECT_GE(version().removed, before);
  EXPECT_LE(version().removed, time_here());
  EXPECT_EQ(version().removed, version().expired);
  EXPECT_EQ(clock(), version().expired);
  EXPECT_EQ(life("clock"), -1);
}

TEST_P(VersionScript, AMissingOneIsMadeWithTheClocksValue) {
  command({"SET", "clock", "500"});
  EXPECT_EQ(need("60000"), "500 500");
  EXPECT_EQ(at("k"), "500 500");
  EXPECT_EQ(at("clock"), "500") << "only raising moves it";
  put("damage");
  EXPECT_EQ(need("60000"), "500 500");
}

TEST_P(VersionScript, AnEvictedOneRevivesNothing) {
  const std::uint64_t noted = parse_version(need("60000")).value_or(Version{}).expired;
  raise("remove");
  const std::uint64_t later = version().expired;
  command({"DEL", "k"});
  need("60000");
  EXPECT_EQ(version().evaluate(noted), Version::Verdict::gone);
  EXPECT_EQ(version().evaluate(later), Version::Verdict::current) << "nothing was raised since, so it need not go";
  command({"DEL", "k"});
  raise("remove", false, "other");
  need("60000");
  EXPECT_EQ(version().evaluate(later), Version::Verdict::gone) << "nobody knows that it was not this one";
}

TEST_P(VersionScript, OneForEverThatWasEvictedIsMadeFromItsCopy) {
  command({"SET", "clock", "500"});
  command({"SET", "copy", "100 200"});
  for (const std::string& damage : {""s, "damage"s}) {
    command({"DEL", "k"});
    if (!damage.empty()) put(damage);
    EXPECT_EQ(need("0", true), "100 200");
    EXPECT_EQ(at("k"), "100 200");
    EXPECT_EQ(at("copy"), "100 200");
    EXPECT_EQ(life("k"), -1);
  }
  command({"DEL", "k", "copy"});
  EXPECT_EQ(need("0", true), "500 500") << "the copy is gone as well";
  EXPECT_EQ(at("copy"), "500 500");
  command({"DEL", "k"});
  command({"SET", "copy", "damage"});
  EXPECT_EQ(need("0", true), "500 500");
  EXPECT_EQ(at("copy"), "500 500");
}

TEST_P(VersionScript, ACopyThatWasEvictedIsMadeAgain) {
  put("100 200");
  EXPECT_EQ(need("0", true), "100 200");
  EXPECT_EQ(at("copy"), "100 200");
  EXPECT_EQ(life("copy"), -1);
  command({"DEL", "copy"});
  EXPECT_EQ(need("60000", false), "100 200");
  EXPECT_FALSE(there("copy"));
}

TEST_P(VersionScript, OneThatIsThereIsNeededAsItIs) {
  command({"SET", "clock", "500"});
  command({"SET", "copy", "100 100"});
  put("100 200");
  EXPECT_EQ(need("0", true), "100 200");
  EXPECT_EQ(at("k"), "100 200");
  EXPECT_EQ(at("clock"), "500");
}

TEST_P(VersionScript, LivesAtLeastAsLongAsItIsNeeded) {
  for (const std::int64_t needed : {10, 1'000, 60'000, 2'000'000'000}) {
    command({"DEL", "k"});
    need(std::to_string(needed));
    EXPECT_GT(life("k"), std::min<std::int64_t>(needed - 10, 2 * needed - 1'000));
    EXPECT_LE(life("k"), std::max<std::int64_t>(1'000, 2 * needed));
  }
}

TEST_P(VersionScript, ALifeIsMadeLongerAndNeverShorter) {
  put("100 200", "60000");
  EXPECT_EQ(need("1000000"), "100 200");
  EXPECT_GE(life("k"), 1'000'000);
  need("60000");
  EXPECT_GE(life("k"), 1'000'000);
  EXPECT_EQ(need("0"), "100 200");
  EXPECT_EQ(life("k"), -1) << "needed for ever";
  need("60000");
  EXPECT_EQ(life("k"), -1);
}

TEST_P(VersionScript, OneThatIsMissingAndNeededForEverStays) {
  need("0");
  EXPECT_EQ(life("k"), -1);
}

/// Scripts go by the time that they are given where the user may not ask for the server's.
struct VersionsWithoutTime : testing_support::L2StoreTest {
  void SetUp() override {
    L2StoreTest::SetUp();
    if (!IsSkipped()) become("-@all +get +set +pttl +pexpire +persist +eval");
  }
  std::string raise(std::uint64_t time, const std::string& key = "k") const {
    EXPECT_EQ(
        eval(kRaiseVersion, {key, "clock"}, {"remove", "60000", std::to_string(time), VersionClock::hash_of(key)}),
        "1");
    return at(key);
  }
  std::string need(std::uint64_t time, const std::string& key = "k") const {
    return eval(kNeedVersion, {key, "clock"}, {"60000", std::to_string(time)});
  }
};

TEST_F(VersionsWithoutTime, WhoseTimeIsBehindRaisesAllTheSame) {
  EXPECT_EQ(raise(1'000), "1000 1000");
  EXPECT_EQ(raise(5'000), "5000 5000");
  EXPECT_EQ(raise(2'000), "5001 5001");
  EXPECT_EQ(raise(0, "other"), "5002 5002");
  EXPECT_EQ(raise(5'002), "5003 5003");
}

TEST_F(VersionsWithoutTime, AMadeOneIsNoHigherThanTheNextRaised) {
  EXPECT_EQ(need(9'000), "9000 9000");
  EXPECT_EQ(need(1'000, "other"), "9000 9000") << "by the clock, not by whose time is behind";
  EXPECT_EQ(raise(1'000), "9001 9001");
  command({"DEL", "k"});
  EXPECT_EQ(need(1'000), "9001 9001");
  EXPECT_EQ(need(50'000, "third"), "9001 9001");
}

}  // namespace
}  // namespace dsta::cache::detail
