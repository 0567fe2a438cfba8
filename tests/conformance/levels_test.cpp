// Levels, raw values and compression: where bytes go, and in what form.
#include <dsta/cache/json.hpp>

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "backend_test.hpp"
#include "eventually.hpp"
#include "l2/values/compression.hpp"
#include "server_info.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Levels : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, Levels, all_backends(), backend_name);

TEST_P(Levels, AnyChoiceThatThereIsAPlaceForServesTheSame) {
  for (const Level level : {Level::both, Level::l1, Level::l2}) {
    if (level == Level::l1 && !has_l1()) continue;
    const EntryOptions options{.ttl = 60s, .prefix = "p", .tags = {"t"}, .level = level};
    ASSERT_TRUE(cache.set("k", "v", options));
    EXPECT_EQ(cache.get("k", options), "v");
    EXPECT_TRUE(cache.exists("k", options));
    EXPECT_GT(cache.get_ttl("k", options), 50s);
    cache.invalidate_tag("t");
    EXPECT_FALSE(cache.get("k", options));
    cache.set("k", "v", options);
    EXPECT_TRUE(cache.del("k", options));
    EXPECT_EQ(cache.get_or_load(
                  "k", [] { return std::string("loaded"); }, options),
              "loaded");
    EXPECT_EQ(cache.get("k", options), "loaded");
    cache.del("k", options);
  }
}

TEST_P(Levels, LargeValuesComeBackHoweverTheyAreCompressed) {
  std::string noise(20'000, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * i * 2654435761U >> 17);
  for (const std::string& text : {std::string(20'000, 'x'), std::string(999, 'x'), std::string(1000, 'x'), noise}) {
    ASSERT_TRUE(cache.set("k", text, {.compress_above = 1000}));
    EXPECT_EQ(cache.get("k"), text);
    EXPECT_EQ(embedded() ? text : manager().get("k"), text);
  }
}

struct TwoLevels : BackendTest {
  bool at_server_now(const std::string& key) const { return server->command({"EXISTS", at_server(key)}) == "1"; }
};
INSTANTIATE_TEST_SUITE_P(On, TwoLevels, ::testing::Values(Backend::two_levels), backend_name);

TEST_P(TwoLevels, WhatIsForTheFirstAloneNeverReachesTheServer) {
  const EntryOptions options{.ttl = 60s, .prefix = "p", .level = Level::l1};
  ASSERT_TRUE(cache.set("k", "v", options));
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .level = Level::l1}, [](int i) { return i; });
  f(1);
  f.put(2, 2);
  EXPECT_FALSE(at_server_now("p:k"));
  EXPECT_FALSE(at_server_now("f:1"));
  EXPECT_FALSE(at_server_now("f:2"));
  EXPECT_EQ(cache.get("k", options), "v");
  EXPECT_FALSE(manager().get("k", options));
  EXPECT_EQ(f.peek(1), 1);
}

TEST_P(TwoLevels, OfTwoWritersL1KeepsTheOneThatTheServerHasLast) {
  std::atomic<bool> first = true;
  cache.core()->probe = [&](detail::Core::Point point, std::string_view key) {
    if (point != detail::Core::Point::before_l1_store || key != "k" || !first.exchange(false)) return;
    // The first one's value is at the server, and not in the process yet.
    std::thread([&] { EXPECT_TRUE(cache.set("k", "last")); }).join();
  };
  ASSERT_TRUE(cache.set("k", "first"));
  EXPECT_EQ(cache.get("k", {.level = Level::l2}), "last");
  const auto found = cache.lookup("k");
  EXPECT_EQ(found.value, "last");
  EXPECT_EQ(found.source, Source::l1);
}

TEST_P(TwoLevels, WhatIsForTheSecondAloneIsReadFromTheServerEachTime) {
  const EntryOptions options{.ttl = 60s, .prefix = "p", .level = Level::l2};
  ASSERT_TRUE(cache.set("k", "v", options));
  EXPECT_EQ(cache.lookup("k", options).source, Source::l2);
  EXPECT_EQ(cache.lookup("k", options).source, Source::l2);
  server->command({"DEL", at_server("p:k")});
  EXPECT_FALSE(cache.get("k", options)) << "at once: no copy was kept";
  const auto f = cache.cached({.ttl = 60s, .prefix = "f", .level = Level::l2}, [](int i) { return i; });
  f(1);
  EXPECT_TRUE(at_server_now("f:1"));
  server->command({"DEL", at_server("f:1")});
  EXPECT_FALSE(f.peek(1));
}

TEST_P(TwoLevels, ARemovalAtTheServerByHandIsReported) {
  cache.set("k", "v");
  EXPECT_EQ(cache.get("k"), "v");
  server->command({"DEL", at_server("k")});
  EXPECT_TRUE(eventually([&] { return !cache.get("k"); }, 1s));
}

struct Stored : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, Stored, redis_backends(), backend_name);

