#pragma once
#include <array>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Names a lease. The value that is stored under it has its name too, and so has every value that a refresh puts in the
/// place of that one: as long as the name stays, nothing was invalidated. A value that was set has a new name.
using LeaseToken = std::array<char, 16>;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
