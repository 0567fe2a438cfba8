#pragma once
#include <type_traits>

#include <dsta/cache/detail/signature.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How a parameter is taken in braces: without a copy.
template <class P>
using braced_t = std::conditional_t<std::is_rvalue_reference_v<P>, P, const std::decay_t<P>&>;

/// The call operator for arguments in braces, `sum({1, 2})`: a template deduces nothing from them. Other arguments
/// choose it only where it is as good.
template <class Wrapper, class F>
struct BracedCall {
  struct None {};
  void operator()(None, None) const = delete;  // unknown parameters: there is nothing that braces could become
};

template <class Wrapper, class R, class Parameters>
struct BracedCallOf;
template <class Wrapper, class R, class... P>
struct BracedCallOf<Wrapper, R, TypeList<P...>> {
  [[gnu::always_inline]] R operator()(braced_t<P>... arguments) const
      requires(std::is_constructible_v<std::decay_t<P>, braced_t<P>>&&...) {
    return static_cast<const Wrapper&>(*this).template operator()<braced_t<P>...>(
        static_cast<braced_t<P>>(arguments)...);
  }
};
template <class Wrapper, class F>
requires Signature<F>::known struct BracedCall<Wrapper, F>
    : BracedCallOf<Wrapper, std::remove_cvref_t<typename Signature<F>::Result>, typename Signature<F>::Parameters> {
  using BracedCallOf<Wrapper, std::remove_cvref_t<typename Signature<F>::Result>,
                     typename Signature<F>::Parameters>::operator();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
