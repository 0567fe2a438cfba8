/// Leading a load: running a wrapped function in its place, storing what it brings, handing it to those who wait.
#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "admission.hpp"
#include "background.hpp"
#include "consult.hpp"
#include "entry.hpp"
#include "l1/store.hpp"
#include "l2/time_budget.hpp"
#include "load_errors.hpp"
#include "load_scope.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

enum class Entrance {
  open,     ///< go on; with a place or without needing one
  shed,     ///< the queue is full
  put_off,  ///< a refresh that finds no place is not begun
};

struct Entered {
  Entrance entrance = Entrance::open;
  Admission* place = nullptr;
};

/// A load inside a load of the same prefix runs in the outer one's place.
Entered enter(Admission* admission, LoadUrgency urgency) {
  if (!admission || LoadScope::holds_place(*admission)) return {};
  if (admission->try_enter()) return {Entrance::open, admission};
  if (urgency == LoadUrgency::behind) return {Entrance::put_off};
  const PlacesLent lent;
  if (!admission->enter()) return {Entrance::shed};
  return {Entrance::open, admission};
}

/// Has the leases of these loads renewed while it lives.
class LeaseHold {
 public:
  LeaseHold(Shared* shared, const Ours& ours) : shared_(shared), ours_(ours) {
    if (!shared_) return;
    const TimePoint time = std::chrono::steady_clock::now();
    each([&](const Claim& claim, std::string key) { shared_->leases->add(claim.token, std::move(key), time); });
    if (held_) shared_->renewals->poke(time + HeldLeases::kRenewal);
  }
  ~LeaseHold() {
    if (held_) each([&](const Claim& claim, const std::string&) { shared_->leases->remove(claim.token); });
  }
  LeaseHold(const LeaseHold&) = delete;
  LeaseHold& operator=(const LeaseHold&) = delete;

 private:
  template <class Visit>
  void each(Visit&& visit) {
    const KeySpace& keys = shared_->remote.keys();
    for (std::size_t i = 0; i < ours_.claims.size(); ++i) {
      const Claim& claim = ours_.claims[i];
      const std::string& name = ours_.flights[i]->name;
      if (claim.kind == Claim::Kind::lease) visit(claim, keys.entry(name));
      if (claim.refreshing) visit(claim, keys.refresh_lease(name));
      held_ = held_ || claim.kind == Claim::Kind::lease || claim.refreshing;
    }
  }

  Shared* const shared_;
  const Ours& ours_;
  bool held_ = false;
};

}  // namespace

Admission* Core::admission(const Identity& identity) const {
  if (!has_limits_.load(std::memory_order_acquire)) return nullptr;
  const std::lock_guard lock(limits_mutex_);
  const auto found = limits_.find(identity.prefix);
  return found == limits_.end() ? nullptr : found->second.get();
}

void Core::limit_loads(const std::string& prefix, const LoadLimit& limit) {
  if (limit.concurrent == 0) throw ConfigError("limit_loads: concurrent is 0, nothing could ever be loaded");
  const std::lock_guard lock(limits_mutex_);
  auto& admission = limits_[prefix];
  if (admission) {
    admission->set(limit);
  } else {
    admission = std::make_unique<Admission>(limit);
    if (closed()) admission->open();
  }
  has_limits_.store(true, std::memory_order_release);
}

void Core::lead(const Batch& batch, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) {
  const TimeBudget::Operation budget(time_limit());
  Batch left = batch;
  const TimePoint begun = std::chrono::steady_clock::now();
  for (int looks = 0; shares(*spec.terms) && spec.type->shareable && !closed() && !TimeBudget::used_up(); ++looks) {
    Consulted consulted = consult(left, spec, urgency, looks);
    if (!consulted.ours.empty()) load_ours(consulted.ours, spec, urgency, run);
    left = std::move(consulted.others);
    if (left.empty()) return;
    // What is its own is loaded before it waits for others: nobody waits for a load that is not under way.
    if (consulted.ours.empty() && !wait_for_others(looks, begun)) break;
  }
  Ours alone;
  for (std::size_t i = 0; i < left.flights.size(); ++i) alone.add(left.items[i], left.flights[i], {});
  load_ours(alone, spec, urgency, run);
}

