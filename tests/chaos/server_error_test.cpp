// Every error that a server can answer: what each call makes of it, and that it passes with its cause.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "eventually.hpp"
#include "failing_server.hpp"
#include "wire_client.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

using ServerError = FailingServer;
INSTANTIATE_TEST_SUITE_P(On, ServerError, ::testing::Bool(),
                         [](const auto& tested) { return levels_name(tested.param); });

TEST_P(ServerError, WrongTypeIsAMissAndTheKeyMayBeTakenBack) {
  start();
  server->command({"RPUSH", "dsta:k", "an item"});
  EXPECT_FALSE(cache.get("k"));
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_FALSE(cache.get_ttl("k"));
  EXPECT_EQ(cache.get_or_load("k", [] { return std::string("loaded"); }), "loaded");
  server->command({"DEL", "dsta:k"});
  server->command({"RPUSH", "dsta:n", "an item"});
  EXPECT_THROW(cache.increment("n"), ValueError) << "an existing value that is no integer";
  EXPECT_EQ(server->command({"LLEN", "dsta:n"}), "1");
  cache.del("n");
  EXPECT_EQ(cache.increment("n"), 1);
  server->command({"RPUSH", "dsta:s", "an item"});
  EXPECT_TRUE(cache.set("s", "v"));
  EXPECT_EQ(cache.get("s"), "v");
  expect_recovery();
}

TEST_P(ServerError, NoAuthenticationWhereOneIsAskedFor) {
  start({.password = "secret"});
  expect_no_writes();
  expect_no_reads();
  config("requirepass", "");
  expect_recovery();
}

TEST_P(ServerError, AWrongPassword) {
  start({.password = "secret"}, ":wrong@");
  expect_no_writes();
  expect_no_reads();
  config("requirepass", "wrong");
  expect_recovery();
}

TEST_P(ServerError, AUserWhoMayNotWrite) {
  start({.users = {"reader on >secret ~* &* +@all -@write -@scripting"}}, "reader:secret@");
  CacheManager writer(over_redis(server->url(), false));
  ASSERT_TRUE(writer.set("there", "v"));
  expect_no_writes();
  EXPECT_EQ(server->command({"ACL", "SETUSER", "reader", "+@all"}), "OK");
  expect_recovery();
}

TEST_P(ServerError, AUserWhoMayNothing) {
  start({.users = {"nobody on >secret -@all"}}, "nobody:secret@");
  expect_no_writes();
  expect_no_reads();
  EXPECT_EQ(server->command({"ACL", "SETUSER", "nobody", "~*", "&*", "+@all"}), "OK");
  expect_recovery();
}

TEST_P(ServerError, AUserWhoMayOnlyUseOtherKeys) {
  start({.users = {"stranger on >secret ~other:* &* +@all"}}, "stranger:secret@");
  expect_no_writes();
  expect_no_reads();
  EXPECT_EQ(server->command({"ACL", "SETUSER", "stranger", "~*"}), "OK");
  expect_recovery();
}

TEST_P(ServerError, NoMemoryLeft) {
  start();
  fill();
  config("maxmemory-policy", "noeviction");
  config("maxmemory", "1");
  expect_no_writes();
  config("maxmemory", "0");
  expect_recovery();
}

TEST_P(ServerError, ASnapshotThatCannotBeWritten) {
  start({.config = {"dbfilename taken"}});
  fill();
  // A snapshot is renamed to its name, which is a directory.
  std::filesystem::create_directory(std::filesystem::path(server->unix_path()).parent_path() / "taken");
  config("save", "3600 1");
  server->command({"BGSAVE"});
  ASSERT_TRUE(eventually([&] {
    return server->command({"INFO", "persistence"}).find("rdb_last_bgsave_status:err") != std::string::npos;
  }));
  expect_no_writes();
  config("save", "");
  expect_recovery();
}

TEST_P(ServerError, AReplicaThatOnlyReads) {
  start();
  fill();
  const ReservedPort nobody;
  server->command({"REPLICAOF", "127.0.0.1", std::to_string(nobody.port())});
  expect_no_writes();
  server->command({"REPLICAOF", "NO", "ONE"});
  expect_recovery();
}

TEST_P(ServerError, ErrorsThatAnswerEveryCommand) {
  for (const char* error : {"LOADING Redis is loading the dataset in memory",
                            "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
                            "MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
                            "CLUSTERDOWN The cluster is down", "ERR max number of clients reached", "WHATEVER"}) {
    SCOPED_TRACE(error);
    start();
    fill();
    proxy->set(Fault::error_reply(error));
    expect_no_writes();
    expect_no_reads();
    proxy->clear();
    expect_recovery();
  }
}

TEST_P(ServerError, AScriptThatBlocksTheServer) {
  start({.config = {"lua-time-limit 50"}});
  fill();
  WireClient blocking = WireClient::tcp(server->port());
  blocking.send(encode_request({"EVAL", "while true do end", "0"}));
  ASSERT_TRUE(eventually([&] { return server->command({"PING"}).starts_with("-BUSY"); }));
  expect_no_writes();
  expect_no_reads();
  EXPECT_TRUE(eventually([&] { return server->command({"SCRIPT", "KILL"}) == "OK"; }));
  expect_recovery();
}

TEST_P(ServerError, ScriptsThatTheServerForgotAreSentAgain) {
  start();
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .tags = {"t"}}, [](int i) { return i; });
  for (int i = 0; i < 20; ++i) {
    server->command({"SCRIPT", "FLUSH"});
    ASSERT_EQ(f(i), i);
    ASSERT_EQ(f.peek(i), i) << "stored";
    server->command({"SCRIPT", "FLUSH"});
    ASSERT_EQ(cache.increment("n", 1, {.ttl = 60s}), i + 1);
    server->command({"SCRIPT", "FLUSH"});
    cache.invalidate_tag("t");
    ASSERT_FALSE(f.peek(i));
    server->command({"SCRIPT", "FLUSH"});
    ASSERT_TRUE(cache.set("k", i));
    server->command({"SCRIPT", "FLUSH"});
    ASSERT_TRUE(cache.del("k"));
  }
}

}  // namespace
}  // namespace dsta::cache
