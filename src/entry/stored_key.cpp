#include <dsta/cache/detail/stored_key.hpp>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

StoredKey::StoredKey(std::string_view full) {
  static_assert(kReadableKeyBytes % 8 == 0, "a shortened key needs no padding");
  const std::string hash = stable_hash_hex(full);
  shortened_.append(full.substr(0, kReadableKeyBytes - hash.size() - 1)).append("#").append(hash);
  view_ = {shortened_, full, hash_bytes(shortened_)};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
