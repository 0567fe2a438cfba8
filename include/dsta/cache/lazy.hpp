#pragma once
/// A wrapper at namespace scope, made when it is first used: see `lazy`. global.hpp has the form `lazy<function>(60s,
/// "api")` on the program's manager.
#include <atomic>
#include <concepts>
#include <cstddef>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

#include <dsta/cache/cached.hpp>
#include <dsta/cache/detail/braced_call.hpp>
#include <dsta/cache/detail/decorator_check.hpp>
#include <dsta/cache/detail/refusal.hpp>
#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/takes.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace detail {

/// What can be said of a lazy wrapper without making it.
template <class Wrapper>
struct LazyWrapper {
  template <std::size_t>
  static constexpr bool wrong_number = false;
  template <class>
  static constexpr bool is_handle = false;
};
template <class F>
struct LazyWrapper<cached<F>> {
  template <std::size_t N>
  static constexpr bool wrong_number = WrongNumber<F, N>;
  template <class Handle>
  static constexpr bool is_handle = HandleOf<Handle, F>;
};

template <class Wrapper>
struct LazyResult {
  using type = void;
};
template <class Wrapper>
requires Signature<Wrapper>::known struct LazyResult<Wrapper> {
  using type = typename Signature<Wrapper>::Result;
};

}  // namespace detail

/// What `lazy` returns: call it like the function; `*` and `->` give the wrapper. Thread-safe. Each use may throw what
/// making the wrapper throws (ConfigError); the next use then tries again. The wrapper lives as long as the process.
///
/// It works where a function works: std::jthread, std::bind_front, std::function, ranges. Such a copy refers to the
/// same wrapper, which copying makes. It converts to the handles that the wrapper converts to.
template <class Make>
class Lazy : public detail::BracedCall<Lazy<Make>, std::invoke_result_t<const Make&>> {
  using Result = typename detail::LazyResult<std::invoke_result_t<const Make&>>::type;

 public:
  /// What is made, usually a `cached`.
  using Wrapper = std::invoke_result_t<const Make&>;

  /// For `lazy`.
  constexpr explicit Lazy(Make make) : make_(std::move(make)) {}
  Lazy(const Lazy& other) : make_(other.make_), made_(&*other) {}
  Lazy& operator=(const Lazy&) = delete;

  /// Calls the wrapper.
  template <class... Arguments>
    requires std::invocable<const Wrapper&, Arguments...> std::invoke_result_t<const Wrapper&, Arguments...>
  operator()(Arguments&&... arguments) const { return (**this)(std::forward<Arguments>(arguments)...); }
  /// Arguments in braces.
  using detail::BracedCall<Lazy<Make>, std::invoke_result_t<const Make&>>::operator();
  // What else is written by mistake.
  template <class... Arguments>
  DSTA_CACHE_REFUSED(Result, operator()(Arguments&&...) const, DSTA_CACHE_WRONG_TYPE);
  template <class... Arguments>
    requires(detail::LazyWrapper<Wrapper>::template wrong_number<sizeof...(Arguments)>)
  DSTA_CACHE_REFUSED(Result, operator()(Arguments&&...) const, DSTA_CACHE_WRONG_NUMBER);

  /// A handle of the wrapper.
  template <class Handle>
    requires(detail::LazyWrapper<Wrapper>::template is_handle<Handle>)
  operator cached<Handle>() const { return **this; }
  DSTA_CACHE_REFUSED_CONSTRUCTOR((detail::Erased<Handle> && !detail::LazyWrapper<Wrapper>::template is_handle<Handle>),
                                 operator cached<Handle>() const, DSTA_CACHE_ANOTHER_SIGNATURE, class Handle);

  /// The wrapper.
  const Wrapper& operator*() const {
    const Wrapper* const made = made_.load(std::memory_order_acquire);
    return made ? *made : first();
  }
  /// For the wrapper's members: `price->refresh("BTCUSDT")`.
  const Wrapper* operator->() const { return &**this; }

 private:
  [[gnu::noinline]] const Wrapper& first() const {
    // Not std::call_once: where ThreadSanitizer replaces it, it does not come back from an exception.
    const std::lock_guard<std::mutex> lock(making_);
    const Wrapper* made = made_.load(std::memory_order_relaxed);
    if (!made) {
      made = new Wrapper(make_());
      made_.store(made, std::memory_order_release);
    }
    return *made;
  }

  Make make_;
  // A constant that has these is initialized by the compiler, and no order of initialization matters.
  mutable std::mutex making_;
  mutable std::atomic<const Wrapper*> made_{nullptr};
};

/// A wrapper at namespace scope, made by `make()` when it is first used. In a header, for all files that include it:
///     inline constexpr auto price = dsta::cache::lazy([] { return my_cache().cached({.ttl = 60s}, fetch_price); });
template <class Make, class... None>
constexpr auto lazy(Make make, const None&...) {
  // Not DSTA_CACHE_REFUSED: the value of a constant must be one.
  constexpr bool made = sizeof...(None) == 0 && std::invocable<const Make&>;
  static_assert(made, DSTA_CACHE_NOT_LAZY);
  if constexpr (made) {
    return Lazy<Make>(std::move(make));
  } else {
    return detail::RefusedDecorator<detail::function_among_t<Make, None...>>();
  }
}

}  // namespace v1
}  // namespace dsta::cache
