#pragma once
/// One cache manager for the whole program, with the decorator form:
///     using dsta::cache::cached;
///     auto ticker = cached(60s, "api")(fetch_ticker);
#include <string>
#include <string_view>
#include <utility>

#include <dsta/cache/detail/refusal.hpp>
#include <dsta/cache/lazy.hpp>
#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {

/// The program's manager. The first call creates it from the environment (CacheManager::from_env). Destroyed at exit.
/// Throws ConfigError when the environment has a URL that is not valid. Plug-ins that hide their symbols share it.
/// Thread-safe.
CacheManager& cache_manager();

namespace detail {
struct OnGlobal;
}

/// `cached(ttl, prefix, name)`: a decorator on cache_manager().
template <>
class cached<detail::OnGlobal> {
 public:
  explicit cached(OptionalDuration ttl, std::string_view prefix = {}, std::string_view name = {}) {
    options_.ttl = ttl;
    options_.prefix = prefix;
    options_.name = name;
  }
  explicit cached(EntryOptions options) : options_(std::move(options)) {}

  template <class F>
  [[nodiscard]] auto operator()(F&& function, CodePlace where = CodePlace::current()) const {
    return cache_manager().cached(options_, std::forward<F>(function), where);
  }
  DSTA_CACHE_REFUSED(detail::Refused<void>, operator()(detail::NotOneFunction) const, DSTA_CACHE_OVERLOADED);

 private:
  EntryOptions options_;
};

template <class Rep, class Period>
explicit cached(std::chrono::duration<Rep, Period>) -> cached<detail::OnGlobal>;
template <class Ttl>
explicit cached(Ttl, std::string_view) -> cached<detail::OnGlobal>;
template <class Ttl>
explicit cached(Ttl, std::string_view, std::string_view) -> cached<detail::OnGlobal>;
cached(EntryOptions)->cached<detail::OnGlobal>;

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

}  // namespace v1
}  // namespace dsta::cache
