/// Asking for a value: who finds it, who joins a load, who leads one, and who waits how long.
#include <algorithm>
#include <chrono>

#include "base/background.hpp"
#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "entry/integer_type.hpp"
#include "load/load_errors.hpp"
#include "load/load_scope.hpp"
#include "load/loads.hpp"
#include "load/uncached_load.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// The caller finds a value past its ttl, and waits for its refresh.
bool waits_for_refresh(const EntryTerms& terms, Freshness freshness) {
  return is_past_ttl(freshness) && terms.soft_timeout > Duration::zero();
}

/// Of a caller inside a load. The flight's leader waits for a load, which is one of this thread's or may depend on one:
/// of loads in other processes that is not known, so the wait has a limit.
bool waits_for_its_caller(const Flight& flight, TimePoint patience) DSTA_REQUIRES(flight.mutex) {
  if (!flight.waits) return false;
  return LoadScope::holds_lease(flight.waits_for_lease) || flight.waits_for_thread == this_thread_number() ||
         std::chrono::steady_clock::now() >= patience;
}

}  // namespace

/// One call of load().
struct Loads::Call {
  void count(Count what) {
    if (!std::exchange(counted, true)) counters().add(what);
  }
  Counters& counters() const { return loader->identity->counters; }

  const KeyView& key;
  const std::shared_ptr<Loader>& loader;
  const LoadMode mode;
  const TimePoint called;
  bool counted;            ///< as a hit or a miss
  bool coalesced = false;  ///< counted as that
  bool again = false;      ///< not the first attempt
};

std::shared_ptr<Flight> Loads::new_flight(const KeyView& key, const LoadSpec& spec,
                                          const std::vector<std::string>& tags) {
  auto flight = std::make_shared<Flight>(key, spec, tags, context_.sequence());
  flight->tags = context_.tags.find(tags);
  if (LoadScope::active()) flight->inside = this_thread_number();
  // A caller that reads L2 itself does so before it joins; what it sees shows neither what tags the value will
  // name nor whether a raw value was invalidated.
  flight->closes_at_load = (spec.names_tags || spec.terms->raw) && reads_l2_itself(spec);
  return flight;
}

NodeRef Loads::load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode) {
  if (LoadScope::loading(key, *loader)) std::rethrow_exception(asks_for_its_own_key(*loader));
  levels_.notice_fork();  // in the child of a fork a value of its own is hidden until there is a channel
  Call call{key, loader, mode, context_.now(), mode == LoadMode::refresh};
  const TimeBudget::Operation budget(context_.time_limit(loader->terms->load_timeout));
  for (;;) {
    if (auto value = attempt(call)) return std::move(*value);
  }
}

std::optional<NodeRef> Loads::attempt(Call& call) {
  Loader& loader = *call.loader;
  if (context_.closed()) {
    call.count(Count::misses);
    const auto flight = std::make_shared<Flight>(call.key, loader, std::vector<std::string>(), context_.sequence());
    return run_uncached(std::span(&flight, 1), *context_.options.clock, call.counters(),
                        [&] { return loader.load(call.key, {}).node; });
  }
  Fetched seen{call.key};
  if (loader.identity->function) seen.tags = &loader.tags;
  const TimePoint limit = deadline(call.called, loader.terms->load_timeout);
  const bool loads_here = limit == TimePoint::max() || LoadScope::active();
  const bool asks = call.mode == LoadMode::get && reads_l2_itself(loader);
  // Where nothing is expected there a caller that comes to lead leaves the reading to its load, which takes the lease
  // at the same time.
  const bool asks_first = asks && (std::exchange(call.again, true) || !loads_here || !runner_.expects_miss(loader));
  if (asks_first) {
    const std::uint64_t arrived = context_.sequence();
    const auto dependencies = dependencies_of(loader.identity, loader.tags);
    l2_.read(std::span(&seen, 1), std::span(&loader.type, 1), loader.identity, *loader.terms, dependencies);
    if (seen.node) {
      call.count(Count::hits);
      counters_.add_hits(1);
      return refresh_if_due(std::move(seen), call.loader, call.called, arrived);
    }
  }
  auto flight = new_flight(call.key, loader, loader.tags);
  flight->forced = call.mode == LoadMode::refresh;
  flight->skips_l2 = asks_first && !seen.asked && loader.terms->load_timeout > Duration::zero();
  const std::uint64_t arrived = flight->sequence;
  const bool lags = !asks && trust_.lags();
  const auto wants = call.mode == LoadMode::refresh ? Store::Wants::refresh : wants_of(asks, lags);
  Store::Joined joined = context_.store.join(std::move(flight), wants, context_.now());
  if (joined.entry) return serve_entry(call, std::move(joined), arrived, asks);
  if (asks && !asks_first && !joined.lead) return std::nullopt;  // it asks first then

  if (!joined.lead) {
    if (joined.in_doubt(!asks && !lags) && !may_join(*joined.flight, seen)) {
      context_.store.supersede(*joined.flight);
      return std::nullopt;
    }
    if (!std::exchange(call.coalesced, true)) call.counters().add(Count::coalesced);
  } else {
    const CallersOf caller(std::span(&joined.flight, 1));  // an executor, too, may run it here and now
    // A loader inside a loader runs where it is: a pool whose threads all wait for their children has none left.
    if (loads_here) {
      runner_.run_load(joined.flight, loader, LoadUrgency::wanted);
    } else {
      runner_.run_load_async(joined.flight, call.loader, LoadUrgency::wanted);
    }
  }
  return wait_for(call, joined, limit, arrived);
}

