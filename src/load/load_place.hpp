#pragma once
#include "load/admission.hpp"
#include "load/load_scope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The place that loads of one prefix need, for as long as they look for what to load: taken when it turns out that
/// something must be loaded, handed to the load. A load inside a load of the same prefix runs in the outer one's place.
/// One thread.
class LoadPlace {
 public:
  /// `admission` null: there is no limit.
  explicit LoadPlace(Admission* admission)
      : admission_(admission && !LoadScope::holds_place(*admission) ? admission : nullptr) {}
  ~LoadPlace() { give_up(); }
  LoadPlace(const LoadPlace&) = delete;
  LoadPlace& operator=(const LoadPlace&) = delete;

  /// Whether it has one, or needs none.
  bool has() const { return held_ || !admission_; }
  /// False: none is free.
  bool try_hold() {
    if (admission_ && !held_) held_ = admission_->try_enter();
    return has();
  }
  /// Waits for one. False: the queue is full.
  bool wait() {
    if (try_hold()) return true;
    const PlacesLent lent;
    return held_ = admission_->enter();
  }
  void give_up() noexcept {
    if (std::exchange(held_, false)) admission_->leave();
  }
  /// Null when none is needed. Whoever takes it leaves it.
  Admission* take() noexcept { return std::exchange(held_, false) ? admission_ : nullptr; }

 private:
  Admission* const admission_;
  bool held_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
