#pragma once
#include <cstdint>

#include <dsta/cache/detail/load.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

enum class LoadUrgency : std::uint8_t {
  wanted,  ///< somebody waits for it: it waits for a place among the loads of its prefix
  behind,  ///< a refresh that can be tried again: without a place it is not begun
  beside,  ///< a load inside a load, which waits for no other one
};

/// What stands at L2 under the key of a load.
struct SeenEntry {
  enum class Kind : std::uint8_t { nothing, value, lease, other };
  Kind kind = Kind::nothing;
  Freshness freshness = Freshness::miss;  ///< of a value that counts and that the caller's codec can read
  bool lease_counts = false;              ///< its load is under way, under the versions that hold now
  bool lease_is_callers = false;          ///< the caller's own thread has it: it calls from inside that load
  bool of_other_type = false;             ///< a list, a set: nothing can be put in its place
  /// It counts, and is of no use to the caller alone: of another codec or function, without a tag that the caller's
  /// function names, or written by other programs. Of a lease: what its load will store is.
  bool others_use_it = false;
};

/// What a load does about it.
enum class LeaseStep : std::uint8_t {
  use,         ///< the value that is there
  wait,        ///< for the value of a load that is under way
  back_off,    ///< do nothing: another process refreshes
  replace,     ///< load, and store the result in the place of the value
  refresh,     ///< the same, if no other process has begun to refresh
  join,        ///< load beside the load that is under way, and store under its lease
  acquire,     ///< a lease in the free place, then load
  take_over,   ///< the place of what does not count, by a lease, then load
  displace,    ///< load under a lease beside what others use, which stays if the load fails
  load_alone,  ///< without a lease: the result is not stored
};

/// The step needs a claim at L2.
inline bool needs_claim(LeaseStep step) {
  return step != LeaseStep::use && step != LeaseStep::wait && step != LeaseStep::back_off &&
         step != LeaseStep::load_alone;
}

/// The one decision before a load:
///
/// | at L2                      | wanted     | refresh ahead | asked to refresh |
/// |----------------------------|------------|---------------|------------------|
/// | nothing                    | acquire    | acquire       | acquire          |
/// | value, fresh               | use        | use           | replace          |
/// | value, due or stale        | use        | refresh       | replace          |
/// | value for others           | displace   | displace      | replace          |
/// | value that does not count  | take_over  | take_over     | take_over        |
/// | lease                      | wait       | back_off      | join             |
/// | lease for others           | displace   | back_off      | join             |
/// | lease of the caller's own  | load_alone | back_off      | join             |
/// | lease of older versions    | take_over  | take_over     | take_over        |
/// | bytes of other programs    | displace   | displace      | displace         |
/// | damaged bytes              | take_over  | take_over     | take_over        |
/// | a list, a set              | load_alone | load_alone    | load_alone       |
///
/// A refresh joins a lease instead of taking it: the load that has it must not lose its value when the refresh fails.
LeaseStep decide(const SeenEntry& seen, bool forced, LoadUrgency urgency);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
