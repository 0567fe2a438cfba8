// Which codec a type has, whatever headers are there as well, and when a changed type is a miss.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ratio>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>
#include <dsta/cache/message.hpp>

#if __has_include(<boost/pfr.hpp>)
#include <dsta/cache/pfr.hpp>
#endif

#include "encoded.hpp"

/// With a name, as their functions for JSON are not all called.
namespace codec_choice {

/// JSON alone.
struct Position {
  std::string symbol;
  double size = 0;
  bool operator==(const Position&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Position, symbol, size)
};

/// JSON, and named fields.
struct Depth {
  double price = 0, size = 0;
  bool operator==(const Depth&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Depth, price, size)
};

/// All of it, and a codec of its own.
struct Mine {
  int value = 0;
  bool operator==(const Mine&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Mine, value)
};

/// Arrays as members.
struct Arrays {
  Mine mine[2];
  int grid[2][3] = {};
  std::string names[2];
  bool operator==(const Arrays&) const = default;
};

/// Named fields beside an opt-in to plain bytes.
struct Both {
  int value = 0;
};

enum class Kind { spot, future };
NLOHMANN_JSON_SERIALIZE_ENUM(Kind, {{Kind::spot, "spot"}, {Kind::future, "future"}})

/// Releases of one struct.
template <int Release>
struct Quote {
  double bid = 0, ask = 0;
};
template <int Release>
struct LaterQuote {
  double bid = 0, offer = 0;
};
template <int Release>
struct NarrowQuote {
  double bid = 0;
  float ask = 0;
};

/// As protobuf's messages look from outside.
struct Message {
  std::string body;
  bool SerializeToString(std::string* out) const {
    *out = "m" + body;
    return body != "broken";
  }
  bool ParseFromArray(const void* bytes, int size) {
    if (size < 1 || *static_cast<const char*>(bytes) != 'm') return false;
    body.assign(static_cast<const char*>(bytes) + 1, static_cast<std::size_t>(size) - 1);
    return true;
  }
  bool operator==(const Message&) const = default;
};
struct TextMessage {
  std::string body;
  bool SerializeToString(std::string* out) const {
    *out = body;
    return true;
  }
  bool ParseFromString(const std::string& bytes) {
    body = bytes;
    return true;
  }
  bool operator==(const TextMessage&) const = default;
};
template <class T>
struct MessageOf : TextMessage {};

/// Not empty to begin with.
struct Defaults {
  std::vector<int> list = {1, 2};
  std::deque<std::string> texts = {"a"};
  std::map<int, int> map = {{1, 1}};
  std::set<int> set = {1};
  std::string text = "text";
  std::optional<int> maybe = 5;
  std::shared_ptr<const int> shared = std::make_shared<const int>(5);
  int number = 5;
};

/// Writes itself as another type does.
struct Id {
  explicit Id(int value_ = 0) : value(value_) {}
  operator int() const { return value; }
  int value;
  bool operator==(const Id&) const = default;
};

/// Could be JSON, too.
struct JsonMessage : TextMessage {};
void to_json(nlohmann::json& json, const JsonMessage& value) { json = value.body; }
void from_json(const nlohmann::json& json, JsonMessage& value) { json.get_to(value.body); }
struct StaysJson : JsonMessage {};

/// A template whose arguments say ';' and ']'.
template <class T, auto Sign>
struct Box {
  T content{};
};

class Account {
 public:
  Account() = default;
  Account(std::string owner, double balance) : owner_(std::move(owner)), balance_(balance) {}
  bool operator==(const Account&) const = default;
  static constexpr auto cache_fields() { return dsta::cache::members<&Account::owner_, &Account::balance_>; }

 private:
  std::string owner_;
  double balance_ = 0;
};

/// Listed in another order than they lie: not one copy, but the same bytes as any struct of this list.
struct Swapped {
  std::int32_t second = 0, first = 0;
  bool operator==(const Swapped&) const = default;
};
struct Straight {
  std::int32_t first = 0, second = 0;
  bool operator==(const Straight&) const = default;
};

struct ExchangeClock {
  using rep = long;
  using period = std::ratio<1>;
  using duration = std::chrono::seconds;
  using time_point = std::chrono::time_point<ExchangeClock>;
};

struct Reflected {
  int count = 0;
  std::array<double, 2> range{};
  std::vector<std::string> names;
  bool operator==(const Reflected&) const = default;
};
struct ReflectedName {
  std::string name;
};
struct PlainTick {
  std::int64_t time = 0;
  double price = 0;
  bool operator==(const PlainTick&) const = default;
};

}  // namespace codec_choice

