// A million random argument lists: unequal ones never share a key, equal ones always do.
#include <gtest/gtest.h>

#include <chrono>
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

#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using namespace std::chrono_literals;
using testing_support::RandomValues;
using testing_support::scaled;
using testing_support::Side;
using testing_support::TradingPair;

/// An equal value that is made otherwise: the other zero, another insertion order and bucket count, spare capacity.
template <class T>
T twin(const T& value) {
  return value;
}
double twin(const double& value) { return value == 0.0 ? -value : value; }
std::string twin(const std::string& text) {
  std::string same;
  same.reserve(text.size() + 100);
  return same += text;
}
template <class T>
std::unordered_set<T> twin(const std::unordered_set<T>& items) {
  const std::vector<T> order(items.begin(), items.end());
  std::unordered_set<T> same(1009);
  for (auto item = order.rbegin(); item != order.rend(); ++item) same.insert(*item);
  return same;
}

template <class... Ts>
std::tuple<Ts...> twins(const std::tuple<Ts...>& arguments) {
  return std::apply([](const auto&... each) { return std::tuple<Ts...>(twin(each)...); }, arguments);
}

template <class Arguments>
class KeyProperty;

template <class... Ts>
class KeyProperty<std::tuple<Ts...>> : public ::testing::Test {
 protected:
  static auto wrap(CacheManager& cache) {
    return cache.cached({.ttl = 1h, .prefix = "p"}, [](const Ts&...) { return 0; });
  }
};

using Kinds = ::testing::Types<
    std::tuple<std::string>, std::tuple<std::string, int>, std::tuple<std::string, std::string, std::string>,
    std::tuple<double>, std::tuple<std::optional<std::string>, int>, std::tuple<std::vector<std::string>, bool>,
    std::tuple<std::pair<int, std::string>, std::variant<int, std::string>>, std::tuple<std::map<std::string, int>>,
    std::tuple<std::chrono::milliseconds, Side>, std::tuple<TradingPair, std::optional<TradingPair>>,
    std::tuple<std::optional<std::optional<int>>, std::variant<std::monostate, bool, std::string>>,
    std::tuple<std::unordered_set<std::string>, std::uint64_t>,
    std::tuple<std::vector<std::vector<std::string>>, std::tuple<std::string, double>>,
    std::tuple<std::variant<std::vector<int>, std::pair<int, int>, std::optional<int>, std::string>>>;
TYPED_TEST_SUITE(KeyProperty, Kinds);

constexpr std::size_t kTuples = 75'000;  // of each of the 14 kinds

TYPED_TEST(KeyProperty, OnlyEqualArgumentsShareAKey) {
  CacheManager cache;
  const auto f = this->wrap(cache);
  const auto key_of = [&](const auto& arguments) {
    return std::apply([&](const auto&... each) { return f.key_for(each...); }, arguments);
  };
  RandomValues random(20'240'229);
  std::unordered_map<std::string, TypeParam> owner;
  for (std::size_t left = scaled(kTuples); left > 0; --left) {
    const auto arguments = random.value<TypeParam>();
    const std::string key = key_of(arguments);
    const auto [first, fresh] = owner.try_emplace(key, arguments);
    ASSERT_TRUE(first->second == arguments) << "two unequal argument lists have the key " << key;
    ASSERT_EQ(key_of(twins(arguments)), key) << "an equal argument list has another key";
    ASSERT_LE(key.size(), kReadableKeyBytes);
  }
  EXPECT_GT(owner.size(), scaled(kTuples) / 400) << "the generator repeats itself: nothing was tested";
}

/// The keys of one wrapper over calls of many types, and which kind of call each key belongs to.
template <class F>
class Mixture {
 public:
  explicit Mixture(const F& f) : f_(f) {}

  template <class Arguments>
  void add(std::size_t count) {
    const std::size_t kind = ++kinds_;
    RandomValues random(kind);
    std::unordered_map<std::string, Arguments> mine;
    for (std::size_t left = count; left > 0; --left) {
      const auto arguments = random.value<Arguments>();
      const std::string key = std::apply([&](const auto&... each) { return f_.key_for(each...); }, arguments);
      ASSERT_EQ(owner_.try_emplace(key, kind).first->second, kind) << "calls of two types have the key " << key;
      ASSERT_TRUE(mine.try_emplace(key, arguments).first->second == arguments) << key;
    }
  }

 private:
  const F& f_;
  std::size_t kinds_ = 0;
  std::unordered_map<std::string, std::size_t> owner_;
};

TEST(KeyOfGenericFunction, CallsOfDifferentTypesNeverShareAKey) {
  CacheManager cache;
  const auto f = cache.cached({.ttl = 1h, .prefix = "p"}, [](const auto&...) { return 0; });
  Mixture mixture(f);
  const std::size_t n = scaled(3'000);
  using std::optional;
  using std::string;
  using std::tuple;
  using std::variant;
  using std::vector;
  mixture.add<tuple<string>>(n);
  mixture.add<tuple<string, string>>(n);
  mixture.add<tuple<string, string, string>>(n);
  mixture.add<tuple<bool>>(n);
  mixture.add<tuple<std::int8_t>>(n);
  mixture.add<tuple<short>>(n);
  mixture.add<tuple<int>>(n);
  mixture.add<tuple<long>>(n);
  mixture.add<tuple<unsigned>>(n);
  mixture.add<tuple<unsigned long>>(n);
  mixture.add<tuple<double>>(n);
  mixture.add<tuple<Side>>(n);
  mixture.add<tuple<optional<int>>>(n);
  mixture.add<tuple<optional<long>>>(n);
  mixture.add<tuple<optional<string>>>(n);
  mixture.add<tuple<optional<optional<int>>>>(n);
  mixture.add<tuple<std::chrono::milliseconds>>(n);
  mixture.add<tuple<std::chrono::seconds>>(n);
  mixture.add<tuple<std::chrono::duration<int>>>(n);
  mixture.add<tuple<vector<int>>>(n);
  mixture.add<tuple<vector<string>>>(n);
  mixture.add<tuple<vector<vector<int>>>>(n);
  mixture.add<tuple<vector<optional<int>>>>(n);
  mixture.add<tuple<std::map<string, int>>>(n);
  mixture.add<tuple<std::pair<int, string>>>(n);
  mixture.add<tuple<std::pair<string, int>>>(n);
  mixture.add<tuple<variant<int, string>>>(n);
  mixture.add<tuple<variant<string, int>>>(n);
  mixture.add<tuple<TradingPair>>(n);
  mixture.add<tuple<string, int>>(n);
  mixture.add<tuple<int, string>>(n);
  mixture.add<tuple<int, int>>(n);
  mixture.add<tuple<long, int>>(n);
}

}  // namespace
}  // namespace dsta::cache
