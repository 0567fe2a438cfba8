// Messages of threads that must not wait for a user's sink.
#include "base/log_queue.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "eventually.hpp"
#include "thread_shortage.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::eventually;
using testing_support::library_threads;
using testing_support::ThreadShortage;

struct Written {
  Log log() {
    return {LogLevel::info, [this](LogLevel, std::string_view text) {
              gate.wait();
              const std::lock_guard lock(mutex);
              texts.emplace_back(text);
              if (throws) throw std::runtime_error("sink");
            }};
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex);
    return texts;
  }
  std::promise<void> opens;
  std::shared_future<void> gate = opens.get_future().share();
  std::mutex mutex;
  std::vector<std::string> texts;
  bool throws = false;
};

TEST(LogQueue, WritesInOrderOnAThreadOfItsOwnAndAllByTheEnd) {
  Written written;
  written.throws = true;
  written.opens.set_value();
  std::vector<std::string> expected;
  {
    LogQueue queue(written.log());
    for (int i = 0; i < 100; ++i) {
      queue.post(LogLevel::warning, std::to_string(i));
      queue.post(LogLevel::debug, "below the level");
      expected.push_back(std::to_string(i));
    }
    queue.close(10s);
    queue.post(LogLevel::warning, "too late");
  }
  EXPECT_EQ(written.all(), expected);
  EXPECT_TRUE(library_threads("dsta-log").empty());
}

TEST(LogQueue, WhatComesFasterThanItIsWrittenIsLeftOutAndCounted) {
  Written written;
  LogQueue queue(written.log());
  queue.post(LogLevel::warning, "first");
  for (std::size_t i = 0; i < LogQueue::kMost + 50; ++i) queue.post(LogLevel::warning, "next");
  written.opens.set_value();
  queue.close(10s);
  const auto all = written.all();
  // The first may have been taken by then.
  EXPECT_GE(all.size(), LogQueue::kMost + 1);
  EXPECT_LE(all.size(), LogQueue::kMost + 2);
  EXPECT_NE(all.back().find(all.size() == LogQueue::kMost + 2 ? "50 messages" : "51 messages"), std::string::npos)
      << all.back();
}

TEST(LogQueue, ASinkThatDoesNotReturnHoldsUpNobody) {
  auto written = std::make_shared<Written>();
  {
    LogQueue queue(
        {LogLevel::info, [written](LogLevel level, std::string_view text) { written->log().sink(level, text); }});
    queue.post(LogLevel::warning, "one");
    ASSERT_TRUE(eventually([&] { return !library_threads("dsta-log").empty(); }));
    queue.post(LogLevel::warning, "two");
    const auto begun = std::chrono::steady_clock::now();
    queue.close(20ms);
    EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  }
  written->opens.set_value();
  EXPECT_TRUE(eventually([&] { return library_threads("dsta-log").empty(); }));
  EXPECT_LE(written->all().size(), 1u) << "nothing more is begun after the end";
}

TEST(LogQueue, WithoutAThreadMessagesWaitForOneOrForTheEnd) {
  Written written;
  written.opens.set_value();
  LogQueue queue(written.log());
  auto shortage = std::make_unique<ThreadShortage>();
  queue.post(LogLevel::warning, "one");
  queue.tend();
  EXPECT_TRUE(written.all().empty());
  shortage.reset();
  queue.tend();
  EXPECT_TRUE(eventually([&] { return written.all().size() == 1; }));

  LogQueue other(written.log());
  const ThreadShortage again;
  other.post(LogLevel::warning, "two");
  other.close(1s);
  EXPECT_EQ(written.all(), (std::vector<std::string>{"one", "two"}));
}

TEST(LogQueue, MayBeClosedByItsOwnSink) {
  std::promise<void> closed;
  auto queue = std::make_shared<std::unique_ptr<LogQueue>>();
  *queue = std::make_unique<LogQueue>(Log{LogLevel::info, [&closed, &queue](LogLevel, std::string_view) {
                                            queue->reset();
                                            closed.set_value();
                                          }});
  (*queue)->post(LogLevel::warning, "one");
  EXPECT_EQ(closed.get_future().wait_for(20s), std::future_status::ready);
  EXPECT_TRUE(eventually([] { return library_threads("dsta-log").empty(); }));
}

}  // namespace
}  // namespace dsta::cache::detail
