// Invalidations that are repeated at another master: none of the window is forgotten, and memory is bounded.
#include "two_level/journal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using Wanted = Pending::Kind;

const TimePoint kBegin{1h};

bool repeats_key(const Journal& journal, const std::string& name) {
  Pending pending;
  journal.repeat(pending);
  const auto all = pending.all();
  return std::ranges::any_of(all,
                             [&](const auto& intent) { return intent.kind == Wanted::key && intent.name == name; });
}

bool repeats_epoch(const Journal& journal) {
  Pending pending;
  journal.repeat(pending);
  const auto all = pending.all();
  return std::ranges::any_of(all, [](const auto& intent) { return intent.kind == Wanted::epoch; });
}

TEST(Journal, RepeatsEachKind) {
  Journal journal(30s);
  journal.add(Wanted::key, "k", kBegin);
  journal.add(Wanted::remove, "tag", kBegin);
  journal.add(Wanted::expire, "soft", kBegin);
  journal.add(Wanted::flush_all, {}, kBegin);
  journal.add(glob_pattern("p:*"), kBegin);
  journal.add(Wanted::key, "k", kBegin + 1s);
  EXPECT_EQ(journal.size(), 5u) << "each once";
  Pending pending;
  journal.repeat(pending);
  EXPECT_EQ(pending.size(), 5u);
  EXPECT_TRUE(pending.concerns_key("p:1"));
  EXPECT_TRUE(pending.concerns_dependency("soft"));
  journal.repeat(pending);
  EXPECT_EQ(pending.size(), 5u) << "and again at the next one";
}

TEST(Journal, ForgetsWhatIsOlderThanTheWindow) {
  Journal journal(30s);
  journal.add(Wanted::key, "old", kBegin);
  journal.add(Wanted::key, "again", kBegin);
  journal.add(Wanted::key, "young", kBegin + 10s);
  journal.add(Wanted::key, "again", kBegin + 20s);
  journal.alive(kBegin + 30s);
  EXPECT_TRUE(repeats_key(journal, "old"));
  journal.alive(kBegin + 31s);
  EXPECT_FALSE(repeats_key(journal, "old"));
  EXPECT_TRUE(repeats_key(journal, "young"));
  journal.alive(kBegin + 41s);
  EXPECT_FALSE(repeats_key(journal, "young"));
  EXPECT_TRUE(repeats_key(journal, "again"));
  journal.alive(kBegin + 1h);
  EXPECT_EQ(journal.size(), 0u);
}

TEST(Journal, ForgetsNothingWhileTheMasterIsAway) {
  Journal journal(1s);
  journal.add(Wanted::key, "k", kBegin);
  journal.add(Wanted::key, "later", kBegin + 10min);  // which the master may never answer
  EXPECT_TRUE(repeats_key(journal, "k"));
}

TEST(Journal, BeyondTheLimitTheNamespaceStandsForAll) {
  Journal journal(30s);
  for (std::size_t i = 0; i < Journal::kMost; ++i) journal.add(Wanted::key, std::to_string(i), kBegin);
  EXPECT_EQ(journal.size(), Journal::kMost);
  EXPECT_FALSE(repeats_epoch(journal));
  Pending pending;
  journal.repeat(pending);
  EXPECT_EQ(pending.size(), Journal::kMost) << "which has room for all of them";
  journal.add(Wanted::key, "one more", kBegin + 1s);
  EXPECT_EQ(journal.size(), 1u);
  EXPECT_TRUE(repeats_epoch(journal));
  journal.add(Wanted::key, "next", kBegin + 2s);
  EXPECT_TRUE(repeats_key(journal, "next"));
  journal.alive(kBegin + 32s);
  EXPECT_FALSE(repeats_epoch(journal)) << "that is over, too";
  EXPECT_TRUE(repeats_key(journal, "next"));
}

TEST(Journal, BeyondTheLimitAFlushIsRepeatedAsOne) {
  Journal journal(30s);
  journal.add(Wanted::flush_all, {}, kBegin);
  for (std::size_t i = 0; i <= Journal::kMost; ++i) journal.add(Wanted::key, std::to_string(i), kBegin);
  Pending pending;
  journal.repeat(pending);
  const auto repeated = pending.all();
  EXPECT_TRUE(std::ranges::any_of(repeated, [](const auto& one) { return one.kind == Wanted::flush_all; }));
  journal.alive(kBegin + 31s);
  EXPECT_EQ(journal.size(), 0u);
}

TEST(Journal, LongNamesAreBounded) {
  Journal journal(30s);
  for (int i = 0; i < 100; ++i) {
    journal.add(Wanted::remove, std::to_string(i) + std::string(60'000, 'n'), kBegin);
    ASSERT_LE(journal.size(), Journal::kMostBytes / 60'000 + 1);
  }
  EXPECT_TRUE(repeats_epoch(journal));
}

TEST(Journal, WithoutAWindowKeepsNothing) {
  Journal journal(0s);
  journal.add(Wanted::key, "k", kBegin);
  journal.add(glob_pattern("*"), kBegin);
  EXPECT_EQ(journal.size(), 0u);
}

}  // namespace
}  // namespace dsta::cache::detail
