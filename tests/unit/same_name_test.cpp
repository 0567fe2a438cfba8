// Two entries of one name: that of a long key, and one that was set under the long key's shortened form. What removes
// one of them does not stop at the other.
#include <dsta/cache/key.hpp>

#include <gtest/gtest.h>

#include <string>

#include <dsta/cache/detail/stored_key.hpp>

#include "l1/store.hpp"

namespace dsta::cache::detail {
namespace {

struct SameName : ::testing::Test {
  void add(const KeyView& key, bool shared) {
    NodeRef made = make_node<int>(key, 1);
    made->fresh_until = made->stale_until = made->refresh_at = TimePoint::max();
    made->shared = shared;
    store.put(std::move(made), now);
  }
  bool holds(const KeyView& key) { return bool(store.peek({key.name, key.full, key.hash, false}, now)); }

  std::string full = std::string(400, 'k');
  StoredKey stored{full};
  KeyView by_call = stored.view();
  KeyView by_hand{by_call.name, {}, by_call.hash, true};
  TimePoint now{};
  Store store{L1Options{.max_bytes = 1 << 20}, now};
};

TEST_F(SameName, AChangeAtTheServerRevokesAllThatIsShared) {
  for (const bool shares_long : {true, false}) {
    add(by_hand, !shares_long);
    add(by_call, shares_long);
    store.revoke(by_hand);
    EXPECT_EQ(holds(by_call), !shares_long);
    EXPECT_EQ(holds(by_hand), shares_long);
    store.erase(by_hand, now);
    EXPECT_FALSE(holds(by_call) || holds(by_hand));
  }
}

TEST_F(SameName, APatternRemovesTheOneItMatches) {
  for (const bool removes_long : {true, false}) {
    add(by_hand, true);
    add(by_call, true);
    const auto is_meant = [&](const Store::Known& known) { return known.full.empty() != removes_long; };
    EXPECT_EQ(store.erase_matching(is_meant, now), 1U);
    EXPECT_EQ(holds(by_call), !removes_long);
    EXPECT_EQ(holds(by_hand), removes_long);
    store.erase(by_hand, now);
  }
}

}  // namespace
}  // namespace dsta::cache::detail
