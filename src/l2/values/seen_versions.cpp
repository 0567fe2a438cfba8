#include "l2/values/seen_versions.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

const std::optional<Version>* Versions::find(std::string_view name) const {
  const auto known = known_.find(name);
  return known == known_.end() ? nullptr : &known->second;
}

const Version* Versions::there(std::string_view name) const {
  const auto* known = find(name);
  return known && *known ? &**known : nullptr;
}

std::uint64_t Versions::to_note(std::string_view name) const {
  const Version* const version = there(name);
  return version ? version->expired : 0;
}

void Versions::add(std::string_view name, std::optional<Version> version) {
  known_.insert_or_assign(std::string(name), version);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
