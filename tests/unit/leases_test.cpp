// The leases that a process holds while it loads, and those that it could not give back.
#include "leases.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1h};

LeaseToken token(std::uint16_t n) {
  LeaseToken made{};
  made[0] = static_cast<char>(n);
  made[1] = static_cast<char>(n >> 8);
  return made;
}

std::vector<std::string> due(HeldLeases& leases, TimePoint now) {
  std::vector<std::string> keys;
  TimePoint next = TimePoint::max();
  for (const auto& lease : leases.due(now, next)) keys.push_back(lease.key);
  return keys;
}

TimePoint next(HeldLeases& leases, TimePoint now, TimePoint next = TimePoint::max()) {
  leases.due(now, next);
  return next;
}

TEST(HeldLeases, OneRenewalMayFailBeforeALeaseRunsOut) { EXPECT_LT(2 * HeldLeases::kRenewal, HeldLeases::kLife); }

TEST(HeldLeases, IsRenewedEverySecondWhileItIsHeld) {
  HeldLeases leases;
  leases.add(token(1), "k", kStart);
  EXPECT_TRUE(due(leases, kStart).empty()) << "it was just taken";
  EXPECT_TRUE(due(leases, kStart + 999ms).empty());
  EXPECT_EQ(due(leases, kStart + 1s), std::vector<std::string>{"k"});
  EXPECT_TRUE(due(leases, kStart + 1999ms).empty());
  EXPECT_EQ(due(leases, kStart + 2500ms), std::vector<std::string>{"k"}) << "late is better than never";
  EXPECT_TRUE(due(leases, kStart + 3400ms).empty()) << "and the next follows a second behind that";
  leases.remove(token(1));
  EXPECT_TRUE(due(leases, kStart + 1h).empty());
}

TEST(HeldLeases, EachHasATimeOfItsOwn) {
  HeldLeases leases;
  leases.add(token(1), "a", kStart);
  leases.add(token(2), "b", kStart + 500ms);
  leases.add(token(3), "c", kStart + 600ms);
  EXPECT_EQ(due(leases, kStart + 1s), std::vector<std::string>{"a"});
  EXPECT_EQ(due(leases, kStart + 1600ms), (std::vector<std::string>{"b", "c"}));
}

TEST(HeldLeases, SaysWhenTheNextIsDue) {
  HeldLeases leases;
  EXPECT_EQ(next(leases, kStart), TimePoint::max()) << "never";
  leases.add(token(1), "a", kStart);
  leases.add(token(2), "b", kStart + 500ms);
  EXPECT_EQ(next(leases, kStart), kStart + 1s);
  EXPECT_EQ(next(leases, kStart + 1s), kStart + 1500ms);
  EXPECT_EQ(next(leases, kStart + 1600ms), kStart + 2s);
  EXPECT_EQ(next(leases, kStart + 1600ms, kStart + 1700ms), kStart + 1700ms) << "something else is due before";
}

TEST(HeldLeases, ARenewalNamesTheTokenAndTheKeyOfTheServer) {
  HeldLeases leases;
  leases.add(token(7), "dsta:k", kStart);
  TimePoint next = TimePoint::max();
  const auto due = leases.due(kStart + 1s, next);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].token, token(7));
  EXPECT_EQ(due[0].key, "dsta:k");
}

TEST(OrphanedLeases, AreKnownByTheirTokens) {
  OrphanedLeases orphans;
  EXPECT_FALSE(orphans.has(token(1)));
  orphans.add(token(1));
  EXPECT_TRUE(orphans.has(token(1)));
  EXPECT_FALSE(orphans.has(token(2)));
}

TEST(OrphanedLeases, AreBounded) {
  OrphanedLeases orphans;
  constexpr std::uint16_t kMost = 4096;
  for (std::uint16_t n = 0; n < kMost; ++n) orphans.add(token(n));
  EXPECT_TRUE(orphans.has(token(0)));
  orphans.add(token(kMost));
  EXPECT_FALSE(orphans.has(token(0)));
  EXPECT_TRUE(orphans.has(token(kMost))) << "the last one is known";
}

TEST(LeaseToken, IsNeverDrawnTwice) {
  std::set<LeaseToken> drawn;
  for (int i = 0; i < 5'000; ++i) ASSERT_TRUE(drawn.insert(new_lease_token()).second);
  std::set<std::size_t> same;  // places where all have the same byte
  for (std::size_t at = 0; at < LeaseToken{}.size(); ++at) {
    if (std::ranges::all_of(drawn, [&](const auto& each) { return each[at] == (*drawn.begin())[at]; })) same.insert(at);
  }
  EXPECT_TRUE(same.empty()) << "every byte counts";
}

TEST(LeaseToken, TheChildOfAForkDrawsOthersThanItsParent) {
  new_lease_token();  // whatever state there is, both have it
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const LeaseToken drawn = new_lease_token();
    ::_exit(::write(ends[1], drawn.data(), drawn.size()) == static_cast<ssize_t>(drawn.size()) ? 0 : 1);
  }
  const LeaseToken mine = new_lease_token();
  LeaseToken theirs{};
  EXPECT_EQ(::read(ends[0], theirs.data(), theirs.size()), static_cast<ssize_t>(theirs.size()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_NE(mine, theirs);
}

}  // namespace
}  // namespace dsta::cache::detail
