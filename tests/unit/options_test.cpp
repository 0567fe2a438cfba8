// Options: which scope wins, what is refused and how the refusal reads.
#include <dsta/cache/options.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <optional>
#include <ratio>
#include <string>
#include <type_traits>

#include <dsta/cache/testing.hpp>

#include "error_of.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing::CleanCache;
using testing_support::error_of;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::optional<Duration> ttl_of(CacheManager& cache, const EntryOptions& options) {
  EXPECT_TRUE(cache.set("k", 1, options));
  return cache.get_ttl("k", {.prefix = options.prefix});
}

/// Every field, in the order of the table in docs/freshness.md: with another order this does not compile.
EntryOptions every_field() {
  return {.ttl = 60s,
          .prefix = "p",
          .name = "n",
          .tags = {"t"},
          .stale_for = 1h,
          .refresh_backoff = 30s,
          .refresh_ahead = 0.8,
          .xfetch = 1,
          .jitter = 0.1,
          .negative_ttl = 5s,
          .idle_ttl = 10min,
          .soft_timeout = 50ms,
          .load_timeout = 2s,
          .compress_above = 4096,
          .level = Level::both,
          .raw = false};
}

TEST(Options, AreWrittenInTheDocumentedOrder) {
  CleanCache clean;
  const auto f = clean.cache.cached(every_field(), [](int x) { return x; });
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(f.key_for(1), "p:n:1");
  const auto g =
      clean.cache.cached({.ttl = 60s, .prefix = "g", .stale_for = 1h, .refresh_backoff = 30s, .refresh_ahead = 0.8},
                         [](int x) { return x; });
  EXPECT_EQ(g(1), 1);
}

TEST(Options, OfAWiderScopeAreKeptWhereANarrowerOneSaysNothing) {
  const EntryOptions all = every_field(), merged = merge(all, {});
  EXPECT_EQ(merged.ttl, all.ttl);
  EXPECT_EQ(merged.prefix, all.prefix);
  EXPECT_EQ(merged.name, all.name);
  EXPECT_EQ(merged.tags, all.tags);
  EXPECT_EQ(merged.stale_for, all.stale_for);
  EXPECT_EQ(merged.refresh_backoff, all.refresh_backoff);
  EXPECT_EQ(merged.refresh_ahead, all.refresh_ahead);
  EXPECT_EQ(merged.xfetch, all.xfetch);
  EXPECT_EQ(merged.jitter, all.jitter);
  EXPECT_EQ(merged.negative_ttl, all.negative_ttl);
  EXPECT_EQ(merged.idle_ttl, all.idle_ttl);
  EXPECT_EQ(merged.soft_timeout, all.soft_timeout);
  EXPECT_EQ(merged.load_timeout, all.load_timeout);
  EXPECT_EQ(merged.compress_above, all.compress_above);
  EXPECT_EQ(merged.level, all.level);
  EXPECT_EQ(merged.raw, all.raw);
  EXPECT_EQ(merge({}, all).refresh_backoff, all.refresh_backoff);
  EXPECT_EQ(merge({}, all).xfetch, all.xfetch);
  EXPECT_EQ(merge({}, all).raw, all.raw);
}

TEST(Options, TheNarrowestScopeThatSetsATtlWins) {
  CleanCache library;
  EXPECT_EQ(ttl_of(library.cache, {}), 300s);

  CleanCache manager({.default_ttl = 100s});
  EXPECT_EQ(ttl_of(manager.cache, {}), 100s);

  CleanCache all({.default_ttl = 100s, .defaults = {.ttl = 90s}});
  EXPECT_EQ(ttl_of(all.cache, {.prefix = "api"}), 90s);
  all.cache.set_preset("api", {.ttl = 80s});
  EXPECT_EQ(ttl_of(all.cache, {.prefix = "api"}), 80s);
  EXPECT_EQ(ttl_of(all.cache, {.prefix = "db"}), 90s) << "another prefix has no preset";
  EXPECT_EQ(ttl_of(all.cache, {.ttl = 70s, .prefix = "api"}), 70s);
}

TEST(Options, AWrapperGoesBeforeItsPrefixesPreset) {
  CleanCache clean({.default_ttl = 100s});
  clean.cache.set_preset("api", {.ttl = 80s});
  const auto echo = [](int x) { return x; };
  const auto by_preset = clean.cache.cached({.prefix = "api", .name = "a"}, echo);
  const auto by_itself = clean.cache.cached({.ttl = 60s, .prefix = "api", .name = "b"}, echo);
  const auto by_manager = clean.cache.cached({.prefix = "db"}, echo);
  by_preset(1);
  by_itself(1);
  by_manager(1);
  EXPECT_EQ(clean.cache.get_ttl(by_preset.key_for(1)), 80s);
  EXPECT_EQ(clean.cache.get_ttl(by_itself.key_for(1)), 60s);
  EXPECT_EQ(clean.cache.get_ttl(by_manager.key_for(1)), 100s);

  clean.cache.set_preset("api", {.ttl = 5s});
  by_preset.refresh(1);
  EXPECT_EQ(clean.cache.get_ttl(by_preset.key_for(1)), 80s) << "a wrapper keeps the preset it was made with";
}

