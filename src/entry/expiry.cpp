/// When an entry expires and when its refresh is due: ttl, jitter, refresh ahead, early refresh.
#include "entry/expiry.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/saturating_add.hpp"
#include "entry/entry.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// A part of a duration, or a multiple; what does not fit becomes the longest there is.
Duration share(Duration whole, double factor) {
  const double part = static_cast<double>(whole.count()) * factor;
  return part < 0x1p63 ? Duration(static_cast<Duration::rep>(part)) : Duration::max();
}

}  // namespace

std::string_view etag_of(const Node& node) noexcept {
  return node.extra ? std::string_view(node.extra->etag) : std::string_view();
}

void release_extra(NodeExtra* extra) noexcept { delete extra; }

Duration jittered(Duration ttl, double jitter, Random& random) {
  if (jitter <= 0 || ttl <= Duration::zero() || ttl == forever) return ttl;
  return std::max(ttl - share(ttl, jitter * random.fraction()), Duration(1));
}

bool set_expiry(Node& node, const EntryTerms& terms, Expiry how, TimePoint now, Random& random) {
  Duration ttl = how.ttl;
  if (ttl <= Duration::zero()) return false;
  ttl = jittered(ttl, terms.jitter, random);
  node.created = now;
  node.fresh_until = saturating_add(now, ttl);
  node.stale_until = saturating_add(node.fresh_until, terms.stale_for);
  node.refresh_at = node.fresh_until;
  if (ttl != forever) {
    if (terms.refresh_ahead > 0) node.refresh_at = saturating_add(now, share(ttl, terms.refresh_ahead));
    if (terms.xfetch > 0) {
      // Vattani, Chierichetti & Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (VLDB 2015). The random
      // gap is drawn once for the entry instead of at every read, which leaves the hit path alone. Half of the ttl is
      // kept, or a value that takes longer to load than it lives would be loaded all the time.
      const Duration gap = share(how.load_cost, terms.xfetch * -std::log(1 - random.fraction()));
      node.refresh_at = std::min(node.refresh_at, node.fresh_until - std::min(gap, ttl / 2));
    }
  }
  attach_metadata(node, std::move(how.tags), std::move(how.etag), terms.idle_ttl);
  return true;
}

void attach_metadata(Node& node, TagSet tags, std::string etag, Duration idle_ttl) {
  if (tags.empty() && etag.empty() && idle_ttl <= Duration::zero()) return;
  auto extra = std::make_unique<NodeExtra>();
  node.add_weight(allocation(sizeof(NodeExtra)) + allocation(tags.bytes()) + heap_size(etag));
  extra->tag_bytes = tags.own_bytes();
  extra->tags = std::move(tags);
  extra->etag = std::move(etag);
  extra->idle_ttl = idle_ttl;
  extra->last_read.store(node.created, std::memory_order_relaxed);
  node.extra = extra.release();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
