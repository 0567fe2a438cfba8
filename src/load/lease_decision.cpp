#include "load/lease_decision.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

LeaseStep decide(const SeenEntry& seen, bool forced, LoadUrgency urgency) {
  switch (seen.kind) {
    case SeenEntry::Kind::nothing:
      return LeaseStep::acquire;
    case SeenEntry::Kind::value:
      if (seen.freshness == Freshness::miss && !seen.others_use_it) return LeaseStep::take_over;
      if (forced) return LeaseStep::replace;
      if (seen.freshness == Freshness::miss) return LeaseStep::displace;
      return urgency == LoadUrgency::wanted || seen.freshness == Freshness::fresh ? LeaseStep::use : LeaseStep::refresh;
    case SeenEntry::Kind::lease:
      if (!seen.lease_counts) return LeaseStep::take_over;
      if (forced) return LeaseStep::join;
      if (urgency == LoadUrgency::behind) return LeaseStep::back_off;
      if (seen.lease_is_callers) return LeaseStep::load_alone;
      return seen.others_use_it ? LeaseStep::displace : LeaseStep::wait;
    case SeenEntry::Kind::other:
      break;
  }
  if (seen.of_other_type) return LeaseStep::load_alone;
  return seen.others_use_it ? LeaseStep::displace : LeaseStep::take_over;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
