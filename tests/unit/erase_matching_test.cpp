// Removal by pattern, with other things happening while the keys are matched.
#include <dsta/cache/key.hpp>

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "l1/flight.hpp"
#include "l1/store.hpp"
#include "load_spec.hpp"

namespace dsta::cache::detail {
namespace {

struct EraseMatching : ::testing::Test {
  NodeRef node(const std::string& name, int value) {
    NodeRef made = make_node<int>(key(name), value);
    made->fresh_until = made->stale_until = made->refresh_at = TimePoint::max();
    return made;
  }
  KeyView key(const std::string& name) {
    names.push_back(std::make_unique<KeyBuffer>());
    names.back()->append(name);
    return {names.back()->view(), {}, names.back()->hash(), true};
  }
  int held(const std::string& name) {
    const NodeRef found = store.peek(key(name), now);
    return found ? found.as<int>() : 0;
  }
  /// Erases everything; `meanwhile` runs while the first key is matched, when nothing is removed yet.
  std::size_t erase_all(const std::function<void()>& meanwhile) {
    bool once = false;
    return store.erase_matching(
        [&](const Store::Known&) {
          if (!std::exchange(once, true)) meanwhile();
          return true;
        },
        now);
  }
  std::shared_ptr<Flight> refresh(const std::string& name) {
    auto flight = std::make_shared<Flight>(key(name), spec, std::vector<std::string>{}, 1);
    store.join(flight, Store::Wants::refresh, now);
    return flight;
  }

  Identity identity;
  LoadSpec spec = testing_support::load_of_int(identity);
  TimePoint now{};
  Store store{L1Options{.max_bytes = 1 << 20}, now};
  std::vector<std::unique_ptr<KeyBuffer>> names;
};

TEST_F(EraseMatching, ARefreshThatLandsMeanwhileLeavesNothingOlder) {
  store.put(node("k", 1), now);
  const auto flight = refresh("k");
  erase_all([&] {
    store.land(*flight, {.replace_by = node("k", 2)}, now);
    EXPECT_NE(held("k"), 1);
  });
  EXPECT_EQ(held("k"), 0);
}

TEST_F(EraseMatching, ALoadOfANewKeyThatLandsMeanwhileIsRemovedToo) {
  store.put(node("k", 1), now);
  const auto flight = refresh("new");
  EXPECT_EQ(erase_all([&] { store.land(*flight, {.replace_by = node("new", 2)}, now); }), 2u);
  EXPECT_EQ(held("k"), 0);
  EXPECT_EQ(held("new"), 0);
}

TEST_F(EraseMatching, ALoadUnderWayAllTheTimeIsNotStored) {
  store.put(node("k", 1), now);
  const auto flight = refresh("k");
  erase_all([] {});
  EXPECT_EQ(store.land(*flight, {.replace_by = node("k", 2)}, now), Store::Published::fenced);
  EXPECT_EQ(held("k"), 0);
}

TEST_F(EraseMatching, TwoAtOnceRemoveEverythingOnce) {
  for (int i = 0; i < 50; ++i) store.put(node("k" + std::to_string(i), i + 1), now);
  std::size_t inner = 0;
  const std::size_t outer = erase_all([&] { inner = erase_all([&] { store.put(node("late", 1), now); }); });
  EXPECT_EQ(inner, 51u);
  EXPECT_EQ(outer, 0u);
  EXPECT_EQ(store.contents(now).entries, 0u);
}

}  // namespace
}  // namespace dsta::cache::detail
