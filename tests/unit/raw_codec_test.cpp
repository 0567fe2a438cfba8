// Raw bytes do not say their shape: a type in the binary codec is refused there, wherever it comes in.
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <dsta/cache/manager.hpp>

#include "error_of.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::error_of;
using Prices = std::vector<double>;

TEST(RawCodec, RefusesTypesOfTheBinaryCodec) {
  CacheManager cache;
  const EntryOptions raw{.ttl = 60s, .prefix = "p", .raw = true};
  const std::vector<std::function<void()>> ways{
      [&] { cache.set("k", Prices{1}, raw); },
      [&] { cache.set("k", std::optional(std::map<int, int>()), raw); },
      [&] {
        cache.get_or_load(
            "k", [] { return Prices{1}; }, raw);
      },
      [&] {
        cache.set_many<Prices>({{"k", Prices{1}}}, raw);
      },
      [&] { (void)cache.cached(raw, std::function<Prices(int)>([](int) { return Prices{1}; })); },
      [&] { cache.cached(raw, [](auto) { return Prices{1}; })(1); },
  };
  for (const auto& way : ways) {
    const std::string error = error_of<ConfigError>(way);
    EXPECT_NE(error.find("json_format"), std::string::npos) << error;
  }
}

TEST(RawCodec, TakesThemInTheProcessAlone) {
  CacheManager cache;
  const EntryOptions here{.ttl = 60s, .level = Level::l1, .raw = true};
  EXPECT_TRUE(cache.set("k", Prices{1, 2}, here));
  EXPECT_EQ(cache.get<Prices>("k", here), (Prices{1, 2}));
}

TEST(RawCodec, TakesNumbersAndText) {
  CacheManager cache;
  const EntryOptions raw{.ttl = 60s, .raw = true};
  EXPECT_TRUE(cache.set("k", std::string("text"), raw));
  EXPECT_EQ(cache.get<std::string>("k", raw), "text");
  EXPECT_TRUE(cache.set("n", 5, raw));
  EXPECT_EQ(cache.get<int>("n", raw), 5);
}

}  // namespace
}  // namespace dsta::cache
