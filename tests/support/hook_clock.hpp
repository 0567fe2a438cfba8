#pragma once
#include <dsta/cache/clock.hpp>

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>

namespace dsta::cache::testing_support {

/// Calls the hook of the thread that asks for the time: at every place where a call does.
class HookClock final : public Clock {
 public:
  TimePoint now() const noexcept override {
    if (hook && --before_hook == 0) hook();
    return std::chrono::steady_clock::now();
  }
  bool wait_until(std::unique_lock<std::mutex>& lock, std::condition_variable& wake, TimePoint deadline) override {
    return wake.wait_until(lock, deadline) == std::cv_status::timeout;
  }
  // Of the calling thread: what is called, and at which time it asks.
  static inline thread_local std::function<void()> hook;
  static inline thread_local int before_hook = 0;
};

}  // namespace dsta::cache::testing_support