using namespace codec_choice;

using dsta::cache::members;
template <>
inline constexpr auto dsta::cache::fields<Depth> = members<&Depth::price, &Depth::size>;
template <>
inline constexpr auto dsta::cache::fields<Mine> = members<&Mine::value>;
template <>
struct dsta::cache::codec<Mine> {
  static constexpr std::string_view name = "mine/1";
  static void encode(const Mine& mine, std::string& out) { out += std::to_string(mine.value); }
  static std::optional<Mine> decode(std::string_view bytes) { return Mine{std::stoi(std::string(bytes))}; }
};
template <>
struct dsta::cache::codec<Id> : dsta::cache::codec<int> {
  static constexpr std::string_view name = "id/1";
  static std::optional<Id> decode(std::string_view bytes) {
    const auto number = codec<int>::decode(bytes);
    return number ? std::optional(Id(*number)) : std::nullopt;
  }
};
template <>
inline constexpr auto dsta::cache::fields<Arrays> = members<&Arrays::mine, &Arrays::grid, &Arrays::names>;
template <>
inline constexpr auto dsta::cache::fields<Defaults> =
    members<&Defaults::list, &Defaults::texts, &Defaults::map, &Defaults::set, &Defaults::text, &Defaults::maybe,
            &Defaults::shared>;
template <>
inline constexpr auto dsta::cache::fields<Both> = members<&Both::value>;
template <>
inline constexpr std::string_view dsta::cache::trivially_codable<Both> = "both/1";
template <class T, auto Sign>
inline constexpr auto dsta::cache::fields<Box<T, Sign>> = members<&Box<T, Sign>::content>;
template <int R>
inline constexpr auto dsta::cache::fields<Quote<R>> = members<&Quote<R>::bid, &Quote<R>::ask>;
template <>
inline constexpr auto dsta::cache::fields<Quote<2>> = members<&Quote<2>::bid, &Quote<2>::ask>.version("cents");
template <int R>
inline constexpr auto dsta::cache::fields<LaterQuote<R>> = members<&LaterQuote<R>::bid, &LaterQuote<R>::offer>;
template <int R>
inline constexpr auto dsta::cache::fields<NarrowQuote<R>> = members<&NarrowQuote<R>::bid, &NarrowQuote<R>::ask>;
template <>
inline constexpr auto dsta::cache::json_format<std::vector<Kind>> = dsta::cache::JsonFormat::text;
template <>
inline constexpr auto dsta::cache::json_format<StaysJson> = dsta::cache::JsonFormat::text;
template <>
inline constexpr std::string_view dsta::cache::message_name<TextMessage> = "text/2";
template <>
inline constexpr auto dsta::cache::fields<Swapped> = members<&Swapped::first, &Swapped::second>;
template <>
inline constexpr auto dsta::cache::fields<Straight> = members<&Straight::first, &Straight::second>;
template <>
inline constexpr std::string_view dsta::cache::clock_name<ExchangeClock> = "exchange";
#if __has_include(<boost/pfr.hpp>)
template <>
inline constexpr bool dsta::cache::reflected<Reflected> = true;
template <>
inline constexpr bool dsta::cache::reflected<ReflectedName> = true;
template <>
inline constexpr bool dsta::cache::reflected<PlainTick> = true;
#endif

