#pragma once
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Reads the digits at the start of [at, end) and returns where they end, `at` when there are none; null when the
/// number is larger than `out` can be. As std::from_chars, which takes ten times as long for the numbers of a reply.
inline const char* parse_digits(const char* at, const char* end, std::uint64_t& out) {
  constexpr std::ptrdiff_t kAlwaysFit = 19;
  const char* const begin = at;
  std::uint64_t number = 0;
  const char* const limit = end - begin > kAlwaysFit ? begin + kAlwaysFit : end;
  for (; at != limit && *at >= '0' && *at <= '9'; ++at) number = 10 * number + static_cast<std::uint64_t>(*at - '0');
  if (at != end && at == limit) {
    const auto [stop, error] = std::from_chars(begin, end, out);
    return error == std::errc{} ? stop : nullptr;
  }
  if (at != begin) out = number;
  return at;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
