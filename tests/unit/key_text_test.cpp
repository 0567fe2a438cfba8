// Text for keys and patterns that are written by hand.
#include <dsta/cache/key_text.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

TEST(KeyPart, IsWhatAWrapperWritesForTheArgument) {
  testing::CleanCache clean;
  const auto same = [&](const auto& value) {
    using T = std::decay_t<decltype(value)>;
    const auto f = clean.cache.cached({.prefix = "p", .name = std::to_string(__LINE__) + key_part(value)},
                                      [](const T&, int) { return 1; });
    const std::string key = f.key_for(value, 7);
    EXPECT_TRUE(key.ends_with(":" + key_part(value) + ":7")) << key;
  };
  for (const char* text : {"BTC", "", "BTC:USD", "a b", "*", "[x]", "%", "(a,b)"}) same(std::string(text));
  same(5), same(-5L), same(0.1), same(true), same('x'), same(250ms);
  same(std::optional<int>()), same(std::optional<int>(3));
  same(std::vector<std::string>{"BTC", "E:TH"});
}

TEST(KeyPart, TakesTextOfEveryKind) {
  EXPECT_EQ(key_part("BTC:USD"), "BTC%3AUSD");
  EXPECT_EQ(key_part(std::string_view("BTC:USD")), "BTC%3AUSD");
  EXPECT_EQ(key_part(std::string("BTC:USD")), "BTC%3AUSD");
  const char* text = "BTC:USD";
  EXPECT_EQ(key_part(text), "BTC%3AUSD");
}

TEST(GlobEscape, WithKeyPartMakesAPatternForOneArgument) {
  testing::CleanCache clean;
  const auto f = clean.cache.cached({.prefix = "candles"}, [](const std::string&, int) { return 1; });
  for (const std::string symbol : {"BTC:USD", "B*", "[B]", "B\\C", "B?"}) {
    f(symbol, 1), f(symbol + "T", 1), f("BXC", 1), f("B", 1);
    EXPECT_EQ(clean.cache.delete_pattern("candles:" + glob_escape(key_part(symbol)) + ":*"), 1u) << symbol;
    EXPECT_FALSE(f.peek(symbol, 1));
    EXPECT_TRUE(f.peek("BXC", 1));
    clean.cache.set("raw:" + symbol, 1);
    EXPECT_EQ(clean.cache.delete_pattern("raw:" + glob_escape(symbol)), 1u) << symbol;
  }
}

}  // namespace
}  // namespace dsta::cache
