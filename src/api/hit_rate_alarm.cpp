#include <fmt/format.h>

#include <dsta/cache/manager.hpp>

#include "engine/engine.hpp"

namespace dsta::cache {
inline namespace v1 {

void CacheManager::on_low_hit_rate(double threshold, std::function<void(const CacheStats&)> callback,
                                   HitRateAlarm alarm) {
  if (!(threshold >= 0 && threshold <= 1)) {
    throw ConfigError(fmt::format("on_low_hit_rate: the threshold is a rate between 0 and 1, not {}", threshold));
  }
  if (!callback) throw ConfigError("on_low_hit_rate: the callback is empty");
  struct Watch {
    std::uint64_t hits = 0, misses = 0;
    std::uint64_t cleared = 0;  ///< Engine::stats_cleared() when they were counted
    bool low = false;
  };
  const std::uint64_t cleared = engine_of(*core_).stats_cleared();
  const CacheStats before = engine_of(*core_).stats();
  // The job outlives no manager: it holds the core weakly, and the core holds the job.
  auto look = [weak = std::weak_ptr(core_), watch = std::make_shared<Watch>(Watch{before.hits, before.misses, cleared}),
               threshold, alarm, callback = std::move(callback)] {
    const auto core = weak.lock();
    if (!core) return;
    const std::uint64_t cleared_now = engine_of(*core).stats_cleared();
    const CacheStats now = engine_of(*core).stats();
    if (cleared_now % 2 != 0 || engine_of(*core).stats_cleared() != cleared_now) return;  // some counts of before
    if (cleared_now != watch->cleared) *watch = {.cleared = cleared_now, .low = watch->low};
    // A clear_stats that was under way when the alarm was set: the first interval is not compared.
    if (now.hits < watch->hits || now.misses < watch->misses) *watch = {now.hits, now.misses, cleared_now, watch->low};
    const std::uint64_t hits = now.hits - watch->hits, misses = now.misses - watch->misses, requests = hits + misses;
    if (requests == 0 || requests < alarm.min_requests) return;
    watch->hits = now.hits;
    watch->misses = now.misses;
    CacheStats window = now;
    window.hits = hits;
    window.total_requests = requests;
    window.misses = misses;
    window.hit_rate = static_cast<double>(hits) / static_cast<double>(requests);
    const bool low = window.hit_rate < threshold;
    const bool crossed = low && !watch->low;
    watch->low = low;
    if (!crossed) return;
    try {
      callback(window);
    } catch (const std::exception& e) {  // user code on a thread of ours: logged, the alarm goes on
      core->log(LogLevel::warning, fmt::format("the callback of on_low_hit_rate failed: {}", e.what()));
    } catch (...) {
      core->log(LogLevel::warning, "the callback of on_low_hit_rate failed: an exception that is not a std::exception");
    }
  };
  engine_of(*core_).keep(core_->every(alarm.interval, std::move(look)));
}

}  // namespace v1
}  // namespace dsta::cache