/// An entry of L1, whose refresh is begun when it is due.
NodeRef Loads::serve_entry(Call& call, Store::Joined joined, std::uint64_t arrived, bool asks_first) {
  const Loader& loader = *call.loader;
  call.count(Count::hits);
  if (joined.flight && waits_for_refresh(*loader.terms, joined.freshness)) {
    joined.lead |= replace_doubtful(joined.flight, joined.in_doubt(!asks_first), {call.key}, loader);
  }
  if (joined.lead && runner_.run_load_async(joined.flight, call.loader, LoadUrgency::behind) &&
      !is_past_ttl(joined.freshness)) {
    call.counters().add(Count::early_refreshes);
  }
  auto entry = as_type(call.key, std::move(joined.entry), *loader.type);
  return serve_stale_or_wait(std::move(entry), joined.freshness, joined.flight, loader, call.called, arrived);
}

std::optional<NodeRef> Loads::wait_for(Call& call, Store::Joined& joined, TimePoint limit, std::uint64_t arrived) {
  Loader& loader = *call.loader;
  Awaited awaited = Awaited::nothing;
  try {
    awaited = await(joined.flight, limit, arrived, joined.lead);
    if (awaited == Awaited::stuck) {
      joined.flight = new_flight(call.key, loader, loader.tags);
      joined.lead = true;
      context_.store.begin(joined.flight);
      runner_.run_load(joined.flight, loader, LoadUrgency::beside);
      awaited = await(joined.flight, TimePoint::max(), joined.flight->sequence, true);
    }
  } catch (...) {  // RecursiveLoadError
    call.count(Count::misses);
    throw;
  }
  const bool in_vain = awaited == Awaited::missing || awaited == Awaited::nothing;
  if (in_vain && !joined.lead) return std::nullopt;  // it will be counted by what it gets
  const Flight& flight = *joined.flight;
  const bool found = awaited == Awaited::value && flight.from_l2;
  call.count(found ? Count::hits : Count::misses);
  switch (awaited) {
    case Awaited::value:
      if (found) return refresh_if_due({call.key, flight.value, flight.found}, call.loader, call.called, arrived);
      return flight.value;
    case Awaited::error:
      std::rethrow_exception(flight.error);
    case Awaited::timeout:
      std::rethrow_exception(took_too_long(loader));
    case Awaited::missing:  // a batch did not find it; the function itself may
    case Awaited::stuck:    // never of its own load
    case Awaited::nothing:  // abandoned, or invalidated before this caller came
      if (context_.closed()) break;
      call.counters().add(Count::shed);
      std::rethrow_exception(executor_is_full(loader));
  }
  return std::nullopt;
}

/// Without an L1 that may be trusted each caller reads L2: a load under way was begun earlier, and only L2 knows
/// whether it still counts.
Store::Wants Loads::wants_of(bool asks, bool lags) const {
  if (asks || lags) return Store::Wants::load;
  return trust_.holds() ? Store::Wants::any : Store::Wants::own;
}

bool Loads::reads_l2_itself(const LoadSpec& spec) {
  return levels_.used_by(*spec.terms) && spec.type->shareable && !levels_.coherence().fills(*spec.terms);
}

NodeRef Loads::serve_stale_or_wait(NodeRef entry, Freshness freshness, const std::shared_ptr<Flight>& refresh,
                                   const Loader& loader, TimePoint called, std::uint64_t arrived) {
  const EntryTerms& terms = *loader.terms;
  if (!is_past_ttl(freshness)) return entry;
  if (refresh && waits_for_refresh(terms, freshness)) {
    try {
      const auto landed = await(refresh, deadline(called, terms.soft_timeout), arrived, false);
      if (landed == Awaited::value) return refresh->value;
    } catch (const RecursiveLoadError&) {  // that load waits for this thread's: the stale value it is, at once
    }
  }
  loader.identity->counters.add(Count::stale_served);
  return entry;
}

