// Eight threads do everything at once. Whatever they read belongs to the key they asked for, and nobody who asks after
// a write, a removal or an invalidation has returned sees what was there before it.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "on_threads.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::on_threads;
using testing_support::scaled;

constexpr int kKeys = 64;

/// A value that says whose it is: key, version, and enough text to be no small string.
struct Stamp {
  static std::string of(int key, std::uint64_t version) {
    const std::string text = std::to_string(key) + "/" + std::to_string(version) + "/";
    return text + std::string(40 + version % 100, static_cast<char>('a' + key % 26));
  }
  /// The version in `text`; records a failure when it is not whole or another key's.
  static std::uint64_t version(const std::string& text, int key) {
    const std::uint64_t version = std::stoull(text.substr(text.find('/') + 1));
    EXPECT_EQ(text, of(key, version));
    return version;
  }
};

TEST(Concurrency, EveryValueReadIsWholeAndBelongsToItsKey) {
  // Small enough that entries are evicted all the time.
  CacheManager cache({.l1 = {.max_bytes = 12 << 10}});
  std::atomic<std::uint64_t> versions{0};
  const EntryOptions tagged{.ttl = 60s, .prefix = "p", .tags = {"t{0}", "all"}, .stale_for = 60s};
  const auto f = cache.cached(tagged, [&](int key) { return Stamp::of(key, ++versions); });
  std::atomic<std::uint64_t> reads{0};
  on_threads(8, [&](std::size_t thread) {
    std::mt19937 random(static_cast<unsigned>(thread));
    for (std::size_t i = 0; i < scaled(100'000); ++i) {
      const int key = static_cast<int>(random() % kKeys);
      const std::string name = std::to_string(key);
      switch (const auto draw = random() % 1000; draw < 40 ? draw : 100 + draw % 10) {
        case 0:
          cache.flush_all();
          break;
        case 1:
          f.cache_clear();
          break;
        case 2:
          cache.delete_pattern("p:" + name.substr(0, 1) + "*");
          break;
        case 3:
          cache.invalidate_tag("all");
          break;
        case 100:
          cache.set(name, Stamp::of(key, ++versions), {.prefix = "p", .tags = {"t" + name}});
          break;
        case 101:
          f.put(key, Stamp::of(key, ++versions));
          break;
        case 102:
          random() % 2 == 0 ? cache.del(name, {.prefix = "p"}) : f.invalidate(key);
          break;
        case 103:
          cache.invalidate_tag("t" + name, random() % 2 == 0 ? TagMode::remove : TagMode::expire);
          break;
        case 104:
          Stamp::version(f.refresh(key), key);
          break;
        case 105:
          if (const auto text = cache.get(name, {.prefix = "p"})) ++reads, Stamp::version(*text, key);
          break;
        case 106:
          if (const auto text = f.peek(key)) ++reads, Stamp::version(*text, key);
          break;
        case 107:
          Stamp::version(*f.shared(key), key);
          break;
        default:
          Stamp::version(f(key), key);
      }
    }
  });
  EXPECT_GT(reads, 0u);
  EXPECT_GT(cache.get_stats().evictions, 0u);
  EXPECT_LE(cache.get_stats().bytes, 12u << 10);
}

/// What a key's only writer has done: its source's newest version, and the oldest that anyone may still see.
struct Source {
  std::atomic<std::uint64_t> newest{1};
  std::atomic<std::uint64_t> oldest_allowed{0};
};

TEST(Concurrency, NobodySeesAValueOlderThanTheLastWrite) {
  testing::CleanCache clean;
  CacheManager& cache = clean.cache;
  std::array<Source, kKeys> sources;
  const auto f = cache.cached({.ttl = 60s, .prefix = "p", .tags = {"t{0}"}, .stale_for = 60s}, [&](int key) {
    return Stamp::of(key, sources[static_cast<std::size_t>(key)].newest.load());
  });
  std::atomic<std::uint64_t> hits{0};
  on_threads(8, [&](std::size_t thread) {
    std::mt19937 random(static_cast<unsigned>(100 + thread));
    for (std::size_t i = 0; i < scaled(100'000); ++i) {
      // Threads 0 to 3 own each a quarter of the keys; the others, and they too, read all of them.
      const bool writes = thread < 4 && random() % 4 == 0;
      const int key =
          writes ? static_cast<int>(thread + 4 * (random() % (kKeys / 4))) : static_cast<int>(random() % kKeys);
      Source& source = sources[static_cast<std::size_t>(key)];
      if (!writes) {
        const std::uint64_t allowed = source.oldest_allowed.load();
        std::optional<std::string> text;
        switch (random() % 3) {
          case 0:
            text = f.peek(key);
            break;
          case 1:
            text = cache.get(std::to_string(key), {.prefix = "p"});
            break;
          default:
            text = f(key);
        }
        if (!text) continue;
        ++hits;
        ASSERT_GE(Stamp::version(*text, key), allowed) << "key " << key;
        continue;
      }
      // The source changes first, then the cache is told; from the moment that returned, the old is gone.
      const std::uint64_t version = source.newest.load() + 1;
      source.newest = version;
      switch (random() % 6) {
        case 0:
          f.put(key, Stamp::of(key, version));
          break;
        case 1:
          cache.set(std::to_string(key), Stamp::of(key, version), {.prefix = "p", .tags = {"t" + std::to_string(key)}});
          break;
        case 2:
          cache.del(std::to_string(key), {.prefix = "p"});
          break;
        case 3:
          cache.invalidate_tag("t" + std::to_string(key));
          break;
        case 4:
          f.refresh(key);
          break;
        default:
          f.invalidate(key);
      }
      source.oldest_allowed = version;
    }
  });
  EXPECT_GT(hits, 0u);
}

TEST(Concurrency, NobodySeesAValueOlderThanTheLastClear) {
  CacheManager cache;
  std::atomic<std::uint64_t> newest{1}, oldest_allowed{0};
  const auto f = cache.cached({.ttl = 60s, .prefix = "p"}, [&](int key) { return Stamp::of(key, newest.load()); });
  on_threads(8, [&](std::size_t thread) {
    std::mt19937 random(static_cast<unsigned>(200 + thread));
    for (std::size_t i = 0; i < scaled(60'000); ++i) {
      if (thread == 0 && i % 16 == 0) {
        const std::uint64_t version = newest.load() + 1;
        newest = version;
        i % 48 == 0 ? f.cache_clear() : i % 48 == 16 ? cache.flush_all() : (void)cache.delete_pattern("p:*");
        oldest_allowed = version;
        continue;
      }
      const int key = static_cast<int>(random() % kKeys);
      const std::uint64_t allowed = oldest_allowed.load();
      ASSERT_GE(Stamp::version(f(key), key), allowed);
    }
  });
}

}  // namespace
}  // namespace dsta::cache
