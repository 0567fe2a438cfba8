// The programs that raise and make versions: no version ever comes twice, whatever the server's clock does.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "l2/scripts.hpp"
#include "remote_level.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::string_literals;

struct VersionScript : testing_support::RemoteLevel {
  std::string raise(const std::string& how) const { return eval(kRaiseVersion, "k", {how, "60000"}); }
  std::string need(const std::string& life, const std::string& as_of = "0") const {
    return eval(kNeedVersion, "k", {life, as_of});
  }
  void put(const std::string& bytes) const { command({"SET", "k", bytes}); }
  void put(const std::string& bytes, const std::string& life) const { command({"SET", "k", bytes, "PX", life}); }
  Version version() const {
    const auto parsed = parse_version(at("k"));
    EXPECT_TRUE(parsed) << at("k");
    return parsed.value_or(Version{});
  }
  std::uint64_t server_time() { return static_cast<std::uint64_t>(remote->server_time().value()); }
};
using RaiseVersion = VersionScript;
using NeedVersion = VersionScript;

TEST_F(RaiseVersion, OneThatWasNotThereIsMadeAsOfNow) {
  const auto before = server_time();
  EXPECT_EQ(raise("expire"), "1");
  EXPECT_GE(version().removed, before);
  EXPECT_LE(version().removed, server_time());
  EXPECT_EQ(version().expired, version().removed) << "what is older is not known to be no more than expired";
  EXPECT_TRUE(lives("k", 60'000));
}

TEST_F(RaiseVersion, EachIsGreaterThanTheOneBefore) {
  Version last;
  for (int i = 0; i < 200; ++i) {
    raise(i % 2 == 0 ? "remove" : "expire");
    const Version now = version();
    ASSERT_GT(now.expired, last.expired) << i;
    ASSERT_GE(now.removed, last.removed) << i;
    last = now;
  }
}

TEST_F(RaiseVersion, GoesNotBackWhenTheServersClockDoes) {
  const std::uint64_t ahead = server_time() + 1'000'000'000'000;  // what it was when the clock was eleven days ahead
  for (const std::string& how : {"expire"s, "remove"s}) {
    put(std::to_string(ahead) + " " + std::to_string(ahead));
    for (std::uint64_t n = 1; n <= 3; ++n) {
      raise(how);
      EXPECT_EQ(version().expired, ahead + n) << "one more, to the microsecond";
    }
  }
}

TEST_F(RaiseVersion, ExpiringLeavesWhatWasRemovedAndRemovingRaisesBoth) {
  put("100 200", "1000000");
  raise("expire");
  EXPECT_EQ(version().removed, 100u);
  EXPECT_GT(version().expired, 200u);
  raise("remove");
  EXPECT_GT(version().removed, 200u);
  EXPECT_EQ(version().removed, version().expired);
  EXPECT_TRUE(lives("k", 1'000'000)) << "it is kept as long as it was to be";
}

TEST_F(RaiseVersion, OneForEverStaysForEver) {
  put("100 200");
  raise("remove");
  EXPECT_EQ(life("k"), -1);
}

TEST_F(RaiseVersion, WhatIsNoVersionIsReplacedByOne) {
  put("damage", "1000000");
  raise("expire");
  EXPECT_EQ(version().removed, version().expired);
  EXPECT_TRUE(lives("k", 60'000));
}

TEST_F(NeedVersion, OneThatIsMissingIsMadeAsOfNowOrAsOfWhatIsSaid) {
  const auto before = server_time();
  const std::string made = need("60000");
  EXPECT_EQ(made, at("k"));
  EXPECT_GE(version().removed, before);
  EXPECT_LE(version().removed, server_time());
  EXPECT_EQ(version().removed, version().expired);
  put("damage");
  EXPECT_EQ(need("60000", "1700000000000001"), "1700000000000001 1700000000000001");
  EXPECT_EQ(at("k"), "1700000000000001 1700000000000001");
}

TEST_F(NeedVersion, LivesAtLeastAsLongAsItIsNeeded) {
  for (const std::int64_t needed : {10, 1'000, 60'000, 2'000'000'000}) {
    command({"DEL", "k"});
    need(std::to_string(needed));
    EXPECT_GT(life("k"), needed - 10);
    EXPECT_LE(life("k"), std::max<std::int64_t>(1'000, 2 * needed));
  }
}

TEST_F(NeedVersion, ALifeIsMadeLongerAndNeverShorter) {
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

TEST_F(NeedVersion, OneThatIsMissingAndNeededForEverStays) {
  need("0");
  EXPECT_EQ(life("k"), -1);
}

}  // namespace
}  // namespace dsta::cache::detail
