#pragma once
#include <cstdint>
#include <memory>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// How often this process has been forked off since the first call: a child's count differs from its parent's.
/// Thread-safe.
std::uint32_t fork_count() noexcept;

/// In the child of a fork: what belongs to threads that are not here can be neither used nor destroyed, so it is left
/// as it is.
template <class T>
void leave_to_parent(std::unique_ptr<T>& owned) noexcept {
  static_cast<void>(owned.release());
}
template <class T>
void leave_to_parent(std::shared_ptr<T>& shared) {
  if (shared) new std::shared_ptr<T>(std::move(shared));
}
/// The same, with one of the child's own in its place, which is made first: without memory for it nothing changes.
template <class Pointer>
void replace_in_child(Pointer& owned, Pointer made) {
  leave_to_parent(owned);
  owned = std::move(made);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
