// Thousands of random interleavings of readers and writers, each repeatable from its seed, against a model of the
// source: nobody who asks after an invalidation returned sees what was there before it.
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "hand_executor.hpp"
#include "scale.hpp"
#include "turns.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using detail::Core;
using testing_support::HandExecutor;
using testing_support::scaled;
using testing_support::Turns;

constexpr std::size_t kMostKeys = 3;

/// What the source holds and what readers may see of it. Used only by the thread whose turn it is.
class SourceModel {
 public:
  /// A write of these keys is under way until its end.
  using Keys = std::array<bool, kMostKeys>;

  std::array<int, kMostKeys> bump(const Keys& keys) {
    for (std::size_t k = 0; k < kMostKeys; ++k) versions_[k] += keys[k] ? 1 : 0;
    return versions_;
  }
  int version(std::size_t key) const { return versions_[key]; }

  /// The cache was told, after the source held `versions`; and the call returned.
  void invalidated(const Keys& keys, const std::array<int, kMostKeys>& versions) {
    for (std::size_t k = 0; k < kMostKeys; ++k) {
      if (keys[k]) least_[k] = std::max(least_[k], versions[k]);
    }
  }
  /// The oldest version that a read that starts now may return.
  int least(std::size_t key) const { return least_[key]; }
  /// The cache holds this version.
  void held(std::size_t key, int version) { held_[key] = std::max(held_[key], version); }
  /// A read returned: later ones return nothing older. But for a change that nobody was told of yet: what a load read
  /// of it and was not allowed to keep, because of another invalidation, is seen by that load's callers alone.
  void seen(std::size_t key, int version) { least_[key] = std::max(least_[key], std::min(version, held_[key])); }

 private:
  std::array<int, kMostKeys> versions_{1, 1, 1};
  std::array<int, kMostKeys> least_{1, 1, 1};
  std::array<int, kMostKeys> held_{};
};

struct SourceDown : std::runtime_error {
  SourceDown() : std::runtime_error("the source is down") {}
};

/// One interleaving: a few threads with a few operations each, on a cache of its own.
class Interleaving {
 public:
  explicit Interleaving(std::uint64_t seed)
      : turns_(seed), threads_(2 + turns_.below(3)), keys_(1 + turns_.below(kMostKeys)) {
    cache_.core()->probe = [this](Core::Point point, std::string_view name) { probe(point, name); };
  }

