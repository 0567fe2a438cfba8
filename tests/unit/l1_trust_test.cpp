// Until when L1 may be served, and whether values of L2 may be kept in it.
#include "l1/trust.hpp"

#include <gtest/gtest.h>

#include <dsta/cache/detail/identity.hpp>

#include "entry/expiry.hpp"
#include "l1/fill_epoch.hpp"

namespace dsta::cache::detail {
namespace {

constexpr TimePoint kPast{}, kFuture = TimePoint::max();

struct L1TrustTest : ::testing::Test {
  static NodeRef node(bool shared) {
    NodeRef made = make_node<int>(KeyView{"key", {}, 1}, 1);
    made->shared = shared;
    return made;
  }
  NodeRef of_a_function() {
    NodeRef made = node(false);
    made->identity = IdentityRef(&function);
    return made;
  }

  Identity function{.prefix = "p"};
  L1Trust trust;
};

TEST_F(L1TrustTest, WithoutL2ItHolds) {
  EXPECT_FALSE(trust.limited());
  EXPECT_TRUE(trust.holds());
  EXPECT_FALSE(trust.lags());
  EXPECT_FALSE(L1View(trust).hides(*node(true)));
}

TEST_F(L1TrustTest, HoldsBeforeItsEndAndNotAtIt) {
  trust.set(TimePoint{std::chrono::seconds(5)});
  EXPECT_TRUE(trust.holds_at(TimePoint{std::chrono::seconds(5)} - Duration(1)));
  EXPECT_FALSE(trust.holds_at(TimePoint{std::chrono::seconds(5)}));
}

TEST_F(L1TrustTest, PastItsEndSharedEntriesAreHiddenAndOwnOnesAreNot) {
  trust.limit();
  trust.set(kPast);
  const L1View view(trust);
  EXPECT_FALSE(view.current());
  EXPECT_TRUE(view.hides(*node(true)));
  EXPECT_FALSE(view.hides(*node(false)));
}

TEST_F(L1TrustTest, ItLagsUntilInvalidatedOwnEntriesAreDropped) {
  function.function = true;
  function.references = 1'000'000;  // it has no table that could release it
  trust.limit();
  trust.set(kPast);
  trust.set_own_dropped(false);
  EXPECT_TRUE(trust.lags());
  EXPECT_TRUE(L1View(trust).hides(*of_a_function()));
  EXPECT_FALSE(L1View(trust).hides(*node(false))) << "nobody else knows of it";
  trust.set_own_dropped(true);
  EXPECT_FALSE(trust.lags());
  EXPECT_FALSE(L1View(trust).hides(*of_a_function()));
}

TEST_F(L1TrustTest, AViewIsOfTheMomentWhenItWasMade) {
  trust.limit();
  trust.set(kPast);
  const L1View view(trust);
  trust.set(kFuture);
  EXPECT_TRUE(view.hides(*node(true)));
  EXPECT_FALSE(L1View(trust).hides(*node(true)));
}

TEST(FillEpoch, IsOpenOnlyBetweenOpenAndClose) {
  FillEpoch epoch;
  EXPECT_FALSE(epoch.is_open());
  epoch.open();
  EXPECT_TRUE(epoch.is_open());
  epoch.close();
  EXPECT_FALSE(epoch.is_open());
}

TEST(FillEpoch, ShowsThatItWasClosedAlsoWhereItIsOpenAgain) {
  FillEpoch epoch;
  epoch.open();
  const std::uint64_t noted = epoch.current();
  epoch.open();
  EXPECT_EQ(epoch.current(), noted) << "it was open";
  epoch.close();
  epoch.open();
  EXPECT_NE(epoch.current(), noted);
}

TEST(FillEpoch, ChangesWhenItIsClosedAlsoWhereItIsClosed) {
  FillEpoch epoch;
  epoch.close();
  const std::uint64_t noted = epoch.current();
  epoch.close();
  EXPECT_NE(epoch.current(), noted);
  EXPECT_NE(noted, FillEpoch::kNever);
}

}  // namespace
}  // namespace dsta::cache::detail
