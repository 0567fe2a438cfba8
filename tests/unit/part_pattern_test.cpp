// Keys of which a name is a whole part: in every form that wrappers write it, and nowhere else.
#include "entry/part_pattern.hpp"

#include <dsta/cache/detail/stored_key.hpp>
#include <dsta/cache/key_text.hpp>

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "base/glob.hpp"

namespace dsta::cache::detail {
namespace {

const std::vector<std::string> kSymbols = {
    "BTCUSDT", "ETH", "ETHUSDT", "METHUSDT", "*",   "[A-Z]", "\\", "?",   "a*b", "A", "[",    "]",   "^", "BTC",
    "%",       "B-A", "A,B",     "(A)",      "A!B", "1",     "12", "i32", "rs",  "~", "\"\"", "A B", "B"};

struct Pair {
  std::string base, quote;
};
void append_key(KeyWriter& key, const Pair& pair) { key(pair.base, pair.quote); }

/// `symbol` in every place that an argument has for text.
std::vector<std::string> forms(const std::string& symbol) {
  using Text = std::string;
  const std::vector<Text> list{symbol};
  return {key_part(symbol),
          key_part(std::vector<Text>{"zzz", symbol}),
          key_part(std::vector<Text>{symbol, "zzz"}),
          key_part(std::set<Text>{symbol}),
          key_part(std::unordered_set<Text>{symbol, "zzz"}),
          key_part(std::vector<std::vector<Text>>{{"zzz"}, list}),
          key_part(std::pair<Text, int>("zzz", 77)) + ":" + key_part(symbol),
          key_part(std::tuple<int, Text>(77, symbol)),
          key_part(std::map<Text, int>{{symbol, 77}}),
          key_part(std::map<int, Text>{{77, symbol}}),
          key_part(std::optional<Text>(symbol)),
          key_part(std::optional<std::vector<Text>>(list)),
          key_part(std::optional<std::optional<Text>>(symbol)),
          key_part(std::vector<std::optional<std::optional<Text>>>{symbol}),
          key_part(std::variant<int, Text>(symbol)),
          key_part(std::variant<int, std::vector<Text>>(list)),
          key_part(std::vector<std::variant<int, Text>>{77, symbol}),
          key_part(std::optional<std::variant<int, Text>>(symbol)),
          key_part(Pair{symbol, "zzz"}),
          key_part(std::vector<Pair>{{"zzz", symbol}}),
          key_part(std::vector<Text>{symbol}) + "(rs)",
          key_part(std::optional<Text>(symbol)) + "(os)"};
}

TEST(PartPattern, FindsANameInEveryFormOfAnArgumentAndNoOther) {
  for (const std::string& symbol : kSymbols) {
    for (const std::string& part : forms(symbol)) {
      for (const std::string& key : {part, "ticker:" + part, part + ":1h", "ticker:" + part + ":1h"}) {
        for (const std::string& asked : kSymbols) {
          ASSERT_EQ(has_part(key, asked, key_part(asked)), asked == symbol) << asked << " in " << key;
        }
      }
    }
  }
}

TEST(PartPattern, FindsANameAsItIsInManualKeys) {
  for (const std::string& symbol : kSymbols) {
    for (const std::string& key : {symbol, "ticker:" + symbol, symbol + ":1h", "ticker:" + symbol + ":1h"}) {
      EXPECT_TRUE(has_part(key, symbol, key_part(symbol))) << symbol << " in " << key;
      for (const std::string asked : {"ETHU", "TH", "a", "-A", "B-", "A-", "USDT"}) {
        EXPECT_FALSE(has_part(key, asked, key_part(asked))) << asked << " in " << key;
      }
    }
  }
  EXPECT_TRUE(has_part("x:BTC:USD:y", "BTC:USD", "BTC%3AUSD")) << "a name that is two parts there";
  EXPECT_FALSE(has_part("x:BTC:USDT:y", "BTC:USD", "BTC%3AUSD"));
  EXPECT_FALSE(has_part("ticker_BTCUSDT_1h", "BTCUSDT", "BTCUSDT"));
}

TEST(PartPattern, FindsANumberWithTheTypeThatGenericFunctionsWrite) {
  EXPECT_TRUE(has_part("123(i32)", "123", "123"));
  EXPECT_TRUE(has_part("a:123(u64):b", "123", "123"));
  EXPECT_TRUE(has_part("(1,123,)(ri32)", "123", "123"));
  for (const char* key : {"1234(i32)", "4123(i32)", "12(i32):3(i32)", "-123(i32)", "123.5(f64)", "123(a b)", "123()"}) {
    EXPECT_FALSE(has_part(key, "123", "123")) << key;
  }
}

TEST(PartPattern, ConcernsKeysUnderItsPrefixesOnly) {
  const auto pattern = part_pattern({"api", "db"}, "BTC");
  for (const char* key : {"api:BTC", "db:x:BTC:1h", "api:binance:(BTC,ETH,)"}) EXPECT_TRUE(pattern->concerns(key));
  for (const char* key : {"api", "BTC", "apis:BTC", "myapi:BTC", "x:api:BTC", "indicator:BTC", "api_BTC", "db"}) {
    EXPECT_FALSE(pattern->concerns(key)) << key;
  }
}

TEST(PartPattern, ConcernsEveryShortNameUnderItsPrefixes) {
  const std::string key = "api:f:" + std::string(300, 'a') + ":BTC";
  const StoredKey stored(key);
  EXPECT_TRUE(part_pattern({"api"}, "BTC")->concerns(stored.view().name));
  EXPECT_TRUE(part_pattern({"api"}, "BTC")->concerns(stored.view().name, key));
  EXPECT_TRUE(part_pattern({"api"}, "ETH")->concerns(stored.view().name));
  EXPECT_FALSE(part_pattern({"api"}, "ETH")->concerns(stored.view().name, key));
  EXPECT_FALSE(part_pattern({"db"}, "BTC")->concerns(stored.view().name));
}

TEST(PartPattern, ItsGlobsFindWhatItConcerns) {
  const StoredKey stored("api:f:" + std::string(300, 'a'));
  for (const auto& prefixes : {std::vector<std::string>{"api"}, std::vector<std::string>{"api", "db", "indicator"}}) {
    for (const std::string& symbol : kSymbols) {
      const auto pattern = part_pattern(prefixes, symbol);
      const auto found = [&](std::string_view name) {
        for (const std::string& glob : pattern->globs()) {
          if (Glob(glob).matches(name)) return true;
        }
        return false;
      };
      for (const std::string& part : forms(symbol)) EXPECT_TRUE(found(prefixes.back() + ":f:" + part)) << symbol;
      EXPECT_TRUE(found(prefixes.back() + ":" + symbol)) << symbol;
      EXPECT_TRUE(found(stored.view().name)) << symbol;
      EXPECT_FALSE(found("session:x")) << symbol;
      EXPECT_LE(pattern->globs().size(), 2u) << "walks over the keys at the server, however many prefixes and forms";
    }
  }
}

TEST(PartPattern, TwoOfOneTextAreOne) {
  EXPECT_EQ(part_pattern({"api"}, "A")->text(), part_pattern({"api"}, "A")->text());
  EXPECT_NE(part_pattern({"api"}, "A")->text(), part_pattern({"api"}, "B")->text());
  EXPECT_NE(part_pattern({"api"}, "A")->text(), part_pattern({"api", "db"}, "A")->text());
}

}  // namespace
}  // namespace dsta::cache::detail
