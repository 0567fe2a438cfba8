/// Loading: who runs a wrapped function, who waits for it, and whether what it brings may be stored.
#include <fmt/format.h>

#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/key.hpp>

#include "background.hpp"
#include "entry.hpp"
#include "l1/store.hpp"
#include "load_scope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// A limit of zero is none.
TimePoint deadline(TimePoint from, Duration limit) {
  return limit <= Duration::zero() ? TimePoint::max() : later(from, limit);
}

}  // namespace

NodeRef Core::load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode) {
  Counters& counters = loader->identity->counters;
  if (LoadScope::loading(key, *loader)) {
    throw RecursiveLoadError(fmt::format(
        "the function cached under prefix '{}' asks for the key that it is loading: take what it needs from its source",
        loader->identity->prefix));
  }
  const EntryTerms& terms = *loader->terms;
  const TimePoint called = now();
  for (bool counted = mode == LoadMode::refresh;; counted = true) {
    const bool too_long = key.full.size() > kMaxKeyBytes;
    if (closed() || too_long) {
      if (!counted) counters.add(Count::misses);
      if (too_long) counters.add(Count::rejected);
      counters.add(Count::loads);
      return loader->load(key).node;
    }
    auto flight = std::make_shared<Flight>(key, *loader, sequence());
    flight->tags = tags_->find(loader->tags);
    const std::uint64_t arrived = flight->sequence;
    Store::Joined joined = store_->join(std::move(flight), mode == LoadMode::refresh, now());

    if (joined.entry) {
      const bool stale = joined.freshness == Freshness::stale;
      if (!counted) counters.add(Count::hits);
      if (joined.lead) {
        if (!stale) counters.add(Count::early_refreshes);
        refresh_behind(joined.flight, loader);
      }
      if (stale && terms.soft_timeout > Duration::zero()) {
        const auto landed = await(joined.flight, deadline(called, terms.soft_timeout), arrived);
        if (landed == Awaited::value) return joined.flight->value;
      }
      if (stale) counters.add(Count::stale_served);
      return joined.entry;
    }

    if (!counted) counters.add(Count::misses);
    const TimePoint limit = deadline(called, terms.load_timeout);
    if (joined.lead) {
      // A loader inside a loader runs where it is: a pool whose threads all wait for their children has none left.
      if (limit == TimePoint::max() || LoadScope::active()) return lead(*joined.flight, *loader);
      if (!launch(joined.flight, loader) && !closed()) {
        counters.add(Count::shed);
        throw OverloadError(
            fmt::format("a load under prefix '{}' was not started: the executor is full", loader->identity->prefix));
      }
    } else {
      counters.add(Count::coalesced);
    }
    switch (await(joined.flight, limit, arrived)) {
      case Awaited::value:
        return joined.flight->value;
      case Awaited::error:
        std::rethrow_exception(joined.flight->error);
      case Awaited::timeout:
        throw LoadTimeoutError(
            fmt::format("a load under prefix '{}' took longer than its load_timeout; what it brings is "
                        "stored when it ends",
                        loader->identity->prefix));
      case Awaited::nothing:
        break;  // abandoned, or invalidated before this caller came: try again
    }
  }
}

NodeRef Core::lead(Flight& flight, Loader& loader) {
  Counters& counters = loader.identity->counters;
  Loaded loaded;
  std::exception_ptr error;
  if (probe) probe(Point::before_load, flight.name);
  counters.add(Count::loads);
  const auto begun = std::chrono::steady_clock::now();
  try {
    const LoadScope scope(flight);
    loaded = loader.load(flight.key());
  } catch (...) {  // not silenced: every caller of this flight gets it
    error = std::current_exception();
    counters.add(Count::load_failures);
  }
  const Duration took = std::chrono::steady_clock::now() - begun;
  counters.add(Count::load_nanoseconds, static_cast<std::uint64_t>(took.count()));
  return land(flight, loader, std::move(loaded), std::move(error));
}

