// Invalidation by symbol, exchange and user: what it removes, and what it must leave alone.
#include <dsta/cache/invalidator.hpp>
#include <dsta/cache/testing.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace dsta::cache {
namespace {

struct Invalidator : ::testing::Test, testing::CleanCache {
  void set(std::initializer_list<const char*> keys) {
    for (const char* key : keys) cache.set(key, key);
  }
  /// The keys among `keys` that are still there.
  std::vector<std::string> left(std::initializer_list<const char*> keys) const {
    std::vector<std::string> held;
    for (const char* key : keys) {
      if (cache.exists(key)) held.emplace_back(key);
    }
    return held;
  }
  using Keys = std::vector<std::string>;
  CacheInvalidator invalidator{cache};
};

TEST_F(Invalidator, ASymbolsDataGoesUnderThreePrefixesOnly) {
  set({"api:ticker:BTCUSDT", "db:candles:BTCUSDT:1h", "indicator:rsi:BTCUSDT:14", "api:BTCUSDT", "api:ticker:ETHUSDT",
       "session:BTCUSDT", "custom:BTCUSDT", "myapi:BTCUSDT", "apis:BTCUSDT"});
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTCUSDT"), 4u);
  EXPECT_EQ(left({"api:ticker:BTCUSDT", "db:candles:BTCUSDT:1h", "indicator:rsi:BTCUSDT:14", "api:BTCUSDT",
                  "api:ticker:ETHUSDT", "session:BTCUSDT", "custom:BTCUSDT", "myapi:BTCUSDT", "apis:BTCUSDT"}),
            (Keys{"api:ticker:ETHUSDT", "session:BTCUSDT", "custom:BTCUSDT", "myapi:BTCUSDT", "apis:BTCUSDT"}));
}

TEST_F(Invalidator, ASymbolIsTakenLiterallyWhateverCharactersItHas) {
  for (const std::string symbol :
       {"BTC:USD", "B*C", "B?C", "[BC]", "B[^A]C", "50%", "B\\C", "BTC USDT", "{0}", "a\"b"}) {
    SCOPED_TRACE(symbol);
    cache.flush_all();
    const auto f = cache.cached({.prefix = "api", .name = "f"}, [](const std::string& s) { return s; });
    f(symbol);
    cache.set("db:" + symbol, 1);
    // What a pattern instead of a literal would take along.
    for (const char* other : {"BTC-USD", "BXC", "B", "C", "BC", "BBC", "X", "500", "BTCXUSDT", "Q"}) f(other);
    EXPECT_EQ(invalidator.invalidate_symbol_data(symbol), 2u);
    EXPECT_FALSE(f.peek(symbol));
    EXPECT_FALSE(cache.exists("db:" + symbol));
    for (const char* other : {"BTC-USD", "BXC", "B", "C", "BC", "BBC", "X", "500", "BTCXUSDT", "Q"}) {
      EXPECT_TRUE(f.peek(other)) << other;
    }
  }
}

TEST_F(Invalidator, TagsReachWhatNoPatternFinds) {
  const auto f =
      cache.cached({.prefix = "report", .tags = {"symbol:{0}", "exchange:{1}", "user:{2}"}},
                   [](const std::string& s, const std::string& e, int u) { return s + e + std::to_string(u); });
  const auto fill = [&] { f("BTC", "binance", 1), f("ETH", "kraken", 12); };
  fill();
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 0u) << "what goes by tag alone is not counted";
  EXPECT_FALSE(f.peek("BTC", "binance", 1));
  EXPECT_TRUE(f.peek("ETH", "kraken", 12));
  fill();
  invalidator.invalidate_exchange_data("kraken");
  EXPECT_TRUE(f.peek("BTC", "binance", 1));
  EXPECT_FALSE(f.peek("ETH", "kraken", 12));
  fill();
  invalidator.invalidate_user_session(1);
  EXPECT_FALSE(f.peek("BTC", "binance", 1));
  EXPECT_TRUE(f.peek("ETH", "kraken", 12));
}

