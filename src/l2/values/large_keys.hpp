#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <dsta/cache/detail/hash.hpp>

#include "l2/net/buffer_limits.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Keys at the server that had large values when they were last read or written here. How large a value is shows only
/// when it comes; so it is read over a connection for large values if it was large before. Thread-safe.
///
/// A key that is not known holds up others once, also where its value never comes whole: what was on its way when its
/// reader left, or the connection ended, counts. Of two keys that share a place the later one is known. One that is
/// known in error costs its reader nothing but the other connection, and the next read corrects it.
class LargeKeys {
 public:
  static constexpr std::size_t kPlaces = 1024;

  /// False: know() is false of all. One load, as most programs have no large values.
  bool any() const noexcept { return known_.load(std::memory_order_relaxed) != 0; }
  bool know(std::string_view key) const noexcept {
    const std::uint64_t hash = hash_of(key);
    return places_[place_of(hash)].load(std::memory_order_relaxed) == hash;
  }
  /// So many bytes stand there.
  void note(std::string_view key, std::size_t bytes) noexcept {
    const bool large = bytes >= kLargeValue;
    if (!large && !any()) [[likely]]
      return;
    std::uint64_t hash = hash_of(key);
    auto& place = places_[place_of(hash)];
    if (large) {
      if (place.exchange(hash, std::memory_order_relaxed) == 0) known_.fetch_add(1, std::memory_order_relaxed);
    } else if (place.compare_exchange_strong(hash, 0, std::memory_order_relaxed)) {
      known_.fetch_sub(1, std::memory_order_relaxed);
    }
  }

 private:
  /// Never 0.
  static std::uint64_t hash_of(std::string_view key) noexcept { return hash_bytes(key) | 1; }

  static std::size_t place_of(std::uint64_t hash) noexcept { return (hash >> 1) % kPlaces; }

  std::atomic<std::int32_t> known_{0};
  std::array<std::atomic<std::uint64_t>, kPlaces> places_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
