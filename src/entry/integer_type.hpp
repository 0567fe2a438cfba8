#pragma once
/// A 64-bit integer, above all a counter, that is asked for as another integer type.
#include <cstdint>
#include <string>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The type asked for can hold it.
inline bool serves_as_integer(const Node& node, const TypeOps& asked) {
  return asked.fits && node.type->same(kTypeOps<std::int64_t>) &&
         asked.fits(*static_cast<const std::int64_t*>(node.value()));
}

/// The entry itself, or one of the type asked for with the value of such an integer: for one call, kept nowhere.
inline NodeRef as_type(const KeyView& key, NodeRef node, const TypeOps& asked) {
  if (node->type->serves(asked)) return node;
  NodeRef converted = asked.decode(key, std::to_string(node.as<std::int64_t>()));
  converted->type = &asked;
  converted->created = node->created;
  converted->refresh_at = node->refresh_at;
  converted->fresh_until = node->fresh_until;
  converted->stale_until = node->stale_until;
  return converted;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
