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
    left = std::move(acquired.foreign);
    if (!acquired.queued.empty() && !enter(acquired.queued, spec, urgency, place)) acquired.queued = {};
    for (std::size_t i = 0; i < acquired.queued.flights.size(); ++i) {
      left.add(acquired.queued.items[i], std::move(acquired.queued.flights[i]));
    }
    if (left.empty()) return;
    if (!acquired.queued.empty()) continue;  // with its place: what was not there then may be there now
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

/// Case 7 of flight.hpp: of loads of one key without a claim one runs at a time, for those who came before it began.
/// Who waits for it holds no place, which that load, or one that it waits for, may need. False: the queue for a place
/// is full, and the flight has ended.
bool LoadRunner::wait_for_unclaimed(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place) {
  const std::shared_ptr<Flight>& flight = batch.flights[0];
  const TimeBudget::Pause others_time;
  const TimePoint limit = std::chrono::steady_clock::now() + Leases::kLife;
  bool waits = true;
  while (const auto running = waits ? context_.store.begin_unclaimed(*flight) : nullptr) {
    place.give_up();
    flight->wait_for({}, running->leader.load(std::memory_order_acquire));
    try {
      const WaitScope scope(running);
      const PlacesLent lent;
      MutexLock lock(running->mutex);
      while (!running->landed && running->landing.wait_until(lock.native(), limit) != std::cv_status::timeout) {
      }
      waits = running->landed;
    } catch (const RecursiveLoadError&) {  // that load waits for this thread's
      waits = false;
    }
    if (!enter(batch, spec, urgency, place)) return false;
  }
  if (!waits) context_.store.begin_unclaimed_beside(*flight);
  flight->wait_no_more();
  return true;
}

void LoadRunner::load_owned(OwnedLoads& owned, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run,
                            LoadPlace& place) {
  const bool with_l2 = levels_.used_by(*spec.terms) && spec.type->shareable;
  const bool background = Background::on_task();
  if (!enter(owned, spec, urgency, place)) return;
  // Whatever is to be kept by this process alone while it cannot learn what others invalidate. Asked once, as a flight
  // is either without a claim from here on or begins its loader as one that may be joined.
  const bool lags = !with_l2 && trust_.lags();
  if (owned.flights.size() == 1 && (with_l2 ? owned.claims[0].kind == Claim::Kind::none : lags)) {
    if (urgency == LoadUrgency::beside) {
      context_.store.begin_unclaimed_beside(*owned.flights[0]);
    } else if (!wait_for_unclaimed(owned, spec, urgency, place)) {
      return;
    }
  }
  if (background && context_.closed()) {
    for (const auto& flight : owned.flights) abandon(*flight);
    return;
  }
  Duration took{};
  if (trust_.limited()) mark_begun(owned, with_l2, lags);
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

void LoadRunner::mark_begun(const OwnedLoads& owned, bool with_l2, bool lags) {
  for (std::size_t i = 0; i < owned.flights.size(); ++i) {
    Flight& flight = *owned.flights[i];
    if (with_l2 ? owned.claims[i].kind != Claim::Kind::none : !lags) {
      context_.store.begin_loading(flight);
    } else if (owned.flights.size() > 1) {
      context_.store.begin_unclaimed_beside(flight);
    }
  }
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
  const L1View view(trust_);
  NodeRef previous = context_.store.previous(flight, context_.now());
  if (previous && view.hides(*previous)) previous.reset();
  // L2 knows better than L1 whether it still counts.
  if (claim.kind != Claim::Kind::none && !claim.previous) previous.reset();
  return previous ? previous : claim.previous;
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
