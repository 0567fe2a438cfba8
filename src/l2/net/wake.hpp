#pragma once
#include <atomic>
#include <cstdint>

#include "l2/net/stream.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A wake-up for the thread that polls `descriptor()`. Thread-safe, and cheap enough to be rung under a lock.
class Wake {
 public:
  Wake();
  void ring() const noexcept;
  void clear() const noexcept;
  int descriptor() const { return fd_.get(); }

 private:
  const Descriptor fd_;
};

/// What happens to the connections of a link, for a thread that must know at once. Thread-safe.
struct LinkWatch {
  /// Grows before any thread can see that a connection ended, so before any request can run on the next one.
  std::atomic<std::uint64_t> ends{0};
  Wake wake;

  void ended() noexcept {
    ends.fetch_add(1, std::memory_order_acq_rel);
    wake.ring();
  }
  void made() noexcept { wake.ring(); }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
