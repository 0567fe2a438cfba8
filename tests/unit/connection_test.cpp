// Callers of one connection write and read for each other: nobody's request is forgotten when the roles change hands.
#include "l2/connection.hpp"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "eventually.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;

/// One end of a socket pair, which shows what it is asked to do.
class ShownStream final : public Stream {
 public:
  explicit ShownStream(int fd) : socket_(fd) {}

  Step read(char* into, std::size_t room) override {
    const ssize_t got = ::recv(socket_.get(), into, room, MSG_DONTWAIT);
    if (got > 0) return {Step::Kind::moved, static_cast<std::size_t>(got)};
    if (got == 0) return {Step::Kind::closed, 0};
    ++dry_reads;
    return {Step::Kind::wait_read, 0};
  }
  Step write(const char* from, std::size_t size) override {
    on_write({from, size});
    return {Step::Kind::moved, size};
  }
  void shut() noexcept override { ::shutdown(socket_.get(), SHUT_RDWR); }
  void forget() noexcept override { socket_ = Descriptor(); }
  int descriptor() const override { return socket_.get(); }

  std::atomic<int> dry_reads{0};
  std::function<void(std::string_view)> on_write;

 private:
  Descriptor socket_;
};

struct ConnectionRoles : ::testing::Test {
  static constexpr int kCallers = 8;
  static constexpr std::string_view kRequest = "PING\r\n", kReply = "+PONG\r\n";

