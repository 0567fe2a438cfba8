#pragma once
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct Identity;

/// Somebody else holds a reference meanwhile, or the table's lock.
void retain_identity(const Identity& identity) noexcept;
/// The last one lets the table forget the function.
void release_identity(const Identity& identity) noexcept;

/// A counted reference to an Identity: an entry or a load keeps the record of its function although the last wrapper is
/// gone. May be null. Copies are thread-safe as those of std::shared_ptr are.
class IdentityRef {
 public:
  IdentityRef() = default;
  IdentityRef(const Identity* identity) noexcept : identity_(identity) {
    if (identity_) retain_identity(*identity_);
  }
  IdentityRef(const IdentityRef& other) noexcept : IdentityRef(other.identity_) {}
  IdentityRef(IdentityRef&& other) noexcept : identity_(std::exchange(other.identity_, nullptr)) {}
  IdentityRef& operator=(IdentityRef other) noexcept {
    std::swap(identity_, other.identity_);
    return *this;
  }
  ~IdentityRef() {
    if (identity_) release_identity(*identity_);
  }

  operator const Identity*() const noexcept { return identity_; }
  const Identity* operator->() const noexcept { return identity_; }

 private:
  const Identity* identity_ = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
