#pragma once
#include <string>

#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/detail/node.hpp>

#include "base/random.hpp"
#include "entry/tags.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What an entry is given beside its terms.
struct Expiry {
  Duration ttl{};
  TagSet tags = {};
  std::string etag = {};
  Duration load_cost{};
};

/// A ttl, shortened at random by a fraction of up to `jitter`.
Duration jittered(Duration ttl, double jitter, Random& random);

/// Fills in times, tags and weight of an entry that is made at `now`. False: the ttl says not to store.
bool set_expiry(Node& node, const EntryTerms& terms, Expiry how, TimePoint now, Random& random);

/// Tags, an etag and an idle ttl, for those that have any.
void attach_metadata(Node& node, TagSet tags, std::string etag, Duration idle_ttl);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
