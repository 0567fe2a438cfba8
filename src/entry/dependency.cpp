#include "entry/dependency.hpp"

#include <fmt/format.h>

#include <dsta/cache/detail/hash.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void TagName::shorten() noexcept {
  constexpr std::size_t kDigits = 32;
  const StableHash hash = stable_hash(name_);
  const std::size_t head = name_.copy(shortened_, sizeof shortened_ - kDigits - 1);
  fmt::format_to(shortened_ + head, "#{:016x}{:016x}", hash.first, hash.second);
  name_ = {shortened_, sizeof shortened_};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
