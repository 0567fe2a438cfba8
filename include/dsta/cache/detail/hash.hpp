#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Drawn once per process, so that nobody outside can choose keys that collide. Ready before any other global of the
/// program: a cache that is a global itself must not see it change.
struct HashSeed {
  HashSeed();
  std::uint64_t value;
};
extern const HashSeed kHashSeed;

inline std::uint64_t load64(const char* p) {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

inline std::uint64_t load32(const char* p) {
  std::uint32_t v;
  std::memcpy(&v, p, 4);
  return v;
}

/// The `n` < 8 bytes at `p` as a little-endian word, without touching a byte beyond them.
inline std::uint64_t load_partial(const char* p, std::size_t n) {
  if (n >= 4) return load32(p) | load32(p + n - 4) << (8 * (n - 4));
  if (n == 0) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(p[i])); };
  return byte(0) | byte(n >> 1) << (8 * (n >> 1)) | byte(n - 1) << (8 * (n - 1));
}

/// 64 x 64 -> 128 bit product, folded: mixes every input bit into every output bit in one multiplication.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Hash of the in-process tables: fast, seeded, good for this process only, never stored, never sent. Takes the text
/// eight bytes at a time, little-endian, the last word padded with zeros.
struct Hasher {
  static constexpr std::uint64_t kMultiplier = 0x9e3779b97f4a7c15, kFinal = 0xd1b54a32d192ed03;

  void add(std::uint64_t word) { state = fold(state ^ word, kMultiplier); }
  std::uint64_t finish(std::uint64_t last, std::size_t size) const {
    return fold(fold(state ^ last, kMultiplier) ^ size, kFinal ^ kHashSeed.value);
  }

  std::uint64_t state = kHashSeed.value;
};

[[gnu::always_inline]] inline std::uint64_t hash_bytes(std::string_view text) {
  Hasher hasher;
  const char* p = text.data();
  std::size_t n = text.size();
  for (; n >= 8; p += 8, n -= 8) hasher.add(load64(p));
  return hasher.finish(load_partial(p, n), text.size());
}

struct StableHash {
  std::uint64_t first, second;
};

/// The same on every platform for ever: MurmurHash3 x64 128 (Austin Appleby, public domain), seed 0.
StableHash stable_hash(std::string_view text);

/// stable_hash in hexadecimal. Ends the keys that are too long to be kept readable.
std::string stable_hash_hex(std::string_view text);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
