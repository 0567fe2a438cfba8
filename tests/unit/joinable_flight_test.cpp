// Which loads a caller may join while their loader runs, by what was reported of their key and became of their lease.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "load_spec.hpp"

namespace dsta::cache::detail {
namespace {

struct JoinableFlight : ::testing::Test {
  JoinableFlight() {
    store.fill_epoch().open();
    store.rearm(*load, true);  // what is at L2 is read
  }
  Store::Joined join() {
    return store.join(std::make_shared<Flight>(key, spec, std::vector<std::string>{}, 1), Store::Wants::any, now);
  }

  Identity identity;
  LoadSpec spec = testing_support::load_of_int(identity);
  TimePoint now{};
  KeyView key{"key", {}, 42, true};
  Store store{L1Options{.max_bytes = 1 << 20}, now};
  std::shared_ptr<Flight> load = join().flight;
};

TEST_F(JoinableFlight, OfWhichNothingIsReportedIsJoined) {
  store.begin_loading(*load, now);
  const Store::Joined joined = join();
  EXPECT_EQ(joined.flight, load);
  EXPECT_FALSE(joined.in_doubt(true));
}

TEST_F(JoinableFlight, IsInDoubtOnceAChangeIsReportedAfterItsClaim) {
  load->leased = true;
  store.begin_claim(*load);
  store.revoke(key);
  store.begin_loading(*load, now);
  EXPECT_TRUE(join().in_doubt(true)) << "its claim may be gone, and then nothing is reported any more";
}

TEST_F(JoinableFlight, WithoutALeaseIsNotJoinedAfterSuchAReport) {
  store.revoke(key);  // since it was read what its value is to replace
  store.begin_loading(*load, now);
  EXPECT_TRUE(join().lead);
}

TEST_F(JoinableFlight, IsJoinedWhereTheChangeCameBeforeItsClaim) {
  load->leased = true;
  store.revoke(key);
  store.begin_claim(*load);
  store.revoke(key, load.get());  // by the lease that it took itself
  store.begin_loading(*load, now);
  const Store::Joined joined = join();
  EXPECT_EQ(joined.flight, load);
  EXPECT_FALSE(joined.in_doubt(true));
}

TEST_F(JoinableFlight, WhoseLeaseHasLapsedIsNotJoined) {
  store.begin_loading(*load, now);
  load->lapsed = true;
  EXPECT_TRUE(join().lead) << "its loader may hang";
}

}  // namespace
}  // namespace dsta::cache::detail
