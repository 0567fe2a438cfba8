/// Running a load: in its place among the loads of its prefix, after what L2 has was looked at.
#include <algorithm>
#include <chrono>

#include "base/background.hpp"
#include "base/time_budget.hpp"
#include "load/load_errors.hpp"
#include "load/load_runner.hpp"
#include "load/load_scope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Duration LoadRunner::stop_limiting() noexcept {
  limits_.open();
  return longest_load_.load();
}

void LoadRunner::run_load(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency,
                          const RunLoader& run) noexcept {
  try {
    acquire_and_load(batch, spec, urgency, run);
  } catch (...) {  // no memory: its callers get that
    for (const auto& flight : batch.flights) fail(*flight, std::current_exception());
  }
}

void LoadRunner::acquire_and_load(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) {
  const Duration limit = context_.time_limit(spec.terms->load_timeout);
  const TimeBudget::Operation budget(limit);
  LoadPlace place(limits_.of(spec.prefix()));
  Batch left = batch;
  const TimePoint begun = std::chrono::steady_clock::now();
  const auto may_ask = [&] {
    return urgency != LoadUrgency::beside && levels_.used_by(*spec.terms) && spec.type->shareable &&
           !context_.closed() && !TimeBudget::used_up() && std::ranges::none_of(left.flights, &Flight::skips_l2);
  };
  for (int looks = 0; may_ask(); ++looks) {
    for (const auto& flight : left.flights) flight->wait_no_more();
    Acquired acquired = leases_.acquire(left, spec, urgency, looks, place);
    if (!acquired.owned.empty()) {
      // A key that cannot be loaded now (another process has its lease, or its prefix has no place) is given up: its
      // callers ask again, and do not wait for the loader of the other keys.
      defer(acquired.foreign);
      defer(acquired.queued);
      return load_owned(acquired.owned, spec, urgency, run, place);
    }
    if (!acquired.queued.empty()) {
      defer(acquired.foreign);  // the callers of these keys need no place
      if (!enter(acquired.queued, spec, urgency, place)) return;
      left = std::move(acquired.queued);
      continue;  // with its place: what was not there then may be there now
    }
    left = std::move(acquired.foreign);
    if (left.empty()) return;
    place.give_up();
    try {
      const WaitScope scope(leases_.load_waited_for(left));
      if (!leases_.wait_for_foreign(left, looks, begun)) break;
      TimeBudget::renew(limit);            // however often it looks: the server has answered that the lease stands
    } catch (const RecursiveLoadError&) {  // that load waits for this thread's
      break;
    }
  }
  load_alone(left, spec, urgency, run, place);
}

void LoadRunner::defer(const Batch& batch) noexcept {
  for (const auto& flight : batch.flights) {
    {
      const MutexLock lock(flight->mutex);
      flight->deferred = true;
    }
    abandon(*flight);
  }
}

/// Without a claim.
void LoadRunner::load_alone(Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run,
                            LoadPlace& place) {
  OwnedLoads alone;
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    batch.flights[i]->wait_no_more();
    alone.add(batch.items[i], batch.flights[i], {});
  }
  load_owned(alone, spec, urgency, run, place);
}

bool LoadRunner::enter(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place) {
  if (place.try_hold()) return true;
  if (urgency == LoadUrgency::behind) {
    for (const auto& flight : batch.flights) abandon(*flight);
    return false;
  }
  const TimeBudget::Pause others_time;
  if (place.wait()) return true;
  spec.identity->counters.add(Count::shed);
  const std::exception_ptr error = no_place_in_queue(spec);
  for (const auto& flight : batch.flights) fail(*flight, error);
  return false;
}

/// Waits until `running` has landed. False: it has not by `limit`, or never will while this waits.
bool LoadRunner::wait_for_landing(const Batch& waiting, const std::shared_ptr<Flight>& running, TimePoint limit) {
  const TimeBudget::Pause others_time;
  for (const auto& flight : waiting.flights) {
    flight->wait_for({}, running->leader.load(std::memory_order_acquire));
  }
  bool landed = false;
  try {
    const WaitScope scope(running);
    const PlacesLent lent;
    MutexLock lock(running->mutex);
    while (!running->landed && running->landing.wait_until(lock.native(), limit) != std::cv_status::timeout) {
    }
    landed = running->landed;
  } catch (const RecursiveLoadError&) {  // that load waits for this thread's
  }
  for (const auto& flight : waiting.flights) flight->wait_no_more();
  return landed;
}

/// Case 7 of flight.hpp: of loads of one key without a claim one runs at a time, for those who came before it began. Of
/// a batch the other keys do not wait for that: it is given up, and its callers ask again. Who waits holds no place,
/// which the load that runs may need. False: nothing is left to be loaded here.
bool LoadRunner::begin_unclaimed(OwnedLoads& owned, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place,
                                 const IsUnclaimed& is_unclaimed) {
  bool any = false;
  for (std::size_t i = 0; i < owned.flights.size(); ++i) any = any || is_unclaimed(owned, i);
  if (!any) return true;
  const TimePoint limit = std::chrono::steady_clock::now() + Leases::kLife;
  bool waits = urgency != LoadUrgency::beside;
  for (;;) {
    OwnedLoads begun;
    Batch put_off;
    std::shared_ptr<Flight> running;
    for (std::size_t i = 0; i < owned.flights.size(); ++i) {
      const auto& flight = owned.flights[i];
      auto other = is_unclaimed(owned, i) && waits ? context_.store.begin_unclaimed(*flight) : nullptr;
      if (other) {
        put_off.add(owned.items[i], flight);
        running = std::move(other);
        continue;
      }
      if (is_unclaimed(owned, i) && !waits) context_.store.begin_unclaimed_beside(*flight);
      begun.add(owned.items[i], flight, std::move(owned.claims[i]));
    }
    if (!begun.empty()) {
      defer(put_off);
      owned = std::move(begun);
      return true;
    }
    place.give_up();
    waits = wait_for_landing(owned, running, limit);
    const auto is_wanted = [](const auto& flight) { return flight->callers.load(std::memory_order_relaxed) != 0; };
    if (!waits && Background::on_task() && std::ranges::none_of(owned.flights, is_wanted)) {
      for (const auto& flight : owned.flights) abandon(*flight);  // a hung loader is to fill no pool
      return false;
    }
    if (!enter(owned, spec, urgency, place)) return false;
  }
}