NodeRef Core::land(Flight& flight, const Loader& loader, Loaded loaded, std::exception_ptr error) {
  if (probe) probe(Point::before_store, flight.name);
  Counters& counters = loader.identity->counters;
  const EntryTerms& terms = *loader.terms;
  NodeRef value = loaded.node;
  NodeRef to_store;
  std::uint64_t void_from = std::numeric_limits<std::uint64_t>::max();
  if (value) {
    value->identity = loader.identity;
    value->sequence = flight.sequence;
    std::vector<std::string> names = loader.tags;
    names.insert(names.end(), loaded.tags.begin(), loaded.tags.end());
    TagSet tags = tags_->find(names);
    // Tags that only the value names could not keep callers from joining: those who came after the invalidation retry.
    if (tags.invalidated() > flight.sequence) void_from = tags.invalidated();
    if (loaded.store && dress(*value, terms, ttl_of(loaded, terms), std::move(tags))) to_store = value;
  }
  const bool invalidated = void_from != std::numeric_limits<std::uint64_t>::max() ||
                           flight.sequence < loader.identity->cleared.load(std::memory_order_acquire);
  if (invalidated) to_store.reset();
  const bool wanted = to_store || invalidated;
  switch (store_->land(flight, std::move(to_store), now())) {
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
  if (!loaded.tags.empty() && void_from == std::numeric_limits<std::uint64_t>::max()) {
    // Nobody joins any more, but somebody may have joined after an invalidation that came since the look above.
    const TagSet tags = tags_->find(loaded.tags);
    if (tags.invalidated() > flight.sequence) void_from = tags.invalidated();
  }
  if (probe) probe(Point::after_store, flight.name);
  {
    const std::lock_guard lock(flight.mutex);
    flight.value = value;
    flight.error = error;
    flight.void_from = void_from;
    flight.landed = true;
  }
  flight.landing.notify_all();
  if (error) std::rethrow_exception(error);
  return value;
}

Core::Awaited Core::await(const std::shared_ptr<Flight>& flight, TimePoint limit, std::uint64_t arrived) {
  if (probe) probe(Point::before_wait, flight->name);
  if (LoadScope::active() || Background::on_task()) {
    // This thread may be the very one that the load is queued for.
    std::unique_lock lock(flight->mutex);
    const auto errand = flight->errand.lock();
    lock.unlock();
    if (errand) errand->run();
  }
  const WaitScope scope(flight);
  std::unique_lock lock(flight->mutex);
  while (!flight->landed) {
    if (limit == TimePoint::max()) {
      flight->landing.wait(lock);
    } else if (options_.clock->wait_until(lock, flight->landing, limit) && !flight->landed) {
      return Awaited::timeout;
    }
  }
  if (flight->error) return Awaited::error;
  return flight->value && arrived < flight->void_from ? Awaited::value : Awaited::nothing;
}

namespace {

/// Lands its flight empty-handed when it is destroyed before it began, so that nobody waits for ever.
class QueuedLoad final : public Errand {
 public:
  using Lead = std::function<void(Flight&, Loader&)>;
  using Abandon = std::function<void(Flight&)>;
  QueuedLoad(std::shared_ptr<Flight> flight, std::shared_ptr<Loader> loader, Lead lead, Abandon abandon)
      : flight_(std::move(flight)), loader_(std::move(loader)), lead_(std::move(lead)), abandon_(std::move(abandon)) {}
  QueuedLoad(const QueuedLoad&) = delete;
  QueuedLoad& operator=(const QueuedLoad&) = delete;
  ~QueuedLoad() override {
    if (!begun_) abandon_(*flight_);
  }
  void run() override {
    if (!begun_.exchange(true)) lead_(*flight_, *loader_);
  }

 private:
  std::shared_ptr<Flight> flight_;
  std::shared_ptr<Loader> loader_;
  Lead lead_;
  Abandon abandon_;
  std::atomic<bool> begun_{false};
};

}  // namespace

bool Core::launch(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader) {
  auto core = shared_from_this();
  auto errand = std::make_shared<QueuedLoad>(
      flight, loader,
      [core](Flight& own, Loader& own_loader) {
        try {
          core->lead(own, own_loader);
        } catch (...) {  // landed with the flight; nobody may be waiting
          core->log(LogLevel::info,
                    fmt::format("a background load under prefix '{}' failed", own_loader.identity->prefix));
        }
      },
      [core](Flight& own) { core->abandon(own); });
  {
    const std::lock_guard lock(flight->mutex);
    flight->errand = errand;
  }
  return background_->post([errand] { errand->run(); });
}

void Core::abandon(Flight& flight) {
  store_->land(flight, {}, now());
  {
    const std::lock_guard lock(flight.mutex);
    flight.landed = true;
  }
  flight.landing.notify_all();
}

void Core::refresh_behind(const std::shared_ptr<Flight>& flight, const std::shared_ptr<Loader>& loader) {
  if (!launch(flight, loader)) log(LogLevel::info, "the executor is full: a refresh was not started");
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
