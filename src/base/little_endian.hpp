#pragma once
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The number whose bytes stand at `p`, least significant first.
template <std::unsigned_integral T>
T read_little(const char* p) {
  T value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, p, sizeof value);
  } else {
    for (std::size_t i = sizeof value; i-- != 0;) value = static_cast<T>(value << 8 | static_cast<unsigned char>(p[i]));
  }
  return value;
}

template <std::unsigned_integral T>
void append_little(std::string& out, T value) {
  char bytes[sizeof value];
  for (std::size_t i = 0; i < sizeof value; ++i) bytes[i] = static_cast<char>(value >> (8 * i));
  out.append(bytes, sizeof bytes);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
