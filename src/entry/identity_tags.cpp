/// Which kinds of tags all entries under a prefix carry, so that an invalidation by tag reaches all of them.
#include <algorithm>
#include <utility>

#include "entry/identity_function.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// True when `text` is `prefix`, or begins with it and a colon.
bool is_under(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) && (text.size() == prefix.size() || text[prefix.size()] == ':');
}

}  // namespace

bool IdentityTable::note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain) {
  std::vector<std::string> kinds;
  for (const std::string& tag : tags) {
    // Only `kind:{N}` is the tag that is invalidated by name, and only where the argument is spelled as the name is.
    const std::size_t colon = tag.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view rest = std::string_view(tag).substr(colon + 1);
    if (rest.size() != 3 || rest[0] != '{' || rest[1] < '0' || rest[1] > '9' || rest[2] != '}') continue;
    if (plain >> (rest[1] - '0') & 1) kinds.push_back(tag.substr(0, colon));
  }
  std::vector<std::string> sorted = tags;
  std::ranges::sort(sorted);
  auto& function = const_cast<Function&>(static_cast<const Function&>(identity));
  const MutexLock lock(mutex_);
  if (!function.tags_noted) {
    function.tag_kinds = std::move(kinds);
    function.tags = std::move(sorted);
    function.tags_noted = true;
    return false;
  }
  const bool differ = function.tags != sorted || function.mixed_tags.load(std::memory_order_relaxed);
  const bool alone = function.wrappers == 1;
  function.mixed_tags.store(differ && !alone, std::memory_order_relaxed);
  keep_common(function.tag_kinds, kinds);
  function.tags = std::move(sorted);
  return differ && alone;
}

bool IdentityTable::all_carry(std::string_view prefix, std::string_view kind) const {
  const MutexLock lock(mutex_);
  const auto lacks = [&](const auto& function) { return !contains(function->second->tag_kinds, kind); };
  // Keys of a function without prefix and name may begin with anything.
  if (const auto nameless = functions_.find(""); nameless != functions_.end() && lacks(nameless)) return false;
  for (auto it = functions_.lower_bound(prefix); it != functions_.end() && it->first.starts_with(prefix); ++it) {
    if (is_under(it->first, prefix) && lacks(it)) return false;
  }
  for (const auto& identity : manual_) {
    const bool may_hold = identity->prefix.empty() || is_under(identity->prefix, prefix);
    if (may_hold && identity->written_by_hand.load(std::memory_order_acquire)) return false;
  }
  if (other_.written_by_hand.load(std::memory_order_acquire)) return false;
  // A forgotten function of a shorter prefix may have had a name that makes it one of these.
  const auto forgotten_lacks = [&](const Line& line) { return line.forgot && !contains(line.tag_kinds, kind); };
  for (const auto& [text, line] : lines_) {
    if ((text.empty() || is_under(text, prefix) || is_under(prefix, text)) && forgotten_lacks(*line)) return false;
  }
  return !forgotten_lacks(other_line_);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
