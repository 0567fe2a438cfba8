#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <dsta/cache/detail/hash.hpp>

#include "base/little_endian.hpp"

/// Stored bytes as nobody writes them, or nobody any more. They know the layout by docs/formats.md and not by the code.
namespace dsta::cache::testing_support {

inline std::string with_number(std::string bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

/// Bytes whose checksum is right although they are not what `encode` wrote.
inline std::string signed_again(std::string bytes) {
  bytes.resize(bytes.size() - 8);
  const auto hash = [](std::string_view part) { return detail::stable_hash(part).first; };
  const std::string_view all = bytes;
  const bool second_lease = all[3] == 2 && all[4] == 2;
  const std::uint64_t sum = second_lease ? hash(all.substr(0, 32)) ^ std::rotl(hash(all.substr(36)), 1) : hash(all);
  detail::append_little(bytes, sum);
  return bytes;
}

/// The same with the right size as well.
inline std::string sized_again(std::string bytes) {
  const std::size_t size = bytes.size();
  return signed_again(with_number(std::move(bytes), 8, 8, size));
}

/// What format version 1 had for a value, or for a lease that depends on nothing.
inline std::string as_first_version(std::string bytes) {
  const bool lease = bytes[4] == 2;
  bytes[3] = 1;
  if (lease) {
    bytes.erase(32, 5);  // holders, number of epochs
  } else {
    bytes.erase(16, 20);  // generation, order
  }
  return sized_again(std::move(bytes));
}

}  // namespace dsta::cache::testing_support