TEST_F(Invalidator, AnExchangesDataGoesUnderTheThreeDataPrefixes) {
  set({"api:binance:ticker", "db:binance", "indicator:rsi:binance", "api:kraken", "session:binance"});
  EXPECT_EQ(invalidator.invalidate_exchange_data("binance"), 3u);
  EXPECT_EQ(left({"api:binance:ticker", "db:binance", "indicator:rsi:binance", "api:kraken", "session:binance"}),
            (Keys{"api:kraken", "session:binance"}));
}

TEST_F(Invalidator, AUsersSessionsGoAndThoseOfLongerIdsStay) {
  set({"session:123", "session:123:cart", "session:web:123", "session:web:123:cart", "session:1234", "session:4123",
       "session:web:1234", "session:1234:cart", "session:12", "session:x123", "api:123", "session:12:3"});
  EXPECT_EQ(invalidator.invalidate_user_session(123), 4u);
  EXPECT_EQ(left({"session:123", "session:123:cart", "session:web:123", "session:web:123:cart", "session:1234",
                  "session:4123", "session:web:1234", "session:1234:cart", "session:12", "session:x123", "api:123",
                  "session:12:3"}),
            (Keys{"session:1234", "session:4123", "session:web:1234", "session:1234:cart", "session:12", "session:x123",
                  "api:123", "session:12:3"}));
}

TEST_F(Invalidator, UserIdsMayBeTextAndEveryIntegerType) {
  set({"session:alice", "session:alice2", "session:7", "session:-1", "session:18446744073709551615"});
  EXPECT_EQ(invalidator.invalidate_user_session("alice"), 1u);
  EXPECT_EQ(invalidator.invalidate_user_session(std::uint8_t{7}), 1u);
  EXPECT_EQ(invalidator.invalidate_user_session(-1L), 1u);
  EXPECT_EQ(invalidator.invalidate_user_session(~std::uint64_t{0}), 1u);
  EXPECT_TRUE(cache.exists("session:alice2"));
}

TEST_F(Invalidator, AWrappedSessionFunctionsEntriesGoByUserNumber) {
  const auto typed = cache.cached({.prefix = "session", .name = "a"}, [](int user) { return user; });
  const auto generic = cache.cached({.prefix = "session", .name = "b"}, [](auto user) { return int(user); });
  typed(123), typed(1234), generic(123), generic(1234);
  invalidator.invalidate_user_session(123);
  EXPECT_FALSE(typed.peek(123));
  EXPECT_FALSE(generic.peek(123));
  EXPECT_TRUE(typed.peek(1234));
  EXPECT_TRUE(generic.peek(1234));
}

TEST_F(Invalidator, AnEmptyNameIsRefusedInsteadOfRemovingEverything) {
  set({"api:a", "session:a"});
  EXPECT_THROW(invalidator.invalidate_symbol_data(""), KeyError);
  EXPECT_THROW(invalidator.invalidate_exchange_data(""), KeyError);
  EXPECT_THROW(invalidator.invalidate_user_session(""), KeyError);
  EXPECT_THROW(invalidator.invalidate_pattern(""), PatternError);
  EXPECT_EQ(left({"api:a", "session:a"}), (Keys{"api:a", "session:a"}));
}

TEST_F(Invalidator, APatternIsAPattern) {
  set({"api:a1", "api:a2", "api:b1"});
  EXPECT_EQ(invalidator.invalidate_pattern("api:a?"), 2u);
  EXPECT_EQ(left({"api:a1", "api:a2", "api:b1"}), Keys{"api:b1"});
}

TEST_F(Invalidator, WhereEveryFunctionNamesTheTagNoEntryIsLookedAt) {
  const auto candles = cache.cached({.prefix = "db", .name = "candles", .tags = {"symbol:{0}"}},
                                    [](const std::string& symbol, int) { return symbol; });
  const auto other = cache.cached({.prefix = "other"}, [](const std::string& symbol) { return symbol; });
  for (int i = 0; i < 100; ++i) candles("BTCUSDT", i);
  candles("ETHUSDT", 1), other("BTCUSDT");
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTCUSDT"), 0u) << "no walk, no count";
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(candles.peek("BTCUSDT", i));
  EXPECT_TRUE(candles.peek("ETHUSDT", 1));
  EXPECT_TRUE(other.peek("BTCUSDT"));
}

