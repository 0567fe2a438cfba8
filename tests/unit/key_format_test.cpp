// What keys look like: they are public, readable, and the same in every build, locale and process.
#include <gtest/gtest.h>

#include <chrono>
#include <clocale>
#include <filesystem>
#include <fstream>
#include <limits>
#include <locale>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/testing.hpp>

#include "random_values.hpp"

/// Every way to write an append_key, and what derives from it.
namespace own_keys {
using dsta::cache::KeyWriter;

struct ByReference {
  int n = 0;
};
inline void append_key(KeyWriter& key, const ByReference& value) { key(value.n); }
struct ByValue {
  int n = 0;
};
inline void append_key(KeyWriter& key, ByValue value) { key(value.n); }
struct Friend {
  int n = 0;
  friend void append_key(KeyWriter& key, const Friend& value) { key(value.n); }
};
template <class T>
struct Box {
  T held{};
};
template <class T>
void append_key(KeyWriter& key, const Box<T>& box) {
  key(box.held);
}
enum class Side { buy, sell };
inline void append_key(KeyWriter& key, Side side) { key(side == Side::buy ? "buy" : "sell"); }
namespace constrained {
struct One {
  int number = 0;
};
template <class T>
  requires requires(const T& value) { value.number; }
void append_key(KeyWriter& key, const T& value) { key(value.number); }
}  // namespace constrained
namespace open {
struct One {
  int number = 0;
};
template <class T>
void append_key(KeyWriter& key, const T& value) {
  key(value.number);
}
}  // namespace open
template <class Base>
struct Derived : Base {
  int more = 0;
};
struct Converts {
  int more = 0;
  operator ByReference() const { return {}; }
};
struct Overrides : ByReference {
  int more = 0;
};
inline void append_key(KeyWriter& key, const Overrides& value) { key(value.n, value.more); }
struct Text : std::string {
  using std::string::string;
};
struct Listing : std::string {
  int market = 0;
};
struct OwnListing : std::string {
  int market = 0;
};
inline void append_key(KeyWriter& key, const OwnListing& value) { key(std::string_view(value), value.market); }

template <class... T>
constexpr bool have_keys() {
  return (... && (dsta::cache::detail::HasAppendKey<T> && !dsta::cache::detail::BorrowsAppendKey<T>));
}
template <class... T>
constexpr bool borrow_keys() {
  return (... && dsta::cache::detail::BorrowsAppendKey<T>);
}
}  // namespace own_keys

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::RandomValues;
using testing_support::Side;
using testing_support::TradingPair;

template <class... Ts>
std::string key_of(const Ts&... arguments) {
  CacheManager cache;
  return cache.cached({.ttl = 1h, .prefix = "p"}, [](const Ts&...) { return 0; }).key_for(arguments...);
}
std::string text_key(std::string_view text) { return key_of(text); }

TEST(KeyFormat, JoinsPrefixNameAndArgumentsByColons) {
  CacheManager cache;
  const auto two = [](const std::string&, int) { return 0; };
  const auto none = [] { return 0; };
  EXPECT_EQ(cache.cached({.ttl = 1h, .prefix = "api", .name = "ticker"}, two).key_for("BTCUSDT", 14),
            "api:ticker:BTCUSDT:14");
  EXPECT_EQ(cache.cached({.ttl = 1h, .prefix = "db"}, two).key_for("BTCUSDT", 14), "db:BTCUSDT:14");
  EXPECT_EQ(cache.cached({.ttl = 1h, .name = "rsi"}, two).key_for("BTCUSDT", 14), "rsi:BTCUSDT:14");
  EXPECT_EQ(cache.cached({.ttl = 1h, .prefix = "api", .name = "status"}, none).key_for(), "api:status");
}

TEST(KeyFormat, TextIsKeptButSeparatorsBlanksAndGlobsAreEscaped) {
  EXPECT_EQ(text_key("BTCUSDT"), "p:BTCUSDT");
  EXPECT_EQ(text_key("-._/@+=$&;<>|#'"), "p:-._/@+=$&;<>|#'");
  EXPECT_EQ(text_key(""), "p:\"\"");
  EXPECT_EQ(text_key("\"\""), "p:%22%22");
  EXPECT_EQ(text_key("a:b"), "p:a%3Ab");
  EXPECT_EQ(text_key("100%"), "p:100%25");
  EXPECT_EQ(text_key("~"), "p:%7E");
  EXPECT_EQ(text_key("*?[]\\^"), "p:%2A%3F%5B%5D%5C%5E");
  EXPECT_EQ(text_key("{0}"), "p:%7B0%7D");
  EXPECT_EQ(text_key("(1,2)!"), "p:%281%2C2%29%21");
  EXPECT_EQ(text_key(" \t\n`"), "p:%20%09%0A%60");
  EXPECT_EQ(text_key("é\x7f\xff"), "p:%C3%A9%7F%FF");
  EXPECT_EQ(text_key(std::string_view("\0", 1)), "p:%00");
  EXPECT_EQ(text_key("with a blank in sixteen+ bytes"), "p:with%20a%20blank%20in%20sixteen+%20bytes");
}

