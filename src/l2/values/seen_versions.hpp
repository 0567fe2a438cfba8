#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "l2/values/versions.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Versions by dependency, as one operation sees them; the epoch's name is "".
class Versions {
 public:
  /// Null: not looked at yet. An empty one: looked at, and it is missing.
  const std::optional<Version>* find(std::string_view name) const;
  /// Null: not looked at yet, or missing.
  const Version* there(std::string_view name) const;
  void add(std::string_view name, std::optional<Version> version);
  /// What an entry or a lease notes of it; 0, which never counts, when it is missing.
  std::uint64_t to_note(std::string_view name) const;

 private:
  std::map<std::string, std::optional<Version>, std::less<>> known_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
