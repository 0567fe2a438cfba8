#pragma once
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/cached.hpp>
#include <dsta/cache/detail/decorator_check.hpp>
#include <dsta/cache/detail/manual.hpp>
#include <dsta/cache/detail/refusal.hpp>
#include <dsta/cache/detail/wrap_check.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/lookup.hpp>
#include <dsta/cache/options.hpp>
#include <dsta/cache/set_result.hpp>
#include <dsta/cache/stats.hpp>
#include <dsta/cache/time_span.hpp>

namespace dsta::cache {
inline namespace v1 {

/// Whether entries of an invalidated tag may still be served while they are loaded again.
enum class TagMode {
  remove,  ///< no: they are invalid at once
  expire,  ///< yes: they are stale, and may be served for their stale_for
};

/// The alarm of CacheManager::on_low_hit_rate.
struct HitRateAlarm {
  /// How often the hit rate since the last check is compared. Default 60 s. Over 0.
  Duration interval = std::chrono::seconds(60);
  /// An interval with fewer requests is not compared by itself; it counts towards the next. Default 100.
  std::uint64_t min_requests = 100;
};

/// What `cached(ttl, prefix, name)` returns: call it with a function, and it returns the wrapper. Thread-safe. It may
/// outlive the manager.
class Decorator {
 public:
  /// Throws ConfigError when another function has this prefix and name.
  template <class F>
  [[nodiscard]] auto operator()(F&& function, CodePlace where = CodePlace::current()) const;
  DSTA_CACHE_REFUSED(detail::Refused<void>, operator()(detail::NotOneFunction) const, DSTA_CACHE_OVERLOADED);

 private:
  friend class CacheManager;
  Decorator(std::shared_ptr<detail::Core> core, EntryOptions options);

  std::shared_ptr<detail::Core> core_;
  EntryOptions options_;
};

/// The cache. Thread-safe, every member. Movable, not copyable. Wrappers stay valid when it is moved.
///
/// get, set, del and calls of wrapped functions never throw because of a fault of the cache or its server: such a fault
/// is a miss, which is counted and logged. They throw KeyError for an empty key or one over kMaxKeyBytes, ConfigError
/// for contradictory options, and ValueError for values that cannot be copied safely (JSON nested too deeply).
///
/// In every call `options` may give prefix, name, ttl and so on for this call; what it leaves out comes from the
/// prefix's preset, then from ManagerOptions::defaults. The key is `prefix:name:key`, without the parts that are empty.
///
/// The destructor starts no more background work. It waits for what runs, at most 1 s longer than the longest
/// load_timeout of the loads among it. It calls no callback afterwards.
class CacheManager {
 public:
  /// An in-process cache with default options.
  CacheManager();
  /// Throws ConfigError.
  explicit CacheManager(ManagerOptions options);
  /// The URL of a server, or `memory:`; see ManagerOptions::url. Throws ConfigError.
  explicit CacheManager(std::string_view url);
  /// Takes the URL from the environment variable DSTA_CACHE_URL, else REDIS_URL, else from `options`. Throws
  /// ConfigError.
  [[nodiscard]] static CacheManager from_env(ManagerOptions options = {});
  /// Drops all entries, and waits for running background work: at most 1 s longer than the longest `load_timeout` used.
  ~CacheManager();
  /// Wrappers stay valid. `other` may then only be destroyed or assigned to.
  CacheManager(CacheManager&& other) noexcept = default;
  /// The same. First ends the cache that this manager held, as the destructor does.
  CacheManager& operator=(CacheManager&& other) noexcept;

  // --- wrapping functions

  /// Wraps `function`: returns a `cached`. Throws ConfigError when another function has this prefix and name. `where`
  /// is named in that error.
  template <class F>
  [[nodiscard]] auto cached(const EntryOptions& options, F&& function, CodePlace where = CodePlace::current());
  // What is written by mistake: an overloaded function or a template, the function first, the prefix first.
  DSTA_CACHE_REFUSED(detail::Refused<void>, cached(const EntryOptions&, detail::NotOneFunction), DSTA_CACHE_OVERLOADED);
  template <class F>
  DSTA_CACHE_REFUSED(detail::Refused<void>, cached(F&&, const EntryOptions&),
                     "options come first: cache.cached(options, function)");
  template <class... Arguments>
    requires detail::FunctionMisplaced<Arguments...> DSTA_CACHE_REFUSED(
        detail::RefusedDecorator<detail::function_among_t<Arguments...>>, cached(const Arguments&...),
        "options are in braces and come first, or the function goes into a second pair of parentheses: "
        "cache.cached({.ttl = 60s}, function) or cache.cached(60s, prefix, name)(function)");
  DSTA_CACHE_REFUSED(Decorator, cached(std::string_view, OptionalDuration, std::string_view = {}),
                     "the ttl comes first: cache.cached(60s, prefix, name)(function)");

  /// Wraps a function given at compile time. Its own name is the name, unless the options give one:
  /// `cache.cached<fetch_ticker>({.ttl = 60s, .prefix = "api"})`. Throws ConfigError.
  template <auto Function>
  [[nodiscard]] auto cached(EntryOptions options, CodePlace where = CodePlace::current());

  /// The form of a decorator: `cached({...})(f)`, `cached(300s, "api")(f)`. Its calls throw what wrapping throws.
  [[nodiscard]] Decorator cached(EntryOptions options);
  /// The same with the usual options alone. Unset, the ttl is the default of the prefix or the manager.
  [[nodiscard]] Decorator cached(OptionalDuration ttl, std::string_view prefix = {}, std::string_view name = {});

  // --- values by key

  /// Stores a value; text of any kind as a std::string. A ttl of zero or less stores nothing and removes the existing
  /// value. The result says whether it was stored, and why not.
  template <class T>
  SetResult set(std::string_view key, T&& value, const EntryOptions& options = detail::kNoOptions);

  /// The value stored under the key; nullopt when there is none, or one of another type than T.
  template <class T = std::string>
  [[nodiscard]] std::optional<T> get(std::string_view key, const EntryOptions& options = detail::kNoOptions) const;
  template <class T = std::string, class Default>
    requires(!std::convertible_to<Default, const EntryOptions&>)
  DSTA_CACHE_REFUSED(std::optional<T>, get(std::string_view, Default&&, const EntryOptions& = detail::kNoOptions) const,
                     "get takes no default: write get_or(key, fallback), or get(key).value_or(fallback)");

  /// The value, or `fallback`, which is not stored. Text is returned as a std::string.
  template <class T>
  [[nodiscard]] detail::stored_t<T> get_or(std::string_view key, T fallback,
                                           const EntryOptions& options = detail::kNoOptions) const;

  /// The value, or the result of `load()` (or of `load(LoadContext<R>&)`), which is then stored. Single flight:
  /// concurrent callers share one load. Throws what `load` throws, and what a call of a wrapped function throws (see
  /// `cached`).
  template <class Load>
  auto get_or_load(std::string_view key, Load load, const EntryOptions& options = detail::kNoOptions);

  /// get, with the source of the value, its age, and whether it is stale.
  template <class T = std::string>
  [[nodiscard]] Lookup<T> lookup(std::string_view key, const EntryOptions& options = detail::kNoOptions) const;

  /// True when there is a value of any type, fresh or stale. Counts no request.
  [[nodiscard]] bool exists(std::string_view key, const EntryOptions& options = detail::kNoOptions) const;

  /// The time until the value is stale: `forever` for an entry without an end, 0 for a stale one, nullopt when there is
  /// none. Printed with its unit; `->seconds()` is a number. Counts no request.
  [[nodiscard]] std::optional<TimeSpan> get_ttl(std::string_view key,
                                                const EntryOptions& options = detail::kNoOptions) const;

  /// Removes the value; loads of the key in progress are not stored. True when there was a value.
  bool del(std::string_view key, const EntryOptions& options = detail::kNoOptions);

  /// Removes every key that matches a glob as in Redis (`*`, `?`, `[a-z]`, `\`) over prefix:key. Returns the number of
  /// entries removed. Looks at every key in the manager and at the server. Throws PatternError.
  std::size_t delete_pattern(std::string_view pattern, const EntryOptions& options = detail::kNoOptions);

  /// Adds to a counter, which starts from 0, and returns its new value; nullopt when that was not possible. A counter
  /// has no end unless the options of the call, of the prefix or of ManagerOptions::defaults give a ttl (default_ttl
  /// does not apply); the ttl begins when the counter is made. It is never evicted. With a ttl of zero or less nothing
  /// is counted: nullopt, and an existing counter stays. A value that was `set` keeps its ttl, idle_ttl and tags.
  /// Throws ValueError when the existing value is no integer, or the sum leaves the range of std::int64_t.
  std::optional<std::int64_t> increment(std::string_view key, std::int64_t amount = 1,
                                        const EntryOptions& options = detail::kNoOptions);

  /// Removes everything in this manager's namespace: with a server, for every process of the space.
  void flush_all();

  // --- many values

  /// set for each pair of key and value. Returns one result for each item, in their order. With a server one round trip
  /// for up to some hundred keys.
  template <class T>
  std::vector<SetResult> set_many(const std::vector<std::pair<std::string, T>>& items,
                                  const EntryOptions& options = detail::kNoOptions);

  /// get for each key, in their order. With a server one round trip for up to some hundred keys.
  template <class T = std::string>
  [[nodiscard]] std::vector<std::optional<T>> get_many(const std::vector<std::string>& keys,
                                                       const EntryOptions& options = detail::kNoOptions) const;

  /// del for each key. Returns the number of values removed. With a server one round trip for up to some hundred keys,
  /// and one more where entries have tags. Throws KeyError for a key that is not valid; then nothing is removed.
  std::size_t del_many(const std::vector<std::string>& keys, const EntryOptions& options = detail::kNoOptions);

  // --- invalidation by tag

  /// Invalidates every entry with this tag, and every load of one in progress. Constant cost. Throws KeyError for an
  /// empty tag and for one that begins with the byte 0x01.
  void invalidate_tag(std::string_view tag, TagMode mode = TagMode::remove);

  // --- statistics

  /// Counts since the start or the last clear_stats(), and the number and size of the entries.
  [[nodiscard]] CacheStats get_stats() const;
  /// The same for each prefix of functions and manual calls; for more than 512 prefixes the rest is `(other)`.
  [[nodiscard]] std::map<std::string, CacheStats> get_stats_by_prefix() const;
  /// Starts all counts from zero; entries stay.
  void clear_stats();

  /// Calls `callback` on the executor when the hit rate of an interval falls below `threshold` (0 to 1), and again only
  /// after an interval above it. Lasts as long as the manager. Throws ConfigError.
  void on_low_hit_rate(double threshold, std::function<void(const CacheStats&)> callback, HitRateAlarm alarm = {});

  // --- options

  /// Defaults for everything under a prefix. Existing wrappers keep theirs. Throws ConfigError, also for a `name` or
  /// another prefix among the options: those are given where a function is wrapped.
  void set_preset(const std::string& prefix, const EntryOptions& options);

  /// Runs at most `limit.concurrent` loads of functions under this prefix at once. At most `limit.queue` more calls
  /// wait for a place; the next gets OverloadError. A value that may be served stale is served instead, and its refresh
  /// is postponed. A load inside a load of the same prefix needs no place of its own. A load that waits for another
  /// load gives its place back in the meantime. May be changed at any time. Default: no limit. Throws ConfigError.
  void limit_loads(const std::string& prefix, const LoadLimit& limit);

  /// The options it was made from, with those of the URL.
  [[nodiscard]] const ManagerOptions& options() const;

  /// For the classes of this library; not part of the contract.
  const std::shared_ptr<detail::Core>& core() const { return core_; }

 private:
  std::shared_ptr<detail::Core> core_;
};

}  // namespace v1
}  // namespace dsta::cache

#include <dsta/cache/detail/manager_calls.hpp>
