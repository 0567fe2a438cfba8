#include "load/load_limits.hpp"

#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void LoadLimits::set(const std::string& prefix, const LoadLimit& limit) {
  if (limit.concurrent == 0) throw ConfigError("limit_loads: concurrent is 0, nothing could ever be loaded");
  auto made = std::make_unique<Admission>(limit);
  const MutexLock lock(mutex_);
  const auto [at, added] = limits_.try_emplace(prefix, std::move(made));
  if (!added) at->second->set(limit);
  if (open_) at->second->open();
  any_.store(true, std::memory_order_release);
}

Admission* LoadLimits::of(const std::string& prefix) const {
  if (!any_.load(std::memory_order_acquire)) return nullptr;
  const MutexLock lock(mutex_);
  const auto found = limits_.find(prefix);
  return found == limits_.end() ? nullptr : found->second.get();
}

void LoadLimits::open() noexcept {
  const MutexLock lock(mutex_);
  open_ = true;
  for (const auto& [prefix, admission] : limits_) admission->open();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
