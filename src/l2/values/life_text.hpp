#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// As PX takes it: whole milliseconds, at least one.
inline std::string milliseconds(Duration life) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(life).count()));
}

/// As the scripts take it: 0 is for ever.
inline std::string life_or_zero(Duration life) { return life <= Duration::zero() ? "0" : milliseconds(life); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
