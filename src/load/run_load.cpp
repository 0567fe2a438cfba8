/// Leading a load: running a wrapped function in its place, storing what it brings, handing it to those who wait.
#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "base/background.hpp"
#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "l1/store.hpp"
#include "load/acquire_lease.hpp"
#include "load/admission.hpp"
#include "load/load_errors.hpp"
#include "load/load_place.hpp"
#include "load/load_scope.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Admission* Core::admission(const Identity& identity) const {
  if (!has_limits_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(limits_mutex_);
  const auto found = limits_.find(identity.prefix);
  return found == limits_.end() ? nullptr : found->second.get();
}

void Core::limit_loads(const std::string& prefix, const LoadLimit& limit) {
  if (limit.concurrent == 0) throw ConfigError("limit_loads: concurrent is 0, nothing could ever be loaded");
  auto made = std::make_unique<Admission>(limit);
  const std::lock_guard lock(limits_mutex_);
  const auto [at, added] = limits_.try_emplace(prefix, std::move(made));
  if (!added) at->second->set(limit);
  if (closed()) at->second->open();
  has_limits_.store(true, std::memory_order_release);
}

void Core::lead(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) noexcept {
  try {
    run_load_all(batch, spec, urgency, run);
  } catch (...) {  // no memory: its callers get that
    for (const auto& flight : batch.flights) fail(*flight, std::current_exception());
  }
}

namespace {

/// Of the loads that these wait for, one that this process runs; null when other processes run them.
std::shared_ptr<Flight> load_waited_for(const Batch& left, const Leases& leases) {
  for (const auto& flight : left.flights) {
    if (!flight->waits) continue;
    if (auto load = leases.flight_of(flight->waits_for_lease)) return load;
  }
  return nullptr;
}

}  // namespace

void Core::run_load_all(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) {
  const TimeBudget::Operation budget(time_limit());
  LoadPlace place(admission(*spec.identity));
  Batch left = batch;
  const TimePoint begun = std::chrono::steady_clock::now();
  const auto may_ask = [&] {
    return urgency != LoadUrgency::beside && shares(*spec.terms) && spec.type->shareable && !closed() &&
           !TimeBudget::used_up();
  };
  for (int looks = 0; may_ask(); ++looks) {
    for (const auto& flight : left.flights) flight->wait_no_more();
    Acquired acquired = acquire_leases(left, spec, urgency, looks, place);
    if (!acquired.ours.empty()) load_ours(acquired.ours, spec, urgency, run, place);
    left = std::move(acquired.others);
    if (!acquired.queued.empty() && !enter(acquired.queued, spec, urgency, place)) acquired.queued = {};
    for (std::size_t i = 0; i < acquired.queued.flights.size(); ++i) {
      left.add(acquired.queued.items[i], std::move(acquired.queued.flights[i]));
    }
    if (left.empty()) return;
    if (!acquired.queued.empty()) continue;  // with its place: what was not there then may be there now
    place.give_up();
    // What is its own is loaded before it waits for others: nobody waits for a load that is not under way.
    if (!acquired.ours.empty()) continue;
    try {
      const WaitScope scope(load_waited_for(left, *shared_->leases));
      if (!wait_for_others(looks, begun)) break;
    } catch (const RecursiveLoadError&) {  // that load waits for this thread's
      break;
    }
  }
  Ours alone;
  for (std::size_t i = 0; i < left.flights.size(); ++i) {
    left.flights[i]->wait_no_more();
    alone.add(left.items[i], left.flights[i], {});
  }
  load_ours(alone, spec, urgency, run, place);
}

