#include <dsta/cache/invalidator.hpp>

#include <fmt/format.h>

#include <dsta/cache/key_text.hpp>
#include <dsta/cache/manager.hpp>

namespace dsta::cache {
inline namespace v1 {

namespace {

/// A name as wrappers write it into keys.
std::string as_part(std::string_view name) {
  detail::KeyBuffer buffer;
  detail::append_text(buffer, name);
  return std::string(buffer.view());
}

/// The forms a name can have in a key: as given in manual keys, escaped in wrappers'.
std::vector<std::string> forms(std::string_view kind, std::string_view name) {
  if (name.empty()) throw KeyError(fmt::format("the {} to invalidate is empty", kind));
  std::vector<std::string> forms{glob_escape(name)};
  if (as_part(name) != name) forms.push_back(glob_escape(as_part(name)));
  return forms;
}

}  // namespace

std::size_t CacheInvalidator::invalidate_symbol_data(std::string_view symbol) {
  return invalidate_anywhere("symbol", symbol);
}

std::size_t CacheInvalidator::invalidate_exchange_data(std::string_view exchange) {
  return invalidate_anywhere("exchange", exchange);
}

std::size_t CacheInvalidator::invalidate_anywhere(std::string_view kind, std::string_view name) {
  const auto literal = forms(kind, name);
  cache_.invalidate_tag(fmt::format("{}:{}", kind, name));
  std::size_t removed = 0;
  for (const char* prefix : {"api", "db", "indicator"}) {
    if (cache_.core()->all_carry(prefix, kind)) continue;
    for (const std::string& form : literal) removed += cache_.delete_pattern(fmt::format("{}:*{}*", prefix, form));
  }
  return removed;
}

std::size_t CacheInvalidator::invalidate_user_session(std::string_view user_id) {
  auto literal = forms("user", user_id);
  // Wrappers of generic functions write a number with its type: 123(i32).
  if (user_id.find_first_not_of("-0123456789") == std::string_view::npos) {
    literal.push_back(fmt::format("{}([iu]*)", user_id));
  }
  cache_.invalidate_tag(fmt::format("user:{}", user_id));
  if (cache_.core()->all_carry("session", "user")) return 0;
  std::size_t removed = 0;
  for (const std::string& form : literal) {
    for (const char* pattern : {"session:{}", "session:{}:*", "session:*:{}", "session:*:{}:*"}) {
      removed += cache_.delete_pattern(fmt::format(fmt::runtime(pattern), form));
    }
  }
  return removed;
}

std::size_t CacheInvalidator::invalidate_pattern(std::string_view pattern) { return cache_.delete_pattern(pattern); }

}  // namespace v1
}  // namespace dsta::cache
