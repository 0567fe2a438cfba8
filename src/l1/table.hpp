#pragma once
#include <atomic>
#include <bit>
#include <cassert>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include <dsta/cache/detail/node.hpp>

#include "l1/bucket.hpp"
#include "l1/hazard.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A hash table of node pointers. Written under the shard's lock, read without it (by `read`).
///
/// A bucket is one cache line of eight words: 16 bits of the hash beside a 48-bit pointer, so that a miss touches no
/// node and a hit touches one. A key has two buckets. It goes to the first until that is half full, so that most hits
/// look at one bucket, and then to the emptier. So about three quarters of the slots are in use before a key finds both
/// of its buckets full; then the table doubles.
///
/// Invariants:
///  - a node is in one slot, of one of its two buckets in the array in use;
///  - an array that was outgrown is empty: a reader that is still in one looks again in the one in use;
///  - outgrown arrays are kept until the table is destroyed; together they are smaller than the one in use.
///
/// After Azar, Broder, Karlin & Upfal, "Balanced Allocations" (the power of two choices), STOC '94,
/// https://doi.org/10.1145/195058.195412.
class Table {
 public:
  Table() { use(std::make_unique<Array>(kSmallest)); }

  template <class Match>
  Node* find(std::uint64_t hash, Match&& match) const {
    const Array& array = *current_.load(std::memory_order_relaxed);
    for (const std::size_t index : {array.first(hash), array.second(hash)}) {
      const Bucket& bucket = array.buckets[index];
      for (unsigned left = bucket.candidates(hash); left != 0; left &= left - 1) {
        Node* node = Bucket::pointer(bucket.slots[std::countr_zero(left)].load(std::memory_order_relaxed));
        if (node && node->hash == hash && match(*node)) return node;
      }
    }
    return nullptr;
  }

  /// Without the lock: calls `use(node)` with the matching node, which cannot be freed meanwhile. False: none matches.
  template <class Match, class Use>
  [[gnu::always_inline]] bool read(ThreadRecord& record, std::uint64_t hash, Match&& match, Use&& use) const {
    auto packed = packed_.load(std::memory_order_acquire);
    for (;;) {
      if (read_bucket(record, bucket(packed, first_bits(hash)), hash, match, use)) [[likely]]
        return true;
      if (read_bucket(record, bucket(packed, second_bits(hash)), hash, match, use)) return true;
      // An array that was outgrown meanwhile is empty: look in its successor.
      const auto now = packed_.load(std::memory_order_acquire);
      if (now == packed) return false;
      packed = now;
    }
  }

  /// `node` must not be in the table. False: there is no room for it, and no memory for more, or more would not help:
  /// what has the same hash has the same buckets, however many there are.
  bool insert(Node* node) noexcept {
    constexpr std::size_t kEmptiest = 16;
    while (!place(*current_.load(std::memory_order_relaxed), node)) {
      if (size_ * kEmptiest < capacity()) return false;
      try {
        grow();
      } catch (const std::bad_alloc&) {
        return false;
      }
    }
    ++size_;
    return true;
  }

  void remove(const Node* node) {
    assert(slot_of(node));
    slot_of(node)->store(0, std::memory_order_release);
    --size_;
  }

