#include "l2/values/compression.hpp"

#ifdef DSTA_CACHE_WITH_ZSTD
#include <zstd.h>
#endif

namespace dsta::cache {
inline namespace v1 {
namespace detail {

#ifdef DSTA_CACHE_WITH_ZSTD

namespace {
// The fastest of zstd's regular levels: a cache compresses on the caller's time.
constexpr int kLevel = 1;
}  // namespace

const bool kHasZstd = true;

std::optional<std::string> compress(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  if (ZSTD_isError(size) || size >= bytes.size()) return std::nullopt;
  out.resize(size);
  return out;
}

std::variant<std::string, DecodeError> decompress(std::string_view compressed, std::uint64_t size,
                                                  std::size_t max_size) {
  if (size > max_size) return DecodeError::too_large;
  // Our frames say their size; one that disagrees is not decompressed at all.
  if (ZSTD_getFrameContentSize(compressed.data(), compressed.size()) != size) return DecodeError::corrupt;
  std::string out(static_cast<std::size_t>(size), '\0');
  const std::size_t written = ZSTD_decompress(out.data(), out.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(written) || written != out.size()) return DecodeError::corrupt;
  return out;
}

#else

const bool kHasZstd = false;

std::optional<std::string> compress(std::string_view) { return std::nullopt; }

std::variant<std::string, DecodeError> decompress(std::string_view, std::uint64_t size, std::size_t max_size) {
  return size > max_size ? DecodeError::too_large : DecodeError::needs_zstd;
}

#endif

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
