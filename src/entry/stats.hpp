#pragma once
#include <dsta/cache/detail/counters.hpp>
#include <dsta/cache/stats.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What counters say; entries, bytes and what L2 counts are not among them.
CacheStats to_stats(const Totals& totals);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
