// What was stored as JSON is read as what it says, or not at all: a type that cannot hold it gets a miss.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

namespace {

template <class T>
struct Held {
  T value{};
  bool operator==(const Held&) const = default;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Held, value)
};

struct Trade {
  std::string symbol;
  int quantity = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Trade, symbol, quantity)
};
struct LaterTrade {
  std::string symbol;
  int quantity = 0;
  std::string venue;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(LaterTrade, symbol, quantity, venue)
};
struct NarrowTrade {
  std::string symbol;
  std::int8_t quantity = 0;
  NLOHMANN_DEFINE_TYPE_INTRUSIVE(NarrowTrade, symbol, quantity)
};

/// Does without what is missing.
struct Lenient {
  int first = 0;
  int second = 0;
};
void to_json(nlohmann::json& json, const Lenient& value) { json = {{"first", value.first}, {"second", value.second}}; }
void from_json(const nlohmann::json& json, Lenient& value) {
  value.first = json.value("first", 7);
  value.second = json.value("second", 8);
}

enum class Side { buy, sell };
NLOHMANN_JSON_SERIALIZE_ENUM(Side, {{Side::buy, "buy"}, {Side::sell, "sell"}})
enum class EarlierSide { none, buy };
NLOHMANN_JSON_SERIALIZE_ENUM(EarlierSide, {{EarlierSide::none, "none"}, {EarlierSide::buy, "buy"}})
enum Plain : std::int8_t { kLow };

/// Writes more each time than it read.
struct Stamped {
  int value = 0;
};
int stamps = 0;
void to_json(nlohmann::json& json, const Stamped& stamped) { json = {{"value", stamped.value}, {"stamp", ++stamps}}; }
void from_json(const nlohmann::json& json, Stamped& stamped) { json.at("value").get_to(stamped.value); }
struct CheckedStamped : Stamped {};

}  // namespace

template <>
inline constexpr bool dsta::cache::json_round_trips<Stamped> = false;

