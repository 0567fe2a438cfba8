#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ranges>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/manager.hpp>
#include <dsta/cache/time_span.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The progress of a warming run.
struct WarmProgress {
  std::size_t done = 0;   ///< items finished
  std::size_t total = 0;  ///< items of the run
  std::string_view item;  ///< the item just finished: loader(argument)
  bool failed = false;    ///< its load threw
};

/// An item whose load threw.
struct WarmError {
  std::string item;     ///< loader(argument)
  std::string message;  ///< the exception's what()
};

/// The result of a warming run.
struct WarmReport {
  std::size_t warmed = 0;         ///< items loaded
  std::size_t failed = 0;         ///< items whose load threw
  std::size_t skipped = 0;        ///< items not started because the warmer was destroyed or the manager closed
  std::vector<WarmError> errors;  ///< one for each failed item
  TimeSpan took;                  ///< wall time of the run
};

/// What holds for all runs of one warmer. A plain value.
struct WarmerOptions {
  /// Loads at once. Default 4. 0 is a ConfigError.
  std::size_t concurrency = 4;
  /// Each load first waits a random time of up to this, so that a run is no burst for the source. Default 0.
  OptionalDuration jitter = {};
  /// Called after every loaded item, one call at a time, on the thread that loaded it. Must not call the warmer. If it
  /// throws, it is not called again, and the run throws that exception at its end. Default none.
  std::function<void(const WarmProgress&)> on_progress = {};
};

/// Fills the cache before the first request. Thread-safe. The manager must outlive it.
///
/// Register each loader once: a name and a wrapped function that takes a symbol. Warming *refreshes*: a warm key gets a
/// new value and a new ttl. An exception of one item is an entry in the report and does not end the run.
class CacheWarmer {
 public:
  /// Throws ConfigError.
  explicit CacheWarmer(CacheManager& cache, WarmerOptions options = {});
  /// Starts nothing more, and waits for the load that each scheduled job is running (not for a job that destroys the
  /// warmer itself). It does not wait for a jitter: runs in progress, also those that other threads called, skip the
  /// rest.
  ~CacheWarmer();
  CacheWarmer(const CacheWarmer&) = delete;
  CacheWarmer& operator=(const CacheWarmer&) = delete;

  /// Registers a loader. Throws ConfigError when the name is taken.
  template <class F>
  void add_market_data(std::string name, const cached<F>& loader) {
    add(market_data_, std::move(name), refresher(loader));
  }
  /// The same for indicators, which have names of their own.
  template <class F>
  void add_indicator(std::string name, const cached<F>& loader) {
    add(indicators_, std::move(name), refresher(loader));
  }

  /// Refreshes every market-data loader for every symbol. Returns when everything is done.
  WarmReport warm_market_data(const std::vector<std::string>& symbols);
  /// Refreshes the named indicators, or all, for every symbol. Throws ConfigError for an unknown name.
  WarmReport warm_indicators(const std::vector<std::string>& symbols, const std::vector<std::string>& names = {});
  /// Refreshes any wrapped function for a range of arguments (or tuples of arguments). The report calls its items
  /// `name(i)`.
  template <class F, std::ranges::input_range Range>
  WarmReport warm(const cached<F>& function, const Range& items, std::string_view name = "warm");

  /// Runs `job` (usually one of the calls above) every `interval` on the executor, as long as the warmer lives. If a
  /// run is still in progress when the next is due, the next is skipped. An exception of the job is logged. Throws
  /// ConfigError for an interval of zero or less.
  void every(Duration interval, std::function<void()> job);

 private:
  using Refresh = std::function<void(const std::string& symbol)>;
  struct Item {
    std::string name;
    std::function<void()> refresh;
  };
  struct Stop;
  struct Run;
  struct Jobs;

  template <class F>
  static Refresh refresher(const cached<F>& loader) {
    constexpr bool fits = detail::Takes<F, const std::string&>;
    static_assert(
        fits, "a warmed function must be callable with a symbol alone: wrap a lambda that fixes the other arguments");
    if constexpr (fits) {
      return [loader](const std::string& symbol) { (void)loader.refresh(symbol); };
    } else {
      return {};
    }
  }
  void add(std::map<std::string, Refresh>& loaders, std::string name, Refresh refresh);
  std::vector<Item> items(const std::map<std::string, Refresh>& loaders, const std::vector<std::string>& names,
                          const std::vector<std::string>& symbols) const;
  WarmReport run(std::vector<Item> items);

  CacheManager& cache_;
  const WarmerOptions options_;
  std::shared_ptr<Stop> stop_;
  std::shared_ptr<Jobs> jobs_;
  mutable std::mutex mutex_;
  // Under mutex_.
  std::map<std::string, Refresh> market_data_;
  std::map<std::string, Refresh> indicators_;
  std::vector<std::shared_ptr<void>> schedules_;
};

template <class F, std::ranges::input_range Range>
WarmReport CacheWarmer::warm(const cached<F>& function, const Range& arguments, std::string_view name) {
  std::vector<Item> list;
  for (const auto& argument : arguments) {
    list.push_back({std::string(name) + "(" + std::to_string(list.size()) + ")", [function, argument] {
                      if constexpr (detail::TupleLike<std::remove_cvref_t<decltype(argument)>>) {
                        std::apply([&](const auto&... parts) { (void)function.refresh(parts...); }, argument);
                      } else {
                        (void)function.refresh(argument);
                      }
                    }});
  }
  return run(std::move(list));
}

}  // namespace v1
}  // namespace dsta::cache
