/// Bytes that anybody may have written take at most 16 times their size in memory.
#include <gtest/gtest.h>

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/codec.hpp>

#include "allocations.hpp"
#include "binary_types.hpp"
#include "encoded.hpp"

namespace dsta::cache {
namespace {

using namespace testing_support;

struct Large {
  char listed = 'a';
  char rest[10'000] = {};
};
struct alignas(64) Aligned {
  char listed = 'a';
  auto operator<=>(const Aligned&) const = default;
};
struct HashOfAligned {
  std::size_t operator()(const Aligned& value) const { return static_cast<std::size_t>(value.listed); }
};

}  // namespace
}  // namespace dsta::cache

template <>
inline constexpr auto dsta::cache::fields<dsta::cache::Large> = dsta::cache::members<&dsta::cache::Large::listed>;
template <>
inline constexpr auto dsta::cache::fields<dsta::cache::Aligned> = dsta::cache::members<&dsta::cache::Aligned::listed>;

namespace dsta::cache {
namespace {

template <class T>
void expect_bounded(const std::string& bytes) {
  const std::size_t before = asked_bytes();
  const std::optional<T> value = codec<T>::decode(bytes);
  const std::size_t asked = asked_bytes() - before;
  // What a default value has at once, which only std::deque does, is not for the bytes to say.
  static const std::size_t of_default = [] {
    const std::size_t start = asked_bytes();
    [[maybe_unused]] const T made{};
    return asked_bytes() - start;
  }();
  ASSERT_LE(asked, 16 * bytes.size() + of_default)
      << std::string_view(codec<T>::name) << ", " << bytes.size() << " bytes" << (value ? "" : ", refused");
}

/// With values of `T` and bytes that claim many.
template <class T>
void expect_bounded_for_few_bytes(BinaryValues& values) {
  static constexpr std::size_t kSizes[] = {1, 10, 100, 3000};
  for (const std::size_t size : kSizes) {
    for (const char filler : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
      std::string bytes(size, filler);
      expect_bounded<T>(bytes);
      // A length that just fits the rest, and ones that are parts of it.
      for (const std::size_t claimed : {size, size / 2, size / 8, size / 32, size / 512}) {
        std::string length;
        detail::BinaryWriter(length).length(claimed);
        expect_bounded<T>(length + bytes);
        expect_bounded<T>(length + length + bytes);
      }
    }
    std::string noise(size, '\0');
    for (char& byte : noise) byte = static_cast<char>(values.below(4) == 0 ? values.below(256) : values.below(3));
    expect_bounded<T>(noise);
  }
}

TEST(CodecMemory, DecodingTakesAtMost16TimesTheInput) {
  BinaryValues values(5);
  for_binary_types([&]<class T>() {
    for (int i = 0; i < 300; ++i) {
      std::string bytes = encoded(values.value<T>());
      expect_bounded<T>(bytes);
      for (std::size_t hits = values.below(4); hits > 0; --hits)
        bytes[values.below(bytes.size())] = static_cast<char>(values.below(256));
      expect_bounded<T>(bytes);
      expect_bounded<T>(bytes.substr(0, values.below(bytes.size() + 1)));
    }
  });
}

TEST(CodecMemory, NorDoBytesThatClaimManyElements) {
  BinaryValues values(6);
  for_binary_types([&]<class T>() { expect_bounded_for_few_bytes<T>(values); });
}

/// What they take is more than what they list.
TEST(CodecMemory, NorDoTypesThatAreLargerThanTheirParts) {
  BinaryValues values(7);
  const auto each = [&]<class... Ts>(std::type_identity<std::tuple<Ts...>>) {
    (expect_bounded_for_few_bytes<Ts>(values), ...);
  };
  each(std::type_identity<
       std::tuple<std::vector<Large>, std::deque<Large>, std::list<Large>, std::vector<Aligned>, std::list<Aligned>,
                  std::forward_list<Aligned>, std::set<Aligned>, std::unordered_set<Aligned, HashOfAligned>,
                  std::map<char, Aligned>, std::map<Aligned, char>, std::unordered_map<char, Aligned>>>{});
  each(std::type_identity<
       std::tuple<std::vector<std::pair<char, Aligned>>, std::list<std::pair<std::pair<Aligned, char>, char>>,
                  std::vector<std::tuple<char, Aligned, char>>, std::list<std::optional<Aligned>>,
                  std::unordered_set<std::uint8_t>, std::vector<std::variant<std::array<char, 65>, Aligned>>,
                  std::vector<std::shared_ptr<const Aligned>>, std::vector<std::deque<std::array<double, 1000>>>,
                  std::vector<std::deque<Large>>, std::vector<std::tuple<char, long double>>,
                  std::vector<std::optional<long double>>, std::map<char, long double>, std::set<long double>>>{});
}

}  // namespace
}  // namespace dsta::cache
