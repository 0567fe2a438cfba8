#pragma once
#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <new>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How often a key was seen lately, estimated. One thread.
///
/// Idea: a count-min sketch of 4-bit counters, four per key, of which the least is the estimate. All are halved when
/// the additions reach ten per entry, so that keys that were popular long ago fade.
///
/// Invariants: an estimate is at least the number of additions since they were halved last (as long as that is below
/// 15), since keys that share counters only raise it; the number of words is a power of two.
/// Cost: 8 bytes for two entries; a halving passes over all of it, once in ten additions per entry.
///
/// After Cormode & Muthukrishnan, "An improved data stream summary: the count-min sketch and its applications", J.
/// Algorithms 55(1), 2005, https://doi.org/10.1016/j.jalgor.2003.12.001; the halving after TinyLFU (see policy.hpp).
class Sketch {
 public:
  /// Sizes it for so many entries; the counts are forgotten. Without memory it stays as it is, and is less exact.
  void resize(std::size_t entries) noexcept {
    try {
      std::vector<std::uint64_t>(std::bit_ceil(std::max<std::size_t>(entries, 64)) / 2).swap(words_);
      additions_ = 0;
    } catch (const std::bad_alloc&) {
    }
  }

  void add(std::uint64_t hash) {
    bool added = false;
    for (unsigned i = 0; i < 4; ++i) {
      auto [word, shift] = counter(hash, i);
      if ((*word >> shift & 15) < 15) *word += std::uint64_t{1} << shift, added = true;
    }
    if (added && ++additions_ >= words_.size() * 2 * 10) halve();
  }

  unsigned estimate(std::uint64_t hash) {
    unsigned least = 15;
    for (unsigned i = 0; i < 4; ++i) {
      const auto [word, shift] = counter(hash, i);
      least = std::min(least, static_cast<unsigned>(*word >> shift & 15));
    }
    return least;
  }

  std::size_t bytes() const { return words_.size() * sizeof(std::uint64_t); }

 private:
  struct Counter {
    std::uint64_t* word;
    unsigned shift;
  };
  Counter counter(std::uint64_t hash, unsigned i) {
    constexpr std::uint64_t kOdd[] = {0xc3a5c85c97cb3127, 0xb492b66fbe98f273, 0x9ae16a3b2f90404f, 0xcbf29ce484222325};
    assert(std::has_single_bit(words_.size()));
    const std::uint64_t mixed = (hash + kOdd[i]) * kOdd[i];
    return {&words_[(mixed >> 20) & (words_.size() - 1)], static_cast<unsigned>(mixed >> 60) * 4};
  }
  void halve() {
    for (auto& word : words_) word = word >> 1 & 0x7777777777777777;
    additions_ /= 2;
  }

  std::vector<std::uint64_t> words_ = std::vector<std::uint64_t>(32);
  std::size_t additions_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