  void clear() noexcept {
    const Array& array = *current_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i <= array.mask; ++i) {
      for (Slot& slot : array.buckets[i].slots) slot.store(0, std::memory_order_release);
    }
    size_ = 0;
  }

  /// Puts `node` where `old`, of the same hash, is.
  void replace(const Node* old, Node* node) { slot_of(old)->store(Bucket::word(node), std::memory_order_release); }

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return bytes_; }
  std::size_t capacity() const { return (current_.load(std::memory_order_relaxed)->mask + 1) * Bucket::kSlots; }

  /// `visit` may remove the node that it is given.
  template <class Visit>
  void each(Visit&& visit) const {
    const Array& array = *current_.load(std::memory_order_relaxed);
    for (std::size_t i = 0; i <= array.mask; ++i) {
      for (const Slot& slot : array.buckets[i].slots) {
        if (const std::uint64_t held = slot.load(std::memory_order_relaxed); held != 0) visit(*Bucket::pointer(held));
      }
    }
  }

 private:
  using Slot = Bucket::Slot;
  static constexpr std::size_t kSmallest = 8;
  // The low bits choose the shard and the high 16 are the tag: a key's two buckets use what lies between.
  static std::uint64_t first_bits(std::uint64_t hash) { return hash >> 8; }
  static std::uint64_t second_bits(std::uint64_t hash) { return hash >> 28; }
  struct Array {
    explicit Array(std::size_t count) : mask(count - 1), buckets(std::make_unique<Bucket[]>(count)) {}
    std::size_t first(std::uint64_t hash) const { return first_bits(hash) & mask; }
    std::size_t second(std::uint64_t hash) const { return second_bits(hash) & mask; }

    const std::size_t mask;
    const std::unique_ptr<Bucket[]> buckets;
  };

  template <class Match, class Use>
  [[gnu::always_inline]] static bool read_bucket(ThreadRecord& record, const Bucket& bucket, std::uint64_t hash,
                                                 Match&& match, Use&& use) {
    // The slot of the thread's last hit is tried first where it is in this bucket. Where one key is read over and over
    // that branch is predicted, and the slot's address is known before the comparison of all eight is done.
    const Slot* slot = record.last_slot;
    bool guessed = bucket.has(slot);
    unsigned left = guessed ? 1 : bucket.candidates(hash);
    for (;;) {
      if (!guessed) {
        if (left == 0) return false;
        slot = &bucket.slots[std::countr_zero(left)];
      }
      std::uint64_t held = slot->load(std::memory_order_acquire);
      while ((held ^ hash) >> 48 == 0 && held != 0) {
        Node* node = Bucket::pointer(held);
        // The key and the value lie behind the header: have them on their way before the header is there.
        __builtin_prefetch(node + 1);
        __builtin_prefetch(reinterpret_cast<const char*>(node + 1) + 64);
        if (!Hazards::protect(record, node, *slot, held)) [[unlikely]] {
          held = slot->load(std::memory_order_acquire);
          continue;
        }
        const Hazards::Release release(record);
        if (node->hash == hash && match(*node)) [[likely]] {
          record.last_slot = slot;
          return use(*node), true;
        }
        break;
      }
      left = guessed ? bucket.candidates(hash) : left & (left - 1);
      guessed = false;
    }
  }

  Slot* slot_of(const Node* node) const {
    const Array& array = *current_.load(std::memory_order_relaxed);
    for (const std::size_t index : {array.first(node->hash), array.second(node->hash)}) {
      for (Slot& slot : array.buckets[index].slots) {
        if (slot.load(std::memory_order_relaxed) == Bucket::word(node)) return &slot;
      }
    }
    return nullptr;
  }

  static bool place(const Array& array, const Node* node) {
    Bucket& a = array.buckets[array.first(node->hash)];
    Bucket& b = array.buckets[array.second(node->hash)];
    const unsigned used_a = a.used(), used_b = b.used();
    if (used_a == Bucket::kSlots && used_b == Bucket::kSlots) return false;
    Bucket& chosen = used_a < Bucket::kSlots / 2 || used_a <= used_b ? a : b;
    chosen.vacant().store(Bucket::word(node), std::memory_order_release);
    return true;
  }

  void grow() {
    const Array& outgrown = *current_.load(std::memory_order_relaxed);
    for (std::size_t count = (outgrown.mask + 1) * 2;; count *= 2) {
      auto bigger = std::make_unique<Array>(count);
      bool placed = true;
      each([&](Node& node) { placed = placed && place(*bigger, &node); });
      if (!placed) continue;
      arrays_.reserve(arrays_.size() + 1);  // from here on nothing fails: the new array is in use
      use(std::move(bigger));
      // Whoever still reads there must not find what is removed later: a reader checks its slot after announcing.
      for (std::size_t i = 0; i <= outgrown.mask; ++i) {
        for (Slot& slot : outgrown.buckets[i].slots) slot.store(0, std::memory_order_release);
      }
      return;
    }
  }

  void use(std::unique_ptr<Array> array) {
    bytes_ += (array->mask + 1) * sizeof(Bucket);
    current_.store(array.get(), std::memory_order_relaxed);
    packed_.store(reinterpret_cast<Packed>(array->buckets.get()) | static_cast<Packed>(std::countr_one(array->mask)),
                  std::memory_order_release);
    arrays_.push_back(std::move(array));
  }

  /// The array in use as one word: its buckets' address, which ends in six zeros, and there the number of bits of its
  /// mask. Readers so come to their bucket by one load.
  using Packed = std::uintptr_t;
  static const Bucket& bucket(Packed packed, std::uint64_t hash_bits) {
    const std::uint64_t mask = (std::uint64_t{1} << (packed & 63)) - 1;
    return reinterpret_cast<const Bucket*>(packed & ~Packed{63})[hash_bits & mask];
  }

  std::atomic<Packed> packed_{0};
  std::atomic<const Array*> current_{nullptr};
  std::vector<std::unique_ptr<Array>> arrays_;
  std::size_t size_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
