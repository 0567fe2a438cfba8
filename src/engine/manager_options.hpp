#pragma once
#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Throws ConfigError for what cannot be; fills in the default clock and what the URL says.
ManagerOptions checked(ManagerOptions options);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