bool Core::enter(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, LoadPlace& place) {
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

/// Of loads of one key without a claim one runs at a time: what it brings is for those who came before it began.
void Core::wait_for_unclaimed(const std::shared_ptr<Flight>& flight) {
  const TimeBudget::Pause others_time;
  const TimePoint limit = std::chrono::steady_clock::now() + Leases::kLife;
  while (const auto running = store_->begin_unclaimed(*flight)) {
    flight->wait_for({}, running->leader.load(std::memory_order_acquire));
    try {
      const WaitScope scope(running);
      const PlacesLent lent;
      std::unique_lock lock(running->mutex);
      if (running->landing.wait_until(lock, limit, [&] { return running->landed; })) continue;
    } catch (const RecursiveLoadError&) {  // that load waits for this thread's
    }
    store_->begin_unclaimed_beside(*flight);
    break;
  }
  flight->wait_no_more();
}

void Core::load_ours(Ours& ours, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run, LoadPlace& place) {
  Counters& counters = spec.identity->counters;
  const bool with_l2 = shares(*spec.terms) && spec.type->shareable;
  // Nobody knows whether another process has invalidated it since: a load without a claim, or one that this process
  // keeps for itself while it cannot learn of that.
  const bool own = shared_ && !with_l2, lags = own && l1_lags();
  const auto unclaimed = [&](std::size_t i) { return with_l2 ? ours.claims[i].kind == Claim::Kind::none : lags; };
  const bool background = Background::on_task();
  if (!enter(ours, spec, urgency, place)) return;
  // With its place: the load that it waits for has one, too.
  if (ours.flights.size() == 1 && unclaimed(0)) {
    if (urgency == LoadUrgency::beside) {
      store_->begin_unclaimed_beside(*ours.flights[0]);
    } else {
      wait_for_unclaimed(ours.flights[0]);
    }
  }
  if (background && closed()) {
    for (const auto& flight : ours.flights) abandon(*flight);
    return;
  }
  std::vector<Loaded> loaded;
  std::exception_ptr error;
  Duration took{};
  {
    const LoadScope scope(ours.flights, place.take());
    for (std::size_t i = 0; (with_l2 || own) && i < ours.flights.size(); ++i) {
      if (!unclaimed(i)) {
        store_->begin_loading(*ours.flights[i]);
      } else if (ours.flights.size() > 1) {
        store_->begin_unclaimed_beside(*ours.flights[i]);
      }
    }
    if (probe) {
      for (const auto& flight : ours.flights) probe(Point::before_load, flight->name);
    }
    counters.add(Count::loads);
    const TimePoint begun = options_.clock->now();
    try {
      const TimeBudget::Pause pause;
      loaded = run(ours);
    } catch (...) {  // not silenced: every caller gets it
      error = std::current_exception();
      counters.add(Count::load_failures);
    }
    took = options_.clock->now() - begun;
    counters.add(Count::load_nanoseconds, static_cast<std::uint64_t>(took.count()));
  }
  if (error) {
    loaded.clear();
    loaded.resize(ours.flights.size());
    for (Loaded& one : loaded) one.error = error;
  }
  std::vector<Prepared> prepared;
  prepared.reserve(loaded.size());
  for (std::size_t i = 0; i < ours.flights.size(); ++i) {
    if (probe) probe(Point::before_store, ours.flights[i]->name);
    prepared.push_back(prepare(*ours.flights[i], spec, loaded[i], took));
  }
  if (with_l2) store_under_leases(ours, spec, prepared, loaded, took);
  for (std::size_t i = 0; i < ours.flights.size(); ++i) {
    land(*ours.flights[i], spec, std::move(loaded[i]), std::move(prepared[i]));
  }
}

void Core::lead(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency) noexcept {
  try {
    lead(Batch{{0}, {flight}}, loader, urgency, [&](const Ours& ours) {
      NodeRef previous;
      if (loader.wants_previous) {
        const L1View view = l1_view();
        previous = store_->previous(*flight, now());
        if (previous && view.hides(*previous)) previous.reset();
        // L2 knows better than L1 whether it still counts.
        if (ours.claims[0].kind != Claim::Kind::none && !ours.claims[0].previous) previous.reset();
        if (!previous) previous = ours.claims[0].previous;
      }
      std::vector<Loaded> one;
      one.push_back(loader.load(flight->key(), previous));
      return one;
    });
  } catch (...) {  // no memory
    fail(*flight, std::current_exception());
  }
}

void Core::lead(const Batch& batch, BatchLoader& loader, LoadUrgency urgency) noexcept {
  lead(batch, loader, urgency, [&](const Ours& ours) {
    std::vector<BatchLoader::Call> calls;
    calls.reserve(ours.flights.size());
    for (std::size_t i = 0; i < ours.flights.size(); ++i) calls.push_back({ours.items[i], ours.flights[i]->key()});
    return loader.load(calls);
  });
}

Prepared Core::prepare(Flight& flight, const LoadSpec& spec, Loaded& loaded, Duration took) {
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
      node.shared = shares(terms) && spec.type->shareable;
      std::vector<std::string> names = flight.tag_names;
      names.insert(names.end(), loaded.tags.begin(), loaded.tags.end());
      TagSet tags = tags_->find(names);
      if (kept_tags) tags.join(*kept_tags);
      prepared.invalidated = tags.invalidated() > flight.sequence;
      prepared.valid_before = valid_before(flight, loaded);
      const bool too_long = flight.full.size() > kMaxKeyBytes;
      if (too_long) counters.add(Count::rejected);
      if (loaded.store && !loaded.skipped && !too_long &&
          set_expiry(node, terms, {ttl_of(loaded, terms), std::move(tags), std::move(loaded.etag), took})) {
        prepared.landing.replace_by = loaded.node;
      }
    }
    prepared.invalidated = loaded.node && (prepared.invalidated ||
                                           flight.sequence < spec.identity->cleared.load(std::memory_order_acquire));
    prepared.wanted = prepared.landing.replace_by || prepared.invalidated;
    prepared.negative = loaded.negative;
    if (prepared.invalidated) {
      prepared.landing.replace_by.reset();
    } else if (loaded.error || loaded.skipped) {
      prepared.landing.retry_after = saturating_add(now(), terms.refresh_backoff);
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

void Core::land(Flight& flight, const LoadSpec& spec, Loaded loaded, Prepared prepared) {
  if (probe) probe(Point::before_l1_store, flight.name);
  try {
    publish(flight, spec, loaded, prepared);
  } catch (...) {  // no memory
    loaded.error = std::current_exception();
    loaded.node.reset();
    store_->land(flight, {}, now());
  }
  if (probe) probe(Point::after_store, flight.name);
  {
    const std::lock_guard lock(flight.mutex);
    flight.value = std::move(loaded.node);
    flight.error = std::move(loaded.error);
    flight.valid_before = prepared.valid_before;
    flight.landed = true;
  }
  flight.landing.notify_all();
}

void Core::publish(Flight& flight, const LoadSpec& spec, const Loaded& loaded, Prepared& prepared) {
  Counters& counters = spec.identity->counters;
  const bool stored_there = prepared.landing.replace_by && prepared.landing.replace_by->shared;
  switch (store_->land(flight, std::move(prepared.landing), now())) {
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

/// Tags that only the value names could not keep callers from joining. Once one of them was invalidated, callers who
/// came after whatever invalidation since the load began retry: it may not have been the last one.
std::uint64_t Core::valid_before(const Flight& flight, const Loaded& loaded) {
  const TagSet* kept_tags = loaded.kept && loaded.kept->extra ? &loaded.kept->extra->tags : nullptr;
  if (loaded.tags.empty() && !kept_tags) return Flight::kValid;
  TagSet tags = tags_->find(loaded.tags);
  if (kept_tags) tags.join(*kept_tags);
  return tags.invalidated() > flight.sequence ? flight.sequence + 1 : Flight::kValid;
}

namespace {

/// Lands its flights empty-handed when it is destroyed before it began, so that nobody waits for ever.
class QueuedLoad final : public Errand {
 public:
  QueuedLoad(std::function<void()> lead, std::function<void()> abandon)
      : lead_(std::move(lead)), abandon_(std::move(abandon)) {}
  QueuedLoad(const QueuedLoad&) = delete;
  QueuedLoad& operator=(const QueuedLoad&) = delete;
  ~QueuedLoad() override {
    if (!begun_) abandon_();
  }
  void run() override {
    if (!begun_.exchange(true)) lead_();
  }

 private:
  std::function<void()> lead_;
  std::function<void()> abandon_;
  std::atomic<bool> begun_{false};
};

}  // namespace

bool Core::launch(const Batch& batch, const LoadSpec& spec, std::function<void()> lead) {
  if (probe) probe(Point::before_queue, batch.flights.front()->name);
  auto core = shared_from_this();
  auto errand = std::make_shared<QueuedLoad>(
      [core, flights = batch.flights, identity = spec.identity, lead = std::move(lead)] {
        lead();
        const auto failed = [](const auto& flight) { return flight->error != nullptr; };
        if (std::ranges::any_of(flights, failed)) {
          core->log(LogLevel::info, fmt::format("a background load under prefix '{}' failed", identity->prefix));
        }
      },
      [core, flights = batch.flights] {
        for (const auto& flight : flights) core->abandon(*flight);
      });
  for (const auto& flight : batch.flights) {
    const std::lock_guard lock(flight->mutex);
    flight->errand = errand;
    flight->landing.notify_all();  // for those who would run it themselves
  }
  Duration longest = longest_load_.load();
  while (longest < spec.terms->load_timeout &&
         !longest_load_.compare_exchange_weak(longest, spec.terms->load_timeout)) {
  }
  if (background_->post([errand] { errand->run(); })) return true;
  log(LogLevel::info,
      fmt::format("the executor is full: a load under prefix '{}' was not started", spec.identity->prefix));
  return false;
}

bool Core::launch(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader,
                  LoadUrgency urgency) noexcept {
  try {
    return launch(Batch{{0}, {flight}}, *loader,
                  [core = shared_from_this(), flight, loader, urgency] { core->lead(flight, *loader, urgency); });
  } catch (...) {  // no memory
    fail(*flight, std::current_exception());
    return false;
  }
}

bool Core::launch(const Batch& batch, const std::shared_ptr<BatchLoader>& loader, LoadUrgency urgency) noexcept {
  try {
    return launch(batch, *loader,
                  [core = shared_from_this(), batch, loader, urgency] { core->lead(batch, *loader, urgency); });
  } catch (...) {  // no memory
    for (const auto& flight : batch.flights) fail(*flight, std::current_exception());
    return false;
  }
}

void Core::abandon(Flight& flight) noexcept { fail(flight, nullptr); }

void Core::fail(Flight& flight, std::exception_ptr error) noexcept {
  {
    const std::lock_guard lock(flight.mutex);
    if (flight.landed) return;
  }
  store_->land(flight, {}, now());
  {
    const std::lock_guard lock(flight.mutex);
    flight.landed = true;
    flight.abandoned = !error;
    flight.error = std::move(error);
  }
  flight.landing.notify_all();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
