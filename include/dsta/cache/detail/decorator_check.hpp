#pragma once
/// Which arguments make a decorator, `cached(60s, prefix, name)`, and what stands for one that was written wrong.
#include <concepts>
#include <string_view>
#include <type_traits>

#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/wrap_check.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/fwd.hpp>
#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class F>
F wrapped_by(const cached<F>&);
/// `cached(wrapper)` is a copy.
template <class T>
concept IsWrapper = requires(const T& value) {
  wrapped_by(value);
};

template <class T>
concept IsText = std::convertible_to<const T&, std::string_view>;
/// A bare number is none either, but has a sentence of its own.
template <class T>
concept IsTtl = std::convertible_to<const T&, OptionalDuration> || std::is_arithmetic_v<T>;
template <class T>
concept StartsDecorator = IsTtl<T> || std::convertible_to<const T&, EntryOptions>;

template <class... Arguments>
inline constexpr bool kMakesDecorator = false;
template <StartsDecorator T>
inline constexpr bool kMakesDecorator<T> = true;
template <IsTtl Ttl, IsText Prefix>
inline constexpr bool kMakesDecorator<Ttl, Prefix> = true;
template <IsTtl Ttl, IsText Prefix, IsText Name>
inline constexpr bool kMakesDecorator<Ttl, Prefix, Name> = true;

/// The function among the arguments of a call that was written wrong: the last one that can be a function.
template <class Found, class... Rest>
struct FunctionAmong {
  using type = Found;
};
template <class Found, class Next, class... Rest>
struct FunctionAmong<Found, Next, Rest...>
    : FunctionAmong<std::conditional_t<Signature<std::decay_t<Next>>::known, std::decay_t<Next>, Found>, Rest...> {};

template <class... Arguments>
using function_among_t = typename FunctionAmong<void, Arguments...>::type;

/// `cached(function)`, `cached(prefix)`, `cached(60s, function)`, `cached(60s, prefix, function)`.
template <class... Arguments>
inline constexpr bool kFunctionMisplaced = false;
template <class T>
inline constexpr bool kFunctionMisplaced<T> = !StartsDecorator<T>;
template <IsTtl Ttl, class T>
inline constexpr bool kFunctionMisplaced<Ttl, T> = !IsText<T>;
template <IsTtl Ttl, IsText Prefix, class T>
inline constexpr bool kFunctionMisplaced<Ttl, Prefix, T> = !IsText<T>;
template <IsTtl Ttl, IsText Prefix, IsText Name, class T>
inline constexpr bool kFunctionMisplaced<Ttl, Prefix, Name, T> = true;
template <class... Arguments>
concept FunctionMisplaced = kFunctionMisplaced<Arguments...>;

/// Stands in for a decorator: what it is called with is the function, unless that was among its arguments.
template <class Function>
struct RefusedDecorator : Refused<Function> {
  template <class... Arguments>
  constexpr auto operator()(const Arguments&... arguments) const {
    if constexpr (sizeof...(Arguments) == 1 && !Signature<Function>::known) {
      return RefusedDecorator<function_among_t<Arguments...>>();
    } else {
      return Refused<Function>::operator()(arguments...);
    }
  }
  /// Of a lazy wrapper.
  constexpr const RefusedDecorator* operator->() const { return this; }
  constexpr const RefusedDecorator& operator*() const { return *this; }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache

#define DSTA_CACHE_NO_DECORATOR                                                                             \
  "the function goes into a second pair of parentheses, after the ttl or the options: cached(60s, prefix, " \
  "name)(function) or cached({.ttl = 60s})(function)"
#define DSTA_CACHE_NOT_LAZY                                                                                       \
  "the function goes into angle brackets, lazy<function>(60s, prefix, name); with other options write lazy([] { " \
  "return cache_manager().cached({.ttl = 60s}, function); })"
