#pragma once
#include <string>
#include <string_view>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The store's form of a key that is too long to be kept readable: its head, '#' and a 128-bit hash of it.
class StoredKey {
 public:
  /// `full` is over kReadableKeyBytes long, or spells a name that this makes; it outlives this.
  explicit StoredKey(std::string_view full);
  const KeyView& view() const { return view_; }

 private:
  KeyView view_;
  std::string shortened_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
