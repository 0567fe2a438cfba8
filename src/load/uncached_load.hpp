#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/detail/counters.hpp>

#include "base/time_budget.hpp"
#include "l1/flight.hpp"
#include "load/load_scope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What `run`, a loader, returns, where nothing is stored and nobody joins: the manager is closed, or has no cache for
/// a while. It is counted as any load, and what it calls inside knows whose load it is. `flights`: its keys.
template <class Run>
auto run_uncached(std::span<const std::shared_ptr<Flight>> flights, const v1::Clock& clock, Counters& counters,
                  const Run& run) {
  const LoadScope scope(flights, nullptr);
  const TimeBudget::Pause pause;
  counters.add(Count::loads);
  const TimePoint begun = clock.now();
  const auto count_time = [&] {
    counters.add(Count::load_nanoseconds, static_cast<std::uint64_t>((clock.now() - begun).count()));
  };
  try {
    auto loaded = run();
    count_time();
    return loaded;
  } catch (...) {  // handed on
    counters.add(Count::load_failures);
    count_time();
    throw;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
