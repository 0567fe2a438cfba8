// By what it is checked that replies belong to their requests, where the server offers no ECHO.
#include "l2/client/echo_check.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace dsta::cache::detail {
namespace {

using By = EchoWay::By;

std::vector<Reply> ok_and_error(const char* text) {
  std::vector<Reply> replies(2);
  replies[0].kind = Reply::Kind::status;
  replies[0].text = "OK";
  replies[1].kind = Reply::Kind::error;
  replies[1].text = text;
  return replies;
}

/// A server that cannot save says so to a PING, for a while.
TEST(EchoCheckTest, WhatPassesDoesNotWeakenTheCheck) {
  std::vector<Reply> replies = ok_and_error("MISCONF Redis is configured to save RDB snapshots");
  EXPECT_EQ(EchoCheck(By::ping).judge(replies), EchoCheck::Verdict::unverified);
  EXPECT_EQ(replies.size(), 1u);
  replies = ok_and_error("NOPERM User app has no permissions to run the 'ping' command");
  EXPECT_EQ(EchoCheck(By::ping).judge(replies), EchoCheck::Verdict::refused);
}

TEST(EchoCheckTest, ARefusalHoldsForItsConnectionOnly) {
  int said = 0;
  const auto link = std::make_shared<EchoWay>([&](By) { ++said; });
  EchoWay first(link);
  first.refused(By::echo);
  EXPECT_EQ(first.by(), By::ping);
  EchoWay second(link);
  EXPECT_EQ(second.by(), By::echo) << "the rights may have been granted meanwhile";
  second.refused(By::echo);
  EXPECT_EQ(said, 1);
}

TEST(EchoCheckTest, WhatEndsConnectionsHoldsForAll) {
  const auto link = std::make_shared<EchoWay>();
  EchoWay before(link);
  link->refused(By::echo);
  EXPECT_EQ(before.by(), By::ping);
  EXPECT_EQ(EchoWay(link).by(), By::ping);
  link->refused(By::echo);
  EXPECT_EQ(link->by(), By::ping) << "only from what was tried";
  before.refused(By::ping);
  EXPECT_EQ(before.by(), By::nothing);
  EXPECT_EQ(EchoWay(link).by(), By::ping);
  link->start_over();
  EXPECT_EQ(EchoWay(link).by(), By::echo);
}

}  // namespace
}  // namespace dsta::cache::detail
