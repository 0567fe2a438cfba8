#pragma once
#include <gtest/gtest.h>

#include <memory>

#include "fault_proxy.hpp"
#include "redis_server.hpp"
#include "wire_client.hpp"

namespace dsta::cache::testing_support {

/// A real server behind a proxy, empty at the beginning of each test. One server for the whole suite: `server`
/// is its own, `proxy` is each test's.
struct ProxiedServer : ::testing::Test {
  static void SetUpTestSuite() {
    if (RedisServer::available()) server = std::make_unique<RedisServer>();
  }
  static void TearDownTestSuite() { server.reset(); }

  void SetUp() override {
    if (!server) GTEST_SKIP() << "no redis-server on this machine";
    server->command({"FLUSHALL"});
    proxy = std::make_unique<FaultProxy>(server->port());
  }
  WireClient connect(std::chrono::milliseconds patience = WireClient::kPatience) const {
    return WireClient::tcp(proxy->port(), patience);
  }
  /// As it is in the server, past the proxy.
  static std::string stored(const std::string& key) { return server->command({"GET", key}); }

  static inline std::unique_ptr<RedisServer> server;
  std::unique_ptr<FaultProxy> proxy;
};

}  // namespace dsta::cache::testing_support
