// What is refused, when, and how it reads: the option, what it may be, and never a secret.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <dsta/cache/testing.hpp>

#include "error_of.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing::CleanCache;
using testing_support::error_of;

std::string error_of_url(std::string_view url) {
  return error_of([&] { CacheManager cache(url); });
}

void expect_says(const std::string& error, std::string_view words) {
  EXPECT_NE(error.find(words), std::string::npos) << "no '" << words << "' in: " << error;
}

TEST(OptionErrors, NameTheFractionThatIsNone) {
  for (const double bad : {-0.1, 1.1, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    const std::pair<const char*, EntryOptions> cases[] = {{"refresh_ahead", {.refresh_ahead = bad}},
                                                          {"jitter", {.jitter = bad}}};
    for (const auto& one : cases) {
      CacheManager cache;
      expect_says(error_of([&] { cache.set("k", 1, one.second); }), one.first);
      expect_says(error_of([&] { (void)cache.cached(one.second, [](int x) { return x; }); }), one.first);
      expect_says(error_of([&] { CacheManager other(ManagerOptions{.defaults = one.second}); }), one.first);
      EXPECT_FALSE(cache.exists("k"));
    }
  }
  CacheManager cache;
  EXPECT_TRUE(cache.set("k", 1, {.refresh_ahead = 0.0, .jitter = 1.0}));
}

TEST(OptionErrors, OfAPresetAreFoundWhereItIsSet) {
  CleanCache clean;
  clean.cache.set_preset("api", {.ttl = 5s});
  expect_says(error_of([&] { clean.cache.set_preset("api", {.ttl = 9s, .refresh_ahead = 2.0}); }), "refresh_ahead");
  expect_says(error_of([&] { clean.cache.set_preset("api", {.jitter = -1.0}); }), "jitter");
  expect_says(error_of([&] { clean.cache.set_preset("api", {.stale_for = -1s}); }), "stale_for");
  EXPECT_TRUE(clean.cache.set("k", 1, {.prefix = "api"}));
  EXPECT_EQ(clean.cache.get_ttl("k", {.prefix = "api"}), 5s);
}

TEST(OptionErrors, NameThePrefixOrNameThatWouldHaveNoEffect) {
  CleanCache clean;
  const EntryOptions with_prefix{.ttl = 5s, .prefix = "db"}, with_name{.ttl = 5s, .name = "f"};
  for (const auto& given : {std::pair{with_prefix, ".prefix 'db'"}, std::pair{with_name, ".name 'f'"}}) {
    const EntryOptions& options = given.first;
    const std::string words = given.second;
    const std::string of_manager = error_of([&] { CacheManager other(ManagerOptions{.defaults = options}); });
    expect_says(of_manager, words);
    expect_says(of_manager, "ManagerOptions::defaults");
    const std::string of_preset = error_of([&] { clean.cache.set_preset("api", options); });
    expect_says(of_preset, words);
    expect_says(of_preset, "'api'");
  }
  EXPECT_TRUE(clean.cache.set("k", 1, {.prefix = "api"}));
  EXPECT_EQ(clean.cache.get_ttl("k", {.prefix = "api"}), 300s) << "a preset that was refused has no effect";
  clean.cache.set_preset("db", with_prefix);
  EXPECT_TRUE(clean.cache.set("k", 1, {.prefix = "db"}));
  EXPECT_EQ(clean.cache.get_ttl("k", {.prefix = "db"}), 5s) << "its own prefix";
}

TEST(OptionErrors, NameTheTimeThatMayNotBeNegative) {
  CacheManager cache;
  expect_says(error_of([&] { cache.set("k", 1, {.stale_for = -1s}); }), "stale_for");
  expect_says(error_of([&] { cache.set("k", 1, {.idle_ttl = -1ns}); }), "idle_ttl");
  expect_says(error_of([&] { cache.set("k", 1, {.soft_timeout = -1s}); }), "soft_timeout");
  expect_says(error_of([&] { cache.set("k", 1, {.load_timeout = -1s}); }), "load_timeout");
}

TEST(Options, ATtlOfZeroOrLessStoresNothingAndRemovesWhatWasThere) {
  for (const Duration ttl : {Duration(0), Duration(-1), Duration::min()}) {
    CleanCache clean;
    ASSERT_TRUE(clean.cache.set("k", "old"));
    const SetResult result = clean.cache.set("k", "new", {.ttl = ttl});
    EXPECT_FALSE(result);
    EXPECT_EQ(result.status(), SetResult::not_stored);
    EXPECT_NE(result.reason().find("ttl"), std::string_view::npos) << result.reason();
    EXPECT_EQ(clean.cache.get("k"), std::nullopt) << "neither the new value nor the old one";
  }
}

TEST(Options, AFunctionWithATtlOfZeroRunsEveryTime) {
  CleanCache clean;
  int runs = 0;
  const auto f = clean.cache.cached({.ttl = 0s, .prefix = "f"}, [&](int x) { return x + ++runs; });
  EXPECT_EQ(f(10), 11);
  EXPECT_EQ(f(10), 12);
}

TEST(OptionErrors, ASpaceThatWouldBreakKeysIsRefused) {
  for (const char* bad : {"a:b", "a*", "a?", "[a]", "a\\b", "{a}", "a b", "a\tb", "a\n"}) {
    expect_says(error_of([&] { CacheManager cache(ManagerOptions{.space = bad}); }), "space");
  }
  for (const char* good : {"dsta", "my-app.v2_prod", "a/b"}) {
    EXPECT_EQ(CacheManager(ManagerOptions{.space = good}).options().space, good);
  }
}

TEST(OptionErrors, ACacheThatCouldStoreNothingIsRefused) {
  expect_says(error_of([] { CacheManager cache(ManagerOptions{.l1 = {.enabled = false}}); }), "l1.enabled");
}

TEST(MemoryUrl, SetsOptions) {
  const CacheManager cache("memory:?max_bytes=64MiB&max_entries=1000&default_ttl=1.5min&space=app");
  EXPECT_EQ(cache.options().l1.max_bytes, std::size_t{64} << 20);
  EXPECT_EQ(cache.options().l1.max_entries, 1000U);
  EXPECT_EQ(cache.options().default_ttl, OptionalDuration(90s));
  EXPECT_EQ(cache.options().space, "app");
  for (const char* plain : {"", "memory:", "memory://", "memory:?", "memory://?&"}) {
    EXPECT_EQ(CacheManager(plain).options().l1.max_bytes, L1Options{}.max_bytes) << plain;
  }
  for (const auto& [text, bytes] : {std::pair("1000000", 1'000'000U), std::pair("2000000B", 2'000'000U),
                                    std::pair("512KiB", 524'288U), std::pair("0.5GiB", 536'870'912U)}) {
    EXPECT_EQ(CacheManager(std::string("memory:?max_bytes=") + text).options().l1.max_bytes, bytes) << text;
  }
  for (const auto& [text, ttl] : {std::pair("250us", Duration(250us)), std::pair("250ms", Duration(250ms)),
                                  std::pair("0s", Duration(0)), std::pair("2h", Duration(2h))}) {
    EXPECT_EQ(CacheManager(std::string("memory:?default_ttl=") + text).options().default_ttl, OptionalDuration(ttl));
  }
}

TEST(MemoryUrl, ErrorsNameTheOptionAndWhatIsKnown) {
  expect_says(error_of_url("memory:?max_byte=1"), "'max_byte'");
  expect_says(error_of_url("memory:?max_byte=1"), "known are max_bytes, max_entries, default_ttl, space");
  expect_says(error_of_url("memory:?max_bytes"), "'max_bytes' has no value");
  for (const char* bad : {"300", "", "s", "-1s", "5 s", "5sec", "nans", "infs", "1e999s", "9999999999999h", "0x5s"}) {
    const std::string error = error_of_url(std::string("memory:?default_ttl=") + bad);
    expect_says(error, "default_ttl");
    expect_says(error, "us, ms, s, min, h");
  }
  for (const char* bad : {"64MB", "-1", "1e30", "x", ""}) {
    expect_says(error_of_url(std::string("memory:?max_bytes=") + bad), "KiB, MiB, GiB");
  }
  for (const char* bad : {"5KiB", "1.5", "-1", "1e30", ""}) {
    expect_says(error_of_url(std::string("memory:?max_entries=") + bad), "max_entries");
  }
  expect_says(error_of_url("memory:?space=a:b"), "space");
  expect_says(error_of_url("memory://localhost"), "no host");
  expect_says(error_of_url("memory:x"), "only ?options");
  expect_says(error_of_url("memori://"), "'memori'");
  expect_says(error_of_url("memory"), "memory:");
}

TEST(MemoryUrl, ErrorsNeverRepeatAPassword) {
  for (const char* url :
       {"redis://user:hunter2@host:port/0", "REDIS://:hunter2@host", "redis:hunter2@host", "user:hunter2@host",
        "hunter2@host:6379", ":hunter2@host", "hunter2:@host", "hunter2", "memory://user:hunter2@host",
        "memory:?user:hunter2@host", "memory:?hunter2@host=1", "memory:hunter2@", "memory:?password=hunter2",
        "memory:?max_bytes=hunter2@host", "//hunter2@host"}) {
    const std::string error = error_of_url(url);
    EXPECT_NE(error, "no error") << url;
    EXPECT_EQ(error.find("hunter2"), std::string::npos) << error;
  }
}

/// Sets variables for one test and puts back what was there.
class Environment {
 public:
  Environment(const char* name, std::optional<std::string> value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    set(value);
  }
  ~Environment() { set(before_); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  void set(const std::optional<std::string>& value) const {
    if (value) {
      ::setenv(name_, value->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }

  const char* name_;
  std::optional<std::string> before_;
};

TEST(FromEnvironment, TakesTheCachesOwnUrlThenRedisUrlThenNone) {
  const auto entries = [](std::optional<std::string> own, std::optional<std::string> redis) {
    const Environment first("DSTA_CACHE_URL", std::move(own)), second("REDIS_URL", std::move(redis));
    return CacheManager::from_env({.l1 = {.max_entries = 3}}).options().l1.max_entries;
  };
  EXPECT_EQ(entries("memory:?max_entries=1", "memory:?max_entries=2"), 1U);
  EXPECT_EQ(entries(std::nullopt, "memory:?max_entries=2"), 2U);
  EXPECT_EQ(entries("", "memory:?max_entries=2"), 2U) << "empty is as good as unset";
  EXPECT_EQ(entries(std::nullopt, std::nullopt), 3U) << "what the caller gave stays";
  EXPECT_EQ(entries("memory:", "no-such-scheme://"), 3U) << "a variable that is not used is not checked";
  expect_says(error_of([&] { entries("no-such-scheme://", "memory:"); }), "no-such-scheme");
}

}  // namespace
}  // namespace dsta::cache
