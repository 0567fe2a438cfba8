#pragma once
/// Which arguments a wrapper takes: those that its function takes, by implicit conversions alone, and text of any kind
/// where it takes a std::string.
#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <dsta/cache/detail/signature.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Text is as good as a std::string, although it does not convert to one.
template <class P, class Argument>
concept TakenAsText = std::same_as<owned_t<P>, std::string> && std::convertible_to<Argument, std::string_view>;

/// A key, a copy and a load can be made of the argument: it converts to the parameter, or is of its type.
template <class P, class Argument>
concept Converts = std::same_as<std::decay_t<P>, std::remove_cvref_t<Argument>> ||
                   std::is_convertible_v < const std::remove_reference_t<Argument>
&, std::decay_t < P >> || TakenAsText<P, const std::remove_reference_t<Argument>&>;

/// The load can keep it: an argument that cannot be copied is to be moved.
template <class P, class Argument>
concept CanBeKept =
    !std::same_as<std::decay_t<P>, std::remove_cvref_t<Argument>> || std::is_constructible_v<std::decay_t<P>, Argument>;

/// A call of the function itself takes it, too. A parameter T&& takes no lvalue.
template <class P, class Argument>
concept Fits = Converts<P, Argument> && CanBeKept<P, Argument> &&
    (std::is_convertible_v<Argument, P> || (!std::is_rvalue_reference_v<P> && TakenAsText<P, Argument>));

template <class Parameters, class Arguments>
inline constexpr bool kConvert = false;
template <class... P>
inline constexpr bool kConvert<TypeList<P...>, TypeList<>> = true;  // the others have defaults
template <class P, class... Ps, class A, class... As>
inline constexpr bool kConvert<TypeList<P, Ps...>, TypeList<A, As...>> =
    Converts<P, A>&& kConvert<TypeList<Ps...>, TypeList<As...>>;

template <class Parameters, class Arguments>
inline constexpr bool kFit = false;
template <class... P>
inline constexpr bool kFit<TypeList<P...>, TypeList<>> = true;
template <class P, class... Ps, class A, class... As>
inline constexpr bool kFit<TypeList<P, Ps...>, TypeList<A, As...>> =
    Fits<P, A>&& kFit<TypeList<Ps...>, TypeList<As...>>;

/// F takes its first N parameters alone: there are no others, or they have defaults.
template <class F, std::size_t N, class Parameters, class Taken = TypeList<>>
inline constexpr bool kTakesFirst = false;
template <class F, class... T>
inline constexpr bool kTakesFirst<F, 0, TypeList<>, TypeList<T...>> = true;
template <class F, class P, class... Ps, class... T>
inline constexpr bool kTakesFirst<F, 0, TypeList<P, Ps...>, TypeList<T...>> = std::is_invocable_v<F&, T...>;
template <class F, std::size_t N, class P, class... Ps, class... T>
  requires(N > 0)
inline constexpr bool kTakesFirst<F, N, TypeList<P, Ps...>, TypeList<T...>> =
    kTakesFirst<F, N - 1, TypeList<Ps...>, TypeList<T..., P>>;

/// F can be called with this many arguments, as far as is known.
template <class F, std::size_t N>
constexpr bool takes_number() {
  if constexpr (Signature<F>::known) {
    return kTakesFirst<F, N, typename Signature<F>::Parameters>;
  } else {
    return true;
  }
}

template <class F, class... Arguments>
constexpr bool takes() {
  if constexpr (Signature<F>::known) {
    return takes_number<F, sizeof...(Arguments)>() && kFit<typename Signature<F>::Parameters, TypeList<Arguments...>>;
  } else {
    return std::is_invocable_v<F&, const owned_t<Arguments>&...>;
  }
}
/// A call of the wrapper with these is valid.
template <class F, class... Arguments>
concept Takes = takes<F, Arguments...>();

/// The same for arguments that are copied first, so that a parameter T&& may be given an lvalue.
template <class F, class... Arguments>
constexpr bool takes_converted() {
  if constexpr (Signature<F>::known) {
    return takes_number<F, sizeof...(Arguments)>() &&
           kConvert<typename Signature<F>::Parameters, TypeList<Arguments...>>;
  } else {
    return Takes<F, Arguments...>;
  }
}

template <class F, std::size_t N>
concept WrongNumber = !takes_number<F, N>();

#define DSTA_CACHE_WRONG_NUMBER                                                                                    \
  "the function takes another number of arguments: pass all of them (a handle or function pointer has no default " \
  "arguments: wrap a lambda that has them)"
#define DSTA_CACHE_WRONG_TYPE                                                                                        \
  "an argument does not convert implicitly to its parameter: convert it where you call, and check the order of the " \
  "arguments"

/// Says in one sentence why a member of the wrapper cannot take these arguments; true when it can.
template <class F, class... Arguments>
consteval bool check_arguments() {
  if constexpr (WrongNumber<F, sizeof...(Arguments)>) {
    static_assert(always_false<F>, DSTA_CACHE_WRONG_NUMBER);
  } else if constexpr (!Signature<F>::known) {
    constexpr bool taken = Takes<F, Arguments...>;
    static_assert(taken, "the function cannot be called with these arguments: pass what it takes");
    return taken;
  } else if constexpr (!kConvert<typename Signature<F>::Parameters, TypeList<Arguments...>>) {
    static_assert(always_false<F>, DSTA_CACHE_WRONG_TYPE);
  } else {
    return true;
  }
  return false;
}

/// A value of the type that a refused call would have returned; never run, as what is refused does not compile.
template <class T>
T refused() {
  T (*none)() = nullptr;
  return none();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