  ConnectionRoles() { connect(); }
  void connect() {
    int ends[2] = {};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    far = Descriptor(ends[1]);
    auto made = std::make_unique<ShownStream>(ends[0]);
    stream = made.get();
    connection = std::make_unique<Connection>(std::move(made), ReplyLimits{});
  }
  Exchange& call(bool proved = false) {
    const std::lock_guard lock(mutex);  // the one called may call the next before it is on the list
    ++called;
    Exchange& exchange = exchanges.emplace_back(1, proved);
    callers.emplace_back([this, &exchange] {
      connection->run(exchange, kRequest, std::chrono::steady_clock::now() + limit);
      ++returned;
    });
    return exchange;
  }
  /// One more, who has asked by the time that this returns, and waits: for news, or as the one who reads.
  Exchange& call_and_wait(bool proved = false) {
    const int dry = stream->dry_reads;
    Exchange& last = call(proved);
    EXPECT_TRUE(eventually([&] { return last.news() == Exchange::News::asleep || stream->dry_reads > dry; }));
    return last;
  }
  void answer(std::size_t requests) {
    for (; requests > 0; --requests) say(kReply);
  }
  void say(std::string_view bytes) {
    EXPECT_EQ(::send(far.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  void expect_all_answered() {
    callers.clear();
    for (const Exchange& exchange : exchanges) EXPECT_EQ(exchange.fault, Fault::none);
    EXPECT_EQ(sent, exchanges.size());
  }

  std::chrono::seconds limit = 5s;
  Descriptor far;
  ShownStream* stream = nullptr;
  std::unique_ptr<Connection> connection;
  std::mutex mutex;
  std::deque<Exchange> exchanges;
  std::atomic<std::size_t> sent{0};
  std::atomic<int> called{0}, returned{0};
  std::deque<std::jthread> callers;
};

TEST_F(ConnectionRoles, WhoReadsBeforeHisOwnRequestWasSentIsNotForgotten) {
  stream->on_write = [&](std::string_view bytes) {
    const std::size_t requests = bytes.size() / kRequest.size();
    sent += requests;
    answer(requests);
    // All who were answered have gone but for the one who writes; the next one reads, and has not been sent.
    EXPECT_TRUE(eventually([&] { return returned == called - 1; }));
    if (called < kCallers) call_and_wait();
  };
  const auto begun = std::chrono::steady_clock::now();
  call();
  EXPECT_TRUE(eventually([&] { return returned == kCallers; }, 3s));
  expect_all_answered();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 3s);
}

TEST_F(ConnectionRoles, WhatIsAskedWhileAReaderWaitsForASlowReplyIsSentAtOnce) {
  stream->on_write = [&](std::string_view bytes) {
    sent += bytes.size() / kRequest.size();
    if (called > 1 && called < kCallers) call_and_wait();
  };
  call_and_wait();  // its reply does not come for now
  call();
  EXPECT_TRUE(eventually([&] { return sent == kCallers; }, 3s)) << sent;
  answer(kCallers);
  expect_all_answered();
}

/// Two that need proof and one that does not, sent in one go.
struct ConnectionSeal : ConnectionRoles {
  ConnectionSeal() {
    limit = 2s;
    stream->on_write = [&](std::string_view bytes) {
      written.emplace_back(bytes);
      if (written.size() > 1) return;
      // What is asked for meanwhile is sent together.
      one = &call_and_wait(true);
      reading = &call_and_wait();
      other = &call_and_wait(true);
    };
    call();
    EXPECT_TRUE(eventually([&] { return written.size() == 2; }));
    answer(1);
    EXPECT_TRUE(eventually([&] { return returned == 1; }));
  }
  /// The word at the end of what was sent.
  std::string seal() const { return written[1].substr(written[1].size() - 17, 15); }
  std::string echoed() const { return "$15\r\n" + seal() + "\r\n"; }
  void expect_lost(const Exchange& exchange) {
    EXPECT_NE(exchange.fault, Fault::none);
    EXPECT_FALSE(connection->usable());
  }

  std::vector<std::string> written;
  const Exchange *one = nullptr, *reading = nullptr, *other = nullptr;
};

TEST_F(ConnectionSeal, IsOneForAllThatIsSentInOneGo) {
  EXPECT_EQ(written[0], kRequest) << "who needs no proof has none";
  EXPECT_EQ(written[1], std::string(kRequest) + std::string(kRequest) + std::string(kRequest) +
                            "*2\r\n$4\r\nECHO\r\n$15\r\n" + seal() + "\r\n");
  answer(3);
  EXPECT_TRUE(eventually([&] { return returned == 2; })) << "who needs no proof waits for none";
  EXPECT_EQ(reading->news(), Exchange::News::done);
  EXPECT_NE(one->news(), Exchange::News::done);
  EXPECT_NE(other->news(), Exchange::News::done);
  say(echoed());
  EXPECT_TRUE(eventually([&] { return returned == 4; }));
  for (const Exchange* each : {one, reading, other}) {
    EXPECT_EQ(each->fault, Fault::none);
    EXPECT_EQ(each->replies.size(), 1U);
  }
  EXPECT_TRUE(connection->usable());
}

TEST_F(ConnectionSeal, KeepsARepeatedReplyFromBeingAnothersAndALostOneFromBeingMissed) {
  answer(4);  // one of them twice
  say(echoed());
  EXPECT_TRUE(eventually([&] { return returned == 4; }));
  expect_lost(*one);
  expect_lost(*other);
}

TEST_F(ConnectionSeal, ThatIsNotTheOneSentProvesNothing) {
  answer(3);
  say("$15\r\n000000000000000\r\n");
  EXPECT_TRUE(eventually([&] { return returned == 4; }));
  expect_lost(*one);
  expect_lost(*other);
}

TEST_F(ConnectionSeal, MayBeRefusedByAServerThatRefusesAll) {
  const std::string refusal = "-LOADING it loads\r\n";
  for (int i = 0; i < 4; ++i) say(refusal);
  EXPECT_TRUE(eventually([&] { return returned == 4; }));
  for (const Exchange* each : {one, other}) {
    EXPECT_EQ(each->fault, Fault::none);
    EXPECT_TRUE(each->replies[0].means_not_now());
  }
}

TEST_F(ConnectionSeal, ThatIsRefusedProvesNothingElse) {
  const std::string refusal = "-LOADING it loads\r\n";
  say(refusal);
  answer(2);
  say(refusal);
  EXPECT_TRUE(eventually([&] { return returned == 4; }));
  EXPECT_EQ(one->fault, Fault::none) << "this much is sure: it was refused";
  expect_lost(*other);
}

TEST_F(ConnectionSeal, ThatDoesNotComeEndsTheConnectionAtTheDeadlineOfWhoWaitsForIt) {
  answer(3);
  EXPECT_TRUE(eventually([&] { return returned == 4; }, 10s));
  EXPECT_EQ(reading->fault, Fault::none);
  expect_lost(*one);
  expect_lost(*other);
}

TEST_F(ConnectionRoles, WhoIsAnsweredWhileHisDeadlinePassesHasTheReplyOrAFaultAndIsNotTouchedAfterwards) {
  constexpr int kMany = 48;  // telling all of them takes long enough for deadlines to pass meanwhile
  std::atomic<int> replied{0}, failed{0};
  for (int round = 0; round < 100; ++round) {
    connect();
    stream->on_write = [](std::string_view) {};
    const auto deadline = std::chrono::steady_clock::now() + 10ms;
    std::vector<std::jthread> threads;
    for (int i = 0; i < kMany; ++i) {
      threads.emplace_back([&] {
        auto exchange = std::make_unique<Exchange>(1);
        connection->run(*exchange, kRequest, deadline);
        EXPECT_EQ(exchange->fault == Fault::none, exchange->answered());
        ++(exchange->answered() ? replied : failed);
      });
    }
    std::this_thread::sleep_until(deadline - std::chrono::microseconds(5 * round));
    std::string replies;
    for (int i = 0; i < kMany; ++i) replies += kReply;
    ::send(far.get(), replies.data(), replies.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  EXPECT_EQ(replied + failed, 100 * kMany);
}

}  // namespace
}  // namespace dsta::cache::detail
