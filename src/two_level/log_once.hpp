#pragma once
#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Which reasons have been logged: each is logged once, and no more than kMost of them. Thread-safe.
class LogOnce {
 public:
  static constexpr std::size_t kMost = 64;

  /// True the first time that it is asked for this reason.
  bool first(std::string_view reason) {
    const MutexLock lock(mutex_);
    return logged_.size() < kMost && logged_.emplace(reason).second;
  }

 private:
  Mutex mutex_;
  std::set<std::string, std::less<>> logged_ DSTA_GUARDED_BY(mutex_);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