void LoadRunner::load_owned(OwnedLoads& owned, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run,
                            LoadPlace& place) {
  const bool with_l2 = levels_.used_by(*spec.terms) && spec.type->shareable;
  const bool background = Background::on_task();
  if (!enter(owned, spec, urgency, place)) return;
  // Whatever is to be kept by this process alone while it cannot learn what others invalidate. Asked once, as a flight
  // is either without a claim from here on or begins its loader as one that may be joined.
  const bool lags = !with_l2 && trust_.lags();
  const IsUnclaimed is_unclaimed{with_l2, lags};
  if (!begin_unclaimed(owned, spec, urgency, place, is_unclaimed)) return;
  if (background && context_.closed()) {
    for (const auto& flight : owned.flights) abandon(*flight);
    return;
  }
  Duration took{};
  if (trust_.limited()) {
    for (std::size_t i = 0; i < owned.flights.size(); ++i) {
      if (is_unclaimed(owned, i)) continue;
      // A load for this process alone rests on no claim at L2, and untracked_ttl does not bound it.
      if (!with_l2) context_.store.begin_claim(*owned.flights[i]);
      context_.store.begin_loading(*owned.flights[i], with_l2 ? context_.now() : TimePoint::max());
    }
  }
  std::vector<Loaded> loaded = call_loader(owned, spec, run, place, took);
  std::vector<Prepared> prepared;
  prepared.reserve(loaded.size());
  for (std::size_t i = 0; i < owned.flights.size(); ++i) {
    context_.probes.at(Probes::Point::before_store, owned.flights[i]->name);
    prepared.push_back(prepare(*owned.flights[i], spec, loaded[i], took));
  }
  if (with_l2) leases_.store(owned, spec, prepared, loaded, took);
  for (std::size_t i = 0; i < owned.flights.size(); ++i) {
    land(*owned.flights[i], spec, std::move(loaded[i]), std::move(prepared[i]));
  }
}

/// What the loader brings for each flight; its exception, if it throws, for all of them.
std::vector<Loaded> LoadRunner::call_loader(const OwnedLoads& owned, const LoadSpec& spec, const RunLoader& run,
                                            LoadPlace& place, Duration& took) {
  Counters& counters = spec.identity->counters;
  std::vector<Loaded> loaded;
  std::exception_ptr error;
  {
    const LoadScope scope(owned.flights, place.take());
    for (const auto& flight : owned.flights) context_.probes.at(Probes::Point::before_load, flight->name);
    counters.add(Count::loads);
    const TimePoint begun = context_.options.clock->now();
    try {
      const TimeBudget::Pause pause;
      loaded = run(owned);
    } catch (...) {  // not silenced: every caller gets it
      error = std::current_exception();
      counters.add(Count::load_failures);
    }
    took = context_.options.clock->now() - begun;
    counters.add(Count::load_nanoseconds, static_cast<std::uint64_t>(took.count()));
  }
  if (error) {
    loaded.clear();
    loaded.resize(owned.flights.size());
    for (Loaded& one : loaded) one.error = error;
  }
  return loaded;
}

void LoadRunner::run_load(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency) noexcept {
  try {
    run_load(Batch{{0}, {flight}}, loader, urgency, [&](const OwnedLoads& owned) {
      NodeRef previous;
      if (loader.wants_previous) previous = previous_value(*flight, owned.claims[0]);
      std::vector<Loaded> one;
      one.push_back(loader.load(flight->key(), previous));
      return one;
    });
  } catch (...) {  // no memory
    fail(*flight, std::current_exception());
  }
}

/// The value that the load is to replace, where one may still be served.
NodeRef LoadRunner::previous_value(const Flight& flight, const Claim& claim) {
  // L2 knows better than L1 what it is, and whether it still counts.
  if (claim.kind != Claim::Kind::none) return claim.previous;
  const L1View view(trust_);
  NodeRef previous = context_.store.previous(flight, context_.now());
  if (previous && view.hides(*previous)) previous.reset();
  return previous;
}

void LoadRunner::run_load(const Batch& batch, BatchLoader& loader, LoadUrgency urgency) noexcept {
  run_load(batch, loader, urgency, [&](const OwnedLoads& owned) {
    std::vector<BatchLoader::Call> calls;
    calls.reserve(owned.flights.size());
    for (std::size_t i = 0; i < owned.flights.size(); ++i) calls.push_back({owned.items[i], owned.flights[i]->key()});
    return loader.load(calls);
  });
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
