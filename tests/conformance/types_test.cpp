// Values of every kind of type come back as they went in; one of another type is a miss.
#include <dsta/cache/json.hpp>

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <string>
#include <vector>

#include "backend_test.hpp"

namespace dsta::cache::conformance {

struct Position {
  std::string symbol;
  double size = 0;
  std::vector<double> fills;
  bool operator==(const Position&) const = default;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Position, symbol, size, fills)

struct Tick {
  std::int64_t time = 0;
  double price = 0;
  bool operator==(const Tick&) const = default;
};

enum class Side : std::uint8_t { buy, sell };

}  // namespace dsta::cache::conformance

template <>
inline constexpr std::string_view dsta::cache::trivially_codable<dsta::cache::conformance::Tick> = "tick/1";

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using conformance::Position;
using conformance::Side;
using conformance::Tick;

struct Types : BackendTest {
  template <class T>
  void comes_back(const T& value) {
    ASSERT_TRUE(cache.set("k", value, {.ttl = 60s}));
    EXPECT_EQ(cache.get<T>("k"), value);
    cache.del("k");
    EXPECT_EQ(cache.get_or_load("k", [&] { return value; }), value);
    EXPECT_EQ(cache.get<T>("k"), value);
    if (!embedded()) {
      EXPECT_EQ(manager().get<T>("k"), value) << "decoded from the server";
    }
  }
};
INSTANTIATE_TEST_SUITE_P(On, Types, all_backends(), backend_name);

TEST_P(Types, Numbers) {
  comes_back(7);
  comes_back(std::numeric_limits<std::int64_t>::min());
  comes_back(std::numeric_limits<std::uint64_t>::max());
  comes_back(std::int8_t{-128});
  comes_back(0.1);
  comes_back(-0.0);
  comes_back(std::numeric_limits<double>::denorm_min());
  comes_back(std::numeric_limits<double>::infinity());
  comes_back(1.5f);
  comes_back(true);
  comes_back(false);
  comes_back(Side::sell);
}

TEST_P(Types, TextOfAnyBytesAndOfNone) {
  comes_back(std::string());
  comes_back(std::string("a\0b\r\n$5\r\n\xff", 10));
  comes_back(std::string("\xC1\xFF\xD5", 3));  // as an envelope begins
  comes_back(std::string("1234567"));
}

TEST_P(Types, AMebibyte) {
  std::string text(1 << 20, '\0');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 2654435761U >> 13);
  comes_back(text);
}

TEST_P(Types, Containers) {
  comes_back(std::vector<double>{1.5, -2, 1e300});
  comes_back(std::vector<double>{});
  comes_back(std::vector<std::string>{"a", "", "c"});
  comes_back(std::vector<std::byte>{std::byte{0}, std::byte{255}});
  comes_back(std::map<std::string, int>{{"a", 1}, {"b", 2}});
  comes_back(nlohmann::json{{"a", 1}, {"b", {true, nullptr, 1.5}}});
  comes_back(nlohmann::json(nullptr));
}

TEST_P(Types, Optionals) {
  comes_back(std::optional<int>(5));
  comes_back(std::optional<std::string>("text"));
  ASSERT_TRUE(cache.set("none", std::optional<int>()));
  const auto none = cache.get<std::optional<int>>("none");
  ASSERT_TRUE(none) << "an entry";
  EXPECT_FALSE(*none) << "that says that there is no value";
}

TEST_P(Types, OnesOwn) {
  comes_back(Position{"BTCUSDT", 0.5, {64000.0, 64010.25}});
  comes_back(Tick{1700000000, 64000.5});
}

TEST_P(Types, SharedPointersToConstValues) {
  const auto value = std::make_shared<const std::string>("large");
  ASSERT_TRUE(cache.set("k", value));
  const auto found = cache.get<std::shared_ptr<const std::string>>("k");
  ASSERT_TRUE(found && *found);
  EXPECT_EQ(**found, "large");
}

TEST_P(Types, AValueOfAnotherTypeIsAMissAndStays) {
  cache.set("int", 7);
  EXPECT_FALSE(cache.get("int"));
  EXPECT_FALSE(cache.get<double>("int"));
  EXPECT_FALSE(cache.get<Position>("int"));
  EXPECT_FALSE(cache.get<std::optional<int>>("int"));
  EXPECT_EQ(cache.get<int>("int"), 7);
  cache.set("text", "7");
  EXPECT_FALSE(cache.get<int>("text"));
  cache.set("tick", Tick{1, 2});
  EXPECT_FALSE(cache.get<Position>("tick"));
  cache.set("json", nlohmann::json{{"a", 1}});
  EXPECT_FALSE(cache.get<Position>("json")) << "JSON of another shape";
}

TEST_P(Types, WrappersReturnAllOfThem) {
  const auto position = cache.cached({.ttl = 60s, .prefix = "position"}, [](const std::string& s) {
    return Position{s, 1.5, {1, 2}};
  });
  EXPECT_EQ(position("BTC"), position("BTC"));
  EXPECT_EQ(position.peek("BTC"), (Position{"BTC", 1.5, {1, 2}}));
  const auto tick = cache.cached({.ttl = 60s, .prefix = "tick"}, [](int i) { return Tick{i, 0.5}; });
  EXPECT_EQ(tick(1), tick(1));
  const auto candles = cache.cached({.ttl = 60s, .prefix = "candles"},
                                    [](int n) { return std::vector<double>(static_cast<std::size_t>(n), 1.5); });
  const auto shared = candles.shared(1000);
  EXPECT_EQ(shared->size(), 1000u);
  EXPECT_EQ(*candles.shared(1000), *shared);
  EXPECT_EQ(candles.cache_info().loads, 1u);
}

}  // namespace
}  // namespace dsta::cache
