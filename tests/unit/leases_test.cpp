// The leases that a process holds while it loads, and those that it could not give back.
#include "two_level/leases.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "l1/flight.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

LeaseToken token(std::uint16_t n) {
  LeaseToken made{};
  made[0] = static_cast<char>(n);
  made[1] = static_cast<char>(n >> 8);
  made[2] = 1;
  return made;
}

TimePoint now() { return std::chrono::steady_clock::now(); }

using Names = std::vector<std::string>;

struct LeasesTest : ::testing::Test {
  std::vector<TimePoint> woken;
  std::shared_ptr<Leases> leases = std::make_shared<Leases>([this](TimePoint time) { woken.push_back(time); });

  LeaseHold hold(std::uint16_t n, std::string name = "k") const {
    LeaseHold made(leases, {.name = name, .key = "dsta:" + name, .generation = token(n)});
    made.begin();
    return made;
  }
  Names due(TimePoint time) const {
    TimePoint next = TimePoint::max();
    Names names;
    for (const auto& record : leases->due(time, next)) names.push_back(record.name);
    return names;
  }
  Names to_give_back(TimePoint time) const {
    TimePoint next = TimePoint::max();
    Names names;
    for (const auto& record : leases->to_give_back(time, next)) {
      names.push_back(record.name);
      leases->note_answer(record, false, true);
    }
    return names;
  }
};

TEST_F(LeasesTest, OneRenewalMayFailBeforeALeaseRunsOut) { EXPECT_LT(2 * Leases::kRenewal, Leases::kLife); }

TEST_F(LeasesTest, IsRenewedEverySecondWhileItIsHeld) {
  const TimePoint before = now();
  LeaseHold held = hold(1);
  const TimePoint after = now();
  EXPECT_TRUE(due(before + 999ms).empty()) << "it was just taken";
  const TimePoint first = after + 1s;
  EXPECT_EQ(due(first), Names{"k"});
  EXPECT_TRUE(due(first + 999ms).empty());
  EXPECT_EQ(due(first + 1500ms), Names{"k"}) << "late is better than never";
  EXPECT_TRUE(due(first + 2499ms).empty()) << "and the next follows a second behind that";
  EXPECT_EQ(due(first + 2500ms), Names{"k"});
  held.dropped();
  EXPECT_TRUE(due(first + 1h).empty());
}

TEST_F(LeasesTest, SaysWhenTheNextIsDueAndWakesWhoRenews) {
  const TimePoint before = now();
  const LeaseHold a = hold(1, "a");
  const TimePoint between = now();
  ASSERT_EQ(woken.size(), 1u);
  EXPECT_GE(woken[0], before + 1s);
  EXPECT_LE(woken[0], between + 1s);
  const LeaseHold b = hold(2, "b");
  TimePoint next = TimePoint::max();
  EXPECT_TRUE(leases->due(before, next).empty());
  EXPECT_EQ(next, woken[0]) << "the first of both";
  next = TimePoint::max();
  EXPECT_EQ(leases->due(before + 1h, next).size(), 2u);
  EXPECT_EQ(next, before + 1h + 1s);
  next = before;
  leases->due(before, next);
  EXPECT_EQ(next, before) << "something else is due before";
}

TEST_F(LeasesTest, NothingIsDueWhereNothingIsHeld) {
  TimePoint next = TimePoint::max();
  EXPECT_TRUE(leases->due(now() + 1h, next).empty());
  EXPECT_TRUE(leases->to_give_back(now() + 1h, next).empty());
  EXPECT_EQ(next, TimePoint::max()) << "never";
  const LeaseHold made(leases, {.name = "k", .key = "dsta:k", .generation = token(1)});
  EXPECT_TRUE(made.ready());
  EXPECT_FALSE(made);
  EXPECT_TRUE(due(now() + 1h).empty()) << "only from begin() on";
}

TEST_F(LeasesTest, ARenewalNamesTheGenerationAndTheKeyOfTheServer) {
  const LeaseHold held = hold(7);
  TimePoint next = TimePoint::max();
  const auto due = leases->due(now() + 1s, next);
  ASSERT_EQ(due.size(), 1u);
  EXPECT_EQ(due[0].generation, token(7));
  EXPECT_EQ(due[0].key, "dsta:k");
  EXPECT_EQ(held.record().generation, token(7));
}

