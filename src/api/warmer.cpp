#include <dsta/cache/warmer.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <random>
#include <string>
#include <thread>
#include <utility>

#include <dsta/cache/clock.hpp>

#include "base/saturating_add.hpp"

namespace dsta::cache {
inline namespace v1 {

namespace {

std::string describe(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

}  // namespace

/// Whether the warmer is gone; a thread that waits out a jitter waits for this too. Thread-safe.
struct CacheWarmer::Stop {
  void stop() noexcept {
    {
      const std::lock_guard lock(mutex);
      stopped = true;
    }
    wake.notify_all();
  }

  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<bool> stopped{false};  // set under mutex
};

/// One warming run, shared by the threads that work on it: each takes the next item until none is left. Whatever fails
/// on the way, every item taken is counted as finished: the caller waits for all of them.
struct CacheWarmer::Run {
  std::vector<Item> items;
  Duration jitter{};
  std::function<void(const WarmProgress&)> on_progress;
  std::shared_ptr<Stop> stop;
  std::shared_ptr<detail::Core> core;
  std::atomic<std::size_t> next{0};

  std::mutex mutex;
  std::condition_variable wake;
  // Under `mutex`.
  std::size_t finished = 0;
  WarmReport report;
  std::exception_ptr thrown;  ///< by on_progress, which is then not called again

  void work() noexcept {
    std::minstd_rand random(seed());
    for (std::size_t i = next++; i < items.size(); i = next++) {
      if (wait_jitter(random)) {
        warm(items[i]);
      } else {
        const std::lock_guard lock(mutex);
        ++report.skipped;
      }
      const std::lock_guard lock(mutex);
      if (++finished == items.size()) wake.notify_all();
    }
  }

 private:
  /// Apart for each thread of each run. std::random_device may throw.
  static std::minstd_rand::result_type seed() noexcept {
    static std::atomic<std::minstd_rand::result_type> runs{0};
    const auto now = std::chrono::steady_clock::now().time_since_epoch().count();
    return static_cast<std::minstd_rand::result_type>(now) + 7919 * ++runs;
  }

  void warm(const Item& item) noexcept {
    std::exception_ptr error;
    try {
      item.refresh();
    } catch (...) {  // reported, not silenced
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex);
    ++(error ? report.failed : report.warmed);
    if (error) note(item, error);
    if (!on_progress || thrown) return;
    try {
      on_progress({.done = report.warmed + report.failed,
                   .total = items.size(),
                   .item = item.name,
                   .failed = error != nullptr});
    } catch (...) {
      thrown = std::current_exception();
    }
  }
  void note(const Item& item, const std::exception_ptr& error) noexcept {
    try {
      report.errors.push_back({item.name, describe(error)});
    } catch (...) {  // no memory for the text: it is counted
    }
  }

  /// False: the warmer or the manager is gone.
  bool wait_jitter(std::minstd_rand& random) noexcept {
    // Nobody tells of a manager that closes.
    constexpr std::chrono::milliseconds kLook{50};
    const auto goes_on = [&] { return !stop->stopped.load() && !core->closed(); };
    if (jitter <= Duration::zero() || !goes_on()) return goes_on();
    const Duration wait(std::uniform_int_distribution<Duration::rep>(0, jitter.count())(random));
    Clock& clock = *core->options().clock;
    const TimePoint until = detail::saturating_add(clock.now(), wait);
    std::unique_lock lock(stop->mutex);
    while (goes_on() && clock.now() < until) {
      clock.wait_until(lock, stop->wake, std::min(until, detail::saturating_add(clock.now(), kLook)));
    }
    return goes_on();
  }
};

/// The scheduled jobs that run now. Thread-safe; takes no memory, so that nothing can keep a job from leaving.
struct CacheWarmer::Jobs {
  /// A job on this thread, as long as it lives.
  class Entry {
   public:
    explicit Entry(Jobs& jobs) : jobs_(jobs) {
      const std::lock_guard lock(jobs_.mutex);
      if (jobs_.closed) return;
      next_ = std::exchange(jobs_.running, this);
      begun_ = true;
    }
    ~Entry() {
      if (!begun_) return;
      const std::lock_guard lock(jobs_.mutex);
      Entry** link = &jobs_.running;
      while (*link != this) link = &(*link)->next_;
      *link = next_;
      jobs_.left.notify_all();
    }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    /// False: the warmer is gone, do not begin.
    bool begun() const { return begun_; }

   private:
    friend struct Jobs;
    Jobs& jobs_;
    const std::thread::id thread_ = std::this_thread::get_id();
    Entry* next_ = nullptr;
    bool begun_ = false;
  };

  void close() {
    const auto alone = [&] {
      for (const Entry* entry = running; entry; entry = entry->next_) {
        if (entry->thread_ != std::this_thread::get_id()) return false;
      }
      return true;
    };
    std::unique_lock lock(mutex);
    closed = true;
    left.wait(lock, alone);
  }

  std::mutex mutex;
  std::condition_variable left;
  // Under `mutex`.
  bool closed = false;
  Entry* running = nullptr;
};

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
  run->stop = stop_;
  run->core = cache_.core();
  // From here on nothing of the warmer is used: it may be destroyed meanwhile, and the rest is then skipped.
  const std::size_t threads = std::min(options_.concurrency, run->items.size());
  // The caller works too, so the run goes on however busy the executor is, and without one.
  try {
    for (std::size_t i = 1; i < threads && run->core->post([run] { run->work(); }); ++i) {
    }
  } catch (...) {  // no memory for one more: those that there are do it
  }
  run->work();
  std::unique_lock lock(run->mutex);
  run->wake.wait(lock, [&] { return run->finished == run->items.size(); });
  if (run->thrown) std::rethrow_exception(run->thrown);
  run->report.took = std::chrono::steady_clock::now() - begun;
  return std::move(run->report);
}

void CacheWarmer::every(Duration interval, std::function<void()> job) {
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
      alive->log(LogLevel::warning, fmt::format("a scheduled warming failed and is tried again: {}", describe(error)));
    } catch (...) {  // no memory for the text
    }
  };
  auto token = cache_.core()->every(interval, std::move(logged));
  const std::lock_guard lock(mutex_);
  schedules_.push_back(std::move(token));
}

}  // namespace v1
}  // namespace dsta::cache
