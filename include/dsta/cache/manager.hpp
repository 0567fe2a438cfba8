#pragma once
#include <array>
#include <concepts>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/cached.hpp>
#include <dsta/cache/clock.hpp>
#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/executor.hpp>
#include <dsta/cache/load_context.hpp>
#include <dsta/cache/lookup.hpp>
#include <dsta/cache/options.hpp>
#include <dsta/cache/set_result.hpp>
#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

/// What a value is kept as: text of any kind as std::string.
template <class T>
using stored_t = std::conditional_t<std::convertible_to<const T&, std::string_view> && !Codable<std::decay_t<T>>,
                                    std::string, std::decay_t<T>>;

/// The key of a manual call: the prefix, ':' and the key, as given. Throws KeyError.
class ManualKey {
 public:
  ManualKey(std::string_view key, const EntryOptions& options);
  const KeyView& view() const { return view_; }

 private:
  KeyBuffer buffer_;
  KeyView view_;
};

template <class T>
consteval bool check_codable() {
  static_assert(Codable<T>,
                "no codec for this type: include <dsta/cache/json.hpp> for types that nlohmann::json "
                "converts, or specialise dsta::cache::codec<T>");
  return Codable<T>;
}

}  // namespace detail

/// Whether entries of an invalidated tag may still be served while they are loaded again.
enum class TagMode {
  remove,  ///< no: they are gone
  expire,  ///< yes, within their stale_for
};

/// The alarm of CacheManager::on_low_hit_rate.
struct HitRateAlarm {
  /// How often the rate since the last look is judged.
  Duration interval = std::chrono::seconds(60);
  /// Fewer requests than this in an interval are not judged.
  std::uint64_t min_requests = 100;
};

/// The cache. Thread-safe, every member. Movable, not copyable; wrappers made by it stay valid wherever it is moved to.
///
/// get, set, del and the calls of wrapped functions never throw because of a fault of the cache, its server included.
/// They throw KeyError for an empty key or one over kMaxKeyBytes, ConfigError for options that contradict themselves,
/// and ValueError for values that cannot be copied safely (JSON nested too deeply). The destructor begins no more
/// background work, and waits for what runs: at most a second longer than the longest load_timeout of the loads among
/// it. It calls nobody back afterwards.
class CacheManager {
 public:
  /// An in-process cache with default options.
  CacheManager() : CacheManager(ManagerOptions{}) {}
  /// Throws ConfigError.
  explicit CacheManager(ManagerOptions options);
  /// `memory:`; see ManagerOptions::url. Throws ConfigError.
  explicit CacheManager(std::string_view url);
  /// The URL in the environment variable DSTA_CACHE_URL, else REDIS_URL, else in-process. Throws ConfigError.
  static CacheManager from_env(ManagerOptions options = {});
  ~CacheManager();
  CacheManager(CacheManager&&) noexcept = default;
  CacheManager& operator=(CacheManager&&) noexcept;

  // --- wrapping functions

  /// Wraps `function`: see `cached`. Throws ConfigError when another function has this prefix and name.
  template <class F>
  auto cached(const EntryOptions& options, F&& function, CodePlace where = CodePlace::current()) {
    return wrap(options, std::forward<F>(function), nullptr, where);
  }

  /// Wraps a function given at compile time; its name is the name unless the options give one:
  /// `cache.cached<fetch_ticker>({.ttl = 60s, .prefix = "api"})`.
  template <auto Function>
  auto cached(EntryOptions options, CodePlace where = CodePlace::current()) {
    if (options.name.empty()) options.name = detail::function_name<Function>();
    return wrap(options, Function, detail::type_info_of<detail::FunctionOf<Function>>(), where);
  }

  /// The decorator's form: `cached({...})(f)`, `cached(300s, "api")(f)`.
  auto cached(EntryOptions options) {
    return [core = core_, options = std::move(options)]<class F>(F&& function, CodePlace where = CodePlace::current()) {
      return CacheManager(core, Borrowed{}).cached(options, std::forward<F>(function), where);
    };
  }
  auto cached(OptionalDuration ttl, std::string_view prefix = {}, std::string_view name = {}) {
    EntryOptions options;
    options.ttl = ttl;
    options.prefix = prefix;
    options.name = name;
    return cached(std::move(options));
  }