void Core::load_ours(const Ours& ours, const LoadSpec& spec, LoadUrgency urgency, const RunLoader& run) {
  Counters& counters = spec.identity->counters;
  const bool background = Background::on_task();
  const auto [entrance, place] = enter(admission(*spec.identity), urgency);
  if (entrance == Entrance::put_off || (entrance == Entrance::open && background && closed())) {
    if (place) place->leave();
    for (const auto& flight : ours.flights) abandon(*flight);
    return;
  }
  std::vector<Loaded> loaded;
  std::exception_ptr error;
  Duration took{};
  if (entrance == Entrance::shed) {
    counters.add(Count::shed);
    error = no_place_in_queue(spec);
  } else {
    const LoadScope scope(ours.flights, place);
    const LeaseHold hold(shared_.get(), ours);
    if (shared_) {
      for (const auto& flight : ours.flights) store_->begin_loading(*flight);
    }
    if (probe) {
      for (const auto& flight : ours.flights) probe(Point::before_load, flight->name);
    }
    counters.add(Count::loads);
    const TimePoint begun = options_.clock->now();
    try {
      const TimeBudget::Pause pause;
      loaded = run(ours);
    } catch (...) {  // not silenced: everybody who waits gets it
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
  if (shares(*spec.terms) && spec.type->shareable) settle(ours, spec, prepared, took);
  for (std::size_t i = 0; i < ours.flights.size(); ++i) {
    land(*ours.flights[i], spec, std::move(loaded[i]), std::move(prepared[i]));
  }
}

void Core::lead(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency) {
  lead(Batch{{0}, {flight}}, loader, urgency, [&](const Ours& ours) {
    NodeRef previous;
    if (loader.wants_previous) {
      previous = store_->previous(*flight, now());
      if (previous && previous->shared && bypass_.load(std::memory_order_relaxed)) previous.reset();
      if (!previous) previous = ours.claims[0].previous;
    }
    std::vector<Loaded> one;
    one.push_back(loader.load(flight->key(), previous));
    return one;
  });
}

void Core::lead(const Batch& batch, BatchLoader& loader, LoadUrgency urgency) {
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
      node.identity = spec.identity;
      node.sequence = flight.sequence;
      node.shared = shares(terms) && spec.type->shareable;
      std::vector<std::string> names = flight.tag_names;
      names.insert(names.end(), loaded.tags.begin(), loaded.tags.end());
      TagSet tags = tags_->find(names);
      if (kept_tags) tags.join(*kept_tags);
      // Tags that only the value names could not keep callers from joining: those who came after the invalidation
      // retry. It may not have been the last one: whoever came after any since the load began does.
      if (tags.invalidated() > flight.sequence) prepared.void_from = flight.sequence + 1;
      const bool too_long = flight.full.size() > kMaxKeyBytes;
      if (too_long) counters.add(Count::rejected);
      if (loaded.store && !loaded.skipped && !too_long &&
          dress(node, terms, {ttl_of(loaded, terms), std::move(tags), std::move(loaded.etag), took})) {
        prepared.landing.replace_by = loaded.node;
      }
    }
    prepared.invalidated = loaded.node && (prepared.void_from != Flight::kValid ||
                                           flight.sequence < spec.identity->cleared.load(std::memory_order_acquire));
    prepared.wanted = prepared.landing.replace_by || prepared.invalidated;
    prepared.negative = loaded.negative;
    if (prepared.invalidated) {
      prepared.landing.replace_by.reset();
    } else if (loaded.error || loaded.skipped) {
      prepared.landing.retry_after = later(now(), terms.hold_off);
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
  // Where nothing is told, only a look at the server shows who joined since whether a tag that the value names counts.
  const bool look_again =
      prepared.landing.replace_by && prepared.landing.replace_by->shared && !loaded.tags.empty() && !fills(*spec.terms);
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
    flight.void_from = prepared.void_from;
    flight.leader_only = prepared.revoked || look_again;
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
  const TagSet* kept_tags = loaded.kept && loaded.kept->extra ? &loaded.kept->extra->tags : nullptr;
  if ((!loaded.tags.empty() || kept_tags) && prepared.void_from == Flight::kValid) {
    // Nobody joins any more, but somebody may have joined after an invalidation that came since the look above.
    TagSet tags = tags_->find(loaded.tags);
    if (kept_tags) tags.join(*kept_tags);
    if (tags.invalidated() > flight.sequence) prepared.void_from = flight.sequence + 1;
  }
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

bool Core::launch(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader, LoadUrgency urgency) {
  return launch(Batch{{0}, {flight}}, *loader,
                [core = shared_from_this(), flight, loader, urgency] { core->lead(flight, *loader, urgency); });
}

bool Core::launch(const Batch& batch, const std::shared_ptr<BatchLoader>& loader, LoadUrgency urgency) {
  return launch(batch, *loader,
                [core = shared_from_this(), batch, loader, urgency] { core->lead(batch, *loader, urgency); });
}

void Core::abandon(Flight& flight) {
  store_->land(flight, {}, now());
  {
    const std::lock_guard lock(flight.mutex);
    flight.landed = flight.abandoned = true;
  }
  flight.landing.notify_all();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
