#pragma once
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <optional>
#include <ranges>
#include <string>

#include <dsta/cache/detail/batch_call.hpp>
#include <dsta/cache/detail/braced_call.hpp>
#include <dsta/cache/detail/refusal.hpp>
#include <dsta/cache/detail/takes.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/outcome.hpp>
#include <dsta/cache/set_result.hpp>
#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {

/// A wrapped function: called like F, it returns what F returned for equal arguments within the ttl. Made by
/// CacheManager::cached. Thread-safe. Cheap to copy; all copies are one wrapper. It may outlive its manager: then each
/// call runs F.
///
/// `cached<R(Args...)>` is a handle: every wrapper of a function with these parameters and this result converts to it,
/// for members of classes, elements of containers and boundaries of libraries: it is type-erased. It has all of these
/// members, and a hit by it costs the same. It has no default arguments: pass all. (`cached<std::function<R(Args...)>>`
/// is one, too.)
///
/// It is invocable with what F takes and with nothing else: arguments convert implicitly, as in a call of F, and text
/// of any kind stands for a std::string. So it works where F works: std::jthread, std::bind_front, std::function,
/// ranges.
///
/// Single flight: concurrent calls with equal arguments run F once. The others wait and get the same value, or the same
/// exception. An exception of F passes through unchanged, and nothing is stored.
///
/// A call itself throws only RecursiveLoadError (F asks for the key that it is loading), LoadTimeoutError
/// (load_timeout), OverloadError (no place for the load: limit_loads, or the executor with a load_timeout), LoadError
/// (LoadContext), ValueError (the result cannot be copied safely or encoded), ConfigError (a key_builder needs every
/// argument), and std::bad_alloc. Where a stale value may be served, it is served instead of LoadTimeoutError and
/// OverloadError.
template <class F>
class cached : public detail::BracedCall<cached<F>, F> {
  template <class... Arguments>
  using ResultOf = detail::result_t<F, Arguments...>;
  using State = detail::state_t<F>;

 public:
  /// For CacheManager.
  explicit cached(std::shared_ptr<State> state) : state_(std::move(state)) {}

  /// Of a handle: refers to the wrapper of any function with this signature. As cheap to make as a copy.
  template <class G>
    requires detail::HandleOf<F, G> cached(const cached<G>& wrapper)
  noexcept : state_(wrapper.state_) {}
  // What else is written by mistake.
  DSTA_CACHE_REFUSED_CONSTRUCTOR(true, cached(), DSTA_CACHE_NEVER_EMPTY);
  DSTA_CACHE_REFUSED_CONSTRUCTOR((detail::OtherThan<F, G> && detail::Signature<G>::known), cached(const cached<G>&),
                                 DSTA_CACHE_ANOTHER_SIGNATURE, class G);
  DSTA_CACHE_REFUSED_CONSTRUCTOR((detail::OtherThan<F, G> && !detail::Signature<G>::known), cached(const cached<G>&),
                                 DSTA_CACHE_GENERIC_IN_A_HANDLE, class G);
  DSTA_CACHE_REFUSED_CONSTRUCTOR((detail::Erased<F> && detail::Signature<std::decay_t<G>>::known), cached(const G&),
                                 DSTA_CACHE_BARE_FUNCTION, class G);

  // --- calls

  /// The cached value, or the result of F.
  template <class... Arguments>
    requires detail::Takes<F, Arguments...> detail::result_t<F, Arguments...>
  operator()(Arguments&&... arguments) const;
  /// Arguments in braces.
  using detail::BracedCall<cached<F>, F>::operator();
  // What else is written by mistake.
  template <class... Arguments>
  DSTA_CACHE_REFUSED(ResultOf<Arguments...>, operator()(Arguments&&...) const, DSTA_CACHE_WRONG_TYPE);
  template <class... Arguments>
    requires detail::WrongNumber<F, sizeof...(Arguments)> DSTA_CACHE_REFUSED(
        ResultOf<Arguments...>, operator()(Arguments&&...) const, DSTA_CACHE_WRONG_NUMBER);

  /// The same without a copy of the value: for large ones. The pointer keeps the value alive.
  template <class... Arguments>
  std::shared_ptr<const detail::result_t<F, Arguments...>> shared(Arguments&&... arguments) const;

  /// Runs F now, stores its result and returns it. Loads that began earlier are not joined any more, and never replace
  /// that value. Throws what F throws; the existing value then stays.
  template <class... Arguments>
  detail::result_t<F, Arguments...> refresh(Arguments&&... arguments) const;

  /// The cached value, fresh or stale; nullopt when there is none. Never runs F and counts nothing.
  template <class... Arguments>
  [[nodiscard]] std::optional<detail::result_t<F, const Arguments&...>> peek(const Arguments&... arguments) const;

