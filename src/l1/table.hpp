#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A hash table of node pointers. One thread (the shard's lock).
///
/// A bucket is one cache line of eight words: 16 bits of the hash beside a 48-bit pointer, so that a miss touches no
/// node and a hit touches one. A key has two buckets and goes to the emptier ("power of two choices", Azar et al.,
/// STOC '94), which keeps tables of eight-slot buckets near 90 % full before the first overflow; then it doubles.
class Table {
 public:
  Table() : buckets_(kSmallest) {}

  template <class Match>
  Node* find(std::uint64_t hash, Match&& match) const {
    const std::uint64_t tag = hash >> 48;
    for (const std::size_t index : {first(hash), second(hash)}) {
      for (const std::uint64_t slot : buckets_[index].slots) {
        if (slot >> 48 == tag && slot != 0) {
          Node* node = pointer(slot);
          if (node->hash == hash && match(*node)) return node;
        }
      }
    }
    return nullptr;
  }

  /// `node` must not be in the table.
  void insert(Node* node) {
    while (!place(node)) grow();
    ++size_;
  }

  void remove(const Node* node) {
    *slot_of(node) = 0;
    --size_;
  }

  /// Puts `node` where `old`, of the same hash, is.
  void replace(const Node* old, Node* node) { *slot_of(old) = word(node); }

  std::size_t size() const { return size_; }
  std::size_t bytes() const { return buckets_.size() * sizeof(Bucket); }
  std::size_t capacity() const { return buckets_.size() * 8; }

  template <class Visit>
  void each(Visit&& visit) const {
    for (const Bucket& bucket : buckets_) {
      for (const std::uint64_t slot : bucket.slots) {
        if (slot != 0) visit(*pointer(slot));
      }
    }
  }

 private:
  static constexpr std::size_t kSmallest = 8;
  struct alignas(64) Bucket {
    std::uint64_t slots[8] = {};
  };

  static Node* pointer(std::uint64_t slot) { return reinterpret_cast<Node*>(slot & 0x0000ffffffffffff); }
  static std::uint64_t word(const Node* node) {
    return (node->hash >> 48 << 48) | reinterpret_cast<std::uint64_t>(node);
  }
  // The low bits choose the shard and the high 16 are the tag: these two use what lies between.
  std::size_t first(std::uint64_t hash) const { return (hash >> 8) & (buckets_.size() - 1); }
  std::size_t second(std::uint64_t hash) const { return (hash >> 28) & (buckets_.size() - 1); }

  std::uint64_t* slot_of(const Node* node) {
    for (const std::size_t index : {first(node->hash), second(node->hash)}) {
      for (std::uint64_t& slot : buckets_[index].slots) {
        if (slot == word(node)) return &slot;
      }
    }
    return nullptr;
  }

  bool place(Node* node) {
    Bucket& a = buckets_[first(node->hash)];
    Bucket& b = buckets_[second(node->hash)];
    const auto free_a = std::ranges::count(a.slots, std::uint64_t{0});
    const auto free_b = std::ranges::count(b.slots, std::uint64_t{0});
    if (free_a == 0 && free_b == 0) return false;
    *std::ranges::find(free_a >= free_b ? a.slots : b.slots, std::uint64_t{0}) = word(node);
    return true;
  }

  void grow() {
    for (std::size_t count = buckets_.size() * 2;; count *= 2) {
      std::vector<Bucket> old(count);
      old.swap(buckets_);
      bool placed = true;
      for (const Bucket& bucket : old) {
        for (const std::uint64_t slot : bucket.slots) placed = placed && (slot == 0 || place(pointer(slot)));
      }
      if (placed) return;
      buckets_ = std::move(old);
    }
  }

  std::vector<Bucket> buckets_;
  std::size_t size_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
