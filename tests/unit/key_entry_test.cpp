// Which calls are one entry: by the parameters' types, not the arguments', and by the whole key however long it is.
#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/testing.hpp>

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;

struct KeyEntry : ::testing::Test, testing::CleanCache {
  int runs = 0;

  /// A function that returns its argument and counts its runs.
  auto echo() {
    return cache.cached({.ttl = 1h, .prefix = "echo"}, [this](const std::string& text) {
      ++runs;
      return text;
    });
  }
};

TEST_F(KeyEntry, ALiteralAStringAndAViewAreOneArgument) {
  const auto f = echo();
  char buffer[] = "BTCUSDT";
  EXPECT_EQ(f("BTCUSDT"), "BTCUSDT");
  EXPECT_EQ(f(std::string("BTCUSDT")), "BTCUSDT");
  EXPECT_EQ(f(buffer), "BTCUSDT");
  EXPECT_EQ(f.key_for(std::string_view("BTCUSDT")), f.key_for("BTCUSDT"));
  EXPECT_EQ(runs, 1);
}

TEST_F(KeyEntry, AViewParameterTakesTextOfEveryKind) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "size"}, [this](std::string_view text) {
    ++runs;
    return text.size();
  });
  EXPECT_EQ(f("abc"), 3U);
  EXPECT_EQ(f(std::string("abc")), 3U);
  EXPECT_EQ(f(std::string_view("abc")), 3U);
  EXPECT_EQ(runs, 1);
}

TEST_F(KeyEntry, NumbersAreConvertedToTheParametersType) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "twice"}, [this](int x) {
    ++runs;
    return 2 * x;
  });
  EXPECT_EQ(f(14), 28);
  EXPECT_EQ(f(14L), 28);
  EXPECT_EQ(f(std::uint8_t{14}), 28);
  EXPECT_EQ(f(14.7), 28);
  EXPECT_EQ(runs, 1);
  const auto half = cache.cached({.ttl = 1h, .prefix = "half"}, [this](double x) {
    ++runs;
    return x / 2;
  });
  EXPECT_EQ(half(5), 2.5);
  EXPECT_EQ(half(5.0), 2.5);
  EXPECT_EQ(half(5.0F), 2.5);
  EXPECT_EQ(runs, 2);
}

TEST_F(KeyEntry, AnOptionalParameterTakesTheValueItself) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "maybe"}, [this](std::optional<std::string> text) {
    ++runs;
    return text.value_or("none");
  });
  EXPECT_EQ(f("a"), "a");
  EXPECT_EQ(f(std::optional<std::string>("a")), "a");
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(f(std::nullopt), "none");
  EXPECT_EQ(f(""), "");
  EXPECT_EQ(f("none"), "none");
  EXPECT_EQ(runs, 4);
}

TEST_F(KeyEntry, ALeftOutDefaultArgumentIsFilledIn) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "rsi"}, [this](const std::string& symbol, int period = 14) {
    ++runs;
    return symbol + std::to_string(period);
  });
  EXPECT_EQ(f("BTC"), "BTC14");
  EXPECT_EQ(f("BTC"), "BTC14");
  EXPECT_EQ(runs, 1);
  EXPECT_EQ(f("BTC", 14), "BTC14");
  EXPECT_EQ(f("BTC", 7), "BTC7");
  EXPECT_EQ(f("BTC"), "BTC14");
}

TEST_F(KeyEntry, LongKeysKeepTheirHeadAndEndInAHash) {
  const auto f = echo();
  const std::string at_limit(kReadableKeyBytes - 5, 'a');  // after "echo:"
  EXPECT_EQ(f.key_for(at_limit), "echo:" + at_limit);
  const std::string over = at_limit + "a";
  EXPECT_EQ(f.key_for(over),
            ("echo:" + over).substr(0, kReadableKeyBytes - 33) + "#" + detail::stable_hash_hex("echo:" + over));
  EXPECT_EQ(f.key_for(std::string(1000, ':')).size(), kReadableKeyBytes);
  EXPECT_EQ(f.key_for(std::string(100'000, 'x')).size(), kReadableKeyBytes);
}

TEST_F(KeyEntry, LongKeysWithOtherLastBytesAreOtherEntries) {
  const auto f = echo();
  for (const std::size_t length : {200U, 250U, 251U, 252U, 256U, 300U, 5'000U}) {
    const std::string head(length, 'k');
    EXPECT_EQ(f(head + "1"), head + "1");
    EXPECT_EQ(f(head + "2"), head + "2");
    EXPECT_NE(f.key_for(head + "1"), f.key_for(head + "2"));
    const int before = runs;
    EXPECT_EQ(f(head + "1"), head + "1");
    EXPECT_EQ(f(head + "2"), head + "2");
    EXPECT_EQ(runs, before) << "a long key is not found again";
    EXPECT_TRUE(f.invalidate(head + "1"));
    EXPECT_FALSE(f.peek(head + "1"));
    EXPECT_EQ(f.peek(head + "2"), head + "2");
  }
}

TEST_F(KeyEntry, AShortKeyThatSpellsAShortenedOneGetsItsOwnValue) {
  const auto f = echo();
  const std::string victim(500, 'v');
  const std::string imitation = f.key_for(victim).substr(5);
  EXPECT_NE(f.key_for(imitation), f.key_for(victim));
  EXPECT_EQ(f(victim), victim);
  EXPECT_EQ(f(imitation), imitation);
  EXPECT_EQ(f(victim), victim);
  EXPECT_EQ(f.peek(imitation).value_or(imitation), imitation);
}

TEST_F(KeyEntry, AKeyBuildersTextIsTheKeyAsGiven) {
  const auto f = cache
                     .cached({.ttl = 1h, .prefix = "api", .name = "book"},
                             [this](const std::string& text, int depth) {
                               ++runs;
                               return text + std::to_string(depth);
                             })
                     .key_builder([](const std::string& text, int) { return "of:" + text; });
  EXPECT_EQ(f.key_for("BTC", 5), "api:book:of:BTC");
  EXPECT_EQ(f("BTC", 5), "BTC5");
  EXPECT_EQ(f("BTC", 10), "BTC5") << "the builder left the depth out";
  EXPECT_EQ(runs, 1);
}

}  // namespace
}  // namespace dsta::cache