TEST_F(LeasesTest, OneWhoseHoldIsDroppedIsGivenBackAtOnce) {
  { const LeaseHold held = hold(1); }
  EXPECT_EQ(woken.back(), TimePoint{}) << "at once";
  EXPECT_TRUE(leases->is_given_back(token(1)));
  EXPECT_TRUE(due(now() + 1h).empty()) << "it is not renewed any more";
  EXPECT_EQ(to_give_back(now()), Names{"k"});
}

TEST_F(LeasesTest, OneThatTheServerDroppedIsNotGivenBack) {
  {
    LeaseHold held = hold(1);
    held.dropped();
    EXPECT_FALSE(held);
  }
  EXPECT_FALSE(leases->is_given_back(token(1)));
  EXPECT_TRUE(to_give_back(now() + 1s).empty());
  EXPECT_TRUE(due(now() + 1h).empty());
}

TEST_F(LeasesTest, OneThatWasNeverHeldIsNotGivenBack) {
  { const LeaseHold made(leases, {.name = "k", .key = "dsta:k", .generation = token(1)}); }
  { const LeaseHold none; }
  EXPECT_FALSE(leases->is_given_back(token(1)));
  EXPECT_TRUE(woken.empty());
}

TEST_F(LeasesTest, AValueThatIsToBeKeptIsRenewedButNeverGivenBack) {
  {
    LeaseHold value(leases, {.name = "k", .key = "dsta:k", .generation = token(1), .is_lease = false});
    value.begin();
    EXPECT_EQ(due(now() + 1s), Names{"k"});
  }
  EXPECT_FALSE(leases->is_given_back(token(1)));
  EXPECT_TRUE(to_give_back(now() + 1s).empty());
}

TEST_F(LeasesTest, GivingBackIsRepeatedUntilDoneOrExpired) {
  { const LeaseHold held = hold(1); }
  const TimePoint dropped = now();
  EXPECT_EQ(to_give_back(dropped), Names{"k"});
  EXPECT_TRUE(to_give_back(dropped + 99ms).empty());
  TimePoint next = TimePoint::max();
  EXPECT_EQ(leases->to_give_back(dropped + 100ms, next).size(), 1u);
  EXPECT_EQ(next, dropped + 200ms);
  EXPECT_TRUE(leases->is_given_back(token(1)));
  EXPECT_TRUE(to_give_back(dropped + Leases::kLife + 1ms).empty()) << "it has run out";
  EXPECT_FALSE(leases->is_given_back(token(1)));
}

TEST_F(LeasesTest, OneThatIsTakenLateRunsOutOnceTheServerHasAnswered) {
  {
    LeaseHold unsure = hold(1);
    unsure.give_up();
  }
  const TimePoint dropped = now();
  TimePoint next = TimePoint::max();
  // The server is stopped: it may execute what it has not read yet at any time.
  auto asked = leases->to_give_back(dropped + 1h, next);
  ASSERT_EQ(asked.size(), 1u);
  leases->note_answer(asked[0], false, false);
  EXPECT_TRUE(leases->is_given_back(token(1)));
  asked = leases->to_give_back(dropped + 2h, next);
  ASSERT_EQ(asked.size(), 1u);
  leases->note_answer(asked[0], false, true);
  EXPECT_TRUE(leases->to_give_back(now() + Leases::kLife + 1ms, next).empty());
  EXPECT_FALSE(leases->is_given_back(token(1)));
}

TEST_F(LeasesTest, OnceGivenBackItIsForgottenAndNoOther) {
  { const LeaseHold first = hold(1, "a"), second = hold(2, "b"); }
  TimePoint next = TimePoint::max();
  for (const auto& record : leases->to_give_back(now(), next)) {
    leases->note_answer(record, record.name == "a", true);
  }
  EXPECT_FALSE(leases->is_given_back(token(1)));
  EXPECT_TRUE(leases->is_given_back(token(2)));
  EXPECT_EQ(to_give_back(now() + 1s), Names{"b"});
}

TEST_F(LeasesTest, TwoLoadsThatShareALeaseGiveItBackTwice) {
  // The server counts its holders: each takes itself away.
  { const LeaseHold first = hold(1), second = hold(1); }
  TimePoint next = TimePoint::max();
  const auto both = leases->to_give_back(now(), next);
  ASSERT_EQ(both.size(), 2u);
  leases->note_answer(both[0], true, true);
  EXPECT_TRUE(leases->is_given_back(token(1)));
  leases->note_answer(both[1], false, true);
  EXPECT_EQ(to_give_back(now() + 1s).size(), 1u);
  for (const auto& last : leases->to_give_back(now() + 2s, next)) leases->note_answer(last, true, true);
  EXPECT_FALSE(leases->is_given_back(token(1)));
}

