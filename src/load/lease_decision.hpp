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
};

/// What a load does about it.
enum class LeaseStep : std::uint8_t {
  land,       ///< take the value
  wait,       ///< another load brings it
  put_off,    ///< a refresh that another process makes
  replace,    ///< load, and put the result in the place of the value
  refresh,    ///< the same, if no other process has begun to
  join,       ///< load beside the load that is under way, and store by its lease
  take,       ///< a lease in the free place
  take_over,  ///< a lease in the place of what does not count
  alone,      ///< load, and store nothing
};

/// The step needs a claim at L2.
inline bool needs_claim(LeaseStep step) {
  return step != LeaseStep::land && step != LeaseStep::wait && step != LeaseStep::put_off && step != LeaseStep::alone;
}

/// The one decision before a load:
///
/// | there                      | wanted    | refresh ahead | asked to refresh |
/// |----------------------------|-----------|---------------|------------------|
/// | nothing                    | take      | take          | take             |
/// | value, fresh               | land      | land          | replace          |
/// | value, due or stale        | land      | refresh       | replace          |
/// | value that does not count  | take_over | take_over     | take_over        |
/// | lease                      | wait      | put_off       | join             |
/// | lease of the caller's own  | alone     | put_off       | join             |
/// | lease of older versions    | take_over | take_over     | take_over        |
/// | bytes of something else    | take_over | take_over     | take_over        |
/// | a list, a set              | alone     | alone         | alone            |
///
/// A refresh joins a lease instead of taking it: the load that has it must not lose its value when the refresh fails.
LeaseStep decide(const SeenEntry& seen, bool forced, LoadUrgency urgency);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
