// Keys of any bytes and lengths name one entry each.
#include <gtest/gtest.h>

#include <string>

#include "backend_test.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;

struct Keys : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, Keys, all_backends(), backend_name);

TEST_P(Keys, OfEveryByte) {
  const auto key = [](int byte) { return std::string("k") + static_cast<char>(byte) + "e"; };
  for (int byte = 0; byte < 256; ++byte) ASSERT_TRUE(cache.set(key(byte), byte)) << byte;
  for (int byte = 0; byte < 256; ++byte) ASSERT_EQ(cache.get<int>(key(byte)), byte) << byte;
  for (int byte = 0; byte < 256; byte += 2) ASSERT_TRUE(cache.del(key(byte))) << byte;
  for (int byte = 0; byte < 256; ++byte) ASSERT_EQ(cache.exists(key(byte)), byte % 2 == 1) << byte;
}

TEST_P(Keys, OfOneByteThatIsSpecialElsewhere) {
  for (const char special : std::string(":*?[]\\^-{}%\r\n\0 \x01\xff", 18)) {
    const std::string key(1, special);
    ASSERT_TRUE(cache.set(key, key)) << int{special};
    ASSERT_EQ(cache.get(key), key) << int{special};
    ASSERT_TRUE(cache.del(key)) << int{special};
  }
}

TEST_P(Keys, AShortOneThatSpellsAShortenedOneHasItsOwnValue) {
  for (const bool raw : {false, true}) {
    const EntryOptions options{.ttl = 1h, .prefix = raw ? "raw" : "f", .raw = raw};
    const auto f = cache.cached(options, [](const std::string& text) { return text; });
    const std::string victim(500, 'v');
    const std::string imitation = f.key_for(victim).substr(options.prefix.size() + 1);
    EXPECT_EQ(f(victim), victim);
    EXPECT_EQ(f(imitation), imitation);
    EXPECT_EQ(f(victim), victim);
    EXPECT_EQ(f(imitation), imitation);
    EXPECT_TRUE(f.invalidate(imitation));
    EXPECT_EQ(f.peek(victim), victim);
    EXPECT_FALSE(f.peek(imitation));
  }
}

TEST_P(Keys, LongOnesAreToldApartByTheirLastByte) {
  for (const std::size_t length : {255u, 256u, 257u, 5000u, 1u << 16}) {
    const std::string a = std::string(length - 1, 'k') + 'a', b = std::string(length - 1, 'k') + 'b';
    ASSERT_TRUE(cache.set(a, "a", {.prefix = "long"}));
    ASSERT_FALSE(cache.exists(b, {.prefix = "long"})) << length;
    ASSERT_TRUE(cache.set(b, "b", {.prefix = "long"}));
    ASSERT_EQ(cache.get(a, {.prefix = "long"}), "a") << length;
    ASSERT_EQ(cache.get(b, {.prefix = "long"}), "b") << length;
    ASSERT_EQ(cache.increment(a + "n", 3), 3) << length;
    ASSERT_EQ(cache.increment(b + "n"), 1) << length;
    ASSERT_TRUE(cache.del(a, {.prefix = "long"}));
    ASSERT_TRUE(cache.exists(b, {.prefix = "long"})) << length;
  }
  EXPECT_EQ(cache.delete_pattern("k*b", {.prefix = "long"}), 5u) << "a pattern finds long keys too";
}

TEST_P(Keys, OfWrappersAreLongWhenTheirArgumentsAre) {
  int loads = 0;
  const auto length = cache.cached({.ttl = 60s, .prefix = "length"}, [&](const std::string& s) {
    ++loads;
    return static_cast<int>(s.size()) + s.back();
  });
  const std::string a = std::string(3000, 'x') + 'a', b = std::string(3000, 'x') + 'b';
  EXPECT_EQ(length(a), 3001 + 'a');
  EXPECT_EQ(length(b), 3001 + 'b');
  EXPECT_EQ(length(a), 3001 + 'a');
  EXPECT_EQ(loads, 2);
  EXPECT_TRUE(cache.exists(length.key_for(a)));
  EXPECT_TRUE(length.invalidate(a));
  EXPECT_FALSE(length.peek(a));
  EXPECT_TRUE(length.peek(b));
}

TEST_P(Keys, OfWrappersAreTheManagersKeys) {
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](int i, const std::string&) { return i; });
  f(1, "a:b");
  const std::string key = f.key_for(1, "a:b");
  EXPECT_TRUE(key.starts_with("api:f:1:")) << key;
  EXPECT_EQ(cache.get<int>(key), 1);
  EXPECT_GT(cache.get_ttl(key), 50s);
  EXPECT_TRUE(cache.del(key));
  EXPECT_FALSE(f.peek(1, "a:b"));
}

struct KeysAtServer : BackendTest {};
INSTANTIATE_TEST_SUITE_P(On, KeysAtServer, redis_backends(), backend_name);

TEST_P(KeysAtServer, StandUnderTheSpace) {
  cache.set("k", "v", {.prefix = "p"});
  EXPECT_EQ(server->command({"EXISTS", space + ":p:k"}), "1");
  cache.increment("n");
  EXPECT_EQ(stored("n"), "1") << "counters are plain integers";
  const auto f = cache.cached({.ttl = 60s, .prefix = "api", .name = "f"}, [](int i) { return i; });
  f(5);
  EXPECT_EQ(server->command({"EXISTS", space + ":api:f:5"}), "1");
}

TEST_P(KeysAtServer, LiveNoLongerThereThanTheyMayBeServed) {
  const auto left = [&](const std::string& key) { return std::stoll(server->command({"PTTL", at_server(key)})); };
  cache.set("k", "v", {.ttl = 60s});
  EXPECT_GT(left("k"), 50'000);
  EXPECT_LE(left("k"), 60'000);
  cache.set("stale", "v", {.ttl = 60s, .stale_for = 60s});
  EXPECT_GT(left("stale"), 110'000);
  EXPECT_LE(left("stale"), 120'000);
  cache.set("forever", "v", {.ttl = forever});
  EXPECT_EQ(left("forever"), -1);
}

TEST_P(KeysAtServer, WhatOthersWroteThereIsAMissAndMayBeReplaced) {
  server->command({"SET", at_server("k"), "not ours"});
  EXPECT_FALSE(cache.get("k"));
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_FALSE(cache.get_ttl("k"));
  EXPECT_TRUE(cache.set("k", "ours"));
  EXPECT_EQ(cache.get("k"), "ours");
}

TEST_P(KeysAtServer, AValueMovedToAnotherKeyIsNoneThere) {
  cache.set("k", "v");
  server->command({"COPY", at_server("k"), at_server("copy")});
  EXPECT_FALSE(cache.get("copy"));
  EXPECT_EQ(cache.get("k"), "v");
}

}  // namespace
}  // namespace dsta::cache
