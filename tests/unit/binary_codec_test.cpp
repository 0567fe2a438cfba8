// The binary codec gives back what it was given, nested in any way, and takes no other bytes.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <list>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache.hpp>

#include "binary_types.hpp"
#include "encoded.hpp"
#include "scale.hpp"

namespace dsta::cache {
namespace {

using testing_support::BinaryValues;
using testing_support::Candle;
using testing_support::encoded;
using testing_support::Fill;
using testing_support::for_binary_types;
using testing_support::Nothing;
using testing_support::Order;
using testing_support::same_value;
using testing_support::scaled;
using testing_support::Ticker;
using testing_support::Tree;
using testing_support::Verdict;

template <class T>
constexpr std::string_view name_of = codec<T>::name;

/// Where nothing is hashed, equal values have equal bytes.
template <class T>
constexpr bool is_ordered() {
  return std::string_view(__PRETTY_FUNCTION__).find("unordered") == std::string_view::npos;
}

TEST(BinaryCodec, GivesBackRandomValuesOfEveryType) {
  BinaryValues values(1);
  for_binary_types([&]<class T>() {
    for (std::size_t left = scaled(300); left > 0; --left) {
      const T value = values.value<T>();
      const std::string bytes = encoded(value);
      const std::optional<T> found = codec<T>::decode(bytes);
      ASSERT_TRUE(found.has_value()) << name_of<T>;
      ASSERT_TRUE(same_value(*found, value)) << name_of<T>;
      ASSERT_EQ(encoded(*found).size(), bytes.size()) << name_of<T>;
      if (is_ordered<T>()) {
        ASSERT_EQ(encoded(*found), bytes) << name_of<T>;
      }
    }
  });
}

TEST(BinaryCodec, RefusesBytesCutShortOrFollowedByMore) {
  BinaryValues values(2);
  for_binary_types([&]<class T>() {
    for (std::size_t left = scaled(40); left > 0; --left) {
      const std::string whole = encoded(values.value<T>());
      for (std::size_t size = 0; size < whole.size(); ++size)
        ASSERT_FALSE(codec<T>::decode(whole.substr(0, size)).has_value()) << name_of<T> << ", " << size << " bytes";
      ASSERT_FALSE(codec<T>::decode(whole + '\0').has_value()) << name_of<T>;
      ASSERT_FALSE(codec<T>::decode(whole + '\1').has_value()) << name_of<T>;
    }
  });
}

TEST(BinaryCodec, ReadsDamagedBytesAsAValueThatItWritesOrNotAtAll) {
  BinaryValues values(3);
  for_binary_types([&]<class T>() {
    for (std::size_t left = scaled(400); left > 0; --left) {
      std::string damaged = encoded(values.value<T>());
      for (std::size_t hits = 1 + values.below(3); hits > 0 && !damaged.empty(); --hits) {
        const std::size_t at = values.below(damaged.size());
        const auto old = static_cast<unsigned char>(damaged[at]);
        damaged[at] = static_cast<char>(values.below(3) == 0 ? values.below(256) : old ^ 1U << values.below(8));
      }
      const std::optional<T> found = codec<T>::decode(damaged);
      if (!found) continue;
      const std::string again = encoded(*found);
      ASSERT_TRUE(codec<T>::decode(again).has_value()) << name_of<T>;
      if (name_of<T>.find("f80") == std::string_view::npos) {  // decimal text has many spellings
        ASSERT_EQ(again.size(), damaged.size()) << name_of<T>;
      }
    }
  });
}

TEST(BinaryCodec, SurvivesBytesThatNeverWereAValue) {
  BinaryValues values(4);
  for_binary_types([&]<class T>() {
    for (std::size_t left = scaled(400); left > 0; --left) {
      std::string bytes(values.below(30), '\0');
      for (char& byte : bytes) byte = static_cast<char>(values.below(3) == 0 ? values.below(256) : values.below(4));
      const std::optional<T> found = codec<T>::decode(bytes);
      if (found) {
        ASSERT_TRUE(codec<T>::decode(encoded(*found)).has_value()) << name_of<T>;
      }
    }
  });
}

TEST(BinaryCodec, NamesTheShape) {
  EXPECT_EQ(name_of<std::vector<double>>, "bin1:[f64]");
  EXPECT_EQ((name_of<std::map<std::string, std::vector<int>>>), "bin1:{str=[i32]}");
  EXPECT_EQ((name_of<std::multimap<int, bool>>), "bin1:{i32=bool+}");
  EXPECT_EQ((name_of<std::set<std::uint16_t>>), "bin1:{u16}");
  EXPECT_EQ((name_of<std::tuple<char, std::optional<float>, std::array<long double, 2>>>), "bin1:(char,?f32,[f80;2])");
  EXPECT_EQ((name_of<std::variant<std::monostate, Verdict>>), "bin1:<none|e(i8)>");
  EXPECT_EQ((name_of<std::chrono::milliseconds>), "bin1:d(i64,1/1000)");
  EXPECT_EQ((name_of<std::chrono::sys_seconds>), "bin1:t(6:system,d(i64,1/1))");
  EXPECT_EQ((name_of<Fill>), "bin1:{maker:bool,quantity:i32,venue:u8,price:f64}");
  EXPECT_EQ((name_of<Tree>), "bin1:{value:i32,children:[^0]}");
  EXPECT_EQ((name_of<std::vector<Ticker>>), "bin1:[=8:ticker/1]");
  EXPECT_EQ((name_of<std::optional<std::vector<bool>>>), "?bin1:[bool]");
  EXPECT_EQ((name_of<std::tuple<>>), "bin1:()");
  EXPECT_EQ(name_of<std::wstring>, "bin1:[wchar]") << "of another sign on other processors";
}

TEST(BinaryCodec, AContainerIsReadAsAnotherOfItsShape) {
  EXPECT_EQ((name_of<std::vector<int>>), (name_of<std::list<int>>));
  EXPECT_EQ(codec<std::list<int>>::decode(encoded(std::vector{1, 2, 3})), (std::list{1, 2, 3}));
  EXPECT_EQ((codec<std::map<int, int>>::decode(encoded(std::unordered_map<int, int>{{2, 1}, {1, 2}}))),
            (std::map<int, int>{{1, 2}, {2, 1}}));
  EXPECT_EQ((name_of<std::pair<int, bool>>), (name_of<std::tuple<int, bool>>));
}

TEST(BinaryCodec, IsCompact) {
  EXPECT_EQ(encoded(std::vector<Candle>(1000)).size(), 2 + 1000 * sizeof(Candle));
  EXPECT_EQ(encoded(Fill{}).size(), 1 + 4 + 1 + 8U) << "without the padding";
  EXPECT_EQ(encoded(std::vector<std::string>{"ab", "c"}), std::string("\2\2ab\1c"));
  EXPECT_EQ(encoded(std::pair<std::int16_t, std::string>{-2, "x"}), std::string("\xfe\xff\1x"));
  EXPECT_EQ(encoded(std::vector<std::uint8_t>(300, 7)).size(), 300U) << "vectors of bytes are those bytes, as before";
}

TEST(BinaryCodec, KeepsEveryBitOfFloatingPoint) {
  using Limits = std::numeric_limits<double>;
  const std::vector<double> series = {-0.0, Limits::infinity(), -Limits::infinity(), Limits::denorm_min(), 0.1};
  const auto found = codec<std::vector<double>>::decode(encoded(series));
  ASSERT_EQ(found, series);
  EXPECT_TRUE(std::signbit(found->front()));
  const auto odd = codec<std::vector<double>>::decode(encoded(std::vector{Limits::quiet_NaN()}));
  EXPECT_TRUE(odd && std::isnan(odd->front()));
}

TEST(BinaryCodec, ALengthHasOneSpelling) {
  using Bytes = std::vector<std::int8_t>;
  EXPECT_TRUE(codec<Bytes>::decode(std::string("\1x")));
  EXPECT_FALSE(codec<Bytes>::decode(std::string("\x81\0x", 3))) << "1 in two bytes";
  EXPECT_FALSE(codec<Bytes>::decode("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  EXPECT_FALSE(codec<Bytes>::decode("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
  EXPECT_FALSE(codec<Bytes>::decode("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
  const std::string text(300, 'x');
  EXPECT_EQ((encoded(std::pair<std::string, bool>{text, true})), "\xac\x02" + text + "\1");
}

TEST(BinaryCodec, TakesNoOtherByteForABoolAnOptionalOrAnIndex) {
  EXPECT_FALSE(codec<std::vector<bool>>::decode("\1\2"));
  EXPECT_FALSE(codec<std::vector<std::optional<bool>>>::decode("\1\2"));
  EXPECT_FALSE((codec<std::variant<bool, int>>::decode(std::string("\2\0\0\0\0", 5))));
  EXPECT_FALSE(codec<std::vector<std::chrono::weekday>>::decode("\1\7"));
  EXPECT_FALSE(codec<std::vector<Nothing>>::decode("\1\1"));
  EXPECT_FALSE((codec<std::array<int, 0>>::decode("\1")));
}

TEST(BinaryCodec, AKeyOrAnElementThatIsThereTwiceIsRefused) {
  EXPECT_FALSE(codec<std::set<bool>>::decode(encoded(std::multiset{true, true})));
  EXPECT_TRUE(codec<std::multiset<bool>>::decode(encoded(std::multiset{true, true})));
  const std::multimap<int, int> twice = {{1, 1}, {1, 2}};
  EXPECT_FALSE((codec<std::map<int, int>>::decode(encoded(twice))));
  EXPECT_FALSE((codec<std::unordered_map<int, int>>::decode(encoded(twice))));
}

/// Of an unbelievable number of elements, and of many small ones that take much memory.
TEST(BinaryCodec, ALargeElementIsNotMadeOnTheStack) {
  using Large = std::array<double, 2'000'000>;  // 16 MB
  std::map<int, Large> map;
  map[7][1'999'999] = 0.5;
  const auto found = codec<std::map<int, Large>>::decode(encoded(map));
  ASSERT_TRUE(found && found->size() == 1);
  EXPECT_EQ(found->at(7)[1'999'999], 0.5);
  std::vector<Large> list(1);
  list[0][1] = 2;
  EXPECT_EQ(codec<std::vector<Large>>::decode(encoded(list)), list);
}

static_assert(std::random_access_iterator<detail::BytesIterator<double>>);

TEST(BinaryCodec, BytesThatClaimMuchAreRefused) {
  EXPECT_FALSE(codec<std::vector<double>>::decode("\xff\xff\xff\xff\x0f"));
  EXPECT_FALSE(codec<std::vector<std::string>>::decode("\xe8\x07" + std::string(1000, '\0'))) << "32 bytes for each";
  EXPECT_FALSE(codec<std::list<bool>>::decode("\xe8\x07" + std::string(1000, '\1')));
  EXPECT_FALSE(codec<std::vector<std::deque<int>>>::decode("\x64" + std::string(100, '\0')));
}

TEST(BinaryCodec, ValuesOfManyEmptyPartsArePaddedWithZeros) {
  const std::vector<std::string> empty(1000);
  const std::string bytes = encoded(empty);
  EXPECT_EQ(bytes.size(), 2000U) << "a sixteenth of 32,000 bytes of memory";
  EXPECT_EQ(codec<std::vector<std::string>>::decode(bytes), empty);
  std::string other = bytes;
  other.back() = 1;
  EXPECT_FALSE(codec<std::vector<std::string>>::decode(other));
  EXPECT_FALSE(codec<std::vector<std::string>>::decode(bytes + '\0'));
  const std::vector<std::string> full(1000, "text");
  EXPECT_EQ(encoded(full).size(), 5002U) << "not padded";
}

Tree chain(int levels) {
  Tree tree;
  for (int i = 1; i < levels; ++i) {
    Tree outer;
    outer.children.push_back(std::move(tree));
    tree = std::move(outer);
  }
  return tree;
}

TEST(BinaryCodec, AValueNestedDeeperThan64LevelsIsRefusedBothWays) {
  EXPECT_EQ(codec<Tree>::decode(encoded(chain(64))), chain(64));
  EXPECT_THROW(encoded(chain(65)), ValueError);
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += std::string("\0\0\0\0\1", 5);
  EXPECT_FALSE(codec<Tree>::decode(deep));
}

struct NotCodable {};

TEST(BinaryCodec, AVariantWithoutAValueIsAnErrorThatSaysSo) {
  std::variant<int, std::deque<int>> value = 5;
  EXPECT_THROW(value.emplace<std::deque<int>>(std::numeric_limits<std::size_t>::max()), std::length_error);
  ASSERT_TRUE(value.valueless_by_exception());
  EXPECT_THROW(encoded(value), ValueError);
}

static_assert(!Codable<std::vector<NotCodable>> && !Codable<std::pair<int, NotCodable>> && !Codable<std::vector<int*>>);
#ifdef __SIZEOF_FLOAT128__
static_assert(!Codable<__float128> && !Codable<std::vector<__float128>>, "is no long double");
#endif
static_assert(!Codable<std::vector<std::string_view>> && !Codable<std::tuple<const int>>);
static_assert(!Codable<std::chrono::steady_clock::time_point>, "says nothing to another machine");

std::string hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const char c : bytes) {
    text += kDigits[static_cast<unsigned char>(c) >> 4];
    text += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return text;
}

template <class T>
void add(std::vector<std::string>& lines, const T& value) {
  lines.push_back(std::string(name_of<T>) + ' ' + hex(encoded(value)));
}

std::vector<std::string> golden_lines() {
  using namespace std::chrono;
  std::vector<std::string> lines;
  const Candle candle{1'700'000'000'000, 64000.5, 64100.25, 63900, 64010, 12.75, 977};
  const Fill fill{true, -3, 200, 0.1};
  add(lines, std::vector<std::int16_t>{1, -2, 300});
  add(lines, std::vector<double>{0.1, -0.0, 1e300});
  add(lines, std::vector<bool>{true, false});
  add(lines, std::vector<std::string>{"a", "", std::string(200, 'x')});
  add(lines, std::vector<std::string>(40));
  add(lines, std::deque<int>{});
  add(lines, std::vector<std::deque<int>>(2));
  add(lines, std::list<std::uint8_t>{1, 2, 3});
  add(lines, std::u16string(u"a\u20ac"));
  add(lines, std::vector<long double>{0.5L, -3});
  add(lines, std::array<float, 2>{0.5F, 2});
  add(lines, std::array<int, 0>{});
  add(lines, std::set<char>{'a', 'b'});
  add(lines, std::map<std::string, std::vector<int>>{{"a", {1}}, {"b", {}}});
  add(lines, std::multimap<int, bool>{{1, true}, {1, false}});
  add(lines, std::unordered_map<int, double>{{7, 0.5}});
  add(lines, std::tuple<std::int8_t, std::optional<int>, std::string>{-1, 5, "x"});
  add(lines, std::variant<std::monostate, int, std::string>{"text"});
  add(lines, std::vector<std::optional<double>>{std::nullopt, 1.5});
  add(lines, std::vector<std::shared_ptr<const int>>{std::make_shared<const int>(5), nullptr});
  add(lines, milliseconds(-250));
  add(lines, sys_seconds(seconds(1'700'000'000)));
  add(lines, local_days(days(20'000)));
  add(lines, year_month_day(year(2026) / 11 / 29));
  add(lines, std::tuple<year, month, day, weekday, year_month>{year(-4), month(2), day(31), weekday(6), year(1) / 2});
  add(lines, candle);
  add(lines, std::vector<Candle>{candle, candle});
  add(lines, std::vector<Fill>{fill});
  add(lines, Order{"BTCUSDT", {fill}, sys_seconds(seconds(1)), 0.5, Verdict::sell, {'X', 'Y', 'Z', 0}});
  add(lines, Tree{1, {{2, {}}, {3, {{4, {}}}}}});
  add(lines, std::vector<Ticker>{{"BTC"}, {""}});
  add(lines, std::vector<Nothing>(2));
  add(lines, std::wstring(L"a\u20ac"));
  return lines;
}

TEST(GoldenCodecs, TheStoredFormatIsTheSameInEveryBuild) {
  const auto golden = std::filesystem::path(__FILE__).replace_filename("golden_codecs.txt");
  std::ifstream in(golden);
  std::vector<std::string> kept;
  for (std::string line; std::getline(in, line);) kept.push_back(line);
  const auto lines = golden_lines();
  if (lines == kept) return;
  const std::string made = ::testing::TempDir() + "golden_codecs.txt";
  std::ofstream out(made);
  for (const auto& line : lines) out << line << '\n';
  ADD_FAILURE() << "names or bytes differ from " << golden << "; see " << made
                << ". Stored formats are public: another format is another name (bin2).";
}

}  // namespace
}  // namespace dsta::cache
