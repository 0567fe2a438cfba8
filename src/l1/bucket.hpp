#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>

#include <dsta/cache/detail/node.hpp>

#include "base/sanitizers.hpp"

#if defined(__SSE2__) && !DSTA_THREAD_SANITIZER
#define DSTA_BUCKET_SSE2 1
#include <emmintrin.h>
#endif

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Eight slots of the hash table: one cache line. A slot is one word, 16 bits of the hash beside a 48-bit pointer; 0
/// where there is no entry.
struct alignas(64) Bucket {
  using Slot = std::atomic<std::uint64_t>;
  static constexpr unsigned kSlots = 8;

  static Node* pointer(std::uint64_t word) { return reinterpret_cast<Node*>(word & 0x0000ffffffffffff); }
  static std::uint64_t word(const Node* node) {
    return (node->hash >> 48 << 48) | reinterpret_cast<std::uint64_t>(node);
  }

  Slot slots[kSlots] = {};

  unsigned used() const {
    return static_cast<unsigned>(
        std::ranges::count_if(slots, [](const Slot& slot) { return slot.load(std::memory_order_relaxed) != 0; }));
  }
  /// The first without an entry; there must be one.
  Slot& vacant() {
    return *std::ranges::find_if(slots, [](const Slot& slot) { return slot.load(std::memory_order_relaxed) == 0; });
  }
  /// Of any address.
  bool has(const Slot* slot) const {
    return (reinterpret_cast<std::uintptr_t>(slot) ^ reinterpret_cast<std::uintptr_t>(this)) < sizeof(Bucket);
  }

  /// A bit for each slot with the hash's upper 16 bits. That is only where to look: a slot may change meanwhile, or
  /// hold nothing. What is read later is not older than what was seen here.
  [[gnu::always_inline]] unsigned candidates(std::uint64_t hash) const {
#ifdef DSTA_BUCKET_SSE2
    // Not atomic by the language, but x86 reads each aligned eight bytes, one slot, at once, and more is not needed.
    const auto tag = _mm_set1_epi32(static_cast<int>(hash >> 48));
    const auto equal_words = _mm_packs_epi32(equal(slots, tag), equal(slots + kSlots / 2, tag));
    const auto found = static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(equal_words, _mm_setzero_si128())));
    std::atomic_thread_fence(std::memory_order_acquire);
#else
    unsigned found = 0;
    for (unsigned i = 0; i < kSlots; ++i) {
      found |= unsigned{(slots[i].load(std::memory_order_acquire) ^ hash) >> 48 == 0} << i;
    }
#endif
    return found;
  }

#ifdef DSTA_BUCKET_SSE2
 private:
  /// All bits of each of four words: that slot's upper 16 bits are `tag`. By floats, since their shuffle takes halves
  /// of two registers.
  [[gnu::always_inline]] static __m128i equal(const Slot* four, __m128i tag) {
    const auto* const halves = reinterpret_cast<const float*>(four);
    const auto upper = _mm_shuffle_ps(_mm_load_ps(halves), _mm_load_ps(halves + 4), _MM_SHUFFLE(3, 1, 3, 1));
    return _mm_cmpeq_epi32(_mm_srli_epi32(_mm_castps_si128(upper), 16), tag);
  }
#endif
};
#undef DSTA_BUCKET_SSE2

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
