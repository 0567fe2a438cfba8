// The built-in codecs give back what they were given, and take nothing else.
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache.hpp>

#include "encoded.hpp"
#include "random_values.hpp"
#include "scale.hpp"

namespace {

struct Tick {
  std::int64_t time;
  double price;
  bool operator==(const Tick&) const = default;
};

/// A user's type with a codec of its own: "base/quote".
struct Market {
  std::string base, quote;
  bool operator==(const Market&) const = default;
};

struct NotCodable {};

// Alike in layout: only their names tell them apart.
struct Bid {
  double price;
};
struct Ask {
  double price;
};
struct alignas(16) Wide {
  char bytes[16];
};

enum class Side : std::int8_t { sell = -1, buy = 1 };

}  // namespace

template <>
inline constexpr bool dsta::cache::trivially_codable<Tick> = true;
template <>
inline constexpr std::string_view dsta::cache::trivially_codable<Bid> = "bid/2";
template <>
inline constexpr std::string_view dsta::cache::trivially_codable<Ask> = "ask/1";
template <>
inline constexpr bool dsta::cache::trivially_codable<Wide> = true;

template <>
struct dsta::cache::codec<Market> {
  static constexpr std::string_view name = "market/1";
  static void encode(const Market& market, std::string& out) {
    out.append(market.base).append("/").append(market.quote);
  }
  static std::optional<Market> decode(std::string_view bytes) {
    const auto slash = bytes.find('/');
    if (slash == bytes.npos) return std::nullopt;
    return Market{std::string(bytes.substr(0, slash)), std::string(bytes.substr(slash + 1))};
  }
};

namespace dsta::cache {
namespace {

using testing_support::encoded;
using testing_support::RandomValues;
using testing_support::scaled;

template <class T>
void expect_back(const T& value) {
  const std::string bytes = encoded(value);
  const std::optional<T> found = codec<T>::decode(bytes);
  ASSERT_TRUE(found.has_value()) << bytes;
  EXPECT_EQ(*found, value) << bytes;
}

template <class T>
class NumberCodec : public ::testing::Test {};
using Numbers =
    ::testing::Types<char, signed char, unsigned char, short, unsigned short, int, unsigned, long, unsigned long,
                     long long, unsigned long long, wchar_t, char8_t, char16_t, char32_t, float, double, long double>;
TYPED_TEST_SUITE(NumberCodec, Numbers);

TYPED_TEST(NumberCodec, GivesBackTheExtremes) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const auto value : {Limits::min(), Limits::max(), Limits::lowest(), TypeParam{0}, TypeParam{1}}) {
    const auto found = codec<TypeParam>::decode(encoded(value));
    ASSERT_TRUE(found.has_value()) << encoded(value);
    EXPECT_TRUE(*found == value) << encoded(value);
  }
}

