// Codecs that throw: whatever it is, no call passes it on.
#include <gtest/gtest.h>

#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache.hpp>
#include <dsta/cache/json.hpp>

#include "backend_test.hpp"

namespace dsta::cache {
namespace codec_errors_test {

/// What a codec may throw.
enum class Failure { none, length, runtime, no_exception, own };
constexpr Failure kFailures[] = {Failure::length, Failure::runtime, Failure::no_exception, Failure::own};

void raise(Failure failure) {
  switch (failure) {
    case Failure::none:
      return;
    case Failure::length:
      throw std::length_error("too long");
    case Failure::runtime:
      throw std::runtime_error("cannot");
    case Failure::no_exception:
      throw 5;
    case Failure::own:
      throw ConfigError("of the library");
  }
}

struct Fragile {
  Failure write = Failure::none, read = Failure::none;
  std::string text = {};
};
/// Converted by nlohmann::json.
struct FragileJson {
  std::string text = {};
  bool broken = false;
};
inline void to_json(nlohmann::json& json, const FragileJson& value) {
  if (value.broken) throw std::out_of_range("no such field");
  json = {{"text", value.text}};
}
inline void from_json(const nlohmann::json& json, FragileJson& value) { json.at("text").get_to(value.text); }

}  // namespace codec_errors_test

template <>
struct codec<codec_errors_test::Fragile> {
  using T = codec_errors_test::Fragile;
  static constexpr std::string_view name = "fragile";
  static void encode(const T& value, std::string& out) {
    raise(value.write);
    out += static_cast<char>('0' + static_cast<int>(value.read));
    out += value.text;
  }
  static std::optional<T> decode(std::string_view bytes) {
    raise(static_cast<codec_errors_test::Failure>(bytes[0] - '0'));
    return T{.text = std::string(bytes.substr(1))};
  }
};

namespace {

using namespace std::chrono_literals;
using namespace testing_support;
using namespace codec_errors_test;

struct CodecErrors : BackendTest {
  /// Of a value that cannot be encoded.
  template <class Call>
  void expect_refusal(const Call& call) {
    if (embedded()) {
      EXPECT_NO_THROW(call()) << "nothing is encoded but to weigh it";
    } else {
      EXPECT_THROW(call(), ValueError);
    }
  }
};
INSTANTIATE_TEST_SUITE_P(On, CodecErrors, all_backends(), backend_name);

TEST_P(CodecErrors, OfEncodingAreValueErrorsWhereAServerIsUsedAndNothingElsewhere) {
  for (const Failure failure : kFailures) {
    for (const bool raw : {false, true}) {
      const std::string prefix = "f" + std::to_string(static_cast<int>(failure)) + (raw ? "raw" : "");
      const EntryOptions options{.ttl = 60s, .prefix = prefix, .raw = raw};
      const Fragile value{.write = failure};
      ASSERT_TRUE(cache.set("k", Fragile{.text = "before"}, options));
      expect_refusal([&] { EXPECT_TRUE(cache.set("k", value, options)); });
      EXPECT_EQ(cache.get<Fragile>("k", options).value().text, embedded() ? "" : "before");
      expect_refusal([&] { (void)cache.set_many<Fragile>({{"a", {}}, {"b", value}}, options); });
      expect_refusal([&] {
        (void)cache.get_or_load(
            "loaded", [&] { return value; }, options);
      });
      auto f = cache.cached({.ttl = 60s, .prefix = prefix, .name = "f", .raw = raw}, [&](int) { return value; });
      expect_refusal([&] { (void)f(1); });
      expect_refusal([&] { (void)f.refresh(1); });
      expect_refusal([&] { (void)f.put(1, value); });
      for (const auto& outcome : f.many({2, 3})) expect_refusal([&] { (void)outcome.value(); });
    }
  }
}

TEST_P(CodecErrors, OfJsonAreLikeAnyOther) {
  auto f = cache.cached({.ttl = 60s, .prefix = "f"}, [](bool broken) { return FragileJson{"text", broken}; });
  EXPECT_EQ(f(false).text, "text");
  expect_refusal([&] { (void)f(true); });
  expect_refusal([&] { (void)cache.set("k", FragileJson{"text", true}); });
}

TEST_P(CodecErrors, OfDecodingAreMisses) {
  for (const Failure failure : kFailures) {
    for (const bool raw : {false, true}) {
      const std::string prefix = "f" + std::to_string(static_cast<int>(failure)) + (raw ? "raw" : "");
      const EntryOptions options{.ttl = 60s, .prefix = prefix, .raw = raw};
      ASSERT_TRUE(cache.set("k", Fragile{.read = failure}, options));
      const bool found = embedded() || (has_l1() && !raw);  // as an object, which needs no decoding
      EXPECT_EQ(cache.get<Fragile>("k", options).has_value(), found);
      if (embedded()) continue;
      const CacheManager other = manager();
      EXPECT_FALSE(other.get<Fragile>("k", options));
      EXPECT_FALSE(other.get_many<Fragile>({"k"}, options)[0]);
      auto f = cache.cached({.ttl = 60s, .prefix = prefix, .name = "f", .raw = raw}, [&](int) { return Fragile{}; });
      EXPECT_TRUE(f.put(1, Fragile{.read = failure, .text = "unreadable"}));
      CacheManager third = manager();
      auto again =
          third.cached({.ttl = 60s, .prefix = prefix, .name = "f", .raw = raw}, [&](int) { return Fragile{}; });
      EXPECT_FALSE(again.peek(1));
      EXPECT_EQ(again(1).text, "");
      EXPECT_EQ(again.many({1})[0].value().text, "");
    }
  }
}

}  // namespace
}  // namespace dsta::cache
