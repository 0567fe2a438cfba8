#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <string>

#include <dsta/cache/options.hpp>

#include "base/mutex.hpp"
#include "load/admission.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How many loads of each prefix may run at a time. Thread-safe.
///
/// An Admission is never removed, so whoever got one may keep its address as long as the manager. Loads take the mutex
/// only where there are any limits.
class LoadLimits {
 public:
  /// Throws ConfigError.
  void set(const std::string& prefix, const LoadLimit& limit);
  /// Null: there is no limit.
  Admission* of(const std::string& prefix) const;
  /// When the manager closes: lets everybody in from now on.
  void open() noexcept;

 private:
  std::atomic<bool> any_{false};
  mutable Mutex mutex_;
  std::map<std::string, std::unique_ptr<Admission>> limits_ DSTA_GUARDED_BY(mutex_);
  bool open_ DSTA_GUARDED_BY(mutex_) = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
