// Readers without a lock beside everything that removes and frees entries. For the sanitizers above all.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include "counted.hpp"
#include "l1/hit.hpp"
#include "on_threads.hpp"

namespace dsta::cache::detail {
namespace {

const TimePoint kStart{std::chrono::hours(1)};

struct Key {
  explicit Key(std::uint32_t number) {
    std::snprintf(name, sizeof name, "%08u", number);
    view = {std::string_view(name, 8), {}, (number + 1) * 0x9e3779b97f4a7c15};
  }
  char name[16] = {};
  KeyView view;
};

/// Long enough to be on the heap: what was freed is not read by chance.
std::string value_of(std::uint32_t number) { return std::string(40, 'v') + std::to_string(number); }

void copy_text(const void* value, void* out) {
  *static_cast<std::string*>(out) = *static_cast<const std::string*>(value);
}

TEST(RemovedEntriesRace, AReaderFindsAWholeValueOrNone) {
  constexpr std::uint32_t kKeys = 3'000;
  Store store({.max_bytes = std::size_t{8} << 20, .max_entries = 1'500}, kStart);
  std::atomic<bool> stop{false};
  std::atomic<std::uint64_t> hits{0};
  testing_support::on_threads(5, [&](std::size_t thread) {
    const auto step = static_cast<std::uint32_t>(2 * thread + 1);
    std::uint32_t number = 0;
    if (thread < 2) {  // reads, by a copy and by a reference
      while (!stop) {
        const Key key(number = (number + step) % kKeys);
        std::string copied;
        const auto is_key = [&](const Node& node) { return matches(node, key.view); };
        const Store::CopyingRead<decltype(is_key)> read{key.view.hash, is_key,    kTypeOps<std::string>,
                                                        nullptr,       copy_text, &copied};
        if (store.copy(thread_record(), read, kStart) == Freshness::fresh) {
          EXPECT_EQ(copied, value_of(number));
          ++hits;
        }
        NodeRef found;
        if (store.find(thread_record(), key.view, kTypeOps<std::string>, nullptr, kStart, found) == Freshness::fresh) {
          EXPECT_EQ(found.as<std::string>(), value_of(number));
        }
      }
    } else if (thread < 4) {  // writes, evicts, and removes
      for (int i = 0; i < 40'000; ++i) {
        const Key key(number = (number + step) % kKeys);
        if (i % 10 == 0) {
          store.erase(key.view, kStart);
          continue;
        }
        NodeRef made = make_node<std::string>(key.view, value_of(number));
        made->refresh_at = made->fresh_until = made->stale_until = TimePoint::max();
        store.put(std::move(made), kStart);
      }
      stop = true;
    } else {
      for (std::uint64_t round = 1; !stop; ++round) {
        if (round % 8 == 0) store.clear(round);
        if (round % 3 == 0) store.free_removed();
        if (round % 5 == 0) store.sweep(kStart);
        EXPECT_LE(store.contents(kStart).bytes, std::size_t{8} << 20);
      }
    }
  });
  EXPECT_GT(hits, 0u);
}

/// Entries that a writer has taken out to look for their readers are not in the shard when all of it is freed.
TEST(RemovedEntriesRace, NoneOutlivesTheCallThatFreesThemAll) {
  for (std::uint64_t round = 1; round <= 20; ++round) {
    testing_support::Counted::Count count{0};
    Store store({.max_bytes = std::size_t{64} << 20}, kStart);
    std::atomic<bool> closed{false};
    std::atomic<std::uint32_t> numbers{0};
    const auto put = [&] {
      NodeRef made = make_node<testing_support::Counted>(Key(numbers++).view, count);
      made->refresh_at = made->fresh_until = made->stale_until = TimePoint::max();
      store.put(std::move(made), kStart);
    };
    for (int i = 0; i < 50'000; ++i) put();
    testing_support::on_threads(4, [&](std::size_t thread) {
      while (thread != 0 && !closed) put();
      if (thread != 0) return;
      store.clear(round);
      store.free_removed();
      closed = true;
    });
    const std::int64_t living = count;
    // What was put after the others were removed is there.
    EXPECT_LE(living, static_cast<std::int64_t>(store.contents(kStart).entries)) << "round " << round;
  }
}

}  // namespace
}  // namespace dsta::cache::detail
