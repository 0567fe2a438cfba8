// How replies are read.
#include "l2/client/incoming_replies.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <utility>

#include "l2/net/buffer_limits.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

/// As TLS does: it must write, for a handshake in the middle of a connection, before it can read on.
struct WritesToReadOn final : Stream {
  Step read(char* into, std::size_t /*room*/) override {
    if (std::exchange(first, false)) return {Step::Kind::wait_write, 0};
    std::memcpy(into, "+OK\r\n", 5);
    return {Step::Kind::moved, 5};
  }
  Step read_by(char* into, std::size_t room, TimePoint /*deadline*/) override { return read(into, room); }
  Step write(const char* /*from*/, std::size_t size) override { return {Step::Kind::moved, size}; }
  void shut() noexcept override {}
  void forget() noexcept override {}
  int descriptor() const override { return -1; }
  bool first = true;
};

TEST(IncomingRepliesTest, AStreamThatHasToWriteFirstIsNotLate) {
  for (const bool alone : {false, true}) {
    for (int i = 0; i < 10; ++i) {
      WritesToReadOn stream;
      stream.first = alone;  // else the blocking step itself would have to wait for it
      IncomingReplies replies(ReplyLimits{});
      bool late = true;
      const Step step = replies.read(stream, std::chrono::steady_clock::now() + 5s, alone, late);
      EXPECT_EQ(step.kind, Step::Kind::moved) << alone;
      EXPECT_FALSE(late) << alone;
    }
  }
}

struct BringsOneLargeReply final : Stream {
  Step read(char* into, std::size_t room) override {
    const std::size_t bytes = std::min(room, rest.size());
    if (bytes == 0) return {Step::Kind::wait_read, 0};
    std::memcpy(into, rest.data(), bytes);
    rest.erase(0, bytes);
    return {Step::Kind::moved, bytes};
  }
  Step read_by(char* into, std::size_t room, TimePoint /*deadline*/) override { return read(into, room); }
  Step write(const char* /*from*/, std::size_t size) override { return {Step::Kind::moved, size}; }
  void shut() noexcept override {}
  void forget() noexcept override {}
  int descriptor() const override { return -1; }
  std::string rest = "$4000000\r\n" + std::string(4'000'000, 'v') + "\r\n";
};

TEST(IncomingRepliesTest, TheRoomForALargeReplyIsGivenBackWithIt) {
  BringsOneLargeReply stream;
  IncomingReplies replies(ReplyLimits{});
  std::string_view why;
  std::size_t most = 0;
  while (replies.replies().empty()) {
    bool late = false;
    ASSERT_EQ(replies.read(stream, std::chrono::steady_clock::now() + 5s, true, late).kind, Step::Kind::moved);
    most = std::max(most, replies.room());
    ASSERT_TRUE(replies.parse(why)) << why;
  }
  EXPECT_EQ(replies.replies()[0].text.size(), 4'000'000u);
  EXPECT_GT(most, 4'000'000u);
  EXPECT_LE(replies.room(), kKeptBuffer);
}

}  // namespace
}  // namespace dsta::cache::detail