TEST(Options, MergingKeepsWhatTheNarrowerScopeLeavesOut) {
  const EntryOptions base = {.ttl = 1s,
                             .prefix = "p",
                             .name = "n",
                             .tags = {"a"},
                             .stale_for = 2s,
                             .refresh_ahead = 0.5,
                             .jitter = 0.1,
                             .negative_ttl = 3s,
                             .idle_ttl = 4s,
                             .soft_timeout = 5s,
                             .load_timeout = 6s,
                             .compress_above = 7,
                             .level = Level::l1};
  const EntryOptions same = merge(base, {});
  EXPECT_EQ(same.ttl, base.ttl);
  EXPECT_EQ(same.prefix + same.name, "pn");
  EXPECT_EQ(same.tags, base.tags);
  EXPECT_EQ(same.stale_for, base.stale_for);
  EXPECT_EQ(same.refresh_ahead, 0.5);
  EXPECT_EQ(same.jitter, 0.1);
  EXPECT_EQ(same.negative_ttl, base.negative_ttl);
  EXPECT_EQ(same.idle_ttl, base.idle_ttl);
  EXPECT_EQ(same.soft_timeout, base.soft_timeout);
  EXPECT_EQ(same.load_timeout, base.load_timeout);
  EXPECT_EQ(same.compress_above, 7U);
  EXPECT_EQ(same.level, Level::l1);

  const EntryOptions over = merge(base, {.ttl = 0s, .tags = {"b"}, .refresh_ahead = 0.0, .level = Level::both});
  EXPECT_EQ(over.ttl, OptionalDuration(0s)) << "zero is a value, not the lack of one";
  EXPECT_EQ(over.refresh_ahead, 0.0);
  EXPECT_EQ(over.level, Level::both);
  EXPECT_EQ(over.prefix, "p");
  EXPECT_EQ(over.tags, (std::vector<std::string>{"a", "b"}));
}

TEST(Options, TagsOfAllScopesAddUp) {
  for (const char* tag : {"manager", "preset", "call"}) {
    CleanCache clean({.defaults = {.tags = {"manager"}}});
    clean.cache.set_preset("api", {.tags = {"preset"}});
    ASSERT_TRUE(clean.cache.set("k", 1, {.prefix = "api", .tags = {"call"}}));
    clean.cache.invalidate_tag("other");
    EXPECT_TRUE(clean.cache.exists("k", {.prefix = "api"}));
    clean.cache.invalidate_tag(tag);
    EXPECT_FALSE(clean.cache.exists("k", {.prefix = "api"})) << tag;
  }
}

TEST(Options, DurationsThatDoNotFitBecomeForever) {
  constexpr auto kept = [](auto duration) { return OptionalDuration(duration).value_or(Duration(-1)); };
  EXPECT_EQ(kept(std::chrono::hours::max()), forever);
  EXPECT_EQ(kept(std::chrono::hours::min()), Duration::min());
  EXPECT_EQ(kept(std::chrono::duration<double>(1e300)), forever);
  EXPECT_EQ(kept(std::chrono::duration<double>(-1e300)), Duration::min());
  EXPECT_EQ(kept(std::chrono::duration<double>(std::numeric_limits<double>::infinity())), forever);
  EXPECT_EQ(kept(Duration::max() - 1ns), Duration::max() - 1ns);
  EXPECT_EQ(kept(std::chrono::years(290)), std::chrono::years(290));
  EXPECT_EQ(kept(std::chrono::duration<double>(0.25)), 250ms);
  EXPECT_EQ(kept(std::chrono::duration<float, std::milli>(1.5F)), 1500us);
}

/// `Period`: of units whose counts need more than 64 bits on the way to nanoseconds.
template <class Rep, class Period>
void expect_exact(std::int64_t seconds) {
  using Unit = std::chrono::duration<Rep, Period>;
  constexpr std::int64_t kBillion = 1'000'000'000;
  __extension__ using Wide = __int128;
  const auto count = static_cast<Rep>(static_cast<Wide>(seconds) * Period::den / Period::num);
  const auto exact = static_cast<std::int64_t>(static_cast<Wide>(count) * Period::num * kBillion / Period::den);
  EXPECT_EQ(OptionalDuration(Unit(count)).value_or({}).count(), exact) << Period::num << '/' << Period::den;
  if constexpr (std::is_signed_v<Rep>) {
    EXPECT_EQ(OptionalDuration(Unit(-count)).value_or({}).count(), -exact) << Period::num << '/' << Period::den;
  }
}

