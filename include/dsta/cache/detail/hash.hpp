#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Drawn once per process, so that nobody outside can choose keys that collide.
extern const std::uint64_t kHashSeed;

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

/// 64 x 64 -> 128 bit product, folded: mixes every input bit into every output bit in one multiplication.
inline std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Hash of the in-process tables: fast, seeded, good for this process only. Never stored, never sent.
inline std::uint64_t hash_bytes(std::string_view text, std::uint64_t seed) {
  constexpr std::uint64_t kA = 0x9e3779b97f4a7c15, kB = 0xd1b54a32d192ed03, kC = 0x8bb84b93962eacc9;
  const char* p = text.data();
  std::size_t n = text.size();
  std::uint64_t state = seed ^ kA;
  for (; n > 16; p += 16, n -= 16) state = fold(load64(p) ^ kB, load64(p + 8) ^ state);
  std::uint64_t low = 0, high = 0;
  if (n >= 8) {
    low = load64(p);
    high = load64(p + n - 8);
  } else if (n >= 4) {
    low = load32(p);
    high = load32(p + n - 4);
  } else if (n > 0) {
    low = (static_cast<std::uint64_t>(static_cast<unsigned char>(p[0])) << 16) |
          (static_cast<std::uint64_t>(static_cast<unsigned char>(p[n >> 1])) << 8) |
          static_cast<unsigned char>(p[n - 1]);
  }
  return fold(fold(low ^ kB, high ^ state) ^ kC, text.size() ^ kA ^ seed);
}

/// 128 bits in hexadecimal, the same on every platform for ever: MurmurHash3 x64 128 (Austin Appleby, public domain),
/// seed 0. Ends the keys that are too long to be kept readable.
std::string stable_hash_hex(std::string_view text);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