  // --- values by key

  /// Stores a value under prefix:key. A ttl of zero or less stores nothing and removes what was there.
  template <class T>
  SetResult set(std::string_view key, T&& value, const EntryOptions& options = {}) {
    using Stored = detail::stored_t<std::remove_cvref_t<T>>;
    if constexpr (detail::check_codable<Stored>()) {
      const detail::ManualKey stored(key, options);
      detail::check_value(value);
      const detail::EntryTerms terms = core_->resolve(options);
      detail::Counters& counters = core_->manual_writer(options.prefix).counters;
      return detail::to_set_result(
          core_->put(detail::make_node<Stored>(stored.view(), std::forward<T>(value)), terms, terms.tags, nullptr),
          counters);
    } else {
      return SetResult::not_stored;
    }
  }

  /// The value stored under prefix:key as a T; nullopt when there is none, or one of another type.
  template <class T = std::string>
  std::optional<T> get(std::string_view key, const EntryOptions& options = {}) const {
    return lookup<T>(key, options).value;
  }

  /// The value, or `fallback`, which is not stored.
  template <class T>
  detail::stored_t<T> get_or(std::string_view key, T fallback, const EntryOptions& options = {}) const {
    auto found = get<detail::stored_t<T>>(key, options);
    return found ? std::move(*found) : detail::stored_t<T>(std::move(fallback));
  }

  /// The value, or what `load()` (or load(LoadContext<R>&)) returns, which is then stored. Concurrent callers run one
  /// load; its exception is theirs.
  template <class Load>
  auto get_or_load(std::string_view key, Load load, const EntryOptions& options = {});

  /// get, with what else is known: where it came from, how old it is.
  template <class T = std::string>
  Lookup<T> lookup(std::string_view key, const EntryOptions& options = {}) const;

  bool exists(std::string_view key, const EntryOptions& options = {}) const;

  /// The fresh time left: `forever` for entries without end, 0 for stale ones, nullopt when there is none.
  std::optional<Duration> get_ttl(std::string_view key, const EntryOptions& options = {}) const;

  /// True when there was something to remove. Loads of the key that are under way are not stored.
  bool del(std::string_view key, const EntryOptions& options = {});

  /// Removes every key that matches: a glob as in Redis (`*`, `?`, `[a-z]`, `\`) over prefix:key. Returns how many.
  /// Throws PatternError.
  std::size_t delete_pattern(std::string_view pattern, const EntryOptions& options = {});

  /// Adds to a counter (made with 0) and returns its new value; nullopt when it could not be. A counter lives for ever
  /// unless the options of the call, of the prefix or of the manager's `defaults` give a ttl (default_ttl does not
  /// count), which begins when the counter is made; it is never evicted. With a ttl of zero or less nothing is counted:
  /// nullopt, and what is there stays. One that was `set` keeps its ttl, idle_ttl and tags. Throws ValueError when an
  /// existing value is no integer or the sum leaves the range of std::int64_t.
  std::optional<std::int64_t> increment(std::string_view key, std::int64_t amount = 1,
                                        const EntryOptions& options = {});

  /// Removes everything in this manager's namespace.
  void flush_all();

  // --- many values

  /// One result for each item, in their order. With a server by one round trip.
  template <class T>
  std::vector<SetResult> set_many(const std::vector<std::pair<std::string, T>>& items,
                                  const EntryOptions& options = {}) {
    using Stored = detail::stored_t<T>;
    std::vector<SetResult> results;
    results.reserve(items.size());
    if constexpr (detail::check_codable<Stored>()) {
      const detail::EntryTerms terms = core_->resolve(options);
      std::vector<detail::NodeRef> nodes;
      nodes.reserve(items.size());
      for (const auto& [key, value] : items) {
        const detail::ManualKey stored(key, options);
        detail::check_value(value);
        nodes.push_back(detail::make_node<Stored>(stored.view(), value));
      }
      detail::Counters& counters = core_->manual_writer(options.prefix).counters;
      for (const auto& outcome : core_->put(std::move(nodes), terms)) {
        results.push_back(detail::to_set_result(outcome, counters));
      }
    }
    return results;
  }

