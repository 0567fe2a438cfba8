#include <dsta/cache/detail/hash.hpp>

#include <fmt/format.h>

#include <bit>

#include "base/little_endian.hpp"
#include "base/random_word.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr std::uint64_t finish(std::uint64_t k) {
  k = (k ^ k >> 33) * 0xff51afd7ed558ccd;
  k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53;
  return k ^ k >> 33;
}

}  // namespace

HashSeed::HashSeed() : value(random_word()) {}

__attribute__((init_priority(101))) const HashSeed kHashSeed;

StableHash stable_hash(std::string_view text) {
  constexpr std::uint64_t c1 = 0x87c37b91114253d5, c2 = 0x4cf5ad432745937f;
  const auto word = read_little<std::uint64_t>;
  const auto mix1 = [](std::uint64_t k) { return std::rotl(k * c1, 31) * c2; };
  const auto mix2 = [](std::uint64_t k) { return std::rotl(k * c2, 33) * c1; };
  std::uint64_t h1 = 0, h2 = 0;
  const char* p = text.data();
  std::size_t n = text.size();
  for (; n >= 16; p += 16, n -= 16) {
    h1 = (std::rotl(h1 ^ mix1(word(p)), 27) + h2) * 5 + 0x52dce729;
    h2 = (std::rotl(h2 ^ mix2(word(p + 8)), 31) + h1) * 5 + 0x38495ab5;
  }
  char tail[16] = {};
  if (n > 0) std::memcpy(tail, p, n);
  if (n > 8) h2 ^= mix2(word(tail + 8));
  if (n > 0) h1 ^= mix1(word(tail));
  h1 ^= text.size();
  h2 ^= text.size();
  h1 += h2;
  h2 += h1;
  h1 = finish(h1);
  h2 = finish(h2);
  h1 += h2;
  h2 += h1;
  return {h1, h2};
}

std::string stable_hash_hex(std::string_view text) {
  const StableHash hash = stable_hash(text);
  return fmt::format("{:016x}{:016x}", hash.first, hash.second);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
