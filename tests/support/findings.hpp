#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dsta::cache::testing_support {

/// What a long run found wrong, counted, the first ones in words. Thread-safe.
class Findings {
 public:
  void add(std::string what) {
    const std::lock_guard lock(mutex_);
    ++count_;
    if (first_.size() < kKept) first_.push_back(std::move(what));
  }
  std::uint64_t count() const {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    std::string all = std::to_string(count_) + " findings";
    for (const std::string& each : first_) all += "\n  " + each;
    return all;
  }

 private:
  static constexpr std::size_t kKept = 10;
  mutable std::mutex mutex_;
  // Under mutex_.
  std::uint64_t count_ = 0;
  std::vector<std::string> first_;
};

/// The slowest of many operations, and its name. Thread-safe.
class Slowest {
 public:
  using Clock = std::chrono::steady_clock;

  void note(std::string_view name, Clock::duration took) {
    if (took <= worst()) return;
    const std::lock_guard lock(mutex_);
    if (took <= worst()) return;
    worst_ = took.count();
    name_ = name;
  }
  Clock::duration worst() const { return Clock::duration(worst_.load()); }
  std::string text() const {
    const std::lock_guard lock(mutex_);
    return name_ + " " + std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(worst()).count()) + " ms";
  }

 private:
  std::atomic<Clock::rep> worst_ = 0;
  mutable std::mutex mutex_;
  std::string name_;  // under mutex_
};

}  // namespace dsta::cache::testing_support
