// JSON that is nested without end must not overflow the stack, wherever it comes in.
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/json.hpp>
#include <dsta/cache/testing.hpp>

using Alternative = std::variant<int, nlohmann::json>;
template <>
inline constexpr bool dsta::cache::in_process_only<Alternative> = true;

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr int kFarTooDeep = 100'000;

json nested(int levels, bool objects = false) {
  json value = objects ? json::object() : json::array();
  for (int i = 1; i < levels; ++i) {
    json outer = objects ? json::object() : json::array();
    if (objects) {
      outer["k"] = std::move(value);
    } else {
      outer.push_back(std::move(value));
    }
    value = std::move(outer);
  }
  return value;
}

std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

struct JsonDepth : ::testing::Test, testing::CleanCache {};

TEST_F(JsonDepth, SixtyFourLevelsAreFine) {
  static_assert(kMaxJsonDepth == 64);
  for (const bool objects : {false, true}) {
    const json value = nested(64, objects);
    std::string bytes;
    codec<json>::encode(value, bytes);
    EXPECT_EQ(codec<json>::decode(bytes), value);
    EXPECT_TRUE(cache.set("k", value));
    EXPECT_EQ(cache.get<json>("k"), value);
  }
}

TEST_F(JsonDepth, SixtyFiveAreRefusedBothWays) {
  for (const bool objects : {false, true}) {
    const json value = nested(65, objects);
    std::string bytes;
    EXPECT_THROW(codec<json>::encode(value, bytes), ValueError);
    EXPECT_EQ(bytes, "");
    EXPECT_FALSE(codec<json>::decode(value.dump()));
    EXPECT_THROW(cache.set("k", value), ValueError);
  }
  EXPECT_FALSE(cache.exists("k"));
  // Not the number of containers counts, but how deep they lie.
  const json wide(1000, nested(63));
  EXPECT_TRUE(cache.set("wide", wide));
}

TEST_F(JsonDepth, BottomlessDocumentsAreRefused) {
  EXPECT_FALSE(codec<json>::decode(repeated("[", kFarTooDeep) + repeated("]", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode(repeated("[", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode(repeated("{\"k\":", kFarTooDeep) + "1" + repeated("}", kFarTooDeep)));
  // An array of one element, again and again; the first byte makes it CBOR.
  EXPECT_FALSE(codec<json>::decode(repeated("\x81", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode(repeated("\x81", kFarTooDeep) + "\x01"));
  EXPECT_FALSE(codec<json>::decode(repeated("\xa1\x61k", kFarTooDeep)));
  // Texts and bytes of unknown length in one another, also behind others.
  EXPECT_FALSE(codec<json>::decode("\x81" + repeated("\x7f", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode("\x82\x61k" + repeated("\x5f", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode("\x81" + repeated("\x7f\x60", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode("\xa1\x78\x02kk" + repeated("\x7f", kFarTooDeep)));
  // Of unknown length, and one that claims more elements than memory has room for.
  EXPECT_FALSE(codec<json>::decode(repeated("\x9f", kFarTooDeep)));
  EXPECT_FALSE(codec<json>::decode("\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  EXPECT_FALSE(codec<json>::decode("\x5b\x7f\xff\xff\xff\xff\xff\xff\xff\x01"));
}

TEST_F(JsonDepth, ABottomlessValueIsAnErrorNotACrash) {
  const json deep = nested(kFarTooDeep);
  EXPECT_THROW(cache.set("k", deep), ValueError);
  EXPECT_THROW(cache.set("k", nested(kFarTooDeep, true)), ValueError);
  try {
    cache.set("k", deep);
  } catch (const ValueError& error) {
    EXPECT_NE(std::string(error.what()).find("64 levels"), std::string::npos) << error.what();
  }
  EXPECT_FALSE(cache.exists("k"));
}

TEST_F(JsonDepth, NorInsideAContainer) {
  std::vector<json> list(1);
  list[0] = nested(kFarTooDeep);
  EXPECT_THROW(cache.set("k", list), ValueError);
  std::map<std::string, json> map;
  map["deep"] = nested(kFarTooDeep);
  EXPECT_THROW(cache.set("k", map), ValueError);
  EXPECT_THROW(cache.set("k", std::optional<json>(nested(kFarTooDeep))), ValueError);
  EXPECT_THROW(cache.set("k", std::make_shared<const json>(nested(kFarTooDeep))), ValueError);
  EXPECT_THROW(cache.set("k", Alternative(nested(kFarTooDeep))), ValueError);
  EXPECT_FALSE(cache.exists("k"));
  EXPECT_TRUE(cache.set("k", Alternative(nested(3))));
  EXPECT_TRUE(cache.set("k", Alternative(1)));
}

TEST_F(JsonDepth, AFunctionsBottomlessResultIsTheCallersError) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, [](int levels) { return nested(levels); });
  EXPECT_THROW(f(kFarTooDeep), ValueError);
  EXPECT_THROW(f.refresh(kFarTooDeep), ValueError);
  EXPECT_FALSE(f.peek(kFarTooDeep));
  EXPECT_EQ(f(3), nested(3));
  EXPECT_THROW(cache.get_or_load("k", [] { return nested(kFarTooDeep); }), ValueError);
  EXPECT_FALSE(cache.exists("k"));
}

TEST_F(JsonDepth, ABottomlessValuePutByHandIsTheCallersError) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, [](int levels) { return nested(levels); });
  const json deep = nested(kFarTooDeep);
  EXPECT_THROW(f.put(1, deep), ValueError);
  EXPECT_THROW(f.put(1, nested(kFarTooDeep)), ValueError);
  EXPECT_FALSE(f.peek(1));
}

TEST_F(JsonDepth, ABottomlessArgumentIsTheCallersError) {
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, [](const json& query) { return query.size(); });
  const json deep = nested(kFarTooDeep);
  EXPECT_THROW(f(deep), ValueError);
  EXPECT_EQ(f(nested(64)), 1U);
}

TEST(JsonKey, TellsApartWhatTextWrittenPlainlyWouldNot) {
  CacheManager cache;
  const auto f = cache.cached({.ttl = 1h, .prefix = "f"}, [](const json& query) { return query.dump().size(); });
  const double infinity = std::numeric_limits<double>::infinity();
  const std::vector<json> values = {
      json(),           json(infinity),      json(-infinity),       json(1),         json("1"),
      json("\xff"),     json("\xfe"),        json("null"),          json(true),      json::array(),
      json::object(),   json::binary({}),    json::binary({1}),     json{1, 2},      json{1, infinity},
      json{1, nullptr}, json{{"a", "\xff"}}, json{{"a", infinity}}, json{{"a", {}}},
  };
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t k = 0; k < i; ++k) EXPECT_NE(f.key_for(values[i]), f.key_for(values[k])) << i << " and " << k;
  }
  EXPECT_EQ(f.key_for(json{{"b", 1}, {"a", 2}}), f.key_for(json{{"a", 2}, {"b", 1}}));
}

}  // namespace
}  // namespace dsta::cache
