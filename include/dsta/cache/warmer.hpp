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

namespace dsta::cache {
inline namespace v1 {

/// How far a warming run has come. `item` is the one just finished, as loader(argument).
struct WarmProgress {
  std::size_t done = 0;
  std::size_t total = 0;
  std::string_view item;
  bool failed = false;
};

struct WarmError {
  std::string item;     ///< loader(argument)
  std::string message;  ///< the exception's what()
};

/// What a warming run came to.
struct WarmReport {
  std::size_t warmed = 0;
  std::size_t failed = 0;
  /// Not begun because the warmer was destroyed or the manager closed.
  std::size_t skipped = 0;
  std::vector<WarmError> errors;
  Duration took{};
};

struct WarmerOptions {
  /// How many loads at once. Default 4.
  std::size_t concurrency = 4;
  /// Each load first waits a random time of up to this, so that a run does not hit the source as one burst. Default 0.
  OptionalDuration jitter = {};
  /// Called after every item that was loaded, one call at a time, on the thread that loaded it. Must not call the
  /// warmer. When it throws it is not called again, and the run throws that when all is done.
  std::function<void(const WarmProgress&)> on_progress = {};
};

/// Fills the cache before users ask. Thread-safe; the manager must outlive it.
///
/// Loaders are registered once: a name and a wrapped function that takes a symbol. Warming *refreshes*: a key that is
/// warm already gets a new value and a new ttl. One item's exception is an entry in the report, not the end of the run.
class CacheWarmer {
 public:
  explicit CacheWarmer(CacheManager& cache, WarmerOptions options = {});
  /// Begins nothing more and waits for the load that each scheduled job is at (not for a job that destroys the warmer
  /// itself). A jitter is not waited out: runs under way, also those that other threads have called for, end with the
  /// rest skipped.
  ~CacheWarmer();
  CacheWarmer(const CacheWarmer&) = delete;
  CacheWarmer& operator=(const CacheWarmer&) = delete;

  /// Throws ConfigError when the name is taken.
  template <class F>
  void add_market_data(std::string name, const cached<F>& loader) {
    add(market_data_, std::move(name), refresher(loader));
  }
  template <class F>
  void add_indicator(std::string name, const cached<F>& loader) {
    add(indicators_, std::move(name), refresher(loader));
  }

  /// Refreshes every market-data loader for every symbol; returns when all is done.
  WarmReport warm_market_data(const std::vector<std::string>& symbols);
  /// Refreshes these indicators (none named: all) for every symbol. Throws ConfigError for a name nobody registered.
  WarmReport warm_indicators(const std::vector<std::string>& symbols, const std::vector<std::string>& names = {});
  /// Refreshes any wrapped function for a range of arguments (or tuples of arguments).
  template <class F, std::ranges::input_range Range>
  WarmReport warm(const cached<F>& function, const Range& items, std::string_view name = "warm");

  /// Runs `job` (usually one of the calls above) every `interval` in the background, as long as the warmer lives. A run
  /// that is still under way when the next is due makes it skip that one. An exception of the job is logged.
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
    static_assert(
        requires { loader.refresh(std::declval<const std::string&>()); },
        "a warmed function must be callable with a symbol alone: wrap a lambda that fixes the other arguments");
    return [loader](const std::string& symbol) { (void)loader.refresh(symbol); };
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