namespace dsta::cache {
namespace {

using testing_support::encoded;

template <class T>
constexpr std::string_view name_of = codec<T>::name;

template <class T>
void expect_round_trip(const T& value) {
  EXPECT_EQ(codec<T>::decode(encoded(value)), value) << name_of<T>;
}

/// An order, a hash and an equality, which a value read back would not have.
template <class T>
using OrderOf = bool (*)(const T&, const T&);
template <class T>
using HashOf = std::function<std::size_t(const T&)>;
template <class... T>
inline constexpr bool none_codable = (... &&
                                      (!Codable<T> && !Codable<std::vector<T>> && !Codable<std::optional<T>> &&
                                       !Codable<std::map<std::string, T>> && !Codable<std::shared_ptr<const T>>));

TEST(CodecChoice, ASetOrMapWhoseFunctionsHaveStateHasNoCodecOfAnyKind) {
  using Text = std::string;
  EXPECT_TRUE((none_codable<std::set<int, OrderOf<int>>, std::multiset<Text, OrderOf<Text>>,
                            std::map<Text, int, OrderOf<Text>>, std::multimap<int, int, OrderOf<int>>>));
  EXPECT_TRUE((none_codable<std::unordered_set<Text, HashOf<Text>>, std::unordered_multiset<int, HashOf<int>>,
                            std::unordered_map<Text, int, std::hash<Text>, OrderOf<Text>>,
                            std::unordered_multimap<int, int, HashOf<int>>>));
  EXPECT_TRUE((none_codable<std::map<Text, codec_choice::Position, OrderOf<Text>>>)) << "of a type with JSON";
  EXPECT_TRUE(
      (Codable<std::set<int, std::greater<>>> && Codable<std::map<Text, codec_choice::Position, std::greater<>>>));
}

TEST(CodecChoice, OnesOwnCodecComesFirstAlsoInsideOthers) {
  EXPECT_EQ(name_of<Mine>, "mine/1");
  EXPECT_EQ(name_of<std::vector<Mine>>, "bin1:[=6:mine/1]");
  expect_round_trip(std::vector<Mine>{{1}, {22}});
}

TEST(CodecChoice, AnArrayIsWrittenAsItsElementsAre) {
  EXPECT_EQ(name_of<Arrays>, "bin1:{mine:[=6:mine/1;2],grid:[[i32;3];2],names:[str;2]}");
  expect_round_trip(Arrays{{{1}, {22}}, {{1, 2, 3}, {4, 5, 6}}, {"a", ""}});
  static_assert(!detail::can_be_part<std::vector<Kind>[2]> && !detail::can_be_part<Position[2]>, "those are JSON");
}

TEST(CodecChoice, NamedFieldsComeBeforePlainBytesAndJson) {
  EXPECT_EQ(name_of<Depth>, "bin1:{price:f64,size:f64}");
  EXPECT_EQ((name_of<std::map<std::string, std::vector<Depth>>>), "bin1:{str=[{price:f64,size:f64}]}");
  EXPECT_EQ(name_of<Both>, "bin1:{value:i32}");
}

TEST(CodecChoice, StandardContainersAreBinaryAlsoWithJsonHpp) {
  EXPECT_EQ(name_of<std::vector<double>>, "bin1:[f64]");
  EXPECT_EQ((name_of<std::map<std::string, int>>), "bin1:{str=i32}");
  EXPECT_EQ(name_of<std::optional<std::vector<int>>>, "?bin1:[i32]");
}

TEST(CodecChoice, WhatHoldsATypeThatIsJsonIsJson) {
  EXPECT_EQ(name_of<Position>, "json");
  EXPECT_EQ(name_of<std::vector<Position>>, "json");
  EXPECT_EQ((name_of<std::map<std::string, std::vector<Position>>>), "json");
  EXPECT_EQ((name_of<std::pair<int, nlohmann::json>>), "json");
  EXPECT_EQ(encoded(std::vector<Position>{{"BTC", 0.5}}), R"([{"size":0.5,"symbol":"BTC"}])");
}

TEST(CodecChoice, JsonFormatKeepsAStandardTypeJson) {
  EXPECT_EQ(name_of<std::vector<Kind>>, "json");
  EXPECT_EQ(encoded(std::vector{Kind::future}), R"(["future"])");
  EXPECT_EQ((name_of<std::map<std::string, std::vector<Kind>>>), "json") << "and what holds it";
}

TEST(CodecChoice, AFieldThatIsRenamedOrOfAnotherTypeIsAnotherCodec) {
  EXPECT_NE(name_of<Quote<1>>, name_of<LaterQuote<1>>);
  EXPECT_NE(name_of<Quote<1>>, name_of<NarrowQuote<1>>);
  EXPECT_NE(name_of<Quote<1>>, name_of<Quote<2>>) << "a version that the user named";
  EXPECT_EQ(name_of<Quote<1>>, name_of<Quote<3>>);
  EXPECT_EQ(name_of<Quote<2>>, "bin1:#5:cents{bid:f64,ask:f64}");
}

TEST(CodecChoice, AFieldOfATemplateHasItsName) {
  EXPECT_EQ((name_of<Box<int[3], ';'>>), "bin1:{content:[i32;3]}");
  EXPECT_EQ((name_of<Box<std::array<Box<bool, ']'>, 2>, &Depth::price>>), "bin1:{content:[{content:bool};2]}");
}

TEST(CodecChoice, AClassMayListItsPrivateMembersItself) {
  EXPECT_EQ(name_of<Account>, "bin1:{owner_:str,balance_:f64}");
  expect_round_trip(std::vector<Account>{{"ann", 1.5}, {"", 0}});
}

TEST(CodecChoice, TheOrderOfTheListIsTheOrderOfTheBytes) {
  EXPECT_EQ(name_of<Swapped>, name_of<Straight>);
  const std::vector<Swapped> swapped = {{.second = 2, .first = 1}};
  EXPECT_EQ(encoded(swapped), encoded(std::vector<Straight>{{1, 2}}));
  expect_round_trip(swapped);
}

TEST(CodecChoice, WhatADefaultConstructorPutThereIsReplaced) {
  const Defaults empty{{}, {}, {}, {}, {}, {}, nullptr, 7};
  const auto found = codec<Defaults>::decode(encoded(empty));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->list.empty() && found->texts.empty() && found->map.empty() && found->set.empty());
  EXPECT_TRUE(found->text.empty() && !found->maybe && !found->shared);
  EXPECT_EQ(found->number, 5) << "not listed, so not stored";
}

TEST(CodecChoice, ACodecThatInheritsFromOneOfTheLibrarysIsTheUsers) {
  EXPECT_EQ(name_of<std::vector<Id>>, "bin1:[=4:id/1]");
  expect_round_trip(std::vector<Id>{Id(1), Id(-22)});
}

TEST(CodecChoice, AClockOfOnesOwnIsNamed) {
  EXPECT_EQ(name_of<ExchangeClock::time_point>, "bin1:t(8:exchange,d(i64,1/1))");
  expect_round_trip(ExchangeClock::time_point(std::chrono::seconds(-5)));
}

TEST(MessageCodec, WritesWhatTheMessageWrites) {
  EXPECT_EQ(encoded(Message{"x"}), "mx");
  expect_round_trip(Message{"x"});
  expect_round_trip(TextMessage{"x"});
  EXPECT_FALSE(codec<Message>::decode("x"));
  EXPECT_FALSE(codec<Message>::decode(""));
  EXPECT_THROW(encoded(Message{"broken"}), ValueError);
}

TEST(MessageCodec, IsNamedByTheTypeOrByTheUser) {
  EXPECT_TRUE(name_of<Message>.starts_with("message:") && name_of<Message>.ends_with("Message")) << name_of<Message>;
  EXPECT_EQ(name_of<TextMessage>, "message:text/2");
  EXPECT_TRUE(name_of<MessageOf<int[3]>>.ends_with("3]>")) << name_of<MessageOf<int[3]>>;
}

TEST(MessageCodec, MayBePartOfAValue) {
  expect_round_trip(std::vector<Message>{{"a"}, {""}});
  expect_round_trip(std::map<std::string, std::pair<TextMessage, int>>{{"k", {{"v"}, 1}}});
}

TEST(MessageCodec, ComesBeforeJsonUnlessTheTypeSaysOtherwise) {
  EXPECT_TRUE(name_of<JsonMessage>.starts_with("message:")) << name_of<JsonMessage>;
  EXPECT_EQ(name_of<StaysJson>, "json");
  EXPECT_TRUE(name_of<std::vector<JsonMessage>>.starts_with("bin1:[=")) << name_of<std::vector<JsonMessage>>;
  EXPECT_EQ(name_of<std::vector<StaysJson>>, "json");
}

TEST(MessageCodec, ServesAWrapper) {
  CacheManager cache;
  const auto f = cache.cached({.prefix = "message"}, [](int i) { return Message{std::to_string(i)}; });
  EXPECT_EQ(f(1), f(1));
  EXPECT_EQ(f.cache_info().loads, 1U);
}

#if __has_include(<boost/pfr.hpp>)
TEST(ReflectedCodec, FindsTheFields) {
  EXPECT_EQ(name_of<Reflected>, "bin1:{:i32,:[f64;2],:[str]}");
  expect_round_trip(Reflected{5, {0.5, 1}, {"a", ""}});
  expect_round_trip(std::vector<Reflected>(3));
}

TEST(ReflectedCodec, OfOneFieldIsNoSet) {
  EXPECT_EQ(name_of<ReflectedName>, "bin1:{:str}");
  EXPECT_EQ(name_of<std::set<std::string>>, "bin1:{str}");
}

TEST(ReflectedCodec, CopiesAVectorWithoutPadding) {
  static_assert(detail::Structure<PlainTick>::kPlain);
  EXPECT_TRUE(detail::Structure<PlainTick>::in_order());
  const std::vector<PlainTick> ticks = {{1, 0.5}, {2, -1}};
  EXPECT_EQ(encoded(ticks).size(), 1 + 2 * sizeof(PlainTick));
  expect_round_trip(ticks);
}
#endif

}  // namespace
}  // namespace dsta::cache
