#pragma once
#include <cstddef>
#include <string_view>
#include <utility>

#include <dsta/cache/detail/call_key.hpp>
#include <dsta/cache/detail/takes.hpp>
#include <dsta/cache/detail/wrapper.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Removes and fences the function's entries whose key is `key` or goes on behind it with further arguments. Returns
/// how many there were.
std::size_t erase_leading(Core& core, std::string_view key, Identity& function);

/// Throws ConfigError.
[[noreturn]] void refuse_built_keys(const Identity& function);

template <class F, class... Leading>
consteval bool leading_fit() {
  if constexpr (!Signature<F>::known) {
    return true;
  } else if constexpr (sizeof...(Leading) > hooks_t<F>::arity) {
    static_assert(always_false<F>,
                  "invalidate_matching takes the function's first arguments, and these are more than it has");
    return false;
  } else {
    constexpr bool fits = kConvert<typename Signature<F>::Parameters, TypeList<const Leading&...>>;
    static_assert(fits, DSTA_CACHE_WRONG_TYPE);
    return fits;
  }
}

/// The same for the arguments that such a key begins with.
template <class F, class... Leading>
std::size_t erase_leading(const state_t<F>& state, const Leading&... leading) {
  if constexpr (leading_fit<F, Leading...>()) {
    if constexpr (Signature<F>::known) {
      if (state.build_key) refuse_built_keys(*state.identity);
    }
    KeyBuffer key(sizeof...(Leading) == 0 ? state.head : state.open_head);
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (append_call_part<F, parameter_t<F, I, Leading>, I == 0>(key, leading), ...);
    }
    (std::index_sequence_for<Leading...>{});
    return erase_leading(*state.core, key.view(), *state.identity);
  } else {
    return 0;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
