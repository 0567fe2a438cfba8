/// Asking for many values at once: each key by itself hits, joins or leads; the keys to be led are loaded by one call.
#include <algorithm>
#include <numeric>
#include <utility>

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

/// An item whose flight has not been looked at yet.
struct Waiting {
  std::size_t item;
  std::shared_ptr<Flight> flight;  ///< null: none to be waited for, the item is to be asked for once more
  std::uint64_t arrived;
  bool leads;
  bool in_doubt;  ///< its loader had begun before this call came, and only L2 shows whether it still counts
};

/// Abandons the flights that this call leads, unless their load begins: if the call ends by an error before that,
/// callers that joined them try again.
class AbandonUnlessLoaded {
 public:
  AbandonUnlessLoaded(LoadRunner& runner, Batch& batch, std::size_t most) : runner_(runner), batch_(batch) {
    batch_.items.reserve(most);
    batch_.flights.reserve(most);
  }
  ~AbandonUnlessLoaded() {
    if (kept_) return;
    for (const auto& flight : batch_.flights) runner_.abandon(*flight);
  }
  AbandonUnlessLoaded(const AbandonUnlessLoaded&) = delete;
  AbandonUnlessLoaded& operator=(const AbandonUnlessLoaded&) = delete;
  void keep() noexcept { kept_ = true; }

 private:
  LoadRunner& runner_;
  Batch& batch_;
  bool kept_ = false;
};

}  // namespace

/// One call of load_batch(): its items, and which of them are open, that is have no outcome yet. One thread.
class Loads::BatchCall {
 public:
  BatchCall(Loads& loads, std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader)
      : loads_(loads),
        items_(items),
        loader_(loader),
        limit_(deadline(loads.context_.now(), loader->terms->load_timeout)),
        open_(items.size()),
        counted_(items.size()),
        coalesced_(items.size()) {
    std::iota(open_.begin(), open_.end(), std::size_t{0});
  }

  void run();

 private:
  /// Each open item becomes a hit, or one of those that are waited for; of these, what nobody loads yet goes to
  /// `wanted`. Refreshes to be begun go to `behind`; `early` of them are of fresh entries.
  std::vector<Waiting> join(Batch& wanted, Batch& behind, std::size_t& early);
  /// Takes away the flights that whoever comes now must not join: case 4 of flight.hpp.
  void drop_superseded(std::vector<Waiting>& waiting);
  void load(const Batch& wanted);
  /// An item that gets no outcome is open again. One that is to be refreshed goes to `aged`.
  void wait_for(Waiting& one, std::vector<std::size_t>& aged);
  void finish(const Waiting& one, Awaited awaited, std::vector<std::size_t>& aged);
  std::shared_ptr<Flight> lead_beside(std::size_t place);
  void refresh_behind(const std::vector<std::size_t>& aged);
  void load_uncached();

  const LoadSpec& spec() const { return *loader_; }
  Counters& counters() const { return loader_->identity->counters; }
  /// Each item once.
  void count(std::size_t item, bool found) {
    if (counted_[item]) return;
    counted_[item] = true;
    counters().add(found ? Count::hits : Count::misses);
  }

  Loads& loads_;
  std::vector<BatchItem>& items_;
  const std::shared_ptr<BatchLoader>& loader_;
  const TimePoint limit_;
  std::vector<std::size_t> open_;
  std::vector<bool> counted_;    ///< by item: as a hit or a miss
  std::vector<bool> coalesced_;  ///< by item: counted as that
};

void Loads::load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader) {
  BatchCall(*this, items, loader).run();
}

void Loads::BatchCall::run() {
  loads_.levels_.notice_fork();
  const TimeBudget::Operation budget(loads_.context_.time_limit(loader_->terms->load_timeout));
  while (!open_.empty()) {
    if (loads_.context_.closed()) return load_uncached();
    Batch wanted, behind;
    std::size_t early = 0;
    AbandonUnlessLoaded abandon_wanted(loads_.runner_, wanted, open_.size());
    AbandonUnlessLoaded abandon_behind(loads_.runner_, behind, open_.size());
    std::vector<Waiting> waiting = join(wanted, behind, early);
    abandon_wanted.keep();
    abandon_behind.keep();
    if (!behind.empty() && loads_.runner_.run_load_async(behind, loader_, LoadUrgency::behind)) {
      counters().add(Count::early_refreshes, early);
    }
    // What this call leads it loads before it waits for others: nobody waits for a load that is not under way.
    if (!wanted.empty()) load(wanted);
    open_.clear();
    std::vector<std::size_t> aged;
    for (Waiting& one : waiting) wait_for(one, aged);
    if (!aged.empty()) refresh_behind(aged);
  }
}

