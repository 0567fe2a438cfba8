#include "monitor.hpp"

#include <gtest/gtest.h>

#include "redis_server.hpp"

namespace dsta::cache::testing_support {
namespace {

using Words = std::vector<std::string>;

TEST(Monitor, SeesEveryCommandWithItsBytesAndWhatScriptsDo) {
  if (!RedisServer::available()) GTEST_SKIP() << "no redis-server on this machine";
  const RedisServer server;
  Monitor monitor(server.port());
  WireClient client = WireClient::tcp(server.port());
  const std::string bytes("a b\"\\\r\n\0\x01\xff]", 11);
  client.call({"set", "k", bytes});
  client.call({"EVAL", "return redis.call('get', KEYS[1])", "1", "in a script"});
  const auto commands = monitor.take(server.port());
  ASSERT_EQ(commands.size(), 3u);
  EXPECT_EQ(commands[0], (Words{"SET", "k", bytes}));
  EXPECT_EQ(keys_of(commands[1]), (Words{"in a script"}));
  EXPECT_EQ(commands[2], (Words{"GET", "in a script"}));
  client.call({"GET", "later"});
  EXPECT_EQ(monitor.take(server.port()), (std::vector<Words>{{"GET", "later"}}));
}

TEST(Monitor, KnowsWhichWordsAreKeys) {
  EXPECT_EQ(keys_of({"GET", "k"}), (Words{"k"}));
  EXPECT_EQ(keys_of({"UNLINK", "a", "b"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"MSET", "a", "1", "b", "2"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"EVALSHA", "sha", "2", "a", "b", "argument"}), (Words{"a", "b"}));
  EXPECT_EQ(keys_of({"SCAN", "0", "COUNT", "10", "match", "space:*"}), (Words{"space:*"}));
  EXPECT_EQ(keys_of({"SCAN", "0"}), (Words{"*"})) << "a scan of everything";
  EXPECT_TRUE(keys_of({"PING", "a word"}).empty());
}

}  // namespace
}  // namespace dsta::cache::testing_support
