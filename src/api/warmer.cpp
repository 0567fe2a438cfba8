#include <dsta/cache/warmer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include <dsta/cache/clock.hpp>

#include "api/daily_schedule.hpp"
#include "api/warm_run.hpp"
#include "api/warmer_jobs.hpp"
#include "base/saturating_add.hpp"

namespace dsta::cache {
inline namespace v1 {

CacheWarmer::CacheWarmer(CacheManager& cache, WarmerOptions options)
    : cache_(cache), options_(std::move(options)), stop_(std::make_shared<Stop>()), jobs_(std::make_shared<Jobs>()) {
  if (options_.concurrency == 0) throw ConfigError("CacheWarmer: concurrency is 0, nothing would ever be warmed");
}

CacheWarmer::~CacheWarmer() {
  stop_->stop();
  jobs_->close();
}

void CacheWarmer::add(std::map<std::string, Refresh>& loaders, std::string name, Refresh refresh) {
  const std::lock_guard lock(mutex_);
  const auto [it, added] = loaders.try_emplace(std::move(name), std::move(refresh));
  if (!added) throw ConfigError(fmt::format("CacheWarmer: a loader named '{}' is registered already", it->first));
}

std::vector<CacheWarmer::Item> CacheWarmer::items(const std::map<std::string, Refresh>& loaders,
                                                  const std::vector<std::string>& names,
                                                  const std::vector<std::string>& symbols) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, Refresh>> chosen;
  if (names.empty()) chosen.assign(loaders.begin(), loaders.end());
  for (const std::string& name : names) {
    const auto it = loaders.find(name);
    if (it == loaders.end()) {
      std::string known;
      for (const auto& [registered, refresh] : loaders) known += (known.empty() ? "" : ", ") + registered;
      throw ConfigError(
          fmt::format("CacheWarmer: no loader is named '{}': registered are {}", name, known.empty() ? "none" : known));
    }
    chosen.emplace_back(*it);
  }
  std::vector<Item> list;
  list.reserve(chosen.size() * symbols.size());
  for (const std::string& symbol : symbols) {
    for (const auto& loader : chosen) {
      Item item{fmt::format("{}({})", loader.first, symbol), [run = loader.second.run, symbol] { run(symbol); },
                nullptr};
      if (loader.second.key) item.key = [key = loader.second.key, symbol] { return key(symbol); };
      list.push_back(std::move(item));
    }
  }
  return list;
}

WarmReport CacheWarmer::warm_market_data(const std::vector<std::string>& symbols) {
  return run(items(market_data_, {}, symbols));
}

WarmReport CacheWarmer::warm_indicators(const std::vector<std::string>& symbols,
                                        const std::vector<std::string>& names) {
  return run(items(indicators_, names, symbols));
}

std::string CacheWarmer::item_name(std::string_view name, const std::function<std::string()>& key, std::size_t number) {
  try {
    return fmt::format("{}({})", name, key());
  } catch (...) {  // of the key_builder, or of a key that is too long: the load fails for it, too
    return fmt::format("{}({})", name, number);
  }
}

WarmReport CacheWarmer::run(std::vector<Item> list) {
  const auto begun = std::chrono::steady_clock::now();
  auto run = std::make_shared<Run>();
  run->items = std::move(list);
  run->jitter = options_.jitter.value_or(Duration::zero());
  run->on_progress = options_.on_progress;
  run->stop = stop_;
  run->core = cache_.core();
  // From here on nothing of the warmer is used: it may be destroyed while this runs, and the rest is then skipped.
  const std::size_t threads = std::min(options_.concurrency, run->items.size());
  // The caller works too, so the run goes on however busy the executor is, and without one.
  try {
    for (std::size_t i = 1; i < threads && run->core->post([run] { run->work(); }); ++i) {
    }
  } catch (...) {  // no memory for one more: those that work already do it
  }
  run->work();
  WarmReport report = run->wait();
  report.took = std::chrono::steady_clock::now() - begun;
  return report;
}

void CacheWarmer::every(Duration interval, std::function<void()> job) { schedule(interval, std::move(job)); }

void CacheWarmer::every_day(const TimeOfDay& time, std::function<void()> job) {
  if (time.at < Duration::zero() || time.at >= std::chrono::hours(24)) {
    throw ConfigError("every_day: the time of day must be from 0 to less than 24 h");
  }
  auto wall = options_.wall_clock ? options_.wall_clock : &std::chrono::system_clock::now;
  detail::DailySchedule daily(time, wall());
  // The wall clock may be set, and stands still for nobody: it is looked at again and again, not waited for.
  schedule(std::chrono::seconds(1), [daily = std::move(daily), wall = std::move(wall), job = std::move(job)]() mutable {
    if (daily.due(wall())) job();
  });
}

void CacheWarmer::schedule(Duration interval, std::function<void()> job) {
  auto logged = [core = std::weak_ptr(cache_.core()), jobs = jobs_, job = std::move(job)] {
    std::exception_ptr error;
    {
      const Jobs::Entry entry(*jobs);
      if (!entry.begun()) return;
      try {
        job();
      } catch (...) {  // logged: the schedule goes on
        error = std::current_exception();
      }
    }
    const auto alive = error ? core.lock() : nullptr;
    if (!alive) return;
    try {
      alive->log(LogLevel::warning,
                 fmt::format("a scheduled warming run failed and will run again at its next scheduled time: {}",
                             describe(error)));
    } catch (...) {  // no memory for the text
    }
  };
  auto schedule = cache_.core()->every(interval, std::move(logged));
  const std::lock_guard lock(mutex_);
  schedules_.push_back(std::move(schedule));
}

}  // namespace v1
}  // namespace dsta::cache
