// JSON, CBOR and MessagePack give back what they were given, and survive whatever else they are given.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

#include "encoded.hpp"
#include "random_values.hpp"
#include "scale.hpp"

namespace {

/// One shape in three formats.
template <int Format>
struct Book {
  std::string symbol;
  std::int64_t sequence = 0;
  double mid = 0;
  bool open = false;
  std::vector<std::pair<double, double>> bids;
  std::map<std::string, std::vector<int>> notes;
  bool operator==(const Book&) const = default;

  NLOHMANN_DEFINE_TYPE_INTRUSIVE(Book, symbol, sequence, mid, open, bids, notes)
};
using TextBook = Book<0>;
using CborBook = Book<1>;
using PackBook = Book<2>;

template <class T>
T sample() {
  return {"BTC\"USD\\T\u00e9\n",
          std::numeric_limits<std::int64_t>::min(),
          0.1 + 0.2,
          true,
          {{42'000.5, 1e-9}, {-0.0, 5e-324}},
          {{"", {}}, {"a:b", {1, -2, 3}}}};
}

}  // namespace

template <>
inline constexpr auto dsta::cache::json_format<CborBook> = dsta::cache::JsonFormat::cbor;
template <>
inline constexpr auto dsta::cache::json_format<PackBook> = dsta::cache::JsonFormat::msgpack;

namespace dsta::cache {
namespace {

using nlohmann::json;
using testing_support::encoded;
using testing_support::RandomValues;
using testing_support::scaled;

/// As JSON also where the library has a codec of its own, as for standard containers.
template <class T>
std::string as_json(const T& value) {
  std::string bytes;
  detail::JsonCodec<T>::encode(value, bytes);
  return bytes;
}
template <class T>
std::optional<T> there_and_back(const T& value) {
  return detail::JsonCodec<T>::decode(as_json(value));
}

template <class T>
class JsonFormats : public ::testing::Test {};
using Books = ::testing::Types<TextBook, CborBook, PackBook>;
TYPED_TEST_SUITE(JsonFormats, Books);

TYPED_TEST(JsonFormats, GiveBackWhatTheyWereGiven) {
  const auto book = sample<TypeParam>();
  EXPECT_EQ(there_and_back(book), book);
  EXPECT_EQ(there_and_back(TypeParam{}), TypeParam{});
}

TYPED_TEST(JsonFormats, RefuseADocumentCutShortOrFollowedByMore) {
  const std::string whole = encoded(sample<TypeParam>());
  for (std::size_t length = 0; length < whole.size(); ++length) {
    ASSERT_FALSE(codec<TypeParam>::decode(whole.substr(0, length))) << length << " bytes of " << whole.size();
  }
  EXPECT_FALSE(codec<TypeParam>::decode(whole + "0"));
  EXPECT_FALSE(codec<TypeParam>::decode(whole + whole));
}

TYPED_TEST(JsonFormats, SurviveDamagedBytes) {
  const auto book = sample<TypeParam>();
  const std::string whole = encoded(book);
  RandomValues random(11);
  std::size_t refused = 0, equal = 0;
  for (std::size_t left = scaled(20'000); left > 0; --left) {
    std::string damaged = whole;
    for (std::size_t hits = 1 + random.below(3); hits > 0; --hits) {
      const std::size_t at = random.below(damaged.size());
      switch (random.below(4)) {
        case 0:
          damaged[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          damaged[at] = static_cast<char>(damaged[at] ^ (1 << random.below(8)));
          break;
        case 2:
          damaged.erase(at, 1 + random.below(4));
          break;
        default:
          damaged.insert(at, 1 + random.below(4), static_cast<char>(random.below(256)));
      }
      if (damaged.empty()) break;
    }
    const auto found = codec<TypeParam>::decode(damaged);
    refused += found ? 0 : 1;
    equal += found == book ? 1 : 0;
  }
  EXPECT_GT(refused, scaled(20'000) / 2);
  EXPECT_LT(equal, scaled(20'000) / 10) << "most of the damage did none: nothing was tested";
}

TYPED_TEST(JsonFormats, SurviveBytesThatNeverWereADocument) {
  RandomValues random(12);
  for (std::size_t left = scaled(50'000); left > 0; --left) {
    std::string bytes(random.below(40), '\0');
    for (char& byte : bytes) byte = static_cast<char>(random.below(256));
    ASSERT_FALSE(codec<TypeParam>::decode(bytes));
  }
}

TYPED_TEST(JsonFormats, RefuseADocumentOfAnotherShape) {
  for (json other : {json(), json(1), json("text"), json::array({1, 2}), json::object(), json{{"symbol", 1}}}) {
    std::string bytes;
    if (json_format<TypeParam> == JsonFormat::text) {
      bytes = other.dump();
    } else if (json_format<TypeParam> == JsonFormat::cbor) {
      json::to_cbor(other, bytes);
    } else {
      json::to_msgpack(other, bytes);
    }
    EXPECT_FALSE(codec<TypeParam>::decode(bytes)) << other;
  }
}

TEST(JsonCodec, WritesTheTextThatOthersRead) {
  EXPECT_EQ(encoded(json{{"b", 1}, {"a", {true, nullptr, "x"}}}), R"({"a":[true,null,"x"],"b":1})");
  EXPECT_EQ(as_json(std::vector<double>{0.1, 2.0, -1e300}), "[0.1,2.0,-1e+300]");
  EXPECT_EQ(codec<json>::decode(" {\"a\" : [1, 2.5, \"\\u00e9\"] } "), (json{{"a", {1, 2.5, "\u00e9"}}}));
}

TEST(JsonCodec, GivesBackContainers) {
  const std::map<std::string, std::vector<std::uint64_t>> map = {{"", {}},
                                                                 {"a", {0, std::numeric_limits<std::uint64_t>::max()}}};
  EXPECT_EQ(there_and_back(map), map);
  const std::vector<std::vector<std::string>> lists = {{}, {""}, {"a", "\u20ac", std::string("\0x", 2)}};
  EXPECT_EQ(there_and_back(lists), lists);
  const std::vector<bool> bits = {true, false, true};
  EXPECT_EQ(there_and_back(bits), bits);
  const std::optional<std::vector<json>> none, some = std::vector<json>{1, 2};
  EXPECT_EQ(codec<std::optional<std::vector<json>>>::decode(encoded(none)), std::make_optional(none));
  EXPECT_EQ(codec<std::optional<std::vector<json>>>::decode(encoded(some)), std::make_optional(some));
}

TEST(JsonCodec, GivesBackWhatTextCannotSay) {
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<double> series = {std::nan(""), -infinity, infinity, 50.5};
  const auto found = there_and_back(series);
  ASSERT_TRUE(found && found->size() == 4);
  EXPECT_TRUE(std::isnan(found->front()));
  EXPECT_EQ(std::vector<double>(found->begin() + 1, found->end()),
            std::vector<double>(series.begin() + 1, series.end()));
  for (const json& value :
       {json(infinity), json{{"x", -infinity}}, json::binary({1, 2, 255}), json{json::binary({})}}) {
    EXPECT_EQ(there_and_back(value), std::make_optional(value)) << value;
  }
}

TEST(JsonCodec, RefusesNumbersOutOfRange) {
  EXPECT_FALSE(detail::JsonCodec<std::vector<double>>::decode("[1e999]"));
  EXPECT_FALSE(codec<json>::decode("-1e999"));
  EXPECT_FALSE(codec<json>::decode("[01]"));
  EXPECT_FALSE(codec<json>::decode("NaN"));
}

TEST(JsonCodec, TextThatIsNotUtf8IsAnErrorThatSaysSo) {
  try {
    as_json(std::vector<std::string>{"ok", "\xff\xfe"});
    FAIL() << "was encoded";
  } catch (const ValueError& error) {
    EXPECT_NE(std::string(error.what()).find("UTF-8"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(codec<json>::decode("\"\xff\""));
}

}  // namespace
}  // namespace dsta::cache
