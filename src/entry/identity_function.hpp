#pragma once
#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/weigh.hpp>

#include "entry/identities.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What the table knows of a wrapped function beside its identity. The table's mutex guards it.
struct IdentityTable::Function final : Identity {
  IdentityTable* table = nullptr;
  Functions::iterator place = {};
  Line* line = nullptr;
  FunctionMark mark = {};
  std::size_t wrappers = 0;
  std::size_t bytes = 0;               ///< what it takes while it has no wrapper
  std::vector<std::string> tag_kinds;  ///< of the tags `kind:{N}` that every wrapper of it names
  std::vector<std::string> tags;       ///< that its latest wrapper names, sorted
  bool tags_noted = false;
  bool taken_over = false;  ///< from another function, whose values are not cleared yet
  bool idle = false;        ///< on the list of those that nothing refers to
  Function* older = nullptr;
  Function* newer = nullptr;

  std::size_t weight() const {
    constexpr std::size_t kLinks = 4 * sizeof(void*);
    return allocation(sizeof(Function)) + allocation(kLinks + sizeof(Functions::value_type)) + heap_size(place->first) +
           heap_size(prefix) + heap_size(name) + heap_size(mark.state) + heap_size(tag_kinds) + heap_size(tags);
  }
};

inline bool contains(const std::vector<std::string>& kinds, std::string_view kind) {
  return std::ranges::find(kinds, kind) != kinds.end();
}

/// Leaves of `kinds` those that are in `others`, too.
inline void keep_common(std::vector<std::string>& kinds, const std::vector<std::string>& others) noexcept {
  std::erase_if(kinds, [&](const auto& kind) { return !contains(others, kind); });
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
