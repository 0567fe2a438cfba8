#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <dsta/cache/fwd.hpp>

namespace dsta::cache {
inline namespace v1 {

class CacheManager;

/// Invalidation in the words of the trade. Thread-safe; the manager must outlive it. Symbols, exchanges and user ids
/// are literal, never patterns. Throws KeyError when the name is empty.
///
/// Each call invalidates a tag and removes by pattern. Where every function under a prefix names the tag
/// (`.tags = {"symbol:{0}"}`, the argument being text or an integer) and nothing was stored there by hand, the tag says
/// it all: no pattern is looked for under that prefix, and the call costs the same however many entries there are. Each
/// call returns how many keys its patterns removed; what the tag invalidated is not counted, since that takes no walk
/// over the entries.
class CacheInvalidator {
 public:
  explicit CacheInvalidator(CacheManager& cache) : cache_(cache) {}

  /// The tag `symbol:S`, and every key under `api:`, `db:` and `indicator:` that has S in it.
  std::size_t invalidate_symbol_data(std::string_view symbol);
  /// The tag `exchange:E`, and every key under `api:`, `db:` and `indicator:` that has E in it.
  std::size_t invalidate_exchange_data(std::string_view exchange);
  /// The tag `user:ID`, and every key under `session:` of which a whole part is ID: 123 never touches user 1234.
  std::size_t invalidate_user_session(std::string_view user_id);
  template <std::integral Id>
  std::size_t invalidate_user_session(Id user_id) {
    return invalidate_user_session(std::string_view(std::to_string(user_id)));
  }
  /// Every key that matches the glob: CacheManager::delete_pattern.
  std::size_t invalidate_pattern(std::string_view pattern);

 private:
  std::size_t invalidate_anywhere(std::string_view kind, std::string_view name);

  CacheManager& cache_;
};

}  // namespace v1
}  // namespace dsta::cache
