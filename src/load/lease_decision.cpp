#include "load/lease_decision.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

LeaseStep decide(const SeenEntry& seen, bool forced, LoadUrgency urgency) {
  switch (seen.kind) {
    case SeenEntry::Kind::nothing:
      return LeaseStep::acquire;
    case SeenEntry::Kind::value:
      if (seen.freshness == Freshness::miss) return LeaseStep::take_over;
      if (forced) return LeaseStep::replace;
      return urgency == LoadUrgency::wanted || seen.freshness == Freshness::fresh ? LeaseStep::use : LeaseStep::refresh;
    case SeenEntry::Kind::lease:
      if (!seen.lease_counts) return LeaseStep::take_over;
      if (forced) return LeaseStep::join;
      if (urgency == LoadUrgency::behind) return LeaseStep::back_off;
      return seen.lease_is_callers ? LeaseStep::load_alone : LeaseStep::wait;
    case SeenEntry::Kind::other:
      break;
  }
  return seen.of_other_type ? LeaseStep::load_alone : LeaseStep::take_over;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
