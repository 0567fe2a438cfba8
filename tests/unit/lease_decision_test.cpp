// What a load does about what it finds at L2: every cell of the table in lease_decision.hpp.
#include "load/lease_decision.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace dsta::cache::detail {
namespace {

using Kind = SeenEntry::Kind;

struct Row {
  std::string_view there;
  SeenEntry seen;
  LeaseStep wanted, refresh_ahead, asked_to_refresh;
};

SeenEntry value(Freshness freshness) { return {.kind = Kind::value, .freshness = freshness}; }
SeenEntry lease(bool counts) { return {.kind = Kind::lease, .lease_counts = counts}; }
SeenEntry callers_lease() { return {.kind = Kind::lease, .lease_counts = true, .lease_is_callers = true}; }
SeenEntry of_others(SeenEntry seen) {
  seen.others_use_it = true;
  return seen;
}
SeenEntry other(bool of_other_type) { return {.kind = Kind::other, .of_other_type = of_other_type}; }

const Row kTable[] = {
    {"nothing", {}, LeaseStep::acquire, LeaseStep::acquire, LeaseStep::acquire},
    {"value, fresh", value(Freshness::fresh), LeaseStep::use, LeaseStep::use, LeaseStep::replace},
    {"value, due", value(Freshness::due), LeaseStep::use, LeaseStep::refresh, LeaseStep::replace},
    {"value, stale", value(Freshness::stale), LeaseStep::use, LeaseStep::refresh, LeaseStep::replace},
    {"value for others", of_others(value(Freshness::miss)), LeaseStep::displace, LeaseStep::displace,
     LeaseStep::replace},
    {"value that does not count", value(Freshness::miss), LeaseStep::take_over, LeaseStep::take_over,
     LeaseStep::take_over},
    {"lease", lease(true), LeaseStep::wait, LeaseStep::back_off, LeaseStep::join},
    {"lease for others", of_others(lease(true)), LeaseStep::displace, LeaseStep::back_off, LeaseStep::join},
    {"lease of the caller's own", callers_lease(), LeaseStep::load_alone, LeaseStep::back_off, LeaseStep::join},
    {"lease of older versions", lease(false), LeaseStep::take_over, LeaseStep::take_over, LeaseStep::take_over},
    {"bytes of other programs", of_others(other(false)), LeaseStep::displace, LeaseStep::displace, LeaseStep::displace},
    {"damaged bytes", other(false), LeaseStep::take_over, LeaseStep::take_over, LeaseStep::take_over},
    {"a list, a set", other(true), LeaseStep::load_alone, LeaseStep::load_alone, LeaseStep::load_alone},
};

TEST(LeaseDecision, IsWhatTheTableSays) {
  for (const Row& row : kTable) {
    SCOPED_TRACE(row.there);
    EXPECT_EQ(decide(row.seen, false, LoadUrgency::wanted), row.wanted);
    EXPECT_EQ(decide(row.seen, false, LoadUrgency::behind), row.refresh_ahead);
    EXPECT_EQ(decide(row.seen, true, LoadUrgency::wanted), row.asked_to_refresh);
    EXPECT_EQ(decide(row.seen, true, LoadUrgency::behind), row.asked_to_refresh) << "in the background as well";
  }
}

TEST(LeaseDecision, OnlyWhatBelongsToTheKindThatIsThereMatters) {
  for (const bool forced : {false, true}) {
    for (const LoadUrgency urgency : {LoadUrgency::wanted, LoadUrgency::behind}) {
      for (const Row& row : kTable) {
        SCOPED_TRACE(row.there);
        SeenEntry odd = row.seen;
        if (odd.kind != Kind::value) odd.freshness = Freshness::fresh;
        if (odd.kind != Kind::lease) odd.lease_counts = odd.lease_is_callers = true;
        if (odd.kind != Kind::other) odd.of_other_type = true;
        EXPECT_EQ(decide(odd, forced, urgency), decide(row.seen, forced, urgency));
      }
    }
  }
}

}  // namespace
}  // namespace dsta::cache::detail
