/// Asking for many values at once: each key by itself hits, joins or leads; the keys to be led are loaded by one call.
#include <algorithm>
#include <numeric>

#include <dsta/cache/detail/core.hpp>

#include "base/time_budget.hpp"
#include "entry/entry.hpp"
#include "l1/store.hpp"
#include "load/load_errors.hpp"
#include "load/load_scope.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An item whose flight has not been looked at yet.
struct Core::Waiting {
  std::size_t item;
  std::shared_ptr<Flight> flight;  ///< null: none to be waited for, the item is to be asked for once more
  std::uint64_t arrived;
  bool leads;
  bool in_doubt;  ///< its loader had begun before this call came, and only L2 shows whether it still counts
};

/// Flights that this call is to lead: when it ends by an error before it does, those who joined them ask once more.
class Core::Unled {
 public:
  Unled(Core& core, Batch& batch, std::size_t most) : core_(core), batch_(batch) {
    batch_.items.reserve(most);
    batch_.flights.reserve(most);
  }
  ~Unled() {
    if (led_) return;
    for (const auto& flight : batch_.flights) core_.abandon(*flight);
  }
  Unled(const Unled&) = delete;
  Unled& operator=(const Unled&) = delete;
  void lead() noexcept { led_ = true; }

 private:
  Core& core_;
  Batch& batch_;
  bool led_ = false;
};

std::vector<Core::Waiting> Core::join_batch(std::vector<BatchItem>& items, const std::vector<std::size_t>& open,
                                            const LoadSpec& spec, bool counted, Batch& wanted, Batch& behind,
                                            std::size_t& early) {
  Counters& counters = spec.identity->counters;
  std::vector<Waiting> waiting;
  waiting.reserve(open.size());  // what was joined as its leader is always handed on
  const bool asks = reads_l2_itself(spec);
  const bool lags = !asks && l1_lags();
  for (const std::size_t i : open) {
    BatchItem& item = items[i];
    if (LoadScope::loading(item.key, spec)) {
      item.error = asks_for_its_own_key(spec);
      continue;
    }
    auto flight = new_flight(item.key, spec, item.tags);
    const std::uint64_t arrived = flight->sequence;
    Store::Joined joined =
        store_->join(std::move(flight), asks || lags ? Store::Wants::load : Store::Wants::any, now());
    // With a shared level it is not yet known which of the two it will be.
    if (!counted && (joined.entry || !shares(*spec.terms))) counters.add(joined.entry ? Count::hits : Count::misses);
    if (joined.entry) {
      const bool past_ttl = is_past_ttl(joined.freshness);
      if (past_ttl) counters.add(Count::stale_served);
      if (joined.lead) {
        early += past_ttl ? 0 : 1;
        behind.add(i, std::move(joined.flight));
      }
      item.value = std::move(joined.entry);
      continue;
    }
    if (joined.lead) wanted.add(i, joined.flight);
    const bool in_doubt = asks || lags ? joined.loading : joined.told;
    waiting.push_back({i, std::move(joined.flight), arrived, joined.lead, in_doubt});
  }
  drop_superseded(items, spec, waiting);
  for (const Waiting& one : waiting) {
    if (one.flight && !one.leads) counters.add(Count::coalesced);
  }
  return waiting;
}

void Core::drop_superseded(const std::vector<BatchItem>& items, const LoadSpec& spec, std::vector<Waiting>& waiting) {
  std::vector<Waiting*> joined;
  std::vector<Fetched> seen;
  std::vector<std::string> tags;
  for (Waiting& one : waiting) {
    if (one.leads || !one.in_doubt) continue;
    const BatchItem& item = items[one.item];
    joined.push_back(&one);
    seen.push_back({item.key});
    if (spec.identity->function) seen.back().tags = &item.tags;
    tags.insert(tags.end(), item.tags.begin(), item.tags.end());
  }
  if (joined.empty()) return;
  const TypeOps* types[] = {spec.type};
  if (shares(*spec.terms)) fetch(seen, types, spec.identity, *spec.terms, dependencies_of(spec.identity, tags));
  for (std::size_t n = 0; n < joined.size(); ++n) {
    auto& flight = joined[n]->flight;
    if (may_join(*flight, seen[n])) continue;
    store_->supersede(*flight);
    flight.reset();
  }
}

