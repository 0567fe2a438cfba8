#pragma once
#include <exception>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What increment may end in.
std::exception_ptr no_integer(const KeyView& key);
std::exception_ptr leaves_range(const KeyView& key);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
