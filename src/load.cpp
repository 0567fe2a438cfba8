/// Asking for a value: who finds it, who joins a load, who leads one, and who waits how long.
#include <dsta/cache/detail/core.hpp>

#include "background.hpp"
#include "entry.hpp"
#include "l1/store.hpp"
#include "load_errors.hpp"
#include "load_scope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::shared_ptr<Flight> Core::new_flight(const KeyView& key, const LoadSpec& spec,
                                         const std::vector<std::string>& tags) {
  auto flight = std::make_shared<Flight>(key, spec, tags, sequence());
  flight->tags = tags_->find(tags);
  return flight;
}

NodeRef Core::load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode) {
  Counters& counters = loader->identity->counters;
  if (LoadScope::loading(key, *loader)) std::rethrow_exception(asks_for_its_own_key(*loader));
  const EntryTerms& terms = *loader->terms;
  const TimePoint called = now();
  for (bool counted = mode == LoadMode::refresh;; counted = true) {
    if (closed()) {
      if (!counted) counters.add(Count::misses);
      counters.add(Count::loads);
      return loader->load(key, {}).node;
    }
    auto flight = new_flight(key, *loader, loader->tags);
    const std::uint64_t arrived = flight->sequence;
    Store::Joined joined = store_->join(std::move(flight), mode == LoadMode::refresh, now());

    if (joined.entry) {
      const bool past_ttl = is_past_ttl(joined.freshness);
      if (!counted) counters.add(Count::hits);
      if (joined.lead && launch(joined.flight, loader, LoadUrgency::behind) && !past_ttl) {
        counters.add(Count::early_refreshes);
      }
      if (past_ttl && joined.flight && terms.soft_timeout > Duration::zero()) {
        try {
          const auto landed = await(joined.flight, deadline(called, terms.soft_timeout), arrived);
          if (landed == Awaited::value) return joined.flight->value;
        } catch (const RecursiveLoadError&) {  // that load waits for this thread's: the stale value it is, at once
        }
      }
      if (past_ttl) counters.add(Count::stale_served);
      return joined.entry;
    }

    if (!counted) counters.add(Count::misses);
    const TimePoint limit = deadline(called, terms.load_timeout);
    if (!joined.lead) {
      counters.add(Count::coalesced);
    } else if (limit == TimePoint::max() || LoadScope::active()) {
      // A loader inside a loader runs where it is: a pool whose threads all wait for their children has none left.
      lead(joined.flight, *loader, LoadUrgency::wanted);
    } else {
      launch(joined.flight, loader, LoadUrgency::wanted);
    }
    switch (await(joined.flight, limit, arrived)) {
      case Awaited::value:
        return joined.flight->value;
      case Awaited::error:
        std::rethrow_exception(joined.flight->error);
      case Awaited::timeout:
        std::rethrow_exception(took_too_long(*loader));
      case Awaited::missing:  // a batch did not find it; the function itself may
      case Awaited::nothing:  // abandoned, or invalidated before this caller came
        if (!joined.lead || closed()) break;
        counters.add(Count::shed);
        std::rethrow_exception(executor_is_full(*loader));
    }
  }
}

Core::Awaited Core::await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived) {
  const auto verdict = [&] {
    if (flight->abandoned) return Awaited::nothing;
    if (flight->error) return Awaited::error;
    if (!flight->value) return Awaited::missing;
    return arrived < flight->void_from ? Awaited::value : Awaited::nothing;
  };
  {
    const std::lock_guard lock(flight->mutex);
    if (flight->landed) return verdict();
  }
  if (probe) probe(Point::before_wait, flight->name);
  // This thread may be the very one that the load is queued for, or is just being queued for: then it runs it itself.
  const bool may_run = LoadScope::active() || Background::on_task();
  std::shared_ptr<Errand> errand;
  for (;;) {
    if (errand) errand->run();
    const WaitScope scope(flight);
    const PlacesLent lent;
    std::unique_lock lock(flight->mutex);
    for (;;) {
      if (flight->landed) return verdict();
      if (may_run && !errand && (errand = flight->errand.lock())) break;
      if (limit == TimePoint::max()) {
        flight->landing.wait(lock);
      } else if (options_.clock->wait_until(lock, flight->landing, limit) && !flight->landed) {
        return Awaited::timeout;
      }
    }
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