void Core::load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader) {
  if (shared_) reaches_shared();
  const TimePoint limit = deadline(now(), loader->terms->load_timeout);
  const TimeBudget::Operation budget(time_limit());
  std::vector<std::size_t> open(items.size());
  std::iota(open.begin(), open.end(), std::size_t{0});
  for (bool counted = false; !open.empty(); counted = true) {
    if (closed()) return load_uncached(items, open, counted, *loader);
    Batch wanted, behind;
    std::size_t early = 0;
    Unled unled(*this, wanted, open.size()), unled_behind(*this, behind, open.size());
    std::vector<Waiting> waiting = join_batch(items, open, *loader, counted, wanted, behind, early);
    unled.lead();
    unled_behind.lead();
    if (!behind.empty() && launch(behind, loader, LoadUrgency::behind)) {
      loader->identity->counters.add(Count::early_refreshes, early);
    }

    // What this call leads it loads before it waits for others: nobody waits for a load that is not under way.
    if (!wanted.empty() && (limit == TimePoint::max() || LoadScope::active())) {
      const CallersOf caller(wanted.flights);
      lead(wanted, *loader, LoadUrgency::wanted);
    } else if (!wanted.empty()) {
      launch(wanted, loader, LoadUrgency::wanted);
    }

    open.clear();
    std::vector<std::size_t> aged;
    for (auto& [item, flight, arrived, leads, in_doubt] : waiting) {
      const auto count = [&](bool found) {
        if (!counted && shares(*loader->terms)) {
          loader->identity->counters.add(found ? Count::hits : Count::misses);
        }
      };
      if (!flight) {
        count(false);
        open.push_back(item);
        continue;
      }
      try {
        Awaited awaited = await(flight, limit, arrived, leads);
        if (awaited == Awaited::stuck) {
          flight = lead_beside(item, items[item], *loader);
          leads = true;
          awaited = await(flight, TimePoint::max(), flight->sequence, true);
        }
        count(awaited == Awaited::value && flight->from_shared);
        switch (awaited) {
          case Awaited::value:
            items[item].value = flight->value;
            if (flight->from_shared && flight->found != Freshness::fresh) {
              if (is_past_ttl(flight->found)) loader->identity->counters.add(Count::stale_served);
              aged.push_back(item);
            }
            break;
          case Awaited::error:
            items[item].error = flight->error;
            break;
          case Awaited::timeout:
            items[item].error = took_too_long(*loader);
            break;
          case Awaited::missing:
          case Awaited::stuck:  // never of its own load
            break;
          case Awaited::nothing:  // abandoned, or invalidated before this call came
            if (leads && !closed()) {
              loader->identity->counters.add(Count::shed);
              items[item].error = executor_is_full(*loader);
            } else {
              open.push_back(item);
            }
        }
      } catch (const RecursiveLoadError&) {  // handed over in the outcome
        count(false);
        items[item].error = std::current_exception();
      }
    }
    if (!aged.empty()) refresh_behind(items, aged, loader);
  }
}

/// A flight of its own for an item whose flight waits for its caller, landed.
std::shared_ptr<Flight> Core::lead_beside(std::size_t place, const BatchItem& item, BatchLoader& loader) {
  const Batch own{{place}, {new_flight(item.key, loader, item.tags)}};
  store_->begin(own.flights[0]);
  lead(own, loader, LoadUrgency::beside);
  return own.flights[0];
}

/// Values of L2 that are due or past their ttl: their refresh is begun, as that of values of L1 is.
void Core::refresh_behind(const std::vector<BatchItem>& items, const std::vector<std::size_t>& aged,
                          const std::shared_ptr<BatchLoader>& loader) {
  Batch behind;
  std::size_t early = 0;
  Unled unled(*this, behind, aged.size());
  for (const std::size_t i : aged) {
    if (shared_->backs_off(items[i].key.name, items[i].value->created, now())) continue;
    Store::Joined joined = store_->join(new_flight(items[i].key, *loader, items[i].tags), Store::Wants::load, now());
    if (!joined.lead) continue;
    early += now() < items[i].value->fresh_until ? 1 : 0;
    behind.add(i, std::move(joined.flight));
  }
  unled.lead();
  if (!behind.empty() && launch(behind, loader, LoadUrgency::behind)) {
    loader->identity->counters.add(Count::early_refreshes, early);
  }
}

void Core::load_uncached(std::vector<BatchItem>& items, const std::vector<std::size_t>& open, bool counted,
                         BatchLoader& loader) {
  Counters& counters = loader.identity->counters;
  if (!counted) counters.add(Count::misses, open.size());
  counters.add(Count::loads);
  std::vector<BatchLoader::Call> calls;
  for (const std::size_t i : open) calls.push_back({i, items[i].key});
  try {
    std::vector<Loaded> loaded = loader.load(calls);
    for (std::size_t n = 0; n < open.size(); ++n) {
      items[open[n]].value = std::move(loaded[n].node);
      items[open[n]].error = std::move(loaded[n].error);
    }
  } catch (...) {  // handed over in the outcomes
    for (const std::size_t i : open) items[i].error = std::current_exception();
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
