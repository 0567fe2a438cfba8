#pragma once
#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Reads `options.url`: empty, or `memory:` with options such as `memory:?max_bytes=64MiB&default_ttl=300s`. Throws
/// ConfigError that names what it does not know (never a password: anything before an '@' is left out).
void apply_memory_url(ManagerOptions& options);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
