#pragma once
#include <dsta/cache/manager.hpp>

#include <chrono>
#include <string>
#include <utility>

namespace dsta::cache::testing_support {

/// Options of a manager for tests of faults: short deadlines, and silent about what the test does to it.
inline ManagerOptions over_redis(std::string url, bool l1,
                                 std::chrono::milliseconds deadline = std::chrono::milliseconds(200)) {
  ManagerOptions options;
  options.url = std::move(url);
  options.l1.enabled = l1;
  options.pool.socket_timeout = options.pool.connect_timeout = deadline;
  options.log.level = LogLevel::off;
  return options;
}

/// Names of test parameters: whether there is an in-process level.
inline std::string levels_name(bool l1) { return l1 ? "TwoLevels" : "Redis"; }

}  // namespace dsta::cache::testing_support
