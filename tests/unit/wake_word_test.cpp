// Callers that share a futex word: each is woken for its own reply, by its deadline, and nobody is forgotten.
#include "l2/client/wake_word.hpp"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "l2/client/pending_request.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Status = PendingRequest::Status;
using testing_support::eventually;

struct Seated : PendingRequest {
  Seated(WakeWord& where, unsigned bit) : PendingRequest(1) {
    word = &where;
    bits = 1u << bit;
  }
};

TEST(WakeWord, DoesNotSleepWhenItChangedSinceItWasRead) {
  WakeWord word;
  const auto seen = word.changes();
  word.wake(1);
  const auto begun = Clock::now();
  EXPECT_TRUE(word.sleep(seen, 1, begun + 5s));
  EXPECT_LT(Clock::now() - begun, 4s);
}

TEST(WakeWord, EndsAtTheDeadline) {
  WakeWord word;
  const auto begun = Clock::now();
  while (word.sleep(word.changes(), 1, begun + 30ms)) EXPECT_LT(Clock::now() - begun, 5s);
  EXPECT_GE(Clock::now() - begun, 30ms);
  EXPECT_FALSE(word.sleep(word.changes(), 1, begun)) << "a deadline that is past";
}

TEST(WakeWord, WakesOnlyThoseThatAreMeant) {
  WakeWord word;
  Seated one(word, 3), other(word, 4);
  std::atomic<int> returned{0};
  const auto wait = [&](Seated& request) {
    return std::jthread([&] {
      EXPECT_EQ(request.await(Clock::now() + 10s), Status::complete);
      ++returned;
    });
  };
  const std::jthread first = wait(one), second = wait(other);
  ASSERT_TRUE(eventually([&] { return one.status() == Status::asleep && other.status() == Status::asleep; }));
  one.signal(Status::complete);
  EXPECT_TRUE(eventually([&] { return returned == 1; }));
  std::this_thread::sleep_for(20ms);
  EXPECT_EQ(returned, 1);
  EXPECT_EQ(other.status(), Status::asleep);
  other.signal(Status::complete);
}

TEST(WakeWord, ThoseThatShareABitKeepTheirOwnDeadlines) {
  WakeWord word;
  constexpr int kMany = 24;
  std::vector<std::unique_ptr<Seated>> requests;
  std::array<Status, kMany> seen{};
  std::array<Duration, kMany> late{};
  std::vector<std::jthread> threads;
  for (int i = 0; i < kMany; ++i) requests.push_back(std::make_unique<Seated>(word, 7));
  const auto begun = Clock::now();
  for (int i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] {
      const auto deadline = begun + (i % 2 == 0 ? std::chrono::milliseconds(20 + 5 * i) : 20s);
      const auto at = static_cast<std::size_t>(i);
      seen[at] = requests[at]->await(deadline);
      late[at] = Clock::now() - deadline;
    });
  }
  // A wake-up for one of them goes to all.
  for (int i = 1; i < kMany; i += 2) {
    std::this_thread::sleep_for(5ms);
    requests[static_cast<std::size_t>(i)]->signal(Status::complete);
  }
  threads.clear();
  for (std::size_t i = 0; i < kMany; ++i) {
    EXPECT_EQ(seen[i], i % 2 == 0 ? Status::waiting : Status::complete) << i;
    if (i % 2 == 0) {
      EXPECT_GE(late[i], 0ms) << i;
      EXPECT_LT(late[i], 5s) << i;
    }
  }
}

/// Callers that come and go on three words, of which one is always full, and one that completes what is there: a
/// wake-up that is lost is a caller that waits to its deadline.
TEST(WakeWord, NoWakeUpIsLost) {
  constexpr std::size_t kCallers = 12;
  constexpr int kRounds = 4000;
  std::array<WakeWord, 3> words;
  std::array<std::atomic<Seated*>, kCallers> waiting{};
  std::vector<std::jthread> callers;
  std::atomic<int> lost{0};
  std::atomic<std::size_t> ended{0};
  for (std::size_t i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      for (int round = 0; round < kRounds && lost == 0; ++round) {
        const auto place = i + static_cast<std::size_t>(round);
        Seated request(words[place % 3], static_cast<unsigned>(place % 5));
        waiting[i] = &request;
        if (request.await(Clock::now() + 20s) != Status::complete) {
          waiting[i].exchange(nullptr);
          ++lost;
        }
      }
      ++ended;
    });
  }
  std::jthread reader([&] {
    for (std::size_t round = 0; ended < kCallers; ++round) {
      PendingRequest* first = nullptr;
      PendingRequest** end = &first;
      for (auto& each : waiting) {
        Seated* const request = each.exchange(nullptr);
        if (!request) continue;
        *end = request;
        end = &request->next;
      }
      if (round % 7 == 0 && first && !first->next) {
        first->signal(Status::complete);
      } else {
        PendingRequest::complete_all(first);
      }
    }
  });
  callers.clear();
  EXPECT_EQ(lost, 0);
}

}  // namespace
}  // namespace dsta::cache::detail
