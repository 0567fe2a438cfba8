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

/// What holds for all calls of one invalidator. A plain value.
struct InvalidatorOptions {
  /// Your promise that tags are complete: every entry that any process of this space caches under `api:`, `db:`,
  /// `indicator:` and `session:` carries the tags `symbol:…`, `exchange:…`, `user:…` of all names that invalidate it.
  /// Then no keys are searched, and the cost of a call does not depend on the number of entries. Default false.
  bool tags_only = false;
};

/// Invalidation by symbol, exchange and user. Thread-safe. The manager must outlive it. Symbols, exchanges and user ids
/// are literal, never patterns. Every call throws KeyError when the name is empty.
///
/// A name removes the keys that have it as a whole part. Parts are separated by ':', and by the delimiters of the
/// lists, optionals and variants in keys of wrapped functions; there the name may be escaped. ETH is a part of
/// `api:ticker:ETH`, but not of `api:ticker:METHUSDT` or `api:ticker_ETH`. Keys of wrapped functions over
/// kReadableKeyBytes at a server are removed whenever they begin with the prefix, because their parts are not known
/// there.
///
/// Each call invalidates a tag and removes by key. Without a server, the search for keys is skipped under a prefix if
/// every function names the tag (`.tags = {"symbol:{0}"}`, where the argument is text or an integer) and nothing was
/// stored by hand. With a server, a process does not know what others cached, so keys are searched unless `tags_only`
/// is set. Each call returns the number of keys that it removed. Entries that only the tag invalidated are not counted.
class CacheInvalidator {
 public:
  /// Invalidates in this manager.
  explicit CacheInvalidator(CacheManager& cache, InvalidatorOptions options = {}) : cache_(cache), options_(options) {}

  /// Invalidates the tag `symbol:S`, and every key under `api:`, `db:` and `indicator:` that has S as a whole part.
  std::size_t invalidate_symbol_data(std::string_view symbol);
  /// Invalidates the tag `exchange:E`, and every key under the same three prefixes that has E as a whole part.
  std::size_t invalidate_exchange_data(std::string_view exchange);
  /// Invalidates the tag `user:ID`, and every key under `session:` that has ID as a whole part: 123 never affects user
  /// 1234.
  std::size_t invalidate_user_session(std::string_view user_id);
  /// The same for an id that is a number.
  template <std::integral Id>
  std::size_t invalidate_user_session(Id user_id) {
    return invalidate_user_session(std::string_view(std::to_string(user_id)));
  }
  /// Removes every key that matches the glob: CacheManager::delete_pattern. Throws PatternError.
  std::size_t invalidate_pattern(std::string_view pattern);

 private:
  std::size_t invalidate(std::string_view kind, std::string_view name,
                         std::initializer_list<std::string_view> prefixes);

  CacheManager& cache_;
  InvalidatorOptions options_;
};

}  // namespace v1
}  // namespace dsta::cache
