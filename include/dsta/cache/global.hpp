#pragma once
/// One cache manager for the whole program, with the decorator form:
///     using dsta::cache::cached;
///     auto ticker = cached(60s, "api")(fetch_ticker);
#include <chrono>
#include <concepts>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <dsta/cache/detail/decorator_check.hpp>
#include <dsta/cache/detail/refusal.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/lazy.hpp>
#include <dsta/cache/manager.hpp>
#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The program's manager. The first call creates it from the environment (CacheManager::from_env). Destroyed at exit.
/// Throws ConfigError when the environment has a URL that is not valid. Plug-ins that hide their symbols share it.
/// Thread-safe.
CacheManager& cache_manager();

namespace detail {
struct OnGlobal;
template <class Function>
struct NoDecorator;
}  // namespace detail

/// `cached(ttl, prefix, name)`: a decorator on cache_manager(), which each call of it asks for. Unset, the ttl is the
/// default of the prefix or the manager. Thread-safe.
template <>
class cached<detail::OnGlobal> {
 public:
  explicit cached(OptionalDuration ttl, std::string_view prefix = {}, std::string_view name = {}) {
    options_.ttl = ttl;
    options_.prefix = prefix;
    options_.name = name;
  }
  explicit cached(EntryOptions options) : options_(std::move(options)) {}

  /// Wraps `function`: returns a `cached`. Throws ConfigError when another function has this prefix and name.
  template <class F>
  [[nodiscard]] auto operator()(F&& function, CodePlace where = CodePlace::current()) const {
    return cache_manager().cached(options_, std::forward<F>(function), where);
  }
  DSTA_CACHE_REFUSED(detail::Refused<void>, operator()(detail::NotOneFunction) const, DSTA_CACHE_OVERLOADED);

 private:
  EntryOptions options_;
};

/// What is written by mistake: the function among the arguments of the decorator, or another order.
template <class Function>
class cached<detail::NoDecorator<Function>> : public detail::RefusedDecorator<Function> {
  static_assert(detail::always_false<Function>, DSTA_CACHE_NO_DECORATOR);

 public:
  template <class... Arguments>
  explicit cached(const Arguments&...) {}
  template <class Argument>
  cached(const EntryOptions&, const Argument&) {}
  template <class Argument>
  cached(const Argument&, const EntryOptions&) {}
  template <class Argument>
  cached(const Argument&, detail::NotOneFunction) {}
  cached(const EntryOptions&, detail::NotOneFunction) {}
};

template <class Rep, class Period>
explicit cached(std::chrono::duration<Rep, Period>) -> cached<detail::OnGlobal>;
template <class Number>
  requires std::is_arithmetic_v<Number>  // refused as a ttl
explicit cached(Number)->cached<detail::OnGlobal>;
template <detail::IsTtl Ttl, detail::IsText Prefix>
explicit cached(const Ttl&, const Prefix&) -> cached<detail::OnGlobal>;
template <detail::IsTtl Ttl, detail::IsText Prefix, detail::IsText Name>
explicit cached(const Ttl&, const Prefix&, const Name&) -> cached<detail::OnGlobal>;
cached(EntryOptions)->cached<detail::OnGlobal>;

template <class... Arguments>
  requires(sizeof...(Arguments) > 0 && !detail::kMakesDecorator<Arguments...> && !(detail::IsWrapper<Arguments> && ...))
explicit cached(const Arguments&...)->cached<detail::NoDecorator<detail::function_among_t<Arguments...>>>;
template <class Function>
cached(EntryOptions, const Function&) -> cached<detail::NoDecorator<std::decay_t<Function>>>;
template <class Function>
cached(const Function&, EntryOptions) -> cached<detail::NoDecorator<std::decay_t<Function>>>;
template <detail::StartsDecorator Ttl>
cached(const Ttl&, detail::NotOneFunction) -> cached<detail::NoDecorator<void>>;
cached(EntryOptions, detail::NotOneFunction)->cached<detail::NoDecorator<void>>;

namespace detail {
/// Wraps a function on cache_manager().
template <auto Function>
struct WrapOnGlobal {
  OptionalDuration ttl;
  std::string_view prefix;
  std::string_view name;
  CodePlace where;

  auto operator()() const {
    return cache_manager().cached<Function>({.ttl = ttl, .prefix = std::string(prefix), .name = std::string(name)},
                                            where);
  }
};
}  // namespace detail

/// A wrapper of `Function` on cache_manager(), made when it is first used: the manager may then be configured by what
/// main() did. At namespace scope, also in a header:
///     inline constexpr auto price = dsta::cache::lazy<fetch_price>(60s, "api");
/// `price("BTCUSDT")` calls it, and `price->refresh("BTCUSDT")` is a member of the wrapper. Unset, the ttl is the
/// default of the prefix or the manager, and the name is the function's. The texts must live as long as the program.
template <auto Function>
constexpr auto lazy(OptionalDuration ttl = {}, std::string_view prefix = {}, std::string_view name = {},
                    CodePlace where = CodePlace::current()) {
  return Lazy<detail::WrapOnGlobal<Function>>({ttl, prefix, name, where});
}
// What is written by mistake.
template <auto Function>
constexpr auto lazy(const EntryOptions&) {
  static_assert(detail::always_false<decltype(Function)>, DSTA_CACHE_NOT_LAZY);
  return detail::RefusedDecorator<std::decay_t<decltype(Function)>>();
}

}  // namespace v1
}  // namespace dsta::cache
