#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A thread for what must be done at a time or when something was left to do: `step` does what is due and says when it
/// wants to be called next (steady clock; max: when poked). One that throws, for want of memory, is called again soon.
/// Started by the first poke. Thread-safe.
class Upkeep {
 public:
  explicit Upkeep(std::function<TimePoint()> step) : step_(std::move(step)) {}
  ~Upkeep() { stop(); }
  Upkeep(const Upkeep&) = delete;
  Upkeep& operator=(const Upkeep&) = delete;

  /// Has `step` called by `time` at the latest. Costs little when it will be anyway. False: there is no thread to be
  /// had for it; the next poke tries again.
  bool poke(TimePoint time = TimePoint{}) noexcept;
  /// Waits for a step under way. Nothing is called afterwards.
  void stop() noexcept;

 private:
  void run();

  const std::function<TimePoint()> step_;
  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  TimePoint next_ = TimePoint::max();
  bool stopped_ = false;
  std::thread thread_;
  std::uint32_t forks_ = 0;  ///< when it was started: the child of a fork does not have it
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
