// Replies are matched to requests by their place alone: nobody gets what another asked for, also after callers left.
#include "l2/client/pending_queue.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using Status = PendingRequest::Status;

constexpr TimePoint kStart{1h};

Reply reply(int number) {
  Reply made;
  made.kind = Reply::Kind::integer;
  made.integer = number;
  return made;
}

std::vector<Reply> replies(int first, int end) {
  std::vector<Reply> made;
  for (int number = first; number < end; ++number) made.push_back(reply(number));
  return made;
}

std::vector<std::int64_t> numbers(const PendingRequest& request) {
  std::vector<std::int64_t> found;
  for (const Reply& one : request.replies) found.push_back(one.integer);
  return found;
}

using Numbers = std::vector<std::int64_t>;

TEST(PendingQueue, GivesEachRequestTheRepliesAtItsPlace) {
  PendingQueue queue;
  PendingRequest one(1), three(3), two(2);
  for (PendingRequest* request : {&one, &three, &two}) queue.push(*request);
  queue.mark_sent();
  auto come = replies(0, 3);
  auto delivered = queue.deliver(come);
  EXPECT_TRUE(come.empty());
  EXPECT_EQ(delivered.completed, &one);
  EXPECT_EQ(one.next, nullptr);
  EXPECT_EQ(delivered.count, 1u);
  come = replies(3, 6);
  delivered = queue.deliver(come);
  EXPECT_EQ(delivered.completed, &three);
  EXPECT_EQ(three.next, &two);
  EXPECT_EQ(delivered.count, 2u);
  EXPECT_FALSE(delivered.too_many);
  EXPECT_EQ(numbers(one), Numbers({0}));
  EXPECT_EQ(numbers(three), Numbers({1, 2, 3}));
  EXPECT_EQ(numbers(two), Numbers({4, 5}));
  EXPECT_TRUE(queue.empty());
}

TEST(PendingQueue, AReplyBeforeTheRequestWasSentIsOneTooMany) {
  PendingQueue queue;
  PendingRequest sent(1), unsent(1);
  queue.push(sent);
  queue.mark_sent();
  queue.push(unsent);
  EXPECT_EQ(queue.in_flight(), 1u);
  EXPECT_EQ(queue.unsent(), 1u);
  auto come = replies(0, 2);
  const auto delivered = queue.deliver(come);
  EXPECT_EQ(delivered.completed, &sent);
  EXPECT_TRUE(delivered.too_many);
  EXPECT_TRUE(unsent.replies.empty());
  EXPECT_FALSE(unsent.sent);
}

TEST(PendingQueue, LateRepliesOfAnAbandonedRequestReachNobody) {
  PendingQueue queue;
  PendingRequest first(1), last(1);
  auto abandoned = std::make_unique<PendingRequest>(3);
  queue.push(first);
  queue.push(*abandoned);
  queue.push(last);
  queue.mark_sent();
  auto come = replies(0, 2);  // one of the three has come
  queue.deliver(come);
  EXPECT_FALSE(queue.is_stuck(kStart));
  queue.abandon(*abandoned);
  abandoned.reset();  // its memory is gone, as a caller's stack is
  come = replies(2, 4);
  EXPECT_EQ(queue.deliver(come).completed, nullptr);
  come = replies(4, 5);
  EXPECT_EQ(queue.deliver(come).completed, &last);
  EXPECT_EQ(numbers(last), Numbers({4}));
}

TEST(PendingQueue, IsStuckWhenNobodyIsServedForTwoSeconds) {
  PendingQueue queue;
  PendingRequest leaves(1), stays(1), last(1);
  for (PendingRequest* request : {&leaves, &stays, &last}) queue.push(*request);
  queue.mark_sent();
  EXPECT_FALSE(queue.is_stuck(kStart));
  queue.abandon(leaves);
  EXPECT_FALSE(queue.is_stuck(kStart + 2s));
  EXPECT_TRUE(queue.is_stuck(kStart + 2001ms));
  auto come = replies(0, 2);
  EXPECT_EQ(queue.deliver(come).completed, &stays);
  EXPECT_FALSE(queue.is_stuck(kStart + 3s)) << "a request was completed";
}

TEST(PendingQueue, RolesGoToTheFirstWhoseCallersStillWait) {
  PendingQueue queue;
  EXPECT_EQ(queue.first(), nullptr);
  EXPECT_EQ(queue.first_unsent(), nullptr);
  PendingRequest gone(1), in_flight(1), unsent(1), last(1);
  queue.push(gone);
  queue.push(in_flight);
  queue.mark_sent();
  EXPECT_EQ(queue.first_unsent(), nullptr);
  queue.push(unsent);
  queue.push(last);
  queue.abandon(gone);
  EXPECT_EQ(queue.first(), &in_flight);
  EXPECT_EQ(queue.first_unsent(), &unsent);
  EXPECT_EQ(queue.first_unsent(&unsent), &last);
}

TEST(PendingQueue, AtTheEndAllFailAndOneWithItsOwnFault) {
  PendingQueue queue;
  PendingRequest late(1), other(2), gone(1);
  for (PendingRequest* request : {&late, &other, &gone}) queue.push(*request);
  queue.abandon(gone);
  queue.fail_all(Fault::timeout, &late);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.unsent(), 0u);
  EXPECT_EQ(late.fault, Fault::timeout);
  EXPECT_EQ(other.fault, Fault::lost);
  EXPECT_EQ(late.status(), Status::complete);
  EXPECT_EQ(other.status(), Status::complete);
  EXPECT_EQ(gone.status(), Status::waiting) << "it is not touched";
}

TEST(PendingQueue, InAnyMixOfCallersEachGetsItsOwnReply) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::minstd_rand random(seed);
    const auto draw = [&](unsigned below) { return static_cast<int>(random() % below); };
    struct Asked {
      std::unique_ptr<PendingRequest> request;
      int first;
      bool left = false;
    };
    PendingQueue queue;
    std::deque<Asked> asked;
    int promised = 0, sent = 0, come = 0;
    for (int step = 0; step < 200; ++step) {
      switch (draw(4)) {
        case 0: {
          const int expected = 1 + draw(3);
          asked.push_back({std::make_unique<PendingRequest>(static_cast<std::size_t>(expected)), promised});
          queue.push(*asked.back().request);
          promised += expected;
          break;
        }
        case 1:
          queue.mark_sent();
          sent = promised;
          break;
        case 2: {
          const int until = come + draw(static_cast<unsigned>(sent - come) + 1);
          auto some = replies(come, until);
          come = until;
          auto [completed, count, too_many] = queue.deliver(some);
          EXPECT_FALSE(too_many);
          for (; completed; completed = completed->next, --count) EXPECT_TRUE(completed->answered());
          EXPECT_EQ(count, 0u);
          break;
        }
        default:
          if (asked.empty()) break;
          Asked& one = asked[static_cast<std::size_t>(draw(static_cast<unsigned>(asked.size())))];
          if (one.left || one.request->answered()) break;
          queue.abandon(*one.request);
          one.left = true;
      }
    }
    for (const auto& [request, first, left] : asked) {
      const auto got = numbers(*request);
      for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i], first + static_cast<int>(i)) << seed;
      const bool all_came = first + static_cast<int>(request->expected) <= come;
      EXPECT_TRUE(left || request->answered() == all_came) << seed;
    }
  }
}

}  // namespace
}  // namespace dsta::cache::detail
