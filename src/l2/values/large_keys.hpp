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
/// A key that is not known holds up others once. Of two keys that share a place the later one is known. One that is
/// known in error costs its reader nothing but the other connection.
class LargeKeys {
 public:
  static constexpr std::size_t kPlaces = 1024;

  /// False: know() is false of all. One load, as most programs have no large values.
  bool any() const noexcept { return any_.load(std::memory_order_relaxed); }
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
      place.store(hash, std::memory_order_relaxed);
      any_.store(true, std::memory_order_relaxed);
    } else {
      place.compare_exchange_strong(hash, 0, std::memory_order_relaxed);
    }
  }

 private:
  /// Never 0.
  static std::uint64_t hash_of(std::string_view key) noexcept { return hash_bytes(key) | 1; }

  static std::size_t place_of(std::uint64_t hash) noexcept { return (hash >> 1) % kPlaces; }

  std::atomic<bool> any_{false};
  std::array<std::atomic<std::uint64_t>, kPlaces> places_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
