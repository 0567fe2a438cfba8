#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <dsta/cache/fwd.hpp>

namespace dsta::cache {
inline namespace v1 {

class CacheManager;

struct InvalidatorOptions {
  /// A promise: whatever any process of this space caches under `api:`, `db:`, `indicator:` and `session:` carries the
  /// tags `symbol:…`, `exchange:…`, `user:…` of all the names that it is to be invalidated by. Then no key is looked
  /// for and each call costs the same however many entries there are.
  bool tags_only = false;
};

/// Invalidation in the words of the trade. Thread-safe; the manager must outlive it. Symbols, exchanges and user ids
/// are literal, never patterns. Throws KeyError when the name is empty.
///
/// A name removes the keys of which it is a whole part. Parts stand between ':', and in the lists, optionals and
/// variants that wrapped functions write; there the name may be escaped. ETH is a part of `api:ticker:ETH`, and none of
/// `api:ticker:METHUSDT` nor of `api:ticker_ETH`. Keys of wrapped functions over kReadableKeyBytes that are at a server
/// are removed whenever they begin with the prefix, since their parts are not known there.
///
/// Each call invalidates a tag and removes by key. Without a server no key is looked for under a prefix where every
/// function names the tag (`.tags = {"symbol:{0}"}`, the argument being text or an integer) and nothing was stored by
/// hand. With one, what this process wraps says nothing of what others cached, so keys are looked for unless
/// `tags_only` promises that none need be. Each call returns how many keys it removed; what the tag invalidated is not
/// counted, since that takes no walk over the entries.
class CacheInvalidator {
 public:
  explicit CacheInvalidator(CacheManager& cache, InvalidatorOptions options = {}) : cache_(cache), options_(options) {}

  /// The tag `symbol:S`, and every key under `api:`, `db:` and `indicator:` of which a whole part is S.
  std::size_t invalidate_symbol_data(std::string_view symbol);
  /// The tag `exchange:E`, and every key under the same three of which a whole part is E.
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
  std::size_t invalidate(std::string_view kind, std::string_view name,
                         std::initializer_list<std::string_view> prefixes);

  CacheManager& cache_;
  InvalidatorOptions options_;
};

}  // namespace v1
}  // namespace dsta::cache
