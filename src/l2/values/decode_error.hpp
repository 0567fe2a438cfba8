#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Why stored bytes are not used. Every one is a miss; docs/formats.md says what each means and what to do.
enum class DecodeError {
  not_an_envelope,  ///< other software's value, a counter, or nothing
  newer_version,    ///< written by a later version of this library
  truncated,        ///< fewer bytes than announced
  corrupt,          ///< the checksum does not match, or the payload cannot be decompressed
  other_kind,       ///< a lease where a value is asked for, or a value where a lease is
  other_key,        ///< stored for another key
  malformed,        ///< whole, but not as version 1 writes it; bytes after the end
  needs_zstd,       ///< compressed, and this build has no zstd
  too_large,        ///< would decompress to more than allowed
};

/// As in logs and metrics.
constexpr std::string_view decode_error_name(DecodeError decode_error) {
  switch (decode_error) {
    case DecodeError::not_an_envelope:
      return "not_an_envelope";
    case DecodeError::newer_version:
      return "newer_version";
    case DecodeError::truncated:
      return "truncated";
    case DecodeError::corrupt:
      return "corrupt";
    case DecodeError::other_kind:
      return "other_kind";
    case DecodeError::other_key:
      return "other_key";
    case DecodeError::malformed:
      return "malformed";
    case DecodeError::needs_zstd:
      return "needs_zstd";
    case DecodeError::too_large:
      return "too_large";
  }
  return "unknown";
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
