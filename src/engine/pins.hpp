#pragma once
#include <array>
#include <cstddef>
#include <memory>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Reference counts to one object for threads that take and drop references all the time: each has a count on a cache
/// line of its own, which a few threads share. A stripe's references together hold one ordinary reference.
///
/// Invariant: until `release` each stripe holds the object, so take() finds all of them; after it take() may find a
/// stripe that is gone. take() is thread-safe.
template <class T>
class Pins {
 public:
  /// Throws std::bad_alloc; then there are no stripes.
  explicit Pins(const std::shared_ptr<T>& object) {
    for (std::size_t i = 0; i < kStripes; ++i) {
      held_[i] = std::make_shared<Stripe>(object);
      stripes_[i] = held_[i];
    }
  }
  Pins(const Pins&) = delete;
  Pins& operator=(const Pins&) = delete;

  /// Null when this stripe is gone.
  std::shared_ptr<T> take(std::size_t thread) const noexcept {
    std::shared_ptr<Stripe> stripe = stripes_[thread % kStripes].lock();
    if (!stripe) return nullptr;
    T* const object = stripe->object.get();
    return std::shared_ptr<T>(std::move(stripe), object);
  }
  /// The object lives on only as long as there are references. One thread, once; take() may run meanwhile.
  void release() noexcept {
    for (auto& stripe : held_) stripe.reset();
  }

 private:
  static constexpr std::size_t kStripes = 16;
  /// The counts stand before it, in the same block: the alignment keeps those of two stripes apart.
  struct alignas(64) Stripe {
    explicit Stripe(const std::shared_ptr<T>& held) : object(held) {}
    const std::shared_ptr<T> object;
  };
  std::array<std::weak_ptr<Stripe>, kStripes> stripes_;
  std::array<std::shared_ptr<Stripe>, kStripes> held_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