  /// One call for each item of a range: an argument, or a tuple of arguments. Returns a std::vector<Outcome<R>> in the
  /// order of the items. Equal items are loaded once, and each item has its own outcome. What a key_builder throws of
  /// an item is that item's outcome.
  ///
  /// With a bulk_loader, one call of it loads all missing items that nobody else is loading; the others are waited for.
  /// Without one, F is called for one item after another.
  template <std::ranges::input_range Range>
  auto many(const Range& items) const;
  /// The same for a list: many({"BTCUSDT", "ETHUSDT"}).
  template <class Item>
  auto many(std::initializer_list<Item> items) const;

  // --- changes

  /// Stores a value from elsewhere: put(arguments…, value).
  template <class... ArgumentsAndValue>
  SetResult put(ArgumentsAndValue&&... arguments_and_value) const;

  /// Removes the value for these arguments; a load in progress is not stored. True when there was a value.
  template <class... Arguments>
  bool invalidate(const Arguments&... arguments) const;

  /// The same for every value whose first arguments are these, whatever the others are; without arguments, for all
  /// values of the function. Returns the number of entries removed. Looks at every key in the manager and at the
  /// server. Throws ConfigError for a wrapper with a key_builder.
  template <class... Leading>
  std::size_t invalidate_matching(const Leading&... leading) const;

  /// Invalidates every value of this function and of no other. Constant cost; memory is reclaimed later.
  /// Throws ConfigError for a raw function without prefix and name, with a server.
  void cache_clear() const;

  // --- information

  /// The key for these arguments, as manual calls take it (without a prefix option).
  template <class... Arguments>
  [[nodiscard]] std::string key_for(const Arguments&... arguments) const;

  /// The counts of this function.
  [[nodiscard]] FunctionInfo cache_info() const;

  // --- hooks. Chain them where the wrapper is made: each returns the wrapper. F must spell out its parameter types.
  // Each throws ConfigError for a wrapper that is shared: copied, referred to by a handle, or in a load.

  /// Makes the key of a call `prefix:name:` + `build(arguments…)`: text as given, other types encoded as in key.hpp.
  /// Leave out arguments that do not change the value. `build` takes as many of the first arguments as it can; calls
  /// must give those.
  template <class Build>
  [[nodiscard]] cached key_builder(Build build) &&;
  template <class Build>
  DSTA_CACHE_REFUSED(cached, key_builder(Build) const&, DSTA_CACHE_LATE_HOOK);

  /// Loads many items in one call, for `many`: `load(items)` takes a std::vector of arguments (of tuples, when F takes
  /// several) and returns, in their order, a std::vector of R, of std::optional<R> or of Outcome<R>; or a map from
  /// argument to R without the items that do not exist. Single calls still run F. An exception applies to all items.
  template <class Load>
  [[nodiscard]] cached bulk_loader(Load load) &&;
  template <class Load>
  DSTA_CACHE_REFUSED(cached, bulk_loader(Load) const&, DSTA_CACHE_LATE_HOOK);

  /// Stores only results for which `keep(result)` is true. The others are returned, not stored.
  template <class Keep>
  [[nodiscard]] cached condition(Keep keep) &&;
  template <class Keep>
  DSTA_CACHE_REFUSED(cached, condition(Keep) const&, DSTA_CACHE_LATE_HOOK);

  /// The value chooses its ttl: `ttl_of(result)` returns a duration. Zero or less: do not store.
  template <class TtlOf>
  [[nodiscard]] cached adaptive_ttl(TtlOf ttl_of) &&;
  template <class TtlOf>
  DSTA_CACHE_REFUSED(cached, adaptive_ttl(TtlOf) const&, DSTA_CACHE_LATE_HOOK);

  /// More tags from the value: `tags_of(result)` returns a std::vector<std::string>. Throws ConfigError for raw values.
  template <class TagsOf>
  [[nodiscard]] cached adaptive_tags(TagsOf tags_of) &&;
  template <class TagsOf>
  DSTA_CACHE_REFUSED(cached, adaptive_tags(TagsOf) const&, DSTA_CACHE_LATE_HOOK);

 private:
  template <class G>
  friend class cached;

  template <class... Arguments>
  detail::result_t<F, Arguments...> call(Arguments&&... arguments) const;
  template <class R>
  void count_negative(const R& value) const;
  template <class Value, class... Arguments>
  SetResult put_value(Value&& value, const Arguments&... arguments) const;
  template <class R, class... Arguments>
  detail::NodeRef load(const detail::CallKey<F>& key, detail::LoadMode mode, Arguments&&... arguments) const;

  std::shared_ptr<State> state_;
};

}  // namespace v1
}  // namespace dsta::cache

#include <dsta/cache/detail/cached_calls.hpp>
