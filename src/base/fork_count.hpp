#pragma once
#include <cstdint>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How often this process has been forked off since the first call: a child's count differs from its parent's.
/// Thread-safe.
std::uint32_t fork_count() noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
