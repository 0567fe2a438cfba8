#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <new>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How often a key was seen lately, roughly: a count-min sketch (Cormode & Muthukrishnan, 2005) of 4-bit counters, four
/// per key, that is halved as it fills so that old favourites fade (Einziger, Friedman & Manes, "TinyLFU", 2017).
/// One thread.
class Sketch {
 public:
  /// Sizes it for so many entries; what was counted is forgotten. Without memory it stays, and is less exact.
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
