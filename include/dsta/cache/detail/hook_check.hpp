#pragma once
/// Whether a callable can be a wrapper's hook. Each check says in one sentence why not.
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/signature.hpp>
#include <dsta/cache/detail/wrapper.hpp>
#include <dsta/cache/duration.hpp>

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

/// A key builder can be called with these, which are values.
template <class Build, class Parameters>
inline constexpr bool kBuilds = false;
template <class Build, class... P>
inline constexpr bool kBuilds<Build, TypeList<P...>> = std::is_invocable_v<const Build&, const std::decay_t<P>&...>;

template <class F, class Build>
consteval bool check_key_builder() {
  if constexpr (!Signature<F>::known) {
    static_assert(always_false<Build>, "key_builder needs to know the parameter types: spell them out instead of auto");
    return false;
  } else {
    constexpr bool fits = kBuilds<Build, typename Signature<F>::Parameters>;
    static_assert(fits,
                  "key_builder takes a function of the wrapped function's parameters, in their order and of their "
                  "types: one that does not change the key is left unnamed");
    return fits;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