TEST_F(LeasesTest, TheServerIsNotAskedTwiceAtOnceToTakeOneBack) {
  { const LeaseHold held = hold(1); }
  TimePoint next = TimePoint::max();
  const auto asked = leases->to_give_back(now(), next);
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_TRUE(leases->to_give_back(now() + 1s, next).empty()) << "the answer is on its way";
  EXPECT_FALSE(leases->wait_for_answers(now()));
  leases->note_answer(asked[0], false, true);
  EXPECT_TRUE(leases->wait_for_answers(now()));
  EXPECT_EQ(leases->to_give_back(now() + 1s, next).size(), 1u);
  leases->renew_all();
  EXPECT_EQ(leases->to_give_back(now() + 2s, next).size(), 1u) << "whoever asked had no memory for the answer";
}

TEST_F(LeasesTest, OneThatIsTakenLateIsKnownByThat) {
  {
    LeaseHold sure = hold(1, "a"), unsure = hold(2, "b");
    unsure.give_up();
    EXPECT_FALSE(unsure);
  }
  TimePoint next = TimePoint::max();
  for (const auto& record : leases->to_give_back(now(), next)) EXPECT_EQ(record.taken_late, record.name == "b");
}

TEST_F(LeasesTest, ALeaseThatAnotherLoadHereHoldsCounts) {
  const LeaseHold stays = hold(1);
  { const LeaseHold ends = hold(1); }
  EXPECT_FALSE(leases->is_given_back(token(1))) << "its load is under way";
  EXPECT_EQ(to_give_back(now()), Names{"k"}) << "yet there is a holder less";
}

TEST_F(LeasesTest, ThoseToGiveBackAreBoundedAndTheOldestExpire) {
  constexpr std::uint16_t kMost = 4096;
  for (std::uint16_t n = 0; n < kMost; ++n) const LeaseHold held = hold(n);
  EXPECT_TRUE(leases->is_given_back(token(0)));
  { const LeaseHold held = hold(kMost); }
  EXPECT_FALSE(leases->is_given_back(token(0)));
  EXPECT_TRUE(leases->is_given_back(token(1)));
  EXPECT_TRUE(leases->is_given_back(token(kMost))) << "the last one is known";
}

struct DesertedLease : LeasesTest {
  const KeyView key{"k", "k", 1};
  const LoadSpec spec{};
  std::shared_ptr<Flight> flight = std::make_shared<Flight>(key, spec, std::vector<std::string>{}, 0);

  LeaseHold hold_until(TimePoint deserted_after) const {
    LeaseHold made(
        leases,
        {.name = "k", .key = "dsta:k", .generation = token(1), .flight = flight, .deserted_after = deserted_after});
    made.begin();
    return made;
  }
};

TEST_F(DesertedLease, IsRenewedOnlyForAsLongAsALoadMayTake) {
  const TimePoint limit = now() + 10s;
  const LeaseHold held = hold_until(limit);
  EXPECT_EQ(due(limit), Names{"k"});
  EXPECT_TRUE(due(limit + 2s).empty());
  TimePoint next = TimePoint::max();
  leases->due(limit + 2s, next);
  EXPECT_LT(next, limit + Leases::kLife + 1s) << "somebody may come while it stands";
  EXPECT_FALSE(flight->lapsed);
  next = TimePoint::max();
  leases->due(limit + 4s, next);
  EXPECT_EQ(next, TimePoint::max()) << "and is asked for no more";
  EXPECT_TRUE(flight->lapsed) << "nobody waits for a loader that may hang";
}

TEST_F(DesertedLease, IsRenewedBeyondThatWhereSomebodyWaits) {
  const TimePoint limit = now() + 10s;
  const LeaseHold held = hold_until(limit);
  const std::shared_ptr<Flight> waited[] = {flight};
  {
    const CallersOf callers(waited);
    EXPECT_EQ(due(limit + 2s), Names{"k"});
    EXPECT_EQ(due(limit + 1h), Names{"k"});
  }
  EXPECT_TRUE(due(limit + 2h).empty());
}

