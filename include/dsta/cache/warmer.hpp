#pragma once
#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/duration.hpp>
#include <dsta/cache/lazy.hpp>
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
  std::string key;      ///< the key of the entry, as manual calls take it; empty for a loader that is no wrapper
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
  /// The time by which every_day goes. Default none: std::chrono::system_clock. For tests.
  std::function<std::chrono::system_clock::time_point()> wall_clock = {};
};

/// A time of day in a time zone, for CacheWarmer::every_day. A plain value.
struct TimeOfDay {
  /// Since midnight, as clocks in the zone show it: `9h + 30min`. From 0 to less than 24 h.
  Duration at{};
  /// The zone's name in the system's database (Debian: package tzdata), such as "America/New_York". Default "UTC",
  /// which needs no database.
  std::string zone = "UTC";
  /// Not on Saturdays and Sundays. Default false.
  bool weekdays_only = false;
};

/// Fills the cache before the first request. Thread-safe. The manager must outlive it.
///
/// Register each loader once: a name and a wrapped function that takes a symbol. Warming *refreshes*: a warm key gets a
/// new value and a new ttl. An exception of one item is an entry in the report and does not end the run.
///
/// A loader may take more than a symbol: `add_indicator("rsi", rsi, 14)` warms what `rsi(symbol, 14)` reads. Give the
/// arguments that readers give: others have other keys. A loader that is no wrapper is copied once and called with the
/// symbol and these arguments, from up to `concurrency` threads at once: it must guard what it changes. It refreshes
/// what it likes.
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

  /// Registers a loader, with the arguments that follow the symbol. Throws ConfigError when the name is taken.
  template <class Loader, class... Fixed>
  void add_market_data(std::string name, const Loader& loader, const Fixed&... fixed) {
    add(market_data_, std::move(name), refresher(loader, fixed...));
  }
  /// The same for indicators, which have names of their own.
  template <class Loader, class... Fixed>
  void add_indicator(std::string name, const Loader& loader, const Fixed&... fixed) {
    add(indicators_, std::move(name), refresher(loader, fixed...));
  }

  /// Refreshes every market-data loader for every symbol. Returns when everything is done.
  WarmReport warm_market_data(const std::vector<std::string>& symbols);
  /// Refreshes the named indicators, or all, for every symbol. Throws ConfigError for an unknown name.
  WarmReport warm_indicators(const std::vector<std::string>& symbols, const std::vector<std::string>& names = {});
  /// Refreshes any wrapped function for a range of arguments (or tuples of arguments). The report calls its items
  /// `name(key)`.
  template <class F, std::ranges::input_range Range>
  WarmReport warm(const cached<F>& function, const Range& items, std::string_view name = "warm");
  /// The same for a `lazy` wrapper.
  template <class Make, std::ranges::input_range Range>
  WarmReport warm(const Lazy<Make>& function, const Range& items, std::string_view name = "warm") {
    return warm(*function, items, name);
  }

  /// Runs `job` (usually one of the calls above) every `interval` on the executor, as long as the warmer lives. If a
  /// run is still in progress when the next is due, the next is skipped. An exception of the job is logged. Throws
  /// ConfigError for an interval of zero or less.
  void every(Duration interval, std::function<void()> job);

  /// Runs `job` once a day at this time, within about a second, as every() does: 30 minutes before a market opens at
  /// 9:30 in New York it is `{.at = 9h, .zone = "America/New_York", .weekdays_only = true}`. A time that clocks skip,
  /// when they are set forward, comes as much later; one that they show twice counts the first time. A process that was
  /// suspended at that time runs the job when it resumes. Throws ConfigError for a time out of range and for an unknown
  /// zone.
  void every_day(const TimeOfDay& time, std::function<void()> job);

 private:
  /// A loader without its type.
  struct Refresh {
    std::function<void(const std::string& symbol)> run;
    std::function<std::string(const std::string& symbol)> key;  ///< null: it has none
  };
  struct Item {
    std::string name;
    std::function<void()> refresh;
    std::function<std::string()> key;
  };
  struct Stop;
  struct Run;
  struct Jobs;

  template <class F, class... Fixed>
  static Refresh refresher(const cached<F>& loader, const Fixed&... fixed) {
    constexpr bool fits = detail::takes_converted<F, const std::string&, const detail::owned_t<Fixed>&...>();
    static_assert(fits,
                  "a warmed function is called with a symbol and the arguments given after it, and these are not what "
                  "it takes: add_indicator(\"rsi\", rsi, 14)");
    if constexpr (fits) {
      return {[loader, ... kept = detail::owned_t<Fixed>(fixed)](const std::string& symbol) {
                (void)loader.refresh(symbol, kept...);
              },
              [loader, ... kept = detail::owned_t<Fixed>(fixed)](const std::string& symbol) {
                return loader.key_for(symbol, kept...);
              }};
    } else {
      return {};
    }
  }
  template <class Make, class... Fixed>
  static Refresh refresher(const Lazy<Make>& loader, const Fixed&... fixed) {
    return refresher(*loader, fixed...);
  }
  template <class Call, class... Fixed>
  static Refresh refresher(const Call& loader, const Fixed&... fixed) {
    constexpr bool fits =
        std::is_invocable_v<std::decay_t<Call>&, const std::string&, const detail::owned_t<Fixed>&...>;
    static_assert(fits,
                  "a warmer's loader is called with a symbol, a const std::string&, and the arguments given after it");
    if constexpr (fits) {
      // Shared: each item copies what runs it, and what the loader remembers of one it knows in the next.
      return {[shared = std::make_shared<std::decay_t<Call>>(loader), ... kept = detail::owned_t<Fixed>(fixed)](
                  const std::string& symbol) { (void)std::invoke(*shared, symbol, kept...); },
              nullptr};
    } else {
      return {};
    }
  }
  void add(std::map<std::string, Refresh>& loaders, std::string name, Refresh refresh);
  std::vector<Item> items(const std::map<std::string, Refresh>& loaders, const std::vector<std::string>& names,
                          const std::vector<std::string>& symbols) const;
  /// name(key), or name(number) where the key cannot be made.
  static std::string item_name(std::string_view name, const std::function<std::string()>& key, std::size_t number);
  WarmReport run(std::vector<Item> items);
  void schedule(Duration interval, std::function<void()> job);

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
    const auto key = [function, argument] {
      return detail::with_item(argument, [&](const auto&... parts) { return function.key_for(parts...); });
    };
    list.push_back({item_name(name, key, list.size()),
                    [function, argument] {
                      detail::with_item(argument, [&](const auto&... parts) { (void)function.refresh(parts...); });
                    },
                    key});
  }
  return run(std::move(list));
}

}  // namespace v1
}  // namespace dsta::cache