TEST_F(Invalidator, OneFunctionWithoutTheTagBringsThePatternsBack) {
  const auto tagged = cache.cached({.prefix = "api", .name = "tagged", .tags = {"symbol:{0}"}},
                                   [](const std::string& symbol) { return symbol; });
  tagged("BTC");
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 0u);
  {
    const auto plain =
        cache.cached({.prefix = "api", .name = "plain"}, [](const std::string& symbol) { return symbol; });
    plain("BTC");
    EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 1u);
    EXPECT_FALSE(plain.peek("BTC"));
  }
  EXPECT_FALSE(cache.exists("db:BTC"));
  cache.set("BTC", 1, {.prefix = "db"});
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 1u);
  EXPECT_FALSE(cache.exists("BTC", {.prefix = "db"}));
  cache.set("indicator:rsi:BTC", 1);
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 1u);
}

TEST_F(Invalidator, AFunctionWrappedOnceWithoutTheTagCountsAsWithout) {
  static constexpr auto fetch = [](const std::string& symbol) { return symbol; };
  const auto with = cache.cached({.prefix = "api", .tags = {"symbol:{0}"}}, fetch);
  const auto without = cache.cached({.prefix = "api"}, fetch);
  without("BTC");
  EXPECT_EQ(invalidator.invalidate_symbol_data("BTC"), 1u);
  EXPECT_FALSE(with.peek("BTC"));
}

TEST_F(Invalidator, ASessionFunctionThatNamesTheUserGoesByTag) {
  const auto session = cache.cached({.prefix = "session", .tags = {"user:{0}"}}, [](int user) { return user; });
  session(123), session(1234);
  EXPECT_EQ(invalidator.invalidate_user_session(123), 0u);
  EXPECT_FALSE(session.peek(123));
  EXPECT_TRUE(session.peek(1234));
}

TEST_F(Invalidator, ATagOfAnotherNameDoesNotReplaceThePatterns) {
  const auto grouped = [](const char* tag) { return EntryOptions{.prefix = "api", .name = tag, .tags = {tag}}; };
  const auto all = cache.cached(grouped("symbol:all"), [](const std::string& symbol) { return symbol; });
  all("BTC");
  invalidator.invalidate_symbol_data("BTC");
  EXPECT_FALSE(all.peek("BTC"));
  testing::CleanCache other;
  const auto by_interval = other.cache.cached(grouped("symbol:{0}:{1}"),
                                              [](const std::string& symbol, const std::string&) { return symbol; });
  by_interval("BTC", "1h");
  CacheInvalidator(other.cache).invalidate_symbol_data("BTC");
  EXPECT_FALSE(by_interval.peek("BTC", "1h"));
}

TEST_F(Invalidator, ATagSpelledOtherwiseDoesNotStandForThePatterns) {
  const EntryOptions options{.prefix = "api", .tags = {"symbol:{0}"}};
  const auto list = cache.cached(options, [](const std::vector<std::string>& symbols) { return symbols.size(); });
  const std::vector<std::string> symbols{"BTC", "ETH"};
  list(symbols);
  invalidator.invalidate_symbol_data("ETH");
  EXPECT_FALSE(list.peek(symbols));
  testing::CleanCache other;
  const auto maybe =
      other.cache.cached(options, [](const std::optional<std::string>& symbol) { return symbol.value_or("all"); });
  maybe(std::optional<std::string>("BTC USD"));
  CacheInvalidator(other.cache).invalidate_symbol_data("BTC USD");
  EXPECT_FALSE(maybe.peek(std::optional<std::string>("BTC USD")));
}

}  // namespace
}  // namespace dsta::cache
