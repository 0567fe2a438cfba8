#pragma once
/// Whether a callable can be a wrapper's hook. Each check says in one sentence why not.
#include <cstddef>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A hook that asks the value: `Answer hook(const R&)`.
template <class F, class Call, class Answer>
constexpr bool answers() {
  if constexpr (Signature<F>::known) {
    return std::is_invocable_r_v<Answer, Call&, const typename hooks_t<F>::R&>;
  } else {
    return false;
  }
}

/// Hooks are read without a lock, so one cannot be set where another copy or a load may read it. Throws ConfigError.
template <class State>
void check_unshared(const std::shared_ptr<State>& state) {
  if (state.use_count() != 1) {
    throw ConfigError(
        "a hook is chained where the wrapper is made, before it is copied or called: auto f = cache.cached(options, "
        "function).condition(keep)");
  }
}

template <class F, class Keep>
consteval bool check_condition() {
  if constexpr (!Signature<F>::known) {
    static_assert(always_false<Keep>,
                  "condition needs to know the result type: spell the function's parameters out instead of auto");
    return false;
  } else {
    constexpr bool fits = answers<F, Keep, bool>();
    static_assert(
        fits,
        "condition takes a predicate of the function's result: [](const R& result) { return ...; } where R is "
        "what the function returns");
    return fits;
  }
}

template <class F, class TtlOf>
consteval bool check_adaptive_ttl() {
  if constexpr (!Signature<F>::known) {
    static_assert(always_false<TtlOf>,
                  "adaptive_ttl needs to know the result type: spell the function's parameters out instead of auto");
    return false;
  } else {
    constexpr bool fits = answers<F, TtlOf, OptionalDuration>();
    static_assert(fits,
                  "adaptive_ttl takes a function from the result to a std::chrono duration: [](const R& result) { "
                  "return 30s; } where R is what the function returns");
    return fits;
  }
}

template <class F, class TagsOf>
consteval bool check_adaptive_tags() {
  if constexpr (!Signature<F>::known) {
    static_assert(always_false<TagsOf>,
                  "adaptive_tags needs to know the result type: spell the function's parameters out instead of auto");
    return false;
  } else {
    constexpr bool fits = answers<F, TagsOf, std::vector<std::string>>();
    static_assert(fits,
                  "adaptive_tags takes a function from the result to a std::vector<std::string>: [](const R& result) { "
                  "return ...; } where R is what the function returns");
    return fits;
  }
}

template <class F, class Load>
consteval bool check_bulk_loader() {
  if constexpr (!Signature<F>::known) {
    static_assert(always_false<Load>, "bulk_loader needs to know the parameter types: spell them out instead of auto");
    return false;
  } else {
    constexpr bool fits = std::is_invocable_v<const Load&, const std::vector<typename hooks_t<F>::Item>&>;
    static_assert(fits,
                  "bulk_loader takes a function of the missing arguments: [](const std::vector<A>& arguments) where A "
                  "is the function's argument, or a std::tuple of all of them");
    return fits;
  }
}

/// How many of the first parameters a key builder takes: as many as it can. -1: none of these lists.
template <class Build, class Taken, class Open>
inline constexpr int kBuilderTakes = -1;
template <class Build, class... Taken>
inline constexpr int kBuilderTakes<Build, TypeList<Taken...>, TypeList<>> =
    std::is_invocable_v<const Build&, const Taken&...> ? static_cast<int>(sizeof...(Taken)) : -1;
template <class Build, class... Taken, class Next, class... Open>
inline constexpr int kBuilderTakes<Build, TypeList<Taken...>, TypeList<Next, Open...>> = [] {
  constexpr int kMore = kBuilderTakes<Build, TypeList<Taken..., Next>, TypeList<Open...>>;
  return kMore >= 0 ? kMore : kBuilderTakes<Build, TypeList<Taken...>, TypeList<>>;
}();
template <class Build, class F>
inline constexpr int kBuilderTakesOf = -1;
template <class Build, class R, class... P>
inline constexpr int kBuilderTakesOf<Build, R(P...)> = kBuilderTakes<Build, TypeList<>, TypeList<P...>>;

/// `build` with the arguments of a call, whose addresses these are.
template <class... P, class Build, std::size_t... I>
decltype(auto) build_with(const Build& build, TypeList<P...>, std::index_sequence<I...>,
                          [[maybe_unused]] const void* const* arguments) {
  using Parameters = std::tuple<P...>;
  return build(*static_cast<const std::tuple_element_t<I, Parameters>*>(arguments[I])...);
}

template <class F, class Build>
consteval bool check_key_builder() {
  if constexpr (!Signature<F>::known) {
    static_assert(always_false<Build>, "key_builder needs to know the parameter types: spell them out instead of auto");
    return false;
  } else {
    constexpr bool fits = kBuilderTakesOf<Build, canonical_t<F>> >= 0;
    static_assert(
        fits,
        "key_builder takes a function of the wrapped function's parameters, or of the first of them, in their "
        "order and of their types");
    return fits;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