TEST_P(Stored, OnlyValuesAboveTheThresholdAreCompressed) {
  const auto bytes = [&](const std::string& key) { return std::stoul(server->command({"STRLEN", at_server(key)})); };
  cache.set("large", std::string(20'000, 'x'), {.compress_above = 1000});
  cache.set("small", std::string(999, 'x'), {.compress_above = 1000});
  cache.set("plain", std::string(20'000, 'x'));
  EXPECT_GT(bytes("small"), 999u);
  EXPECT_GT(bytes("plain"), 20'000u);
  if (detail::kHasZstd) {
    EXPECT_LT(bytes("large"), 2000u);
  }
}

/// `options` with the envelope left out, where there is such an option.
template <class Options>
std::optional<Options> raw(Options options) {
  if constexpr (requires { options.raw = true; }) {
    options.raw = true;
    return options;
  }
  return std::nullopt;
}

TEST_P(Stored, RawValuesAreTheCodecsBytesAndNothingElse) {
  const auto options = raw(EntryOptions{.ttl = 60s});
  if (!options) GTEST_SKIP() << "there are no raw values in this version";
  ASSERT_TRUE(cache.set("text", "plain text", *options));
  EXPECT_EQ(stored("text"), "plain text");
  ASSERT_TRUE(cache.set("number", 42, *options));
  EXPECT_EQ(stored("number"), "42");
  ASSERT_TRUE(cache.set("json", nlohmann::json{{"a", 1}}, *options));
  EXPECT_EQ(stored("json"), R"({"a":1})");
  EXPECT_EQ(cache.get("text", *options), "plain text");
  EXPECT_EQ(manager().get<int>("number", *options), 42);
  EXPECT_EQ(manager().get<nlohmann::json>("json", *options), (nlohmann::json{{"a", 1}}));
  EXPECT_LE(std::stoll(server->command({"PTTL", at_server("text")})), 60'000);
}

TEST_P(Stored, AThousandRawValuesAreLoadedByAFewRequests) {
  const auto options = raw(EntryOptions{.ttl = 60s, .prefix = "f"});
  if (!options) GTEST_SKIP() << "there are no raw values in this version";
  const auto doubled = [](const std::vector<int>& items) {
    std::vector<int> out;
    for (const int i : items) out.push_back(2 * i);
    return out;
  };
  const auto f = cache.cached(*options, [](int i) { return 2 * i; }).bulk_loader(doubled);
  std::vector<int> items(1000);
  std::iota(items.begin(), items.end(), 0);
  const auto reads = [&] { return info_number(server->single(), "stats", "total_reads_processed:"); };
  const std::uint64_t before = reads();
  for (const auto& outcome : f.many(items)) EXPECT_TRUE(outcome);
  EXPECT_GT(before, 0u);
  EXPECT_LT(reads() - before, 200u) << "some are of the replies' own size";
  for (const int i : items) ASSERT_EQ(stored(f.key_for(i)), std::to_string(2 * i));
  const auto leases = server->command({"KEYS", space + ":\x01raw:*"});
  EXPECT_EQ(leases, "");
  for (const auto& outcome : f.many(items)) EXPECT_TRUE(outcome);
  EXPECT_EQ(f.cache_info().loads, 1u);
}

TEST_P(Stored, RawValuesOfOtherProgramsAreReadAndGarbageIsAMiss) {
  const auto options = raw(EntryOptions{.ttl = 60s});
  if (!options) GTEST_SKIP() << "there are no raw values in this version";
  server->command({"SET", at_server("json"), R"({"a": 1})"});
  server->command({"SET", at_server("text"), "no number"});
  EXPECT_EQ(cache.get<nlohmann::json>("json", *options), (nlohmann::json{{"a", 1}}));
  EXPECT_FALSE(cache.get<int>("text", *options));
  EXPECT_EQ(cache.get("text", *options), "no number");
  EXPECT_TRUE(cache.del("text", *options));
  EXPECT_EQ(stored("text"), "(nil)");
}

}  // namespace
}  // namespace dsta::cache
