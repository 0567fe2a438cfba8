#pragma once
#include <dsta/cache/detail/load.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The facts that decide whether an entry counts and how fresh it is. `Time` is this process's time for an entry of L1
/// and the server's for one of L2.
///
/// Invariant: refresh_at <= fresh_until <= stale_until.
template <class Time>
struct Validity {
  bool foreign = false;  ///< another function stored it than the one that asks
  bool removed = false;  ///< it was invalidated, or what it depends on was, after its value was read from the source
  bool idle = false;     ///< nobody has read it for its idle_ttl
  bool expired = false;  ///< one of its tags was invalidated softly: it is past its ttl whatever the time
  Time refresh_at{};
  Time fresh_until{};
  Time stale_until{};  ///< equal to fresh_until: it may not be served stale
};

/// The one validity rule: every operation decides by it, in L1 and at L2, whether an entry counts and how fresh it is.
/// The first line that applies:
///
/// | entry                                               | freshness |
/// |-----------------------------------------------------|-----------|
/// | foreign, removed or idle                            | miss      |
/// | not expired, now < refresh_at                       | fresh     |
/// | not expired, now < fresh_until                      | due       |
/// | stale_until == fresh_until                          | miss      |
/// | now < stale_until                                   | stale     |
/// | any other                                           | miss      |
///
/// A hit compares the time once, with refresh_at: keep that comparison first.
template <class Time>
[[gnu::always_inline]] constexpr Freshness evaluate(const Validity<Time>& entry, Time now) {
  if (entry.foreign || entry.removed || entry.idle) return Freshness::miss;
  if (!entry.expired) {
    if (now < entry.refresh_at) return Freshness::fresh;
    if (now < entry.fresh_until) return Freshness::due;
  }
  return now < entry.stale_until && entry.stale_until != entry.fresh_until ? Freshness::stale : Freshness::miss;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