TEST_F(DesertedLease, IsGivenBackAllTheSame) {
  { const LeaseHold held = hold_until(now() - 1s); }
  EXPECT_EQ(to_give_back(now()), Names{"k"});
}

using LeaseHoldTest = LeasesTest;

TEST_F(LeaseHoldTest, GoesAlongWhenItIsMovedAndIsGivenBackOnce) {
  LeaseHold first = hold(1);
  {
    LeaseHold second = std::move(first);
    EXPECT_TRUE(second);
    EXPECT_FALSE(first);  // NOLINT: that is the promise
    EXPECT_EQ(second.record().generation, token(1));
    EXPECT_EQ(due(now() + 1s), Names{"k"});
    first = std::move(second);
  }
  EXPECT_FALSE(leases->is_given_back(token(1))) << "what was moved from gives nothing back";
  EXPECT_TRUE(first);
  { const LeaseHold last = std::move(first); }
  EXPECT_EQ(to_give_back(now()), Names{"k"});
}

TEST_F(LeaseHoldTest, OneThatIsReplacedIsGivenBack) {
  LeaseHold held = hold(1, "a");
  held = hold(2, "b");
  EXPECT_TRUE(leases->is_given_back(token(1)));
  EXPECT_FALSE(leases->is_given_back(token(2)));
  EXPECT_EQ(held.record().name, "b");
  held = {};
  EXPECT_TRUE(leases->is_given_back(token(2)));
}

TEST_F(LeaseHoldTest, MayBeMovedBeforeItBegins) {
  std::vector<LeaseHold> holds;
  for (std::uint16_t n = 0; n < 100; ++n) {
    holds.emplace_back(leases, Leases::Record{.name = std::to_string(n), .key = "k", .generation = token(n)});
  }
  for (LeaseHold& held : holds) {
    EXPECT_TRUE(held.ready());
    held.begin();
    EXPECT_FALSE(held.ready());
  }
  EXPECT_EQ(due(now() + 1s).size(), 100u);
  for (std::uint16_t n = 0; n < 100; ++n) EXPECT_EQ(holds[n].record().generation, token(n));
}

TEST_F(LeaseHoldTest, OutlivesWhoMadeTheLeases) {
  LeaseHold held = hold(1);
  const std::weak_ptr<Leases> watched = leases;
  leases.reset();
  EXPECT_FALSE(watched.expired());
  held = {};
  EXPECT_TRUE(watched.expired());
}

TEST_F(LeaseHoldTest, EndsOnAnyThreadWhileOthersAreRenewed) {
  auto quiet = std::make_shared<Leases>([](TimePoint) {});
  {
    std::vector<std::jthread> threads;
    for (std::uint16_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::uint16_t n = 0; n < 500; ++n) {
          LeaseHold held(quiet,
                         {.name = "k", .key = "k", .generation = token(static_cast<std::uint16_t>(t * 500 + n))});
          held.begin();
          TimePoint next = TimePoint::max();
          quiet->due(now() + 1h, next);
          if (n % 2 == 0) held.dropped();
        }
      });
    }
  }
  TimePoint next = TimePoint::max();
  EXPECT_TRUE(quiet->due(now() + 2h, next).empty());
  EXPECT_EQ(quiet->to_give_back(now(), next).size(), 1000u);
}

TEST(LeaseToken, IsNeverDrawnTwice) {
  std::set<LeaseToken> drawn;
  for (int i = 0; i < 5'000; ++i) ASSERT_TRUE(drawn.insert(new_lease_token()).second);
  EXPECT_FALSE(drawn.contains(LeaseToken{})) << "zeros are nobody's name";
}

TEST(LeaseToken, IsNeverDrawnTwiceByTwoThreads) {
  std::vector<LeaseToken> drawn(8'000);
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (std::size_t i = t; i < drawn.size(); i += 4) drawn[i] = new_lease_token();
      });
    }
  }
  EXPECT_EQ(std::set<LeaseToken>(drawn.begin(), drawn.end()).size(), drawn.size());
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
  const auto half = [](const LeaseToken& token) { return std::string_view(token.data(), 8); };
  EXPECT_NE(half(mine), half(theirs)) << "the half that is the process's own: the other one only counts";
}

}  // namespace
}  // namespace dsta::cache::detail