NodeRef Loads::refresh_if_due(Fetched seen, const std::shared_ptr<Loader>& loader, TimePoint called,
                              std::uint64_t arrived) {
  if (seen.freshness == Freshness::fresh) return seen.node;
  const bool past_ttl = is_past_ttl(seen.freshness);
  std::shared_ptr<Flight> refresh;
  if (!backoffs_.active(seen.key.name, seen.node->created, context_.now())) {
    Store::Joined joined =
        context_.store.join(new_flight(seen.key, *loader, loader->tags), Store::Wants::load, context_.now());
    if (waits_for_refresh(*loader->terms, seen.freshness)) {
      const bool in_doubt = joined.in_doubt(!reads_l2_itself(*loader));
      joined.lead |= replace_doubtful(joined.flight, in_doubt, seen, *loader);
    }
    refresh = joined.flight;
    if (joined.lead && runner_.run_load_async(joined.flight, loader, LoadUrgency::behind) && !past_ttl) {
      loader->identity->counters.add(Count::early_refreshes);
    }
  }
  return serve_stale_or_wait(std::move(seen.node), seen.freshness, refresh, *loader, called, arrived);
}

bool Loads::replace_doubtful(std::shared_ptr<Flight>& flight, bool in_doubt, const Fetched& seen,
                             const Loader& loader) {
  while (in_doubt && !may_join(*flight, seen)) {
    context_.store.supersede(*flight);
    Store::Joined joined =
        context_.store.join(new_flight(seen.key, loader, loader.tags), Store::Wants::load, context_.now());
    flight = std::move(joined.flight);
    if (joined.lead) return true;
    in_doubt = joined.in_doubt(!reads_l2_itself(loader));
  }
  return false;
}

/// Case 4 of flight.hpp: the flight's loader had begun before the caller came, and only what stands at L2 shows that
/// nothing was invalidated between the two.
bool Loads::may_join(const Flight& flight, const Fetched& seen) {
  if (!flight.claimed.load(std::memory_order_acquire)) return false;
  const auto dependencies = detail::dependencies_of(flight.identity, flight.tag_names);
  const auto as_before = [&](const Versions& versions, std::string_view name) {
    const auto* before = flight.versions->find(name);
    const auto* now_there = versions.find(name);
    return before && now_there && *before == *now_there;
  };
  const auto stands = [&](const Fetched& fetched) {
    if (!fetched.found || !fetched.versions) return false;
    const Found& found = *fetched.found;
    // A refresh that joined the lease stores by a higher order: what it brought is newer than this load.
    const bool its = found.kind == Found::Kind::lease
                         ? found.lease.token == flight.generation
                         : found.kind == Found::Kind::value && found.view.has_generation &&
                               found.view.generation == flight.generation && found.view.order <= flight.order;
    return its && as_before(*fetched.versions, {}) &&
           std::ranges::all_of(dependencies, [&](const auto& name) { return as_before(*fetched.versions, name); });
  };
  if (stands(seen)) return true;
  // It may have been claimed since.
  Fetched again{seen.key};
  const TypeOps* types[] = {flight.type};
  EntryTerms terms;
  terms.level = Level::l2;
  l2_.read(std::span(&again, 1), types, nullptr, terms, dependencies, flight.identity);
  return stands(again);
}

Loads::Awaited Loads::await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived, bool leads) {
  const auto verdict = [&] {
    if (flight->abandoned) return Awaited::nothing;
    if (flight->error) return Awaited::error;
    if (!flight->value) return Awaited::missing;
    if (flight->leader_only && !leads) return Awaited::nothing;
    return arrived < flight->valid_before ? Awaited::value : Awaited::nothing;
  };
  {
    const MutexLock lock(flight->mutex);
    if (flight->landed) return verdict();
  }
  context_.probes.at(Probes::Point::before_wait, flight->name);
  const TimeBudget::Pause others_time;
  const CallersOf caller(std::span(&flight, 1));
  // This thread may be the very one that the load is queued for, or is just being queued for: then it runs it itself.
  const bool may_run = LoadScope::active() || Background::on_task();
  constexpr std::chrono::milliseconds kBetweenLooks{10};
  const bool nested = LoadScope::active() && !leads && levels_.has_l2();
  const TimePoint patience = std::chrono::steady_clock::now() + Leases::kLife;
  std::shared_ptr<QueuedLoad> queued;
  for (;;) {
    if (queued) queued->run();
    const WaitScope scope(flight);
    const PlacesLent lent;
    MutexLock lock(flight->mutex);
    for (;;) {
      if (flight->landed) return verdict();
      if (may_run && !queued && (queued = flight->queued.lock())) break;
      if (nested && waits_for_its_caller(*flight, patience)) return Awaited::stuck;
      if (nested && flight->leader.load(std::memory_order_acquire) == 0) {
        flight->landing.wait_for(lock.native(), kBetweenLooks);
        if (!flight->landed && context_.now() >= limit) return Awaited::timeout;
      } else if (limit == TimePoint::max()) {
        flight->landing.wait(lock.native());
      } else if (context_.options.clock->wait_until(lock.native(), flight->landing, limit) && !flight->landed) {
        return Awaited::timeout;
      }
    }
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