  /// In the order of the keys. With a server by one round trip.
  template <class T = std::string>
  std::vector<std::optional<T>> get_many(const std::vector<std::string>& keys, const EntryOptions& options = {}) const {
    std::vector<std::optional<T>> found(keys.size());
    if constexpr (detail::check_codable<T>()) {
      const detail::Reach reach = core_->reach(options);
      std::deque<detail::ManualKey> stored;
      std::vector<detail::Fetched> open;
      std::vector<std::size_t> places;
      for (std::size_t i = 0; i < keys.size(); ++i) {
        const auto& key = stored.emplace_back(keys[i], options);
        found[i] = here<T>(key.view(), reach).first;
        if (found[i] || !reach.l2) continue;
        open.push_back({key.view()});
        places.push_back(i);
      }
      if (!open.empty()) core_->fetch(open, kTypes<T>, reach);
      for (std::size_t n = 0; n < open.size(); ++n) {
        if (open[n].node) found[places[n]] = as<T>(open[n].node);
      }
      detail::Counters& counters = core_->manual(options.prefix).counters;
      for (const auto& value : found) counters.add(value ? detail::Count::hits : detail::Count::misses);
    }
    return found;
  }

  /// del of all of them; returns how many there were. With a server by one round trip. A key that cannot be one is a
  /// KeyError, and then nothing is removed.
  std::size_t del_many(const std::vector<std::string>& keys, const EntryOptions& options = {});

  // --- invalidation by tag

  /// Every entry with this tag, and every load of one that is under way, counts no more. O(1). Throws KeyError for an
  /// empty tag and one that begins with a byte 1.
  void invalidate_tag(std::string_view tag, TagMode mode = TagMode::remove);

  // --- statistics

  CacheStats get_stats() const;
  std::map<std::string, CacheStats> get_stats_by_prefix() const;
  void clear_stats();

  /// Calls `callback` from a background thread when the hit rate of an interval falls below `threshold` (0 to 1); again
  /// only after an interval above it. Lasts as long as the manager. Throws ConfigError.
  void on_low_hit_rate(double threshold, std::function<void(const CacheStats&)> callback, HitRateAlarm alarm = {});

  // --- options

  /// Defaults for everything under a prefix; wrappers made before keep theirs. Throws ConfigError.
  void set_preset(const std::string& prefix, const EntryOptions& options) { core_->preset(prefix, options); }

  /// At most `limit.concurrent` loads of functions under this prefix run at once, also before everything is warm;
  /// `limit.queue` more calls wait for a place, and the next gets OverloadError. Values that may be served stale are,
  /// and their refreshes are put off. A load inside a load of the same prefix needs no place of its own, and one that
  /// waits for another load gives its place back meanwhile. May be changed at any time; default: no limit. Throws
  /// ConfigError.
  void limit_loads(const std::string& prefix, const LoadLimit& limit) { core_->limit_loads(prefix, limit); }

  const ManagerOptions& options() const { return core_->options(); }

  /// For the layers above; no contract.
  const std::shared_ptr<detail::Core>& core() const { return core_; }

 private:
  /// Ties a decorator to the manager that made it without closing it at the end.
  struct Borrowed {};
  CacheManager(std::shared_ptr<detail::Core> core, Borrowed) : core_(std::move(core)), owner_(false) {}

  /// `named`: of FunctionOf, where the function is known at compile time.
  template <class F>
  auto wrap(const EntryOptions& options, F&& function, const std::type_info* named, CodePlace where) {
    using Function = std::decay_t<F>;
    if constexpr (detail::check_function<Function>()) {
      detail::FunctionMark mark = detail::mark_function<Function>(function, where);
      mark.named = named;
      return v1::cached<Function>(
          std::make_shared<detail::WrapperState<Function>>(core_, options, std::forward<F>(function), mark));
    } else {
      return detail::Refused<Function>{};
    }
  }

