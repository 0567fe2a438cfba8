/// Leading a load: running a wrapped function in its place, storing what it brings, handing it to those who wait.
#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "admission.hpp"
#include "background.hpp"
#include "entry.hpp"
#include "l1/store.hpp"
#include "load_errors.hpp"
#include "load_scope.hpp"

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
  Counters& counters = spec.identity->counters;
  const bool background = Background::on_task();
  const auto [entrance, place] = enter(admission(*spec.identity), urgency);
  if (entrance == Entrance::put_off || (entrance == Entrance::open && background && closed())) {
    if (place) place->leave();
    for (const auto& flight : batch.flights) abandon(*flight);
    return;
  }
  std::vector<Loaded> loaded;
  std::exception_ptr error;
  Duration took{};
  if (entrance == Entrance::shed) {
    counters.add(Count::shed);
    error = no_place_in_queue(spec);
  } else {
    const LoadScope scope(batch.flights, place);
    if (probe) {
      for (const auto& flight : batch.flights) probe(Point::before_load, flight->name);
    }
    counters.add(Count::loads);
    const TimePoint begun = options_.clock->now();
    try {
      loaded = run();
    } catch (...) {  // not silenced: everybody who waits gets it
      error = std::current_exception();
      counters.add(Count::load_failures);
    }
    took = options_.clock->now() - begun;
    counters.add(Count::load_nanoseconds, static_cast<std::uint64_t>(took.count()));
  }
  for (std::size_t i = 0; i < batch.flights.size(); ++i) {
    Loaded one;
    if (error) {
      one.error = error;
    } else {
      one = std::move(loaded[i]);
    }
    land(*batch.flights[i], spec, std::move(one), took);
  }
}

void Core::lead(const std::shared_ptr<Flight>& flight, Loader& loader, LoadUrgency urgency) {
  lead(Batch{{0}, {flight}}, loader, urgency, [&] {
    NodeRef previous;
    if (loader.wants_previous) previous = store_->previous(*flight, now());
    std::vector<Loaded> one;
    one.push_back(loader.load(flight->key(), previous));
    return one;
  });
}

void Core::lead(const Batch& batch, BatchLoader& loader, LoadUrgency urgency) {
  lead(batch, loader, urgency, [&] {
    std::vector<BatchLoader::Call> calls;
    calls.reserve(batch.flights.size());
    for (std::size_t i = 0; i < batch.flights.size(); ++i) calls.push_back({batch.items[i], batch.flights[i]->key()});
    return loader.load(calls);
  });
}

void Core::land(Flight& flight, const LoadSpec& spec, Loaded loaded, Duration took) {
  if (probe) probe(Point::before_store, flight.name);
  std::uint64_t void_from = Flight::kValid;
  try {
    void_from = publish(flight, spec, loaded, took);
  } catch (...) {  // no memory: it must land all the same, or its callers would wait for ever
    loaded.error = std::current_exception();
    loaded.node.reset();
    store_->land(flight, {}, now());
  }
  if (probe) probe(Point::after_store, flight.name);
  {
    const std::lock_guard lock(flight.mutex);
    flight.value = std::move(loaded.node);
    flight.error = std::move(loaded.error);
    flight.void_from = void_from;
    flight.landed = true;
  }
  flight.landing.notify_all();
}

std::uint64_t Core::publish(Flight& flight, const LoadSpec& spec, Loaded& loaded, Duration took) {
  Counters& counters = spec.identity->counters;
  const EntryTerms& terms = *spec.terms;
  std::uint64_t void_from = Flight::kValid;
  // What a value that is handed on was tagged with when it was loaded.
  const TagSet* kept_tags = loaded.kept && loaded.kept->extra ? &loaded.kept->extra->tags : nullptr;
  Store::Landing landing;
  if (loaded.node) {
    Node& node = *loaded.node;
    node.identity = spec.identity;
    node.sequence = flight.sequence;
    std::vector<std::string> names = flight.tag_names;
    names.insert(names.end(), loaded.tags.begin(), loaded.tags.end());
    TagSet tags = tags_->find(names);
    if (kept_tags) tags.join(*kept_tags);
    // Tags that only the value names could not keep callers from joining: those who came after the invalidation retry.
    // It may not have been the last one: whoever came after any since the load began does.
    if (tags.invalidated() > flight.sequence) void_from = flight.sequence + 1;
    const bool too_long = flight.full.size() > kMaxKeyBytes;
    if (too_long) counters.add(Count::rejected);
    if (loaded.store && !loaded.skipped && !too_long &&
        dress(node, terms, {ttl_of(loaded, terms), std::move(tags), std::move(loaded.etag), took})) {
      landing.replace_by = loaded.node;
    }
  }
  const bool invalidated = loaded.node && (void_from != Flight::kValid ||
                                           flight.sequence < spec.identity->cleared.load(std::memory_order_acquire));
  const bool wanted = landing.replace_by || invalidated;
  if (invalidated) {
    landing.replace_by.reset();
  } else if (loaded.error || loaded.skipped) {
    landing.retry_after = later(now(), terms.hold_off);
  } else {
    landing.remove = !landing.replace_by;
  }
  switch (store_->land(flight, std::move(landing), now())) {
    case Store::Published::stored:
      counters.add(Count::sets);
      break;
    case Store::Published::refused:
      counters.add(Count::rejected);
      break;
    case Store::Published::fenced:
      if (wanted) counters.add(Count::fenced);
      break;
    case Store::Published::nothing:
      if (invalidated) counters.add(Count::fenced);
      break;
  }
  if ((!loaded.tags.empty() || kept_tags) && void_from == Flight::kValid) {
    // Nobody joins any more, but somebody may have joined after an invalidation that came since the look above.
    TagSet tags = tags_->find(loaded.tags);
    if (kept_tags) tags.join(*kept_tags);
    if (tags.invalidated() > flight.sequence) void_from = flight.sequence + 1;
  }
  return void_from;
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
