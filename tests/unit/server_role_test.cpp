// What a server says of its part in replication, and what a sentinel announces.
#include "l2/client/server_role.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "replies.hpp"

#include "l2/topology/sentinel_watch.hpp"

namespace dsta::cache::detail {
namespace {

using RoleKind = ServerRole::Kind;

using testing_support::error_reply;
using testing_support::text_reply;

Reply role_reply(std::string role) {
  Reply reply;
  reply.kind = Reply::Kind::array;
  reply.elements = {text_reply(std::move(role)), text_reply("0")};
  return reply;
}

ServerRole role_of(Reply role, Reply info) {
  const std::vector<Reply> replies{std::move(role), std::move(info)};
  return ServerRole::read(replies);
}

TEST(ServerRole, IsThatOfBothAnswers) {
  const auto info = [](const std::string& role) {
    return text_reply("# Replication\r\nrole:" + role + "\r\nmaster_replid:abc\r\nmaster_replid2:def\r\n");
  };
  EXPECT_EQ(role_of(role_reply("master"), info("master")).kind, RoleKind::master);
  EXPECT_EQ(role_of(role_reply("master"), info("master")).run, "abc");
  EXPECT_EQ(role_of(role_reply("slave"), info("slave")).kind, RoleKind::other);
  EXPECT_EQ(role_of(role_reply("sentinel"), text_reply("")).kind, RoleKind::other);
  // It has changed in between.
  EXPECT_EQ(role_of(role_reply("slave"), info("master")).kind, RoleKind::other);
  EXPECT_EQ(role_of(role_reply("master"), info("slave")).kind, RoleKind::other);
}

TEST(ServerRole, IsThatOfOneAnswerWhenTheOtherIsRefused) {
  const Reply no = error_reply("NOPERM no");
  EXPECT_EQ(role_of(role_reply("master"), no).kind, RoleKind::master);
  EXPECT_EQ(role_of(role_reply("master"), no).run, "");
  EXPECT_EQ(role_of(no, text_reply("role:master\r\nmaster_replid:abc\r\n")).kind, RoleKind::master);
  EXPECT_EQ(role_of(no, text_reply("role:slave\r\n")).kind, RoleKind::other);
  EXPECT_EQ(role_of(no, no).kind, RoleKind::unknown);
  EXPECT_EQ(role_of(Reply(), Reply()).kind, RoleKind::unknown);
}

TEST(ServerRole, RunIsBounded) {
  EXPECT_LE(role_of(role_reply("master"), text_reply("master_replid:" + std::string(10'000, 'x'))).run.size(), 128u);
}

TEST(AnnouncedMaster, IsReadFromTheMessage) {
  EXPECT_EQ(announced_master("m 10.0.0.1 6379 10.0.0.2 6380", "m"), (HostPort{"10.0.0.2", 6380}));
  EXPECT_EQ(announced_master("m ::1 6379 fd00::2 6380", "m"), (HostPort{"fd00::2", 6380}));
  for (const char* other :
       {"other 10.0.0.1 6379 10.0.0.2 6380", "m", "", "m 10.0.0.1 6379 10.0.0.2", "m 10.0.0.1 6379 10.0.0.2 0",
        "m 10.0.0.1 6379 10.0.0.2 x", "m a 1 b 2 c", "m a 1  2", "m a 1 b\r\n 2"}) {
    EXPECT_FALSE(announced_master(other, "m")) << other;
  }
}

}  // namespace
}  // namespace dsta::cache::detail
