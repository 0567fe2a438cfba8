#pragma once
#include <dsta/cache/manager.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "server_under_test.hpp"

namespace dsta::cache::testing_support {

/// Where a manager under test keeps its values.
enum class Backend { embedded, redis, two_levels, unix_socket };

inline auto all_backends() { return ::testing::Values(Backend::embedded, Backend::redis, Backend::two_levels); }
inline auto redis_backends() { return ::testing::Values(Backend::redis, Backend::two_levels); }
inline std::string backend_name(const ::testing::TestParamInfo<Backend>& tested) {
  constexpr const char* kNames[] = {"Embedded", "Redis", "TwoLevels", "UnixSocket"};
  return kNames[static_cast<int>(tested.param)];
}

/// A manager for each test, with a space of its own so that tests share one server and nothing else; on the real clock,
/// because a server's time cannot be moved. The server is started by the first test that needs one. The whole suite
/// runs on a cluster with DSTA_CACHE_TEST_CLUSTER in the environment: see ServerUnderTest.
struct BackendTest : ::testing::TestWithParam<Backend> {
  static void TearDownTestSuite() { server.reset(); }

  void SetUp() override {
    if (GetParam() != Backend::embedded) {
      if (!ServerUnderTest::available()) GTEST_SKIP() << "no redis-server on this machine";
      if (!server) server = std::make_unique<ServerUnderTest>();
    }
    cache = manager();
  }

  bool embedded() const { return GetParam() == Backend::embedded; }
  bool has_l1() const { return embedded() || GetParam() == Backend::two_levels; }
  std::string url() const {
    if (embedded()) return "";
    return GetParam() == Backend::unix_socket ? "unix://" + server->unix_path() : server->url();
  }
  /// One more manager of this test's space, as another process has it. Embedded ones share nothing.
  CacheManager manager(ManagerOptions options = {}) const { return manager_of(space, std::move(options)); }
  CacheManager manager_of(const std::string& its_space, ManagerOptions options = {}) const {
    options.url = url();
    options.space = its_space;
    options.l1.enabled = has_l1();
    return CacheManager(std::move(options));
  }

  /// The key at the server of a manual key, or of what `key_for` returned.
  std::string at_server(const std::string& key) const { return space + ":" + key; }
  /// What is there as it is there, "(nil)" when there is nothing.
  std::string stored(const std::string& key) const { return server->command({"GET", at_server(key)}); }

  static inline std::unique_ptr<ServerUnderTest> server;
  const std::string space = "test" + std::to_string(::getpid()) + "-" + std::to_string(++spaces_);
  CacheManager cache;

 private:
  static inline std::atomic<int> spaces_ = 0;
};

}  // namespace dsta::cache::testing_support