TEST(Options, DurationsThatFitAreExactWhateverTheirUnit) {
  for (const std::int64_t days : {1, 241, 1'000, 100'000}) {
    const std::int64_t seconds = days * 86'400;
    expect_exact<std::int64_t, std::ratio<1, 44'100>>(seconds);
    expect_exact<std::uint64_t, std::ratio<1, 48'000>>(seconds);
    expect_exact<std::int64_t, std::ratio<1, 0x7fff'ffff>>(std::min<std::int64_t>(seconds, 4'000'000'000));
    expect_exact<std::int64_t, std::ratio<1'001, 30'000>>(seconds);
    expect_exact<std::int64_t, std::milli>(seconds);
    expect_exact<std::int32_t, std::ratio<86'400>>(seconds);
  }
  expect_exact<std::int64_t, std::pico>(9'000'000);
  static_assert(
      OptionalDuration(std::chrono::duration<std::int64_t, std::ratio<1, 44'100>>(44'100'000'000'000)).value_or({}) ==
      1'000'000'000s);
}

TEST(Options, ANegativeTtlOfZeroOrLessTurnsNegativeCachingOffAgain) {
  for (const Duration none : {Duration(0), Duration(-1s), Duration::min()}) {
    CleanCache clean({.defaults = {.negative_ttl = 30s}});
    int runs = 0;
    const auto f = clean.cache.cached({.negative_ttl = none}, [&](int) { return ++runs, std::optional<int>(); });
    EXPECT_FALSE(f(1));
    EXPECT_FALSE(f(1));
    EXPECT_EQ(runs, 2);
  }
}

TEST(Options, OfATtlJustUnderForeverTheShareOfItsFractionsIsTaken) {
  constexpr Duration kLong = Duration::max() - 1ns;
  CleanCache clean;
  int runs = 0;
  const auto f = clean.cache.cached({.ttl = kLong, .prefix = "all", .refresh_ahead = 1.0}, [&](int) { return ++runs; });
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(clean.cache.get_stats().early_refreshes, 0U) << "due only when its time is over";
  for (int i = 0; i < 100; ++i) EXPECT_GE(ttl_of(clean.cache, {.ttl = kLong, .jitter = 1.0}), 1ns);
  for (int i = 0; i < 100; ++i) EXPECT_GE(ttl_of(clean.cache, {.ttl = kLong, .jitter = 0.5}), kLong / 2 - 1us);
}

TEST(Options, ATtlOfForeverNeverRunsOut) {
  CleanCache clean;
  EXPECT_EQ(ttl_of(clean.cache, {.ttl = forever}), forever);
  EXPECT_EQ(ttl_of(clean.cache, {.ttl = std::chrono::hours::max()}), forever);
  EXPECT_EQ(ttl_of(clean.cache, {.ttl = forever, .stale_for = forever, .refresh_ahead = 0.9, .jitter = 1.0}), forever);
  clean.clock->advance(std::chrono::years(200));
  EXPECT_EQ(clean.cache.get<int>("k"), 1);
}

TEST(Options, TheLongestTimesWorkInEveryPlace) {
  CleanCache clean;
  constexpr auto kLong = std::chrono::hours::max();
  const auto f = clean.cache.cached(
      {.ttl = 10s, .prefix = "f", .stale_for = kLong, .negative_ttl = kLong, .idle_ttl = kLong, .load_timeout = kLong},
      [](int x) { return x == 0 ? std::nullopt : std::optional(x); });
  EXPECT_EQ(f(1), 1);
  EXPECT_EQ(f(0), std::nullopt);
  EXPECT_EQ(clean.cache.get_ttl(f.key_for(0)), forever);
  clean.clock->advance(std::chrono::years(100));
  EXPECT_EQ(f.peek(1), std::optional(std::optional(1))) << "stale, but to be served for ever";
}

TEST(Options, ANumberThatIsNoneIsAConfigError) {
  EXPECT_NE(error_of([] { OptionalDuration(std::chrono::duration<double>(kNaN)); }).find("NaN"), std::string::npos);
  CleanCache clean;
  EXPECT_THROW(clean.cache.set("k", 1, {.ttl = std::chrono::duration<float>(kNaN)}), ConfigError);
}

TEST(Options, JitterOnlyEverShortens) {
  CleanCache clean;
  bool varied = false;
  for (int i = 0; i < 200; ++i) {
    const auto ttl = ttl_of(clean.cache, {.ttl = 100s, .jitter = 0.5});
    EXPECT_LE(*ttl, 100s);
    EXPECT_GE(*ttl, 50s);
    varied = varied || *ttl < 99s;
  }
  EXPECT_TRUE(varied);
  EXPECT_GT(ttl_of(clean.cache, {.ttl = 1ns, .jitter = 1.0}), 0ns) << "a ttl shortened to nothing would not store";
}

}  // namespace
}  // namespace dsta::cache
