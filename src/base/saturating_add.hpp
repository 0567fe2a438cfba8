#pragma once
#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// `from` + `by`, at most the end of time.
inline TimePoint saturating_add(TimePoint from, Duration by) {
  return by >= TimePoint::max() - from ? TimePoint::max() : from + by;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
