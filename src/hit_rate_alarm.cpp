#include <fmt/format.h>

#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {

void CacheManager::on_low_hit_rate(double threshold, std::function<void(const CacheStats&)> callback,
                                   HitRateAlarm alarm) {
  if (!(threshold >= 0 && threshold <= 1)) {
    throw ConfigError(fmt::format("on_low_hit_rate: the threshold is a rate between 0 and 1, not {}", threshold));
  }
  if (!callback) throw ConfigError("on_low_hit_rate: the callback is empty");
  struct Watch {
    std::uint64_t hits = 0, requests = 0;
    bool low = false;
  };
  // The job outlives no manager: it holds the core weakly, and the core holds the job.
  auto look = [weak = std::weak_ptr(core_), watch = std::make_shared<Watch>(), threshold, alarm,
               callback = std::move(callback)] {
    const auto core = weak.lock();
    if (!core) return;
    const CacheStats now = core->stats();
    if (now.total_requests < watch->requests) *watch = {.low = watch->low};  // clear_stats came in between
    const std::uint64_t hits = now.hits - watch->hits, requests = now.total_requests - watch->requests;
    if (requests < alarm.min_requests) return;
    watch->hits = now.hits;
    watch->requests = now.total_requests;
    CacheStats window = now;
    window.hits = hits;
    window.total_requests = requests;
    window.misses = requests - hits;
    window.hit_rate = static_cast<double>(hits) / static_cast<double>(requests);
    const bool low = window.hit_rate < threshold;
    const bool crossed = low && !watch->low;
    watch->low = low;
    if (crossed) callback(window);
  };
  core_->keep(core_->every(alarm.interval, std::move(look)));
}

}  // namespace v1
}  // namespace dsta::cache
