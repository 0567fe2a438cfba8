// Writes to one key that cross, against a model of the server: what is kept in-process is never older than what was
// acknowledged, and at rest it is what the server has.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "l1/flight.hpp"
#include "l1/store.hpp"

namespace dsta::cache {
namespace {

using namespace detail;

struct Crossing : ::testing::Test {
  struct Write {
    int value = 0;
    std::shared_ptr<Flight> flight;
    SendOrder order = {};  ///< once it was sent
    bool fails = false;    ///< its caller never learns whether it was executed
  };

  std::shared_ptr<Flight> begun(FlightKind kind) {
    LoadSpec spec;
    spec.type = &kTypeOps<int>;
    if (kind == FlightKind::load) spec.identity = &function;  // others may have none
    auto flight = std::make_shared<Flight>(key, spec, std::vector<std::string>(), 0);
    flight->kind = kind;
    store.begin(flight);
    return flight;
  }
  NodeRef node(int value) {
    NodeRef made = make_node<int>(key, value);
    made->shared = true;
    made->created = now;
    made->fresh_until = made->refresh_at = made->stale_until = now + std::chrono::hours(1);
    return made;
  }
  void end(Write& write) {
    store.end_write(*write.flight, write.fails ? NodeRef() : node(write.value), write.order, now);
  }
  std::optional<int> kept() {
    const NodeRef held = store.peek(key, now);
    return held ? std::optional(held.as<int>()) : std::nullopt;
  }

  Identity function;
  TimePoint now = std::chrono::steady_clock::now();
  KeyView key{"key", {}, 42, true};
  Store store{L1Options{.max_bytes = 1 << 20}, now};

  Crossing() { store.fill_epoch().open(); }
};

TEST_F(Crossing, TheOneSentLastStaysWhicheverEndsFirst) {
  for (const bool last_ends_first : {false, true}) {
    Write first{1, begun(FlightKind::write), {1, 1}}, last{2, begun(FlightKind::write), {1, 2}};
    end(last_ends_first ? last : first);
    EXPECT_EQ(kept(), last_ends_first ? 2 : 1);
    end(last_ends_first ? first : last);
    EXPECT_EQ(kept(), 2);
  }
}

TEST_F(Crossing, ALoadThatAWriteFencedLeavesNothingOlder) {
  store.put(node(0), now);
  const auto load = begun(FlightKind::load);
  Write write{2, begun(FlightKind::write), {1, 1}};
  EXPECT_EQ(kept(), 0);
  EXPECT_EQ(store.land(*load, {.replace_by = node(1)}, now), Store::Published::fenced);
  EXPECT_EQ(kept(), std::nullopt) << "the caller of the load has 1 by now";
  end(write);
  EXPECT_EQ(kept(), 2);
}

TEST_F(Crossing, ALoadWithoutAClaimWaitsForNoWriteAndNoFill) {
  for (const FlightKind kind : {FlightKind::write, FlightKind::fill}) {
    const auto beside = begun(kind), load = begun(FlightKind::load);
    EXPECT_FALSE(store.begin_unclaimed(*load));
    store.land(*load, {}, now);
  }
}

TEST_F(Crossing, NothingStaysOfTwoOverDifferentConnections) {
  Write one{1, begun(FlightKind::write), {1, 9}}, other{2, begun(FlightKind::write), {2, 1}};
  end(one);
  end(other);
  EXPECT_EQ(kept(), std::nullopt);
}

TEST_F(Crossing, NothingStaysBesideOneOfUnknownOutcome) {
  for (const bool unknown_ends_first : {false, true}) {
    Write known{1, begun(FlightKind::write), {1, 1}}, unknown{2, begun(FlightKind::write), {}, true};
    end(unknown_ends_first ? unknown : known);
    end(unknown_ends_first ? known : unknown);
    EXPECT_EQ(kept(), std::nullopt);
  }
}

TEST_F(Crossing, WhatIsReadMeanwhileIsNotKept) {
  Write first{1, begun(FlightKind::write), {1, 1}}, last{2, begun(FlightKind::write), {1, 2}};
  const auto fill = begun(FlightKind::fill);
  end(last);
  EXPECT_EQ(store.land(*fill, {.replace_by = node(7)}, now), Store::Published::fenced);
  end(first);
  EXPECT_EQ(kept(), 2);
}

/// Random histories over connections that are lost and made again. The server executes at once what is sent; what fails
/// is executed later, or never.
TEST_F(Crossing, WhatIsKeptIsNeverOlderThanWhatWasAcknowledged) {
  std::size_t kept_at_rest = 0;
  for (unsigned seed = 1; seed <= 3000; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto one_in = [&](unsigned n) { return random() % n == 0; };
    std::vector<Write> waiting, sent;
    std::vector<int> executed{0};  // in the server's order; the last is what it has
    std::size_t acknowledged = 0;  // the furthest in that order whose caller knows
    std::vector<int> late;         // failed and may still be executed
    std::uint64_t connection = seed * 10, place = 0;
    int values = 0;
    store.erase(key, now);
    const auto check = [&] {
      const auto value = kept();
      if (!value) return;
      const auto at = std::find(executed.begin(), executed.end(), *value);
      ASSERT_NE(at, executed.end());
      ASSERT_GE(static_cast<std::size_t>(at - executed.begin()), acknowledged) << "older than what was acknowledged";
    };
    for (int step = 0; step < 60 || !waiting.empty() || !sent.empty(); ++step) {
      switch (random() % 6) {
        case 0:
        case 1:
          if (step < 60 && waiting.size() + sent.size() < 4)
            waiting.push_back({++values, begun(FlightKind::write), {}});
          break;
        case 2:
        case 3:
          if (!waiting.empty()) {
            const auto which = waiting.begin() + static_cast<std::ptrdiff_t>(random() % waiting.size());
            Write write = std::move(*which);
            waiting.erase(which);
            write.fails = one_in(12);
            if (write.fails) {
              late.push_back(write.value);
            } else {
              write.order = {connection, ++place};
              executed.push_back(write.value);
            }
            sent.push_back(std::move(write));
          }
          break;
        case 4:
          if (one_in(6)) {
            ++connection;
            place = 0;
          } else if (one_in(10)) {
            store.erase(key, now);
          } else if (!late.empty() && one_in(2)) {
            // This process is told of what another connection than its own does.
            executed.push_back(late.back());
            late.pop_back();
            store.revoke(key);
          }
          break;
        default:
          if (!sent.empty()) {
            const auto which = sent.begin() + static_cast<std::ptrdiff_t>(random() % sent.size());
            Write write = std::move(*which);
            sent.erase(which);
            end(write);
            if (!write.fails) {
              const auto at = std::find(executed.begin(), executed.end(), write.value);
              acknowledged = std::max(acknowledged, static_cast<std::size_t>(at - executed.begin()));
            }
          }
      }
      check();
      if (HasFatalFailure()) return;
      if (waiting.empty() && sent.empty()) {
        if (const auto value = kept()) {
          ++kept_at_rest;
          ASSERT_EQ(value, executed.back());
        }
      }
    }
  }
  EXPECT_GT(kept_at_rest, 1000u);
}

}  // namespace
}  // namespace dsta::cache
