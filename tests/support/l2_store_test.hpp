#pragma once
#include <gtest/gtest.h>

#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "l2/values/l2_store.hpp"
#include "redis_server.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {

/// A real server and L2 on it, without a manager.
struct L2StoreTest : ::testing::Test {
  using L2Store = detail::L2Store;
  using LeaseStore = detail::LeaseStore;
  using Options = detail::ServerCommands::Options;

  void SetUp() override {
    if (!RedisServer::available()) GTEST_SKIP() << "there is no redis-server to run";
    server.emplace();
    l2_store.emplace(options());
  }
  Options options() {
    Options made;
    made.link.address.host = "127.0.0.1";
    made.link.address.port = server->port();
    made.link.user = user;
    if (!user.empty()) made.link.password = "secret";
    made.link.operation_timeout = made.link.connect_timeout = std::chrono::seconds(5);
    made.link.log.level = LogLevel::off;
    made.space = "dsta";
    made.clock = system_clock();
    made.failed = [this](std::string_view operation, std::string_view kind) {
      const std::lock_guard lock(failures_mutex);
      failures.push_back(std::string(operation) + ": " + std::string(kind));
    };
    return made;
  }

  std::string command(const std::vector<std::string>& words) const { return server->command(words); }
  /// What stands under a key of the server; "(nil)" when nothing does.
  std::string at(const std::string& key) const { return command({"GET", key}); }
  std::string at_entry(std::string_view name) const { return at(l2_store->keys().entry(name)); }
  bool there(const std::string& key) const { return command({"EXISTS", key}) == "1"; }
  /// In milliseconds: -1 for ever, -2 nothing there.
  std::int64_t life(const std::string& key) const { return std::stoll(command({"PTTL", key})); }
  /// Set to run out in `milliseconds`, just now.
  ::testing::AssertionResult lives(const std::string& key, std::int64_t milliseconds) const {
    const std::int64_t left = life(key);
    if (left <= milliseconds && left > milliseconds - 10'000) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << key << " lives for " << left << " ms";
  }
  std::optional<detail::LeaseToken> take_raw_lease(std::string_view name, const detail::LeaseToken& token,
                                                   bool join = false, std::string read = {}) {
    const LeaseStore::RawTake take{name, token, join, std::move(read)};
    return l2_store->leases().take_raw({&take, 1}, std::chrono::seconds(60))[0].generation;
  }
  detail::Found found(std::string_view name) {
    detail::EntryQuery query{name};
    detail::Versions versions;
    EXPECT_TRUE(l2_store->reader().read({&query, 1}, {}, versions));
    return std::move(query.found);
  }

  /// Scripts and `l2_store` run as a user with these rights from here on, as "+@all -time".
  void become(const std::string& rights) {
    user = "limited";
    std::vector<std::string> words{"ACL", "SETUSER", user, "reset", "on", ">secret", "~*", "&*"};
    std::istringstream in(rights);
    for (std::string right; in >> right;) words.push_back(right);
    ASSERT_EQ(command(words), "OK") << rights;
    l2_store.emplace(options());
  }

  /// What a script answers that is run on keys.
  std::string eval(const detail::Script& script, const std::vector<std::string>& keys,
                   const std::vector<std::string>& arguments) const {
    std::vector<std::string> words{"EVAL", std::string(script.text), std::to_string(keys.size())};
    words.insert(words.end(), keys.begin(), keys.end());
    words.insert(words.end(), arguments.begin(), arguments.end());
    if (user.empty()) return command(words);
    auto client = WireClient::tcp(server->port());
    EXPECT_EQ(client.call({"AUTH", user, "secret"}), "OK");
    return client.call(words);
  }

  /// A value of `name` that notes the namespace's version `epoch`.
  std::string value(std::string_view name, std::uint64_t epoch = 1, std::string_view payload = "v",
                    const detail::LeaseToken& generation = {}, std::uint32_t order = 0) const {
    const std::string key = l2_store->keys().entry(name);
    return encode(detail::Envelope{{}, generation, order, {&epoch, 1}, {}, "", key, payload});
  }
  static detail::LeaseToken token(char c) {
    detail::LeaseToken made;
    made.fill(c);
    return made;
  }
  static std::string text(const detail::LeaseToken& token) { return {token.data(), token.size()}; }

  std::string user;  ///< empty: the default user
  std::optional<RedisServer> server;
  std::optional<L2Store> l2_store;
  std::mutex failures_mutex;
  std::vector<std::string> failures;  // under failures_mutex
};

}  // namespace dsta::cache::testing_support
