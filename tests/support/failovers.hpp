#pragma once
#include <dsta/cache/manager.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "heavy.hpp"
#include "over_redis.hpp"

/// What tests of replaced masters share.
namespace dsta::cache::testing_support {

/// How many there are: as DSTA_CACHE_FAILOVERS says.
inline int failovers(int otherwise) {
  const std::string asked = environment("DSTA_CACHE_FAILOVERS");
  return asked.empty() ? otherwise : std::max(1, std::stoi(asked));
}

/// With DSTA_CACHE_SHOW_LOG the library's log is shown.
inline ManagerOptions over_failovers(std::string url, bool l1) {
  ManagerOptions made = over_redis(std::move(url), l1, std::chrono::milliseconds(500));
  if (std::getenv("DSTA_CACHE_SHOW_LOG")) made.log.level = LogLevel::debug;
  return made;
}

/// Reads all the time, and knows when that failed last.
class FailoverReader {
 public:
  using KeyAndValue = std::pair<std::string, std::string>;

  FailoverReader(CacheManager& cache, Level level, std::vector<KeyAndValue> expected)
      : cache_(cache), options_{.level = level}, expected_(std::move(expected)), thread_([this] { run(); }) {}
  ~FailoverReader() {
    stop_ = true;
    thread_.join();
  }
  std::chrono::steady_clock::time_point last_failure() const { return failed_; }
  std::uint64_t reads() const { return reads_; }
  /// Values other than those expected.
  std::uint64_t wrong() const { return wrong_; }

 private:
  void run() {
    for (std::size_t i = 0; !stop_; ++i) {
      const auto& [key, value] = expected_[i % expected_.size()];
      const auto asked = std::chrono::steady_clock::now();
      const auto found = cache_.get(key, options_);
      if (found != value) failed_ = asked;
      if (found && *found != value) ++wrong_;
      ++reads_;
      std::this_thread::sleep_for(std::chrono::microseconds(500));  // servers need the processors, too
    }
  }
  CacheManager& cache_;
  const EntryOptions options_;
  const std::vector<KeyAndValue> expected_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> reads_{0}, wrong_{0};
  std::atomic<std::chrono::steady_clock::time_point> failed_{std::chrono::steady_clock::time_point{}};
  std::thread thread_;
};

}  // namespace dsta::cache::testing_support