  /// What an entry may be read as to give a T: counters are 64-bit whatever type they are asked for.
  template <class T>
  static constexpr auto types() {
    if constexpr (detail::Counter<T> && !std::same_as<T, std::int64_t>) {
      return std::array<const detail::TypeOps*, 2>{&detail::kTypeOps<T>, &detail::kTypeOps<std::int64_t>};
    } else {
      return std::array<const detail::TypeOps*, 1>{&detail::kTypeOps<T>};
    }
  }
  template <class T>
  static constexpr auto kTypes = types<T>();
  /// An entry of one of kTypes as a T.
  template <class T>
  static std::optional<T> as(const detail::NodeRef& node) {
    if (node->type->serves(detail::kTypeOps<T>)) return std::optional<T>(std::in_place, node.template as<T>());
    if constexpr (detail::Counter<T>) {
      if (std::in_range<T>(node.template as<std::int64_t>())) return static_cast<T>(node.template as<std::int64_t>());
    }
    return std::nullopt;
  }
  /// In-process, with its entry.
  template <class T>
  std::pair<std::optional<T>, detail::Freshness> here(const detail::KeyView& key, const detail::Reach& reach,
                                                      detail::NodeRef* entry = nullptr) const {
    std::pair<std::optional<T>, detail::Freshness> found{std::nullopt, detail::Freshness::miss};
    if (!reach.l1) return found;
    for (const detail::TypeOps* type : kTypes<T>) {
      detail::NodeRef node;
      found.second = core_->read(key, *type, nullptr, node);
      if (!node) continue;
      found.first = as<T>(node);
      if (entry) *entry = std::move(node);
      break;
    }
    return found;
  }

  std::shared_ptr<detail::Core> core_;
  bool owner_ = true;
};

template <class T>
Lookup<T> CacheManager::lookup(std::string_view key, const EntryOptions& options) const {
  Lookup<T> found;
  if constexpr (detail::check_codable<T>()) {
    const detail::ManualKey stored(key, options);
    const detail::Reach reach = core_->reach(options);
    detail::NodeRef node;
    auto [value, freshness] = here<T>(stored.view(), reach, &node);
    found.source = Source::l1;
    if (!value && reach.l2) {
      detail::Fetched item{stored.view()};
      core_->fetch(std::span(&item, 1), kTypes<T>, reach);
      node = std::move(item.node);
      if (node) value = as<T>(node);
      freshness = item.freshness;
      found.source = Source::l2;
    }
    detail::Counters& counters = core_->manual(options.prefix).counters;
    counters.add(value ? detail::Count::hits : detail::Count::misses);
    if (!value) {
      found.source = Source::none;
      return found;
    }
    found.value = std::move(value);
    found.stale = freshness == detail::Freshness::stale || freshness == detail::Freshness::serving;
    if (found.stale) counters.add(detail::Count::stale_served);
    found.age = std::max(Duration::zero(), Duration(core_->now() - node->created));
  }
  return found;
}

namespace detail {
/// get_or_load's loader: a function of no arguments.
template <class R, class Load>
class PlainLoader final : public Loader {
 public:
  PlainLoader(Load load, EntryTerms given, Identity& counted) : load_(std::move(load)) {
    tags = given.tags;
    terms = std::make_shared<const EntryTerms>(std::move(given));
    identity = &counted;
    type = &kTypeOps<R>;
    wants_previous = names_tags = kTakesContext<Load>;
  }
  Loaded load(const KeyView& key, const NodeRef& previous) override {
    Loaded loaded;
    R value = invoke_load<R>(load_, loaded, previous);
    check_value(value);
    if constexpr (is_optional<R>) loaded.negative = !value.has_value();
    loaded.node = make_node<R>(key, std::move(value));
    return loaded;
  }

 private:
  Load load_;
};

template <class Load>
struct PlainResult {
  using type = typename std::invoke_result_t<Load&>;
};
template <class Load>
  requires kTakesContext<Load>
struct PlainResult<Load> {
  using type = typename Signature<Load>::Result;
};
}  // namespace detail

template <class Load>
auto CacheManager::get_or_load(std::string_view key, Load load, const EntryOptions& options) {
  using Result = typename detail::PlainResult<Load>::type;
  using R = std::remove_cvref_t<Result>;
  if constexpr (detail::check_result<Result>()) {
    const detail::ManualKey stored(key, options);
    const auto core = core_;  // `load` may destroy the manager
    detail::Identity& identity = core->manual_writer(options.prefix);
    auto loader = std::make_shared<detail::PlainLoader<R, Load>>(std::move(load), core->resolve(options), identity);
    return R(core->load(stored.view(), loader, detail::LoadMode::get).template as<R>());
  } else {
    return detail::refused<Result>();
  }
}

}  // namespace v1
}  // namespace dsta::cache
