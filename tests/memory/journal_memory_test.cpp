/// What is to be repeated at another master is, whichever allocation fails.
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "allocations.hpp"
#include "two_level/journal.hpp"

namespace dsta::cache::detail {
namespace {

using namespace std::chrono_literals;
using testing_support::Shortage;

TEST(JournalMemory, IsEnoughForOneThatStandsForAll) {
  const TimePoint now{1h};
  const std::string name(200, 'k'), tag(200, 't');
  const KeyPatternPtr pattern = glob_pattern("pattern-" + std::string(200, 'p') + "*");
  for (const auto lasts : {Shortage::Lasts::once, Shortage::Lasts::on}) {
    for (long at = 1;; ++at) {
      Journal journal(30s);
      journal.add(Pending::Kind::key, "before", now);
      Shortage shortage(Shortage::Where::here, at, lasts);
      journal.add(Pending::Kind::key, name, now);
      journal.add(Pending::Kind::remove, tag, now);
      journal.add(pattern, now);
      const long made = shortage.end();
      Pending pending;
      journal.repeat(pending);
      EXPECT_TRUE(pending.concerns_key("before")) << at;
      EXPECT_TRUE(pending.concerns_key(name)) << at;
      EXPECT_TRUE(pending.concerns_dependency(tag) || pending.concerns_key("any")) << at;
      EXPECT_TRUE(pending.concerns_key("pattern-" + std::string(200, 'p'))) << at;
      journal.alive(now + 1h);
      EXPECT_EQ(journal.size(), 0u);
      if (made < at) break;
    }
  }
}

}  // namespace
}  // namespace dsta::cache::detail
