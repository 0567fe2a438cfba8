#pragma once
/// One cache manager for the whole program, with the decorator form:
///     using dsta::cache::cached;
///     auto ticker = cached(60s, "api")(fetch_ticker);
#include <string_view>
#include <utility>

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
  auto operator()(F&& function, CodePlace where = CodePlace::current()) const {
    return cache_manager().cached(options_, std::forward<F>(function), where);
  }

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

}  // namespace v1
}  // namespace dsta::cache
