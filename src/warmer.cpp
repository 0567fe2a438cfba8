#include <dsta/cache/warmer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <random>
#include <thread>

namespace dsta::cache {
inline namespace v1 {

/// One warming run, shared by the threads that work on it: each takes the next item until none is left.
struct CacheWarmer::Run {
  std::vector<Item> items;
  Duration jitter{};
  std::function<void(const WarmProgress&)> on_progress;
  std::shared_ptr<std::atomic<bool>> stopped;
  std::shared_ptr<detail::Core> core;
  std::atomic<std::size_t> next{0};

  std::mutex mutex;
  std::condition_variable wake;
  // Under `mutex`.
  std::size_t finished = 0;
  WarmReport report;

  void work() {
    std::minstd_rand random(std::random_device{}());
    for (std::size_t i = next++; i < items.size(); i = next++) {
      wait_jitter(random);
      if (stopped->load() || core->closed()) {
        const std::lock_guard lock(mutex);
        ++report.skipped;
        finish_one();
        continue;
      }
      std::string error;
      bool failed = false;
      try {
        items[i].refresh();
      } catch (const std::exception& e) {  // reported, not silenced
        failed = true;
        error = e.what();
      } catch (...) {
        failed = true;
        error = "an exception that is no std::exception";
      }
      const std::lock_guard lock(mutex);
      ++(failed ? report.failed : report.warmed);
      if (failed) report.errors.push_back({items[i].name, std::move(error)});
      if (on_progress) {
        on_progress(
            {.done = report.warmed + report.failed, .total = items.size(), .item = items[i].name, .failed = failed});
      }
      finish_one();
    }
  }

 private:
  void finish_one() {
    if (++finished == items.size()) wake.notify_all();
  }
  void wait_jitter(std::minstd_rand& random) {
    if (jitter <= Duration::zero()) return;
    const Duration wait(std::uniform_int_distribution<Duration::rep>(0, jitter.count())(random));
    const TimePoint until = core->clock().now() + wait;
    std::mutex own;
    std::condition_variable nobody;
    std::unique_lock lock(own);
    while (!stopped->load() && !core->clock().wait_until(lock, nobody, until)) {
    }
  }
};

/// The scheduled jobs that run now. Thread-safe.
struct CacheWarmer::Jobs {
  /// False: the warmer is gone, do not begin.
  bool enter() {
    const std::lock_guard lock(mutex);
    if (closed) return false;
    running.push_back(std::this_thread::get_id());
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex);
    running.erase(std::ranges::find(running, std::this_thread::get_id()));
    left.notify_all();
  }
  void close() {
    const auto other = [](std::thread::id thread) { return thread != std::this_thread::get_id(); };
    std::unique_lock lock(mutex);
    closed = true;
    left.wait(lock, [&] { return std::ranges::none_of(running, other); });
  }

  std::mutex mutex;
  std::condition_variable left;
  // Under `mutex`.
  bool closed = false;
  std::vector<std::thread::id> running;
};

CacheWarmer::CacheWarmer(CacheManager& cache, WarmerOptions options)
    : cache_(cache),
      options_(std::move(options)),
      stopped_(std::make_shared<std::atomic<bool>>(false)),
      jobs_(std::make_shared<Jobs>()) {
  if (options_.concurrency == 0) throw ConfigError("CacheWarmer: concurrency is 0, nothing would ever be warmed");
}

CacheWarmer::~CacheWarmer() {
  *stopped_ = true;
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
      list.push_back(
          {fmt::format("{}({})", loader.first, symbol), [refresh = loader.second, symbol] { refresh(symbol); }});
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

WarmReport CacheWarmer::run(std::vector<Item> list) {
  const auto begun = std::chrono::steady_clock::now();
  auto run = std::make_shared<Run>();
  run->items = std::move(list);
  run->jitter = options_.jitter.value_or(Duration::zero());
  run->on_progress = options_.on_progress;
  run->stopped = stopped_;
  run->core = cache_.core();
  // The caller works too, so the run goes on however busy the executor is.
  for (std::size_t i = 1; i < std::min(options_.concurrency, run->items.size()); ++i) {
    if (!cache_.core()->post([run] { run->work(); })) break;
  }
  run->work();
  std::unique_lock lock(run->mutex);
  run->wake.wait(lock, [&] { return run->finished == run->items.size(); });
  run->report.took = std::chrono::steady_clock::now() - begun;
  return run->report;
}

void CacheWarmer::every(Duration interval, std::function<void()> job) {
  auto logged = [core = std::weak_ptr(cache_.core()), jobs = jobs_, job = std::move(job)] {
    if (!jobs->enter()) return;
    std::string error;
    try {
      job();
    } catch (const std::exception& e) {  // logged: the schedule goes on
      error = e.what();
    } catch (...) {
      error = "an exception that is no std::exception";
    }
    jobs->leave();
    const auto alive = error.empty() ? nullptr : core.lock();
    if (alive) alive->log(LogLevel::warning, fmt::format("a scheduled warming failed and is tried again: {}", error));
  };
  auto token = cache_.core()->every(interval, std::move(logged));
  const std::lock_guard lock(mutex_);
  schedules_.push_back(std::move(token));
}

}  // namespace v1
}  // namespace dsta::cache
