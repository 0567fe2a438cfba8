#pragma once
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "redis_cluster.hpp"
#include "redis_server.hpp"

namespace dsta::cache::testing_support {

/// What the conformance tests run on: a server, or with DSTA_CACHE_TEST_CLUSTER in the environment a cluster of three
/// masters, which all tests of the process share.
class ServerUnderTest {
 public:
  static bool clustered() { return std::getenv("DSTA_CACHE_TEST_CLUSTER") != nullptr; }
  static bool available() { return clustered() ? RedisCluster::available() : RedisServer::available(); }

  ServerUnderTest() {
    if (!clustered()) server_.emplace();
  }

  std::string url() const { return clustered() ? cluster().url() : server_->url(); }
  const std::string& unix_path() const { return clustered() ? cluster().server(0).unix_path() : server_->unix_path(); }
  std::uint16_t port() const { return clustered() ? cluster().node(0) : server_->port(); }
  /// In a cluster one of the masters.
  RedisServer& single() { return clustered() ? cluster().server(0) : *server_; }
  /// At the master of the key; of commands without one the replies of all masters, one behind the other.
  std::string command(const std::vector<std::string>& words) const {
    if (!clustered()) return server_->command(words);
    static const std::vector<std::string> everywhere = {"KEYS", "FLUSHALL", "FLUSHDB", "INFO",
                                                        "ACL",  "CONFIG",   "SCRIPT",  "CLIENT"};
    for (const std::string& each : everywhere) {
      if (words[0] == each) return at_all(words);
    }
    if (words[0] == "EXISTS" && words.size() > 2) {
      int sum = 0;
      for (std::size_t i = 1; i < words.size(); ++i) sum += std::stoi(command({words[0], words[i]}));
      return std::to_string(sum);
    }
    return cluster().command(cluster().master_of(words.at(words[0] == "EVAL" ? 3 : 1)), words);
  }

 private:
  static RedisCluster& cluster() {
    // Until the process ends: it takes seconds to be made.
    static RedisCluster one({.masters = 3, .replicas = 0});
    return one;
  }
  static std::string at_all(const std::vector<std::string>& words) {
    std::string all;
    for (std::size_t i = 0; i < cluster().nodes(); ++i) {
      const std::string one = cluster().command(i, words);
      if (one == all || one == "(empty)") continue;
      all.append(all.empty() ? "" : "\n").append(one);
    }
    return all;
  }

  std::optional<RedisServer> server_;
};

}  // namespace dsta::cache::testing_support