std::vector<Waiting> Loads::BatchCall::join(Batch& wanted, Batch& behind, std::size_t& early) {
  std::vector<Waiting> waiting;
  waiting.reserve(open_.size());  // what was joined as its leader is always handed on
  const bool asks = loads_.reads_l2_itself(spec());
  const bool lags = !asks && loads_.trust_.lags();
  for (const std::size_t i : open_) {
    BatchItem& item = items_[i];
    if (LoadScope::loading(item.key, spec())) {
      item.error = asks_for_its_own_key(spec());
      continue;
    }
    auto flight = loads_.new_flight(item.key, spec(), item.tags);
    const std::uint64_t arrived = flight->sequence;
    Store::Joined joined =
        loads_.context_.store.join(std::move(flight), loads_.wants_of(asks, lags), loads_.context_.now());
    // With an L2 it is not yet known which of the two it will be.
    if (joined.entry || !loads_.levels_.used_by(*spec().terms)) count(i, bool(joined.entry));
    if (joined.entry) {
      const bool past_ttl = is_past_ttl(joined.freshness);
      if (past_ttl) counters().add(Count::stale_served);
      if (joined.lead) {
        early += past_ttl ? 0 : 1;
        behind.add(i, std::move(joined.flight));
      }
      item.value = as_type(item.key, std::move(joined.entry), *spec().type);
      continue;
    }
    if (joined.lead) wanted.add(i, joined.flight);
    const bool in_doubt = joined.in_doubt(!asks && !lags);
    waiting.push_back({i, std::move(joined.flight), arrived, joined.lead, in_doubt});
  }
  drop_superseded(waiting);
  for (const Waiting& one : waiting) {
    if (!one.flight || one.leads || coalesced_[one.item]) continue;
    coalesced_[one.item] = true;
    counters().add(Count::coalesced);
  }
  return waiting;
}

void Loads::BatchCall::drop_superseded(std::vector<Waiting>& waiting) {
  std::vector<Waiting*> joined;
  std::vector<Fetched> seen;
  std::vector<std::string> tags;
  for (Waiting& one : waiting) {
    if (!one.in_doubt) continue;
    const BatchItem& item = items_[one.item];
    joined.push_back(&one);
    seen.push_back({item.key});
    if (spec().identity->function) seen.back().tags = &item.tags;
    tags.insert(tags.end(), item.tags.begin(), item.tags.end());
  }
  if (joined.empty()) return;
  const TypeOps* types[] = {spec().type};
  if (loads_.levels_.used_by(*spec().terms)) {
    loads_.l2_.read(seen, types, spec().identity, *spec().terms, dependencies_of(spec().identity, tags));
  }
  for (std::size_t n = 0; n < joined.size(); ++n) {
    auto& flight = joined[n]->flight;
    if (loads_.may_join(*flight, seen[n])) continue;
    loads_.context_.store.supersede(*flight);
    flight.reset();
  }
}

void Loads::BatchCall::load(const Batch& wanted) {
  const CallersOf caller(wanted.flights);  // an executor may run them here and now
  if (limit_ == TimePoint::max() || LoadScope::active()) {
    loads_.runner_.run_load(wanted, *loader_, LoadUrgency::wanted);
  } else {
    loads_.runner_.run_load_async(wanted, loader_, LoadUrgency::wanted);
  }
}

