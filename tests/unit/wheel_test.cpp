// The expiry wheel: an entry leaves it after its time, and no more than one slot after.
#include "l1/wheel.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <vector>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::scaled;

/// A slot of the finest ring: 2^30 ns.
constexpr Duration kSlot{std::int64_t{1} << 30};
constexpr std::size_t kUnlimited = std::size_t{1} << 40;

class WheelTest : public ::testing::Test {
 protected:
  Node* add(TimePoint until) {
    const std::uint64_t id = owned_.size();
    Node* node = owned_.emplace_back(make_node<std::uint64_t>(KeyView{"key", {}, id}, id)).get();
    node->stale_until = until;
    wheel_.add(node);
    return node;
  }
  /// Whatever the wheel hands over by `now_`, however many steps it takes.
  std::vector<Node*> expired() {
    std::vector<Node*> gone;
    // A step covers a bounded time: repeat until the jumps of these tests are worked through.
    for (int step = 0; step < 64; ++step) {
      wheel_.advance(now_, kUnlimited, [&](Node* node) { gone.push_back(node); });
    }
    return gone;
  }

  TimePoint now_{1000h};
  Wheel wheel_{now_};
  std::vector<NodeRef> owned_;
};

TEST_F(WheelTest, HandsOverEveryEntryInTimeWithinASlot) {
  std::mt19937_64 random(3);
  std::map<Node*, TimePoint> held;
  const auto draw = [&] {  // up to three days, every ring alike
    return kSlot + Duration(static_cast<Duration::rep>(random() % (std::uint64_t{1} << (random() % 49))));
  };
  for (std::size_t round = 0; round < scaled(20'000); ++round) {
    for (int i = 0; i < 3; ++i) {
      const TimePoint until = now_ + draw();
      held.emplace(add(until), until);
    }
    if (random() % 8 == 0 && !held.empty()) {
      wheel_.remove(held.begin()->first);
      held.erase(held.begin());
    }
    now_ += Duration(static_cast<Duration::rep>(random() % (std::uint64_t{1} << (24 + random() % 18))));
    for (Node* node : expired()) {
      ASSERT_EQ(held.count(node), 1u) << "handed over twice, or after its removal";
      ASSERT_LE(held[node], now_) << "handed over before its time";
      held.erase(node);
    }
    for (const auto& [node, until] : held) ASSERT_GT(until + kSlot, now_) << "overdue by more than a slot";
    if (held.size() > 200) {
      for (const auto& [node, until] : held) wheel_.remove(node);
      held.clear();
    }
  }
}

TEST_F(WheelTest, EntriesOfEveryRingAndBeyondLeaveInTheirSlot) {
  for (const Duration life : {Duration(1s), Duration(100s), Duration(80min), Duration(100h), Duration(24h * 365)}) {
    const TimePoint until = now_ + life;
    Node* node = add(until);
    while (now_ + 1h < until) {
      now_ += 1h;
      ASSERT_TRUE(expired().empty());
    }
    now_ = until - 1ns;
    ASSERT_TRUE(expired().empty());
    now_ = until + kSlot;
    ASSERT_EQ(expired(), std::vector<Node*>{node});
  }
}

TEST_F(WheelTest, EntriesWithoutEndAreNeverHandedOver) {
  Node* node = add(TimePoint::max());
  for (int year = 0; year < 30; ++year) {
    now_ += 24h * 365;
    EXPECT_TRUE(expired().empty());
  }
  wheel_.remove(node);
}

TEST_F(WheelTest, AnEntryShorterThanASlotLeavesWithinASlot) {
  Node* node = add(now_ + 1ns);
  now_ += 1ns + kSlot;
  EXPECT_EQ(expired(), std::vector<Node*>{node});
}

TEST_F(WheelTest, AnEntryAddedPastItsTimeLeavesWithinTwoSlots) {
  Node* node = add(now_ - 5min);
  now_ += 2 * kSlot;
  EXPECT_EQ(expired(), std::vector<Node*>{node});
}

TEST_F(WheelTest, AStepHandsOverUpToItsLimitAndTheNextTheRest) {
  for (int i = 0; i < 100; ++i) add(now_ + 10s);
  now_ += 20s;
  std::size_t gone = 0;
  for (int step = 0; step < 7; ++step) {
    std::size_t now_gone = 0;
    wheel_.advance(now_, 16, [&](Node*) { ++now_gone; });
    EXPECT_LE(now_gone, 16u);
    gone += now_gone;
  }
  EXPECT_EQ(gone, 100u);
}

TEST_F(WheelTest, AnEntryThatWasRemovedIsNotHandedOver) {
  Node* kept = add(now_ + 30s);
  Node* removed = add(now_ + 30s);
  wheel_.remove(removed);
  now_ += 1min;
  EXPECT_EQ(expired(), std::vector<Node*>{kept});
}

}  // namespace
}  // namespace dsta::cache::detail