  /// Empty when every promise was kept.
  std::string run() {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < threads_; ++i) {
      threads.emplace_back([this, i] {
        turns_.enter(i, threads_);
        for (std::size_t left = 2 + turns_.below(4); left > 0; --left) {
          turns_.yield();
          operate();
        }
        turns_.leave();
      });
    }
    threads.clear();
    cache_.core()->probe = nullptr;
    background_->run();
    for (std::size_t k = 0; k < keys_; ++k) {
      down_ = false;
      const int least = source_.least(k);
      if (const auto kept = f_.peek(static_cast<int>(k))) check("the peek at the end", k, least, *kept);
      check("the call at the end", k, least, f_(static_cast<int>(k)));
    }
    if (turns_.stuck()) fail("a thread did not come back: it waits for what cannot come");
    return problem_;
  }
  std::uint64_t loads() const { return f_.cache_info().loads; }
  std::uint64_t fenced() const { return f_.cache_info().fenced; }
  std::uint64_t coalesced() const { return f_.cache_info().coalesced; }

 private:
  using Keys = SourceModel::Keys;

  /// The version that this thread's last load came back with; 0: none.
  static int& brought() {
    static thread_local int version = 0;
    return version;
  }

  int load(int key) {
    turns_.yield();
    const int version = source_.version(static_cast<std::size_t>(key));
    const bool fails = down_ && turns_.below(8) == 0;
    turns_.yield();
    brought() = fails ? 0 : version;
    if (fails) throw SourceDown();
    return version;
  }

  void probe(Core::Point point, std::string_view name) {
    static thread_local std::uint64_t flight = 0, fenced_before = 0;
    const auto key = static_cast<std::size_t>(name.back() - '0');
    auto& under_way = under_way_[key];
    switch (point) {
      case Core::Point::before_queue:
      case Core::Point::before_l2_store:
      case Core::Point::before_l1_store:
      case Core::Point::unconfirmed:
        break;
      case Core::Point::before_load:
        under_way.insert(flight = ++flights_);
        turns_.yield();
        break;
      case Core::Point::before_store:
        turns_.yield();
        fenced_before = fenced();
        break;
      case Core::Point::after_store:
        if (fenced() == fenced_before) source_.held(key, brought());
        turns_.yield();
        under_way.erase(flight);  // it lands before the turn goes on
        break;
      case Core::Point::before_wait:
        // Whichever load this is about to wait for must have landed, for nobody else can go on meanwhile.
        turns_.yield_until(
            [&under_way, newest = flights_] { return under_way.empty() || *under_way.begin() > newest; });
        break;
    }
  }

  void operate() {
    const std::size_t key = turns_.below(keys_);
    const int n = static_cast<int>(key);
    const std::size_t draw = turns_.below(22);
    Keys one{}, all{};
    one[key] = true;
    for (std::size_t k = 0; k < keys_; ++k) all[k] = true;
    if (draw < 7) {
      read("call", key, [&] { return std::optional(f_(n)); });
    } else if (draw < 8) {
      read("shared", key, [&] { return std::optional(*f_.shared(n)); });
    } else if (draw < 9) {
      read("peek", key, [&] { return f_.peek(n); });
    } else if (draw < 10) {
      read("get", key, [&] { return cache_.get<int>(f_.key_for(n)); });
    } else if (draw < 12) {
      refresh(key);
    } else if (draw < 14) {
      put(key);
    } else if (draw < 15) {
      write(one, [&] { f_.invalidate(n); });
    } else if (draw < 16) {
      write(one, [&] { cache_.del(f_.key_for(n)); });
    } else if (draw < 17) {
      write(one, [&] { cache_.invalidate_tag("key:" + std::to_string(n)); });
    } else if (draw < 18) {
      write(all, [&] { turns_.below(2) == 0 ? cache_.invalidate_tag("all") : void(cache_.delete_pattern("lin:*")); });
    } else if (draw < 19) {
      write(all, [&] { turns_.below(2) == 0 ? f_.cache_clear() : cache_.flush_all(); });
    } else if (draw < 21) {
      if (!putting_[key]) source_.bump(one);  // and nobody is told
    } else {
      background_->run();
    }
  }

  template <class Read>
  void read(const char* what, std::size_t key, Read read) {
    const int least = source_.least(key);
    try {
      const std::optional<int> version = read();
      turns_.yield();
      if (version) check(what, key, least, *version);
    } catch (const SourceDown&) {
    }
  }

  /// A refresh reads the source after it was called, whatever is under way.
  void refresh(std::size_t key) {
    const int least = std::max(source_.least(key), source_.version(key));
    try {
      const int version = f_.refresh(static_cast<int>(key));
      turns_.yield();
      check("refresh", key, least, version);
    } catch (const SourceDown&) {
    }
  }

  /// Changes the source, then tells the cache; readers and other writers come in between.
  template <class Tell>
  void write(const Keys& keys, Tell tell) {
    for (std::size_t k = 0; k < keys_; ++k) {
      if (keys[k] && putting_[k]) return;
    }
    for (std::size_t k = 0; k < keys_; ++k) writing_[k] += keys[k] ? 1 : 0;
    source_.bump(keys);
    turns_.yield();
    std::array<int, kMostKeys> versions{};
    for (std::size_t k = 0; k < keys_; ++k) versions[k] = source_.version(k);
    tell();
    source_.invalidated(keys, versions);
    for (std::size_t k = 0; k < keys_; ++k) writing_[k] -= keys[k] ? 1 : 0;
    turns_.yield();
  }

  /// Two that put at once must agree among themselves who is the last; no cache can know. So a put is alone among the
  /// key's writers.
  void put(std::size_t key) {
    if (putting_[key] || writing_[key] != 0) return;
    putting_[key] = true;
    Keys one{};
    one[key] = true;
    const auto versions = source_.bump(one);
    turns_.yield();
    f_.put(static_cast<int>(key), versions[key]);
    source_.held(key, versions[key]);
    source_.invalidated(one, versions);
    putting_[key] = false;
    turns_.yield();
  }

  void check(const char* what, std::size_t key, int least, int version) {
    if (version < least) {
      fail(std::string(what) + " of key " + std::to_string(key) + " returned version " + std::to_string(version) +
           "; it began after version " + std::to_string(least) + " was told or seen");
    }
    if (version > source_.version(key)) fail(std::string(what) + " returned a version that never was");
    source_.seen(key, version);
  }
  void fail(std::string problem) {
    if (problem_.empty()) problem_ = std::move(problem);
  }

  Turns turns_;
  const std::size_t threads_, keys_;
  SourceModel source_;
  bool down_ = true;
  std::string problem_;
  std::uint64_t flights_ = 0;
  std::array<std::set<std::uint64_t>, kMostKeys> under_way_;
  std::array<int, kMostKeys> writing_{};
  std::array<bool, kMostKeys> putting_{};
  std::shared_ptr<HandExecutor> background_ = std::make_shared<HandExecutor>();
  testing::CleanCache clean_{{.l1 = {.max_bytes = 1u << 20}, .executor = background_}};
  CacheManager& cache_ = clean_.cache;
  cached<std::function<int(int)>> f_ = cache_.cached({.ttl = 60s, .prefix = "lin", .tags = {"key:{0}", "all"}},
                                                     std::function<int(int)>([this](int key) { return load(key); }));
};

TEST(Linearizability, NoReadReturnsWhatWasInvalidatedBeforeItBegan) {
  std::uint64_t loads = 0, fenced = 0, coalesced = 0;
  for (std::uint64_t seed = 1; seed <= scaled(10'000); ++seed) {
    Interleaving interleaving(seed);
    ASSERT_EQ(interleaving.run(), "") << "seed " << seed;
    loads += interleaving.loads();
    fenced += interleaving.fenced();
    coalesced += interleaving.coalesced();
  }
  // The races did take place.
  EXPECT_GT(loads, scaled(10'000));
  EXPECT_GT(fenced, scaled(1'000));
  EXPECT_GT(coalesced, scaled(1'000));
}

TEST(Linearizability, AnInterleavingRepeatsFromItsSeed) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Interleaving once(seed), again(seed);
    EXPECT_EQ(once.run(), again.run());
    EXPECT_EQ(once.loads(), again.loads()) << seed;
    EXPECT_EQ(once.fenced(), again.fenced()) << seed;
    EXPECT_EQ(once.coalesced(), again.coalesced()) << seed;
  }
}

}  // namespace
}  // namespace dsta::cache
