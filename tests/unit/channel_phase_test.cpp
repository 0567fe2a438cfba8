// The phases of the invalidation channel: each transition of the table, and that there are no others.
#include "l2/tracking/channel_phase.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

namespace dsta::cache::detail {
namespace {

using Phase = ChannelPhase;
using Event = ChannelEvent;

constexpr Phase kPhases[] = {Phase::down,      Phase::connecting, Phase::subscribed, Phase::registering,
                             Phase::self_test, Phase::enabling,   Phase::up};
constexpr Event kEvents[] = {
    Event::connect_started, Event::connect_failed, Event::connected, Event::registration_started,
    Event::registered,      Event::probe_reported, Event::enabled,   Event::registration_lost,
    Event::channel_lost,    Event::out_of_memory};

/// Written out by hand, as the header's comment has it.
const std::map<std::pair<Phase, Event>, Phase> kTable = {
    {{Phase::down, Event::connect_started}, Phase::connecting},
    {{Phase::connecting, Event::connect_failed}, Phase::down},
    {{Phase::connecting, Event::connected}, Phase::subscribed},
    {{Phase::subscribed, Event::registration_started}, Phase::registering},
    {{Phase::registering, Event::registered}, Phase::self_test},
    {{Phase::self_test, Event::probe_reported}, Phase::enabling},
    {{Phase::enabling, Event::enabled}, Phase::up},
    {{Phase::registering, Event::registration_lost}, Phase::subscribed},
    {{Phase::self_test, Event::registration_lost}, Phase::subscribed},
    {{Phase::enabling, Event::registration_lost}, Phase::subscribed},
    {{Phase::up, Event::registration_lost}, Phase::subscribed},
    {{Phase::subscribed, Event::channel_lost}, Phase::down},
    {{Phase::registering, Event::channel_lost}, Phase::down},
    {{Phase::self_test, Event::channel_lost}, Phase::down},
    {{Phase::enabling, Event::channel_lost}, Phase::down},
    {{Phase::up, Event::channel_lost}, Phase::down},
    {{Phase::down, Event::out_of_memory}, Phase::down},
    {{Phase::connecting, Event::out_of_memory}, Phase::down},
    {{Phase::subscribed, Event::out_of_memory}, Phase::down},
    {{Phase::registering, Event::out_of_memory}, Phase::down},
    {{Phase::self_test, Event::out_of_memory}, Phase::down},
    {{Phase::enabling, Event::out_of_memory}, Phase::down},
    {{Phase::up, Event::out_of_memory}, Phase::down},
};

TEST(ChannelPhase, EveryPairOfPhaseAndEventIsAsTheTableSays) {
  for (const Phase phase : kPhases) {
    for (const Event event : kEvents) {
      const auto expected = kTable.find({phase, event});
      const auto next = next_phase(phase, event);
      ASSERT_EQ(next.has_value(), expected != kTable.end())
          << static_cast<int>(phase) << " " << static_cast<int>(event);
      if (!next) continue;
      EXPECT_EQ(*next, expected->second) << static_cast<int>(phase) << " " << static_cast<int>(event);
    }
  }
}

TEST(ChannelPhase, ComesUpOnlyByEveryStepInOrder) {
  Phase phase = Phase::down;
  for (const Event event : {Event::connect_started, Event::connected, Event::registration_started, Event::registered,
                            Event::probe_reported, Event::enabled}) {
    EXPECT_NE(phase, Phase::up);
    const auto next = next_phase(phase, event);
    ASSERT_TRUE(next);
    phase = *next;
  }
  EXPECT_EQ(phase, Phase::up);
  for (const Phase other : kPhases) {
    for (const Event event : kEvents) {
      const bool last_step = other == Phase::enabling && event == Event::enabled;
      EXPECT_EQ(next_phase(other, event) == Phase::up, last_step);
    }
  }
}

TEST(ChannelPhase, AfterARegistrationIsLostTheSelfTestIsRunAgain) {
  Phase phase = *next_phase(Phase::up, Event::registration_lost);
  EXPECT_FALSE(next_phase(phase, Event::enabled));
  EXPECT_FALSE(next_phase(phase, Event::probe_reported)) << "a probe of the registration before";
  phase = *next_phase(phase, Event::registration_started);
  EXPECT_FALSE(next_phase(phase, Event::probe_reported)) << "the server has not accepted the registration yet";
  EXPECT_FALSE(next_phase(phase, Event::enabled));
}

TEST(ChannelPhase, EveryPhaseCanBeLeftForDownAndReachedFromIt) {
  std::set<Phase> reached = {Phase::down};
  for (bool grew = true; grew;) {
    grew = false;
    for (const Phase phase : std::vector<Phase>(reached.begin(), reached.end())) {
      for (const Event event : kEvents) {
        if (const auto next = next_phase(phase, event)) grew = reached.insert(*next).second || grew;
      }
    }
  }
  EXPECT_EQ(reached.size(), std::size(kPhases));
  for (const Phase phase : kPhases) EXPECT_EQ(next_phase(phase, Event::out_of_memory), Phase::down);
}

TEST(ChannelPhase, OnARandomWalkUpAlwaysStandsBehindItsSixSteps) {
  std::minstd_rand random(11);
  Phase phase = Phase::down;
  std::vector<Phase> since_down;
  int times_up = 0;
  for (int step = 0; step < 100'000; ++step) {
    const auto next = next_phase(phase, kEvents[random() % std::size(kEvents)]);
    if (!next) continue;
    if (*next == Phase::down) since_down.clear();
    if (*next == Phase::subscribed) since_down.assign({Phase::connecting, Phase::subscribed});
    if (*next > Phase::subscribed) since_down.push_back(*next);
    if (*next == Phase::up) {
      ++times_up;
      EXPECT_EQ(since_down, (std::vector{Phase::connecting, Phase::subscribed, Phase::registering, Phase::self_test,
                                         Phase::enabling, Phase::up}));
    }
    phase = *next;
  }
  EXPECT_GT(times_up, 10);
}

}  // namespace
}  // namespace dsta::cache::detail
