// A load of a value that this process keeps for itself and others invalidate by a tag: nothing is kept of one that was
// under way when the invalidation channel went down or came back.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "entry/entry.hpp"
#include "entry/tags.hpp"
#include "l1/flight.hpp"
#include "l1/store.hpp"

namespace dsta::cache {
namespace {

using namespace detail;

struct OwnLoad : ::testing::Test {
  /// Whether the value of a load is kept that runs while `meanwhile` happens.
  bool is_kept_over(const std::function<void()>& meanwhile) {
    LoadSpec spec;
    spec.type = &kTypeOps<int>;
    const auto flight = std::make_shared<Flight>(key, spec, std::vector<std::string>{"t"}, 0);
    store.begin(flight);
    meanwhile();
    NodeRef node = make_node<int>(key, 1);
    node->created = now;
    node->fresh_until = node->refresh_at = node->stale_until = now + std::chrono::hours(1);
    auto extra = std::make_unique<NodeExtra>();
    extra->tags = tags.find({"t"});
    node->extra = extra.release();
    Store::Landing landing;
    landing.replace_by = std::move(node);
    store.land(*flight, std::move(landing), now);
    const bool kept = bool(store.peek(key, now));
    store.erase(key, now);
    return kept;
  }

  TimePoint now = std::chrono::steady_clock::now();
  KeyView key{"key", {}, 42, true};
  std::atomic<std::size_t> beside{0};
  TagTable tags{beside};
  Store store{L1Options{.max_bytes = 1 << 20}, now};
};

TEST_F(OwnLoad, IsKeptWhetherTheChannelIsUpOrDown) {
  EXPECT_TRUE(is_kept_over([] {}));
  store.fill_epoch().open();
  EXPECT_TRUE(is_kept_over([] {}));
  store.close_fills(true);
  EXPECT_TRUE(is_kept_over([] {}));
}

TEST_F(OwnLoad, IsNotKeptOverALossOrAReturnOfTheChannel) {
  store.fill_epoch().open();
  EXPECT_FALSE(is_kept_over([&] { store.close_fills(true); }));
  EXPECT_FALSE(is_kept_over([&] { store.close_fills(true); })) << "down already, and emptied once more";
  EXPECT_FALSE(is_kept_over([&] { store.fill_epoch().open(); }));
  EXPECT_FALSE(is_kept_over([&] { store.close_fills(false); })) << "what L2 has too is bypassed";
  EXPECT_FALSE(is_kept_over([&] { store.fill_epoch().close(); })) << "in the child of a fork";
}

}  // namespace
}  // namespace dsta::cache
