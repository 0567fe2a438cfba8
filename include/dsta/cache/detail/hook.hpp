#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include <dsta/cache/detail/shared_block.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A callable given to a wrapper, without its type; false when none was given. std::function would cost every wrapped
/// function a set of instantiations for hooks that it does not have.
template <class Signature>
class Hook;
template <class R, class... Arguments>
class Hook<R(Arguments...)> {
 public:
  template <class Callable>
  void set(Callable callable) {
    if constexpr (requires { callable == nullptr; }) {
      if (callable == nullptr) return;
    }
    target_ = make_block<Callable, void>(std::move(callable));
    call_ = [](void* target, Arguments... arguments) -> R {
      return std::invoke(*static_cast<Callable*>(target), std::forward<Arguments>(arguments)...);
    };
  }
  explicit operator bool() const { return call_ != nullptr; }
  R operator()(Arguments... arguments) const { return call_(target_.get(), std::forward<Arguments>(arguments)...); }

 private:
  std::shared_ptr<void> target_;
  R (*call_)(void* target, Arguments... arguments) = nullptr;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
