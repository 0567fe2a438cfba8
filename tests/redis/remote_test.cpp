// The shared level on one server: entries and leases, and how it calls scripts that the server has forgotten.
#include "l2/remote.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "remote_level.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using Action = Remote::Action;
using RemoteTest = testing_support::RemoteLevel;
using Kind = Found::Kind;

std::vector<Done::Status> statuses(const std::vector<Done>& all) {
  std::vector<Done::Status> out;
  for (const Done& done : all) out.push_back(done.status);
  return out;
}

TEST_F(RemoteTest, WhatIsPutIsReadBackAndLivesAsLongAsItIsTold) {
  const Remote::Put puts[] = {{"a", value("a"), 60s}, {"b", value("b"), 0s}, {"\x01z", value("\x01z"), 1us}};
  EXPECT_EQ(statuses(remote->put({puts, 2}, {}, nullptr)), (std::vector{Done::yes, Done::yes}));
  EXPECT_EQ(found("a").kind, Kind::value);
  EXPECT_EQ(found("a").view.payload, "v");
  EXPECT_TRUE(lives("dsta:a", 60'000));
  EXPECT_EQ(life("dsta:b"), -1);
  EXPECT_EQ(statuses(remote->put({puts + 2, 1}, {}, nullptr)), std::vector{Done::yes})
      << "less than a millisecond is one, which is the least that the server knows";
}

TEST_F(RemoteTest, ReadsWhateverMayStandUnderAKey) {
  command({"SET", "dsta:value", value("value")});
  command({"SET", "dsta:lease", encode_lease(token('a'))});
  command({"SET", "dsta:counter", "42"});
  command({"SET", "dsta:moved", value("value")});
  command({"RPUSH", "dsta:list", "x"});
  RemoteQuery queries[] = {{"value"}, {"lease"}, {"counter"}, {"moved"}, {"list"}, {"nothing"}};
  Versions versions;
  ASSERT_TRUE(remote->read(queries, {}, versions));
  EXPECT_EQ(queries[0].found.kind, Kind::value);
  EXPECT_EQ(queries[1].found.kind, Kind::lease);
  EXPECT_EQ(queries[1].found.token, token('a'));
  EXPECT_EQ(queries[2].found.kind, Kind::other);
  EXPECT_EQ(queries[2].found.bytes, "42");
  EXPECT_EQ(queries[3].found.refusal, Refusal::other_key);
  EXPECT_NE(queries[4].found.kind, Kind::value);
  EXPECT_EQ(queries[5].found.kind, Kind::nothing);
  EXPECT_TRUE(failures.empty());
}

TEST_F(RemoteTest, ALeaseIsTakenWhereNothingIsAndByOneAlone) {
  command({"SET", "dsta:value", value("value")});
  const std::string_view names[] = {"free", "value", "free"};
  const LeaseToken tokens[] = {token('a'), token('b'), token('c')};
  const auto done = remote->take_leases(names, tokens, 60s);
  EXPECT_EQ(statuses(done), (std::vector{Done::yes, Done::no, Done::no}));
  EXPECT_EQ(done[1].why, "") << "no failure: somebody was faster";
  EXPECT_EQ(found("free").token, token('a'));
  EXPECT_TRUE(lives("dsta:free", 60'000));
  EXPECT_EQ(found("value").kind, Kind::value);
}

TEST_F(RemoteTest, ARefreshIsOnesUntilItsLeaseEnds) {
  EXPECT_TRUE(remote->take_refresh_lease("k", token('a'), 60s));
  EXPECT_FALSE(remote->take_refresh_lease("k", token('b'), 60s));
  EXPECT_TRUE(remote->take_refresh_lease("other", token('b'), 60s));
  EXPECT_TRUE(lives(remote->keys().refresh_lease("k"), 60'000));
  EXPECT_EQ(found("k").kind, Kind::nothing) << "it stands beside the entry";
}

TEST_F(RemoteTest, ReplacesWhatIsStillThere) {
  for (const std::string key : {"a", "b", "c", "d"}) command({"SET", "dsta:" + key, encode_lease(token(key[0]))});
  command({"RPUSH", "dsta:list", "x"});
  const std::string a = text(token('a')), b = text(token('b')), c = text(token('c')), wrong = text(token('x'));
  const Remote::Replace replaces[] = {{"dsta:a", a, Action::set, 60s, "new"},
                                      {"dsta:b", b, Action::drop},
                                      {"dsta:c", c, Action::keep, 60s},
                                      {"dsta:d", wrong, Action::set, 0s, "new"},
                                      {"dsta:list", wrong, Action::set, 0s, "new"}};
  const auto done = remote->replace(replaces);
  EXPECT_EQ(statuses(done), (std::vector{Done::yes, Done::yes, Done::yes, Done::no, Done::no}));
  EXPECT_EQ(done[3].why, "") << "no failure: something else stands there";
  EXPECT_NE(done[4].why, "");
  EXPECT_EQ(at("dsta:a"), "new");
  EXPECT_FALSE(there("dsta:b"));
  EXPECT_TRUE(lives("dsta:c", 60'000));
  EXPECT_EQ(found("d").token, token('d'));
}

TEST_F(RemoteTest, EveryScriptIsCalledAgainWithItsTextWhenTheServerHasForgottenIt) {
  command({"SET", "dsta:a", encode_lease(token('a'))});
  command({"SET", "dsta:old", value("old")});
  const std::string a = text(token('a'));
  const auto forget = [&] { EXPECT_EQ(command({"SCRIPT", "FLUSH"}), "OK"); };
  for (int round = 0; round < 2; ++round) {
    forget();
    const Remote::Replace both[] = {{"dsta:a", a, Action::keep, 60s}, {"dsta:none", a, Action::set, 0s, "new"}};
    EXPECT_EQ(statuses(remote->replace(both)), (std::vector{Done::yes, Done::no}));
    forget();
    EXPECT_TRUE(remote->raise("tag", true));
    forget();
    Versions versions;
    const std::vector<std::string> dependencies{"tag", "another"};
    EXPECT_TRUE(remote->need_versions(dependencies, 60s, versions));
    EXPECT_EQ(*versions.find("tag"), parse_version(at(remote->keys().version("tag"))));
    EXPECT_TRUE(*versions.find("another"));
    forget();
    EXPECT_TRUE(remote->remove_old());
    EXPECT_FALSE(there("dsta:old"));
  }
  EXPECT_TRUE(failures.empty()) << failures.front();
}

TEST_F(RemoteTest, WithoutAServerEverythingSaysNoAndWhy) {
  server->stop();
  Versions versions;
  const Remote::Put puts[] = {{"a", "v", 0s}};
  EXPECT_FALSE(remote->put(puts, {}, nullptr)[0]);
  EXPECT_NE(remote->put(puts, {}, nullptr)[0].why, "");
  EXPECT_FALSE(remote->raise("tag", true));
  EXPECT_FALSE(remote->need_versions({}, 60s, versions));
  EXPECT_FALSE(remote->remove_old());
  EXPECT_FALSE(remote->increment("n", 1, 0s).done);
  EXPECT_FALSE(remote->take_refresh_lease("k", token('a'), 60s));
  RemoteQuery query{"k"};
  EXPECT_FALSE(remote->read({&query, 1}, {}, versions));
  EXPECT_EQ(remote->server_time(), std::nullopt);
  EXPECT_FALSE(failures.empty()) << "and is counted";
}

}  // namespace
}  // namespace dsta::cache::detail