TEST(KeyFormat, APathIsItsText) {
  EXPECT_EQ(key_of(std::filesystem::path("/tmp/a b")), "p:/tmp/a%20b");
  EXPECT_NE(key_of(std::filesystem::path("/tmp/a/")), key_of(std::filesystem::path("/tmp/a")));
}

TEST(KeyFormat, NumbersAreTheShortestTextThatReadsBackEqual) {
  EXPECT_EQ(key_of(0, 9, 10, 99, 100, -1), "p:0:9:10:99:100:-1");
  EXPECT_EQ(key_of(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::uint64_t>::max()),
            "p:-9223372036854775808:18446744073709551615");
  EXPECT_EQ(key_of(std::int8_t{-128}, std::uint8_t{255}), "p:-128:255");
  EXPECT_EQ(key_of(0.1, -0.0, 1.0, 1e22, 5e-324), "p:0.1:0:1:1e+22:5e-324");
  EXPECT_EQ(key_of(0.1F, -0.0F), "p:0.1:0");
  EXPECT_EQ(key_of(std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity()), "p:inf:-inf");
  EXPECT_EQ(key_of(std::numeric_limits<double>::quiet_NaN()), key_of(-std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(key_of(true, false, 'x', ':'), "p:true:false:x:%3A");
  EXPECT_EQ(key_of(Side::sell, Side::none), "p:-1:0");
}

TEST(KeyFormat, ContainersAndSumTypesAreWrittenPartByPart) {
  using Maybe = std::optional<std::string>;
  EXPECT_EQ(key_of(Maybe(), Maybe(""), Maybe("~")), "p:~:\"\":%7E");
  using Twice = std::optional<std::optional<int>>;
  EXPECT_EQ(key_of(Twice(), Twice(std::in_place), Twice(7)), "p:~:!~:!7");
  EXPECT_EQ(key_of(std::vector<int>{}, std::vector{1, 2}), "p:():(1,2,)");
  EXPECT_EQ(key_of(std::vector<std::string>{"", "a,"}), "p:(\"\",a%2C,)");
  EXPECT_EQ(key_of(std::pair(1, std::string("a")), std::tuple(1.5)), "p:(1,a,):(1.5,)");
  EXPECT_EQ(key_of(std::map<std::string, int>{{"b", 2}, {"a", 1}}), "p:((a,1,),(b,2,),)");
  EXPECT_EQ(key_of(std::unordered_map<std::string, int>{{"b", 2}, {"a", 1}}), "p:((a,1,),(b,2,),)");
  EXPECT_EQ(key_of(std::unordered_set<int>{10, 9, 1}), "p:(1,10,9,)");
  using Either = std::variant<std::monostate, int, std::string>;
  EXPECT_EQ(key_of(Either(), Either(1), Either("1")), "p:0!~:1!1:2!1");
  EXPECT_EQ(key_of(TradingPair{"BTC", "USDT"}), "p:(BTC,USDT,)");
}

TEST(KeyFormat, TimesCarryTheirUnit) {
  EXPECT_EQ(key_of(5ns, 5us, 5ms, 5s, 5min, 5h, std::chrono::days(5)), "p:5ns:5us:5ms:5s:5min:5h:5d");
  EXPECT_EQ(key_of(std::chrono::duration<double>(1.5), std::chrono::duration<int, std::ratio<1, 3>>(5)),
            "p:1.5s:5x1/3");
  EXPECT_EQ(key_of(std::chrono::sys_seconds(1'704'067'200s)), "p:@1704067200s");
}

TEST(KeyFormat, OfAGenericFunctionCarriesTheTypesOfItsArguments) {
  CacheManager cache;
  const auto f = cache.cached({.ttl = 1h, .prefix = "p"}, [](const auto&...) { return 0; });
  EXPECT_EQ(f.key_for("1", std::string("1"), std::string_view("1")), "p:1:1:1");
  EXPECT_EQ(f.key_for(1, 1L, 1U, 1.0, 1.0F, true, '1'), "p:1(i32):1(i64):1(u32):1(f64):1(f32):true(b):1(c)");
  EXPECT_EQ(f.key_for(std::optional(1), std::vector{1}, std::pair(1, 2L)), "p:1(oi32):(1,)(ri32):(1,2,)(<i32i64>)");
}

// Numbers in the style of 1.234.567,5: what std::locale makes of streams must not reach keys.
struct CommaStyle : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

TEST(KeyFormat, IsTheSameInEveryLocale) {
  const auto keys = [] { return key_of(1'234'567, 1234567.5, 0.25F, 1.5L, 2'500ms, std::string("\xe4")); };
  const std::string expected = keys();
  EXPECT_EQ(expected, "p:1234567:1234567.5:0.25:1.5:2500ms:%E4");
  const std::locale before = std::locale::global(std::locale(std::locale::classic(), new CommaStyle));
  const std::string commas = keys();
  // Whichever of these is installed; none need be.
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "tr_TR.UTF-8"}) {
    if (std::setlocale(LC_ALL, name)) {
      EXPECT_EQ(keys(), expected) << name;
    }
  }
  std::setlocale(LC_ALL, "C");
  std::locale::global(before);
  EXPECT_EQ(commas, expected);
}

TEST(KeyFormat, LongKeysAreHashedByMurmur3) {
  // From the reference implementation and its ports.
  EXPECT_EQ(detail::stable_hash_hex(""), "00000000000000000000000000000000");
  EXPECT_EQ(detail::stable_hash_hex("hello"), "cbd8a7b341bd9b025b1e906a48ae1d19");
  EXPECT_EQ(detail::stable_hash_hex("hello, world"), "342fac623a5ebc8e4cdcbc079642414d");
  EXPECT_EQ(detail::stable_hash_hex("19 Jan 2038 at 3:14:07 AM"), "b89e5988b737affc664fc2950231b2cb");
  EXPECT_EQ(detail::stable_hash_hex("The quick brown fox jumps over the lazy dog"), "e34bbc7bbc071b6c7a433ca9c49a9347");
}

/// Keys of calls of all kinds, in an order that depends on the seed alone.
std::vector<std::string> sample_keys() {
  using Mixed = std::tuple<std::string, std::int64_t, double, std::optional<std::string>, std::vector<std::string>,
                           std::variant<int, std::string>, std::map<std::string, int>, std::chrono::milliseconds, Side,
                           TradingPair, bool>;
  RandomValues random(7);
  std::vector<std::string> keys;
  const auto add = [&](const auto& arguments) {
    keys.push_back(std::apply([](const auto&... each) { return key_of(each...); }, arguments));
  };
  for (int i = 0; i < 50; ++i) {
    add(random.value<std::tuple<std::string, int>>());
    add(random.value<std::tuple<double>>());
    add(random.value<std::tuple<std::unordered_set<std::string>>>());
    add(random.value<Mixed>());
  }
  return keys;
}

TEST(KeyFormat, IsTheSameInEveryBuild) {
  const auto golden = std::filesystem::path(__FILE__).replace_filename("golden_keys.txt");
  std::ifstream in(golden);
  ASSERT_TRUE(in) << golden;
  std::vector<std::string> expected;
  for (std::string line; std::getline(in, line);) expected.push_back(line);
  const auto actual = sample_keys();
  if (actual != expected) {
    const std::string made = ::testing::TempDir() + "golden_keys.txt";
    std::ofstream out(made);
    for (const auto& key : actual) out << key << '\n';
    ADD_FAILURE() << "keys differ from " << golden << "; see " << made
                  << ". Stored keys are public: a change of their form is a new format.";
  }
  ASSERT_EQ(expected.size(), 200U);
}

TEST(OwnKeys, OfATypeItselfCountAndThoseOfABaseOrAConversionDoNot) {
  using namespace own_keys;
  EXPECT_TRUE(
      (have_keys<ByReference, ByValue, Friend, Box<int>, own_keys::Side, constrained::One, open::One, Overrides>()));
  EXPECT_TRUE((borrow_keys<Derived<ByReference>, Derived<ByValue>, Derived<Friend>, Derived<Box<int>>,
                           Derived<Overrides>, Converts>()));
  EXPECT_FALSE((detail::BorrowsAppendKey<int> || detail::BorrowsAppendKey<std::string>)) << "nothing to borrow";
  EXPECT_TRUE((!detail::ExtendsText<Text> && detail::ExtendsText<Listing>)) << "a name for text is text";
  EXPECT_EQ(key_of(Overrides{{1}, 2}), "p:(1,2,)");
  EXPECT_EQ(key_of(Text("BTC")), "p:BTC");
  OwnListing own;
  own.append("BTC"), own.market = 5;
  EXPECT_EQ(key_of(own), "p:(BTC,5,)");
}

TEST(KeyFormat, WideCharactersAreTheNumbersThatTheyAre) {
  EXPECT_EQ(key_of(L'a', u8'a', u'a', U'a'), "p:97:97:97:97");
  EXPECT_EQ(key_of(L'\x1F600', u'\xFFFF', U'\x1F600'), "p:128512:65535:128512");
  EXPECT_EQ(key_of(L'\0', u8'\xFF'), "p:0:255");
  CacheManager cache;
  const auto f =
      cache.cached({.ttl = 1h, .prefix = "f", .tags = {"t:{0}"}}, [](wchar_t c, char16_t d) { return c + d; });
  EXPECT_EQ(f(L'a', u'b'), 195);
  EXPECT_EQ(f.peek(L'a', u'b'), 195);
  EXPECT_FALSE(f.peek(L'b', u'a'));
  const auto open = cache.cached({.ttl = 1h, .prefix = "open"}, [](auto c) { return sizeof c; });
  EXPECT_EQ(open(U'a'), 4u);
  EXPECT_EQ(open(u'a'), 2u);
  EXPECT_NE(open.key_for(U'a'), open.key_for(u'a'));
}

}  // namespace
}  // namespace dsta::cache
