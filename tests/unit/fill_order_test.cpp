// A value on its way from L2 to L1 beside loads of its key: it is older than what a load brought meanwhile, and keeps
// no load from being stored.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "load_spec.hpp"

namespace dsta::cache::detail {
namespace {

struct FillOrder : ::testing::Test {
  FillOrder() { store.fill_epoch().open(); }

  std::shared_ptr<Flight> flight(FlightKind kind) {
    auto made = std::make_shared<Flight>(key, spec, std::vector<std::string>{}, ++sequence);
    made->kind = kind;
    return made;
  }
  std::shared_ptr<Flight> begin_fill() {
    auto made = flight(FlightKind::fill);
    store.begin(made);
    return made;
  }
  std::shared_ptr<Flight> begin_refresh() {
    return store.join(flight(FlightKind::load), Store::Wants::refresh, now).flight;
  }
  /// Reads L2 first, as loads do.
  std::shared_ptr<Flight> begin_load() { return store.join(flight(FlightKind::load), Store::Wants::any, now).flight; }
  Store::Published land(const std::shared_ptr<Flight>& flight, int value, bool shared = true, bool found = false) {
    Store::Landing landing;
    landing.found = found;
    landing.replace_by = make_node<int>(key, value);
    landing.replace_by->fresh_until = landing.replace_by->refresh_at = landing.replace_by->stale_until =
        TimePoint::max();
    landing.replace_by->shared = shared;
    return store.land(*flight, std::move(landing), now);
  }
  int held() {
    const NodeRef found = store.peek(key, now);
    return found ? found.as<int>() : 0;
  }

  Identity identity;
  LoadSpec spec = testing_support::load_of_int(identity);
  TimePoint now{};
  std::uint64_t sequence = 0;
  KeyView key{"key", {}, 42, true};
  Store store{L1Options{.max_bytes = 1 << 20}, now};
};

TEST_F(FillOrder, WhatWasReadDoesNotReplaceWhatALoadBroughtMeanwhile) {
  const auto fill = begin_fill(), refresh = begin_refresh();
  EXPECT_EQ(land(refresh, 2), Store::Published::stored);
  EXPECT_EQ(land(fill, 1), Store::Published::fenced);
  EXPECT_EQ(held(), 2);
}

TEST_F(FillOrder, OfALoadAndALaterReadNeitherIsKept) {
  for (const bool is_held : {false, true}) {
    if (is_held) land(begin_fill(), 1);
    const auto refresh = begin_refresh(), fill = begin_fill();
    EXPECT_EQ(land(refresh, 2), Store::Published::nothing) << "the reply may be older than the load's value or newer";
    EXPECT_EQ(held(), 0);
    EXPECT_EQ(land(fill, 1), Store::Published::fenced);
    EXPECT_EQ(held(), 0);
  }
}

TEST_F(FillOrder, OfALoadAndWhatALaterLoadFoundAtL2NeitherIsKept) {
  for (const bool removes : {false, true}) {
    const auto refresh = begin_refresh();
    store.stop_joining(*refresh);
    const auto load = begin_load();
    ASSERT_TRUE(load && load != refresh);
    if (removes) {
      store.land(*refresh, {.remove = true}, now);
    } else {
      EXPECT_EQ(land(refresh, 2), Store::Published::nothing);
    }
    land(load, 1, true, true);
    EXPECT_EQ(held(), 0) << "its reply may be older than what the load brought";
  }
}

TEST_F(FillOrder, ALaterLoadThatFindsNothingAtL2IsStored) {
  const auto refresh = begin_refresh();
  store.stop_joining(*refresh);
  const auto load = begin_load();
  store.land(*refresh, {.remove = true}, now);
  store.begin_claim(*load);
  store.begin_loading(*load, {});
  EXPECT_EQ(land(load, 3), Store::Published::stored);
  EXPECT_EQ(held(), 3);
}

TEST_F(FillOrder, AValueOfThisProcessAloneIsKeptBesideALaterRead) {
  const auto refresh = begin_refresh(), fill = begin_fill();
  EXPECT_EQ(land(refresh, 2, false), Store::Published::stored);
  EXPECT_EQ(land(fill, 1), Store::Published::fenced);
  EXPECT_EQ(held(), 2);
}

TEST_F(FillOrder, WhatWasReadFencesNoLoad) {
  const auto first = begin_refresh(), second = begin_refresh();
  const auto fill = begin_fill();
  EXPECT_EQ(land(fill, 1), Store::Published::stored);
  store.land(*second, {}, now);  // it fails
  EXPECT_EQ(land(first, 2), Store::Published::stored);
  EXPECT_EQ(held(), 2);
}

TEST_F(FillOrder, OfTwoReadsTheOneThatBeganLastStays) {
  const auto first = begin_fill(), second = begin_fill();
  EXPECT_EQ(land(second, 2), Store::Published::stored);
  EXPECT_EQ(land(first, 1), Store::Published::fenced);
  EXPECT_EQ(held(), 2);
}

}  // namespace
}  // namespace dsta::cache::detail
