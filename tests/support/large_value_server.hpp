#pragma once
#include <dsta/cache/manager.hpp>

#include <chrono>
#include <cstddef>
#include <string>

#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache::testing_support {

inline constexpr std::size_t kMebi = std::size_t{1} << 20;
inline const EntryOptions kAtServer{.ttl = std::chrono::seconds(600), .level = Level::l2};

/// A server behind a proxy that has a large value, "big" of 8 MiB, and a small one.
struct LargeValueServer : ProxiedServer {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (!server) return;
    CacheManager writer(over_redis(server->url(), false, std::chrono::seconds(20)));
    ASSERT_TRUE(writer.set("big", std::string(8 * kMebi, 'b'), kAtServer));
    ASSERT_TRUE(writer.set("small", 1, kAtServer));
  }
};

}  // namespace dsta::cache::testing_support