void Loads::BatchCall::wait_for(Waiting& one, std::vector<std::size_t>& aged) {
  if (!one.flight) {
    count(one.item, false);
    open_.push_back(one.item);
    return;
  }
  try {
    Awaited awaited = loads_.await(one.flight, limit_, one.arrived, one.leads);
    if (awaited == Awaited::stuck) {
      one.flight = lead_beside(one.item);
      one.leads = true;
      awaited = loads_.await(one.flight, TimePoint::max(), one.flight->sequence, true);
    }
    // What is asked for once more because other keys come first is counted by what it gets.
    if (awaited != Awaited::nothing || !one.flight->deferred) {
      count(one.item, awaited == Awaited::value && one.flight->from_l2);
    }
    finish(one, awaited, aged);
  } catch (const RecursiveLoadError&) {  // handed over in the outcome
    count(one.item, false);
    items_[one.item].error = std::current_exception();
  }
}

void Loads::BatchCall::finish(const Waiting& one, Awaited awaited, std::vector<std::size_t>& aged) {
  BatchItem& item = items_[one.item];
  const Flight& flight = *one.flight;
  switch (awaited) {
    case Awaited::value:
      item.value = flight.value;
      if (flight.from_l2 && flight.found != Freshness::fresh) {
        if (is_past_ttl(flight.found)) counters().add(Count::stale_served);
        aged.push_back(one.item);
      }
      break;
    case Awaited::error:
      item.error = flight.error;
      break;
    case Awaited::timeout:
      item.error = took_too_long(*loader_);
      break;
    case Awaited::missing:
    case Awaited::stuck:  // never of its own load
      break;
    case Awaited::nothing:  // abandoned, or invalidated before this call came
      if (one.leads && !flight.deferred && !loads_.context_.closed()) {
        counters().add(Count::shed);
        item.error = executor_is_full(*loader_);
      } else {
        open_.push_back(one.item);
      }
  }
}

/// A flight of its own for an item whose flight waits for its caller, landed.
std::shared_ptr<Flight> Loads::BatchCall::lead_beside(std::size_t place) {
  const BatchItem& item = items_[place];
  const Batch own{{place}, {loads_.new_flight(item.key, *loader_, item.tags)}};
  loads_.context_.store.begin(own.flights[0]);
  loads_.runner_.run_load(own, *loader_, LoadUrgency::beside);
  return own.flights[0];
}

/// Values of L2 that are due or past their ttl: their refresh is begun, as that of values of L1 is.
void Loads::BatchCall::refresh_behind(const std::vector<std::size_t>& aged) {
  Batch behind;
  std::size_t early = 0;
  AbandonUnlessLoaded abandon_behind(loads_.runner_, behind, aged.size());
  for (const std::size_t i : aged) {
    if (loads_.backoffs_.active(items_[i].key.name, items_[i].value->created, loads_.context_.now())) continue;
    Store::Joined joined = loads_.context_.store.join(loads_.new_flight(items_[i].key, *loader_, items_[i].tags),
                                                      Store::Wants::load, loads_.context_.now());
    if (!joined.lead) continue;
    early += loads_.context_.now() < items_[i].value->fresh_until ? 1 : 0;
    behind.add(i, std::move(joined.flight));
  }
  abandon_behind.keep();
  if (!behind.empty() && loads_.runner_.run_load_async(behind, loader_, LoadUrgency::behind)) {
    counters().add(Count::early_refreshes, early);
  }
}

void Loads::BatchCall::load_uncached() {
  std::vector<BatchLoader::Call> calls;
  std::vector<std::shared_ptr<Flight>> flights;
  for (const std::size_t i : open_) {
    BatchItem& item = items_[i];
    count(i, false);
    if (LoadScope::loading(item.key, spec())) {
      item.error = asks_for_its_own_key(spec());
      continue;
    }
    calls.push_back({i, item.key});
    flights.push_back(
        std::make_shared<Flight>(item.key, spec(), std::vector<std::string>(), loads_.context_.sequence()));
  }
  if (calls.empty()) return;
  try {
    std::vector<Loaded> loaded =
        run_uncached(flights, *loads_.context_.options.clock, counters(), [&] { return loader_->load(calls); });
    for (std::size_t n = 0; n < calls.size(); ++n) {
      items_[calls[n].item].value = std::move(loaded[n].node);
      items_[calls[n].item].error = std::move(loaded[n].error);
    }
  } catch (...) {  // handed over in the outcomes
    for (const auto& call : calls) items_[call.item].error = std::current_exception();
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
