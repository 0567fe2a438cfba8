/// After a load: what is to become of what it brought, in L1 and for those who wait.
#include <algorithm>

#include <dsta/cache/key.hpp>

#include "base/saturating_add.hpp"
#include "entry/entry.hpp"
#include "entry/expiry.hpp"
#include "load/load_runner.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Prepared LoadRunner::prepare(Flight& flight, const LoadSpec& spec, Loaded& loaded, Duration took) {
  Counters& counters = spec.identity->counters;
  const EntryTerms& terms = *spec.terms;
  Prepared prepared;
  try {
    // What a value that is handed on was tagged with when it was loaded.
    const TagSet* kept_tags = loaded.kept && loaded.kept->extra ? &loaded.kept->extra->tags : nullptr;
    if (loaded.node) {
      Node& node = *loaded.node;
      if (spec.identity->function) node.identity = spec.identity;  // else it is like what was set by hand
      node.sequence = flight.sequence;
      node.shared = levels_.used_by(terms) && spec.type->shareable;
      std::vector<std::string> names = flight.tag_names;
      names.insert(names.end(), loaded.tags.begin(), loaded.tags.end());
      TagSet tags = context_.tags.find(names);
      if (kept_tags) tags.join(*kept_tags);
      prepared.invalidated = tags.invalidated() > flight.sequence;
      prepared.valid_before = valid_before(flight, loaded);
      const bool too_long = flight.full.size() > kMaxKeyBytes;
      if (too_long) counters.add(Count::rejected);
      if (loaded.store && !loaded.skipped && !too_long &&
          set_expiry(node, terms, {ttl_of(loaded, terms), std::move(tags), std::move(loaded.etag), took},
                     context_.now(), context_.random)) {
        prepared.landing.replace_by = loaded.node;
      }
    }
    // That there is no value is an answer, too, and may be out of date.
    const bool answered = loaded.node || (!loaded.error && !loaded.skipped);
    prepared.invalidated = answered && (prepared.invalidated || flight.is_invalidated());
    prepared.wanted = prepared.landing.replace_by || (prepared.invalidated && loaded.node);
    prepared.negative = loaded.negative;
    if (prepared.invalidated) {
      prepared.landing.replace_by.reset();
    } else if (loaded.error || loaded.skipped) {
      prepared.landing.retry_after = saturating_add(context_.now(), terms.refresh_backoff);
    } else {
      prepared.landing.remove = !prepared.landing.replace_by;
    }
  } catch (...) {  // no memory: it must land all the same, or its callers would wait for ever
    loaded.error = std::current_exception();
    loaded.node.reset();
    prepared = Prepared();
  }
  return prepared;
}

void LoadRunner::land(Flight& flight, const LoadSpec& spec, Loaded loaded, Prepared prepared) {
  context_.probes.at(Probes::Point::before_l1_store, flight.name);
  try {
    publish(flight, spec, loaded, prepared);
  } catch (...) {  // no memory
    loaded.error = std::current_exception();
    loaded.node.reset();
    context_.store.land(flight, {}, context_.now());
  }
  context_.probes.at(Probes::Point::after_store, flight.name);
  flight.finish([&] {
    flight.value = std::move(loaded.node);
    flight.error = std::move(loaded.error);
    flight.valid_before = prepared.valid_before;
  });
}

void LoadRunner::publish(Flight& flight, const LoadSpec& spec, const Loaded& loaded, Prepared& prepared) {
  Counters& counters = spec.identity->counters;
  const bool stored_there = prepared.landing.replace_by && prepared.landing.replace_by->shared;
  switch (context_.store.land(flight, std::move(prepared.landing), context_.now())) {
    case Store::Published::stored:
      counters.add(Count::sets);
      break;
    case Store::Published::refused:
      counters.add(stored_there ? Count::sets : Count::rejected);
      break;
    case Store::Published::fenced:
      if (prepared.wanted) counters.add(Count::fenced);
      break;
    case Store::Published::nothing:
      if (stored_there) {
        counters.add(Count::sets);
      } else if (prepared.invalidated || prepared.revoked) {
        counters.add(Count::fenced);
      }
      break;
  }
  // Nobody joins any more, but a caller may have joined after an invalidation that came since prepare() looked.
  prepared.valid_before = std::min(prepared.valid_before, valid_before(flight, loaded));
}

/// Case 2 of flight.hpp: tags that only the value names could not keep callers from joining. Once one of them was
/// invalidated, callers who came after whatever invalidation since the load began retry: it may not have been the last
/// one.
std::uint64_t LoadRunner::valid_before(const Flight& flight, const Loaded& loaded) {
  const TagSet* kept_tags = loaded.kept && loaded.kept->extra ? &loaded.kept->extra->tags : nullptr;
  if (loaded.tags.empty() && !kept_tags) return Flight::kValid;
  TagSet tags = context_.tags.find(loaded.tags);
  if (kept_tags) tags.join(*kept_tags);
  return tags.invalidated() > flight.sequence ? flight.sequence + 1 : Flight::kValid;
}

void LoadRunner::fail(Flight& flight, std::exception_ptr error) noexcept {
  {
    const MutexLock lock(flight.mutex);
    if (flight.landed) return;
  }
  context_.store.land(flight, {}, context_.now());
  flight.finish([&] {
    flight.abandoned = !error;
    flight.error = std::move(error);
  });
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
