// Callers of one connection write and read for each other: nobody's request is forgotten when the roles change hands.
#include "l2/client/connection.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
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
  PendingRequest& call() {
    const std::lock_guard lock(mutex);  // the one called may call the next before it is on the list
    ++called;
    PendingRequest& request = requests.emplace_back(1);
    callers.emplace_back([this, &request] {
      connection->run(request, kRequest, std::chrono::steady_clock::now() + 5s);
      ++returned;
    });
    return request;
  }
  /// One more, who has asked by the time that this returns, and waits: for news, or as the one who reads.
  const PendingRequest& call_and_wait() {
    const int dry = stream->dry_reads;
    const PendingRequest& last = call();
    EXPECT_TRUE(eventually([&] { return last.status() == PendingRequest::Status::asleep || stream->dry_reads > dry; }));
    return last;
  }
  void answer(std::size_t count) {
    for (; count > 0; --count) EXPECT_GT(::send(far.get(), kReply.data(), kReply.size(), MSG_NOSIGNAL), 0);
  }
  void expect_all_answered() {
    callers.clear();
    for (const PendingRequest& request : requests) EXPECT_EQ(request.fault, Fault::none);
    EXPECT_EQ(sent, requests.size());
  }

  Descriptor far;
  ShownStream* stream = nullptr;
  std::unique_ptr<Connection> connection;
  std::mutex mutex;
  std::deque<PendingRequest> requests;
  std::atomic<std::size_t> sent{0};
  std::atomic<int> called{0}, returned{0};
  std::deque<std::jthread> callers;
};

TEST_F(ConnectionRoles, WhoReadsBeforeHisSendIsNotForgotten) {
  stream->on_write = [&](std::string_view bytes) {
    const std::size_t count = bytes.size() / kRequest.size();
    sent += count;
    answer(count);
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

TEST_F(ConnectionRoles, ARequestIsSentAtOnceWhileAReaderWaits) {
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

TEST_F(ConnectionRoles, WhatWaitsForCompanyIsSentAlsoWithoutAny) {
  stream->on_write = [&](std::string_view bytes) { sent += bytes.size() / kRequest.size(); };
  for (int i = 0; i < kCallers; ++i) {
    call_and_wait();
    EXPECT_TRUE(eventually([&] { return sent == requests.size(); }, 3s)) << sent;
  }
  answer(kCallers);
  expect_all_answered();
}

std::atomic<bool> stopped{false}, go_on{false};
extern "C" void stop_here(int) {
  stopped = true;
  while (!go_on) ::usleep(1000);
}

TEST_F(ConnectionRoles, WhoReadsBeforeHisOwnSendIsNotTheOthers) {
  std::signal(SIGUSR1, stop_here);
  int writes = 0;
  stream->on_write = [&](std::string_view bytes) {
    sent += bytes.size() / kRequest.size();
    if (++writes == 1) {
      for (int i = 0; i < 3; ++i) call_and_wait();  // the first of them reads
    } else if (writes == 2) {
      // The one who reads is answered, and the next one is slow to take over.
      ::pthread_kill(callers[2].native_handle(), SIGUSR1);
      EXPECT_TRUE(eventually([&] { return stopped.load(); }));
      answer(2);
      EXPECT_TRUE(eventually([&] { return returned == 1; }));
      EXPECT_FALSE(call_and_wait().sent) << "it reads, while another writes";
      go_on = true;
      EXPECT_TRUE(eventually([&] { return requests[2].status() == PendingRequest::Status::asleep; }));
    }
  };
  call();
  EXPECT_TRUE(eventually([&] { return sent == 5; }, 3s)) << "two replies are still to come, and do not";
  std::signal(SIGUSR1, SIG_DFL);
  answer(3);
  expect_all_answered();
}

TEST_F(ConnectionRoles, AllThatWaitLearnAtOnceThatItEnded) {
  constexpr std::size_t kMany = 80;  // more than share one word
  stream->on_write = [](std::string_view) {};
  for (std::size_t i = 0; i < kMany; ++i) call();
  const auto waits = [](const PendingRequest& request) { return request.status() == PendingRequest::Status::asleep; };
  // One reads, and one may write.
  EXPECT_TRUE(eventually([&] { return std::ranges::count_if(requests, waits) >= static_cast<int>(kMany) - 2; }));
  const auto begun = std::chrono::steady_clock::now();
  connection->close_as_corrupt("it is over");
  callers.clear();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s) << "their deadlines are 5 s away";
  for (const PendingRequest& request : requests) EXPECT_EQ(request.fault, Fault::lost);
}

TEST_F(ConnectionRoles, EachLeavesAtItsOwnDeadline) {
  constexpr int kMany = 40;
  stream->on_write = [](std::string_view) {};
  std::vector<std::jthread> threads;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kMany; ++i) {
    threads.emplace_back([&, i] {
      PendingRequest request(1);
      // The first to leave ends the connection, as nothing moves: none waits longer than its own deadline.
      connection->run(request, kRequest, begun + std::chrono::milliseconds(100 + 20 * i));
      EXPECT_NE(request.fault, Fault::none);
    });
  }
  threads.clear();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 4s);
  EXPECT_EQ(connection->phase(), Connection::Phase::timed_out);
}

TEST_F(ConnectionRoles, AnAnswerAtTheDeadlineIsReplyOrFault) {
  constexpr int kMany = 48;  // telling all of them takes long enough for deadlines to pass meanwhile
  std::atomic<int> replied{0}, failed{0};
  for (int round = 0; round < 100; ++round) {
    connect();
    stream->on_write = [](std::string_view) {};
    const auto deadline = std::chrono::steady_clock::now() + 10ms;
    std::vector<std::jthread> threads;
    for (int i = 0; i < kMany; ++i) {
      threads.emplace_back([&] {
        auto request = std::make_unique<PendingRequest>(1);
        connection->run(*request, kRequest, deadline);
        EXPECT_EQ(request->fault == Fault::none, request->answered());
        ++(request->answered() ? replied : failed);
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
