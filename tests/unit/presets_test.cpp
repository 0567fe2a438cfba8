// From the options of a call to the terms of its entry.
#include "entry/presets.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include <dsta/cache/error.hpp>

#include "base/random.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;

struct PresetsTest : ::testing::Test {
  ManagerOptions options{.default_ttl = 7s};
  Presets presets{options};
};

TEST_F(PresetsTest, ACallIsLaidOverItsPresetAndThatOverTheDefaults) {
  options.defaults = {.ttl = 1s, .stale_for = 1s, .jitter = 0.1};
  presets.set("p", {.ttl = 2s, .stale_for = 2s});
  const EntryTerms terms = presets.resolve({.ttl = 3s, .prefix = "p"});
  EXPECT_EQ(terms.ttl, 3s);
  EXPECT_EQ(terms.stale_for, 2s);
  EXPECT_EQ(terms.jitter, 0.1);
  EXPECT_EQ(presets.resolve({.prefix = "q"}).stale_for, 1s) << "a preset is of its prefix alone";
}

TEST_F(PresetsTest, WithoutAnyTtlItIsTheManagersAndACountersHasNoEnd) {
  Random random(1);
  EXPECT_EQ(presets.resolve({}).ttl, 7s);
  EXPECT_EQ(presets.counter_ttl({}, random), forever);
  EXPECT_EQ(presets.counter_ttl({.ttl = 2s}, random), 2s);
}

TEST_F(PresetsTest, AMistakeThrowsWhereThePresetIsSet) {
  EXPECT_THROW(presets.set("p", {.jitter = 2.0}), ConfigError);
  EXPECT_EQ(presets.resolve({.prefix = "p"}).jitter, 0) << "and it is not kept";
}

TEST_F(PresetsTest, ReachIsWhatTheTermsSay) {
  presets.set("l1", {.level = Level::l1});
  presets.set("l2", {.level = Level::l2});
  presets.set("raw", {.raw = true});
  for (const char* const prefix : {"", "l1", "l2", "raw"}) {
    for (const auto& call : {EntryOptions{.prefix = prefix}, EntryOptions{.prefix = prefix, .level = Level::both},
                             EntryOptions{.prefix = prefix, .raw = false}}) {
      const EntryTerms terms = presets.resolve(call);
      const Reach reach = presets.reach(call);
      EXPECT_EQ(reach.raw, terms.raw) << prefix;
      EXPECT_EQ(reach.l1, terms.level != Level::l2 && !reach.raw) << prefix;
      EXPECT_EQ(reach.l2, terms.level != Level::l1) << prefix;
    }
  }
}

}  // namespace
}  // namespace dsta::cache::detail
