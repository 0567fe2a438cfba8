#pragma once
#include <gtest/gtest.h>

#include <chrono>

#include "has_invalidated.hpp"
#include "over_redis.hpp"
#include "proxied_server.hpp"

namespace dsta::cache::testing_support {

/// Two managers of one server, as two processes have them. The parameter: whether they have an in-process level.
struct TwoManagers : ProxiedServer, ::testing::WithParamInterface<bool> {
  void SetUp() override {
    ProxiedServer::SetUp();
    if (IsSkipped()) return;
    here = CacheManager(over_redis(server->url(), GetParam(), std::chrono::seconds(5)));
    there = CacheManager(over_redis(server->url(), GetParam(), std::chrono::seconds(5)));
    ASSERT_TRUE(!GetParam() || (l1_is_up(here) && l1_is_up(there)));
  }
  CacheManager here, there;
};

}  // namespace dsta::cache::testing_support
