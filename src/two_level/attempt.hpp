#pragma once
#include <exception>

#include "l2/values/l2_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a request to remove something comes to. Without memory nobody knows whether it was executed, and it is to be
/// confirmed later as after any other failure.
template <class Ask>
Done attempt(Ask ask) noexcept {
  try {
    return ask();
  } catch (const std::exception&) {
    return {Done::unknown, "there was no memory for it"};
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
