#pragma once
#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Values whose refresh failed, or is being made by another process: none is begun for a while. For values that L1 does
/// not keep; one that it keeps has its own Node::retry_after. Thread-safe.
///
/// Bounded: beyond kMost all are forgotten, which costs a refresh too many.
class RefreshBackoffs {
 public:
  static constexpr std::size_t kMost = 4096;

  /// Of the value that was made at `created`. In place of one that the key has already.
  void begin(std::string_view name, TimePoint created, TimePoint until) {
    const MutexLock lock(mutex_);
    if (backoffs_.size() >= kMost) backoffs_.clear();
    backoffs_.insert_or_assign(std::string(name), Backoff{created, until});
  }
  /// Whether the key's value is not to be refreshed now. One that was made later is due by its own time: another
  /// process has refreshed. The time of the refusal would not do instead: the other may have stored before it was
  /// noted.
  bool active(std::string_view name, TimePoint created, TimePoint now) const {
    const MutexLock lock(mutex_);
    const auto held = backoffs_.find(name);
    return held != backoffs_.end() && now < held->second.until && created <= held->second.created;
  }

 private:
  struct Backoff {
    TimePoint created, until;
  };
  mutable Mutex mutex_;
  std::map<std::string, Backoff, std::less<>> backoffs_ DSTA_GUARDED_BY(mutex_);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