TYPED_TEST(NumberCodec, TakesOneWholeNumberAndNothingElse) {
  for (const char* bytes : {"", " ", "-", "+1", " 1", "1 ", "1x", "x", "0x10", "1,5", "1.5.5", "--1", "1\n", "null"}) {
    EXPECT_FALSE(codec<TypeParam>::decode(bytes)) << '"' << bytes << '"';
  }
  EXPECT_FALSE(codec<TypeParam>::decode(std::string_view("1\0", 2)));
  EXPECT_FALSE(codec<TypeParam>::decode(std::string(5'000, '9'))) << "out of range";
  if constexpr (std::integral<TypeParam>) {
    EXPECT_FALSE(codec<TypeParam>::decode("1.5"));
    EXPECT_FALSE(codec<TypeParam>::decode("1e3"));
    if (std::is_unsigned_v<TypeParam>) {
      EXPECT_FALSE(codec<TypeParam>::decode("-1"));
    }
    std::string over = std::to_string(std::numeric_limits<TypeParam>::max());
    ++over.back();  // no maximum ends in 9
    EXPECT_FALSE(codec<TypeParam>::decode(over)) << over;
  }
}

template <class T>
void expect_nothing_is_left_over(const T& value) {
  const std::string whole = encoded(value);
  ASSERT_TRUE(codec<T>::decode(whole)) << whole;
  for (const char* more : {" ", "x", "\n", ".", "e"}) EXPECT_FALSE(codec<T>::decode(whole + more)) << whole << more;
  EXPECT_FALSE(codec<T>::decode(whole + std::string(1, '\0'))) << whole;
  EXPECT_FALSE(codec<T>::decode(" " + whole)) << whole;
}

TEST(Codec, BytesBeforeOrBehindAValueAreRefused) {
  expect_nothing_is_left_over(5);
  expect_nothing_is_left_over(2.5);
  expect_nothing_is_left_over(1.5F);
  expect_nothing_is_left_over(true);
  expect_nothing_is_left_over(Side::sell);
  expect_nothing_is_left_over(Tick{1, 2.0});
  expect_nothing_is_left_over(std::optional<int>());
  expect_nothing_is_left_over(std::optional<int>(5));
  expect_nothing_is_left_over(std::make_shared<const bool>(false));
}

TEST(Codec, ANumberThatDoesNotFitIsRefusedAndNotWrapped) {
  EXPECT_FALSE(codec<std::int8_t>::decode("-300"));
  EXPECT_FALSE(codec<unsigned>::decode("-1"));
  EXPECT_FALSE(codec<std::uint16_t>::decode("65536"));
  EXPECT_FALSE(codec<std::int64_t>::decode("9223372036854775808"));
  EXPECT_FALSE(codec<int>::decode("64000.75"));
  EXPECT_FALSE(codec<int>::decode("true"));
  EXPECT_FALSE(codec<bool>::decode("1"));
  EXPECT_FALSE(codec<float>::decode("1e39"));
  EXPECT_FALSE(codec<Side>::decode("128")) << "of the underlying type";
  EXPECT_FALSE(codec<std::optional<std::int8_t>>::decode("1-300"));
  EXPECT_FALSE(codec<std::optional<int>>::decode("2"));
}

TEST(Codec, GivesBackFloatingPointToTheLastBit) {
  using Limits = std::numeric_limits<double>;
  for (const double value : {0.1, 1.0 / 3, Limits::denorm_min(), Limits::epsilon(), 1e22, 123456789.123456789,
                             std::nextafter(1.0, 2.0), Limits::infinity(), -Limits::infinity()}) {
    expect_back(value);
  }
  EXPECT_TRUE(std::signbit(*codec<double>::decode(encoded(-0.0))));
  EXPECT_TRUE(std::isnan(*codec<double>::decode(encoded(Limits::quiet_NaN()))));
  expect_back(std::numeric_limits<float>::denorm_min());
  expect_back(0.1F);
  expect_back(1.0L / 3);
  RandomValues random(21);
  for (std::size_t left = scaled(20'000); left > 0; --left) expect_back(random.value<double>());
}

TEST(Codec, ReadsNothingBehindTheBytesOfANumber) {
  const std::string_view more = "infinity nano 1.55";
  EXPECT_EQ(codec<long double>::decode(more.substr(0, 3)), std::numeric_limits<long double>::infinity());
  EXPECT_TRUE(codec<long double>::decode(more.substr(9, 3)).has_value());
  EXPECT_EQ(codec<long double>::decode(more.substr(14, 3)), 1.5L);
  const std::vector<char> exact = {'i', 'n', 'f'};
  EXPECT_TRUE(codec<long double>::decode({exact.data(), exact.size()}).has_value());
}

TEST(Codec, WritesNumbersAsTextThatCanBeReadAnywhere) {
  EXPECT_EQ(encoded(-42), "-42");
  EXPECT_EQ(encoded('A'), "65");
  EXPECT_EQ(encoded(0.5), "0.5");
  EXPECT_EQ(encoded(true), "true");
  EXPECT_EQ(encoded(Side::sell), "-1");
}

TEST(Codec, GivesBackBooleansAndEnums) {
  expect_back(true);
  expect_back(false);
  expect_back(Side::sell);
  for (const char* bytes : {"", "1", "0", "TRUE", "true ", "yes"}) EXPECT_FALSE(codec<bool>::decode(bytes)) << bytes;
  EXPECT_FALSE(codec<Side>::decode("128")) << "does not fit the enum's type";
}

TEST(Codec, OfATriviallyCodableTypeIsNamedBySizeAndName) {
  EXPECT_EQ(codec<Tick>::name, "trivial:16:8");
  EXPECT_EQ(codec<Wide>::name, "trivial:16:16");
  EXPECT_EQ(codec<Bid>::name, "trivial:8:8:bid/2");
  EXPECT_EQ(codec<Ask>::name, "trivial:8:8:ask/1");
  EXPECT_EQ(codec<std::optional<Ask>>::name, "?trivial:8:8:ask/1");
  EXPECT_EQ(codec<Bid>::decode(encoded(Bid{2.5}))->price, 2.5);
}

TEST(Codec, GivesBackTextAndBytesOfEveryKind) {
  for (const std::string& text :
       {std::string(), std::string("a\0b\0", 4), std::string("\xff\xfe"), std::string(70'000, 'x')}) {
    expect_back(text);
    expect_back(std::vector<unsigned char>(text.begin(), text.end()));
    expect_back(std::optional(text));
  }
  expect_back(std::vector{std::byte{0}, std::byte{255}});
}

TEST(Codec, TellsAnEmptyOptionalFromEveryValue) {
  expect_back(std::optional<int>());
  expect_back(std::optional(0));
  expect_back(std::optional<std::string>());
  expect_back(std::optional<std::string>(""));
  expect_back(std::optional<std::string>("0"));
  expect_back(std::optional<std::optional<int>>(std::in_place));
  expect_back(std::optional<std::optional<int>>());
  for (const char* bytes : {"", "1", "2", "00", "01", "x5", "15x"}) {
    EXPECT_FALSE(codec<std::optional<int>>::decode(bytes)) << bytes;
  }
}

TEST(Codec, NamesAnOptionalOtherwiseThanItsValue) {
  // Or the bytes of an int, 15, would be read as an optional that holds 5.
  EXPECT_NE(std::string_view(codec<std::optional<int>>::name), codec<int>::name);
  EXPECT_NE(std::string_view(codec<std::optional<std::optional<int>>>::name), codec<std::optional<int>>::name);
  EXPECT_NE(std::string_view(codec<std::optional<std::string>>::name), codec<std::string>::name);
  EXPECT_NE(std::string_view(codec<int>::name), codec<unsigned>::name);
  EXPECT_NE(std::string_view(codec<double>::name), codec<float>::name);
}

TEST(Codec, GivesBackWhatASharedPointerHolds) {
  using Shared = std::shared_ptr<const Market>;
  const auto found = codec<Shared>::decode(encoded(Shared(std::make_shared<Market>(Market{"BTC", "USDT"}))));
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, (Market{"BTC", "USDT"}));
  EXPECT_EQ(codec<Shared>::decode(encoded(Shared())), std::make_optional(Shared()));
  EXPECT_FALSE(codec<Shared>::decode("1BTC"));
}

TEST(Codec, TypesThatOptedInAreTheirBytes) {
  const Tick tick{std::numeric_limits<std::int64_t>::min(), -0.5};
  expect_back(tick);
  const std::string bytes = encoded(tick);
  EXPECT_EQ(bytes.size(), sizeof tick);
  for (std::size_t length = 0; length < bytes.size(); ++length)
    EXPECT_FALSE(codec<Tick>::decode(bytes.substr(0, length)));
  EXPECT_FALSE(codec<Tick>::decode(bytes + "x"));
}

TEST(Codec, AUsersOwnCodecServesEveryWayIn) {
  expect_back(Market{"BTC", "USDT"});
  expect_back(std::optional(Market{"BTC", "USDT"}));
  CacheManager cache;
  EXPECT_TRUE(cache.set("k", Market{"BTC", "USDT"}));
  EXPECT_EQ(cache.get<Market>("k"), (Market{"BTC", "USDT"}));
  const auto f = cache.cached({.prefix = "market"}, [](int) { return Market{"ETH", "USDT"}; });
  EXPECT_EQ(f(1), f(1));
}

static_assert(Codable<std::optional<Market>> && Codable<std::shared_ptr<const Tick>>);
static_assert(!Codable<NotCodable> && !Codable<std::optional<NotCodable>> && !Codable<int*> && !Codable<const char*>);
static_assert(Codable<std::vector<Market>> && !Codable<std::vector<NotCodable>>);

}  // namespace
}  // namespace dsta::cache