namespace dsta::cache {
namespace {

/// What a T that an older or newer release stored is to a U.
/// Both as JSON also where the library has a codec of its own, as for standard containers.
template <class U, class T>
std::optional<U> read_as(const T& stored) {
  std::string bytes;
  detail::JsonCodec<T>::encode(stored, bytes);
  return detail::JsonCodec<U>::decode(bytes);
}

template <class U, class T>
bool fits(T value) {
  const auto alone = read_as<Held<U>>(Held<T>{value});
  const auto listed = read_as<std::vector<U>>(std::vector<T>{value});
  const auto nested = read_as<std::map<std::string, std::list<Held<U>>>>(
      std::map<std::string, std::list<Held<T>>>{{"k", {Held<T>{value}}}});
  EXPECT_EQ(alone.has_value(), listed.has_value()) << "alone and in a list";
  EXPECT_EQ(alone.has_value(), nested.has_value()) << "alone and nested";
  return alone.has_value();
}

TEST(JsonFit, ANumberThatAnIntegerTypeCannotHoldIsAMiss) {
  EXPECT_FALSE((fits<std::int8_t>(-300)));
  EXPECT_FALSE((fits<std::int8_t>(128)));
  EXPECT_TRUE((fits<std::int8_t>(-128)));
  EXPECT_FALSE((fits<unsigned>(-300)));
  EXPECT_FALSE((fits<std::uint64_t>(std::int64_t{-1})));
  EXPECT_FALSE((fits<std::int64_t>(std::numeric_limits<std::uint64_t>::max())));
  EXPECT_FALSE((fits<std::int64_t>(std::uint64_t{1} << 63)));
  EXPECT_TRUE((fits<std::int64_t>(std::uint64_t{5})));
  EXPECT_TRUE((fits<std::uint8_t>(std::int64_t{255})));
}

TEST(JsonFit, AFractionIsNoInteger) {
  EXPECT_FALSE((fits<long long>(64'000.75)));
  EXPECT_FALSE((fits<int>(1e300)));
  EXPECT_FALSE((fits<int>(std::nan(""))));
  EXPECT_FALSE((fits<int>(-0.0)));
  EXPECT_FALSE((fits<std::int64_t>(0x1p63)));
  EXPECT_FALSE((fits<std::uint64_t>(0x1p64)));
  EXPECT_TRUE((fits<std::int64_t>(-0x1p63)));
  EXPECT_TRUE((fits<long long>(64'000.0))) << "the number is the same";
}

TEST(JsonFit, ARealTypeTakesOnlyWhatItHoldsExactly) {
  EXPECT_TRUE((fits<double>(std::int64_t{1} << 53)));
  EXPECT_FALSE((fits<double>((std::int64_t{1} << 53) + 1)));
  EXPECT_FALSE((fits<double>(std::numeric_limits<std::uint64_t>::max())));
  EXPECT_FALSE((fits<float>(0.1)));
  EXPECT_TRUE((fits<float>(0.5)));
  EXPECT_TRUE((fits<double>(0.1F)));
  EXPECT_TRUE((fits<double>(std::nan(""))));
  EXPECT_TRUE((fits<double>(-0.0)));
}

TEST(JsonFit, TruthIsNoNumberAndANumberIsNoTruth) {
  EXPECT_FALSE((fits<int>(true)));
  EXPECT_FALSE((fits<double>(false)));
  EXPECT_FALSE((fits<bool>(1)));
  EXPECT_FALSE((fits<bool>(0)));
}

TEST(JsonFit, AnEnumeratorThatIsNotKnownIsAMiss) {
  EXPECT_FALSE((fits<EarlierSide>(Side::sell)));
  EXPECT_TRUE((fits<EarlierSide>(Side::buy)));
  EXPECT_FALSE((fits<Side>(EarlierSide::none)));
  EXPECT_FALSE((fits<Side>(std::string("hold"))));
  EXPECT_FALSE((fits<Plain>(300))) << "300 as a signed char is 44";
}

TEST(JsonFit, AStructWithNarrowerFieldsIsAMissInEveryFormat) {
  EXPECT_FALSE(read_as<NarrowTrade>(Trade{"BTC", -300}));
  EXPECT_TRUE(read_as<NarrowTrade>(Trade{"BTC", -30}));
}

TEST(JsonFit, AFieldOfALaterReleaseIsIgnoredAndAMissingOneIsAMiss) {
  const auto found = read_as<Trade>(LaterTrade{"BTC", 3, "X"});
  ASSERT_TRUE(found);
  EXPECT_EQ(found->quantity, 3);
  EXPECT_FALSE(read_as<LaterTrade>(Trade{"BTC", 3}));
  EXPECT_FALSE(read_as<NarrowTrade>(LaterTrade{"BTC", -300, "X"})) << "an ignored field excuses no other";
}

TEST(JsonFit, AMissingFieldIsReadWhereFromJsonDoesWithoutIt) {
  const auto found = read_as<Lenient>(nlohmann::json{{"first", 1}});
  ASSERT_TRUE(found);
  EXPECT_EQ(std::pair(found->first, found->second), std::pair(1, 8));
  EXPECT_TRUE(read_as<Lenient>(nlohmann::json::object()));
}

TEST(JsonFit, AnObjectOfWhichNothingWasReadIsAMiss) {
  EXPECT_FALSE(read_as<Lenient>(nlohmann::json{{"third", 1}}));
  EXPECT_FALSE(read_as<std::vector<Lenient>>(nlohmann::json{{{"first", 1}}, {{"third", 1}}}));
}

TEST(JsonFit, NoElementIsLeftOut) {
  EXPECT_FALSE((read_as<std::array<int, 2>>(std::vector{1, 2, 3})));
  EXPECT_FALSE((read_as<std::pair<int, int>>(std::vector{1, 2, 3})));
  EXPECT_FALSE((read_as<std::tuple<int, int>>(std::vector{1, 2, 3})));
  EXPECT_FALSE(read_as<std::set<int>>(std::vector{1, 1, 2}));
  EXPECT_FALSE(read_as<std::unordered_set<std::string>>(std::vector<std::string>{"a", "b", "a"}));
  EXPECT_TRUE(read_as<std::set<int>>(std::vector{2, 1}));
}

TEST(JsonFit, TextIsNoNumberAndNullIsNothing) {
  EXPECT_FALSE((fits<int>(std::string("1"))));
  EXPECT_FALSE((fits<std::string>(1)));
  EXPECT_FALSE((fits<std::string>(nlohmann::json())));
  EXPECT_FALSE((fits<double>(nlohmann::json())));
}

/// Enough of them that two containers hardly have the same order by accident.
constexpr int kMany = 500;

TEST(JsonFit, ContainersWithoutAnOrderAreFoundAgain) {
  std::unordered_set<std::string> texts;
  std::unordered_map<int, Held<double>> by_number;
  std::unordered_map<std::string, std::unordered_set<int>> sets;
  for (int i = 0; i < kMany; ++i) {
    texts.insert("t" + std::to_string(i));
    by_number[i * 7919] = {i / 3.0};
    sets[i % 2 ? "odd" : "even"].insert(i * 31);
  }
  EXPECT_EQ(read_as<decltype(texts)>(texts), texts);
  EXPECT_EQ(read_as<decltype(by_number)>(by_number), by_number);
  EXPECT_EQ(read_as<decltype(sets)>(sets), sets);
  Held<std::unordered_map<int, Held<double>>> inside{by_number};
  EXPECT_EQ(read_as<decltype(inside)>(inside), inside);
}

TEST(JsonFit, ContainersWithoutAnOrderHoldNothingThatDoesNotFit) {
  std::unordered_map<int, double> stored;
  for (int i = 0; i < kMany; ++i) stored[i * 7919] = i;
  using Integers = std::unordered_map<int, int>;
  EXPECT_TRUE(read_as<Integers>(stored));
  stored[7919] = 0.5;
  EXPECT_FALSE(read_as<Integers>(stored));
  EXPECT_FALSE(read_as<Held<Integers>>(Held<std::unordered_map<int, double>>{stored}));
  EXPECT_FALSE(read_as<std::unordered_set<std::int8_t>>(std::unordered_set<int>{1, 2, 300}));
}

TEST(JsonFit, ATypeThatWritesWhatItDidNotReadIsFoundWhereItSaysSo) {
  EXPECT_TRUE(read_as<Stamped>(Stamped{5}));
  EXPECT_FALSE(read_as<CheckedStamped>(CheckedStamped{{5}})) << "compared, it differs each time";
}

TEST(JsonFit, EveryContainerComesBackAsItWas) {
  const std::deque<std::array<float, 2>> pairs = {{0.1F, 1e-30F}, {-0.0F, 3.0F}};
  EXPECT_EQ(read_as<std::remove_const_t<decltype(pairs)>>(pairs), pairs);
  const std::map<std::string, std::pair<long double, bool>> map = {{"", {0.1, true}}, {"x", {-5, false}}};
  EXPECT_EQ((read_as<std::map<std::string, std::pair<long double, bool>>>(map)), map);
  const std::map<int, std::vector<bool>> bits = {{-1, {true, false}}, {7, {}}};
  EXPECT_EQ((read_as<std::map<int, std::vector<bool>>>(bits)), bits);
}

}  // namespace
}  // namespace dsta::cache
