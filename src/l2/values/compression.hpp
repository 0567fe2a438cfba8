#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "l2/values/decode_error.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether this build has zstd (the CMake option DSTA_CACHE_WITH_ZSTD).
extern const bool kHasZstd;

/// nullopt where it gains nothing: without zstd, or when the result would be no smaller.
std::optional<std::string> compress(std::string_view bytes);

/// The `size` bytes that `compressed` stands for. Refused before anything is allocated if that is more than `max_size`,
/// so that a few bytes in the server cannot take a process's memory.
std::variant<std::string, DecodeError> decompress(std::string_view compressed, std::uint64_t size,
                                                  std::size_t max_size);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
