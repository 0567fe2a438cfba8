#include "entry/dependency.hpp"

#include <dsta/cache/detail/hash.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void TagName::shorten() noexcept {
  constexpr std::size_t kDigits = 32;
  const StableHash hash = stable_hash(name_);
  const std::size_t head = name_.copy(shortened_, sizeof shortened_ - kDigits - 1);
  shortened_[head] = '#';
  char* at = shortened_ + head + 1;
  for (const std::uint64_t half : {hash.first, hash.second}) {
    for (int bits = 60; bits >= 0; bits -= 4) *at++ = "0123456789abcdef"[half >> bits & 15];
  }
  name_ = {shortened_, sizeof shortened_};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
