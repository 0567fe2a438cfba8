// Digits are read as std::from_chars reads them.
#include "base/decimal.hpp"

#include <gtest/gtest.h>

#include <charconv>
#include <random>
#include <string>

namespace dsta::cache::detail {
namespace {

void expect_as_from_chars(const std::string& text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  std::uint64_t expected = 7, number = 7;
  const auto [stop, error] = std::from_chars(begin, end, expected);
  const char* const found = parse_digits(begin, end, number);
  if (error == std::errc::result_out_of_range) {
    EXPECT_EQ(found, nullptr) << text;
  } else {
    EXPECT_EQ(found, error == std::errc{} ? stop : begin) << text;
    EXPECT_EQ(number, expected) << text;
  }
}

TEST(Decimal, ReadsWhatFromCharsReads) {
  for (const char* text : {"", "0", "00", "1", "-1", "+1", " 1", "1 2", "9x", "18446744073709551615",
                           "18446744073709551616", "9999999999999999999", "99999999999999999999",
                           "1234567890123456789 ", "12345678901234567890 ", "000000000000000000000001"}) {
    expect_as_from_chars(text);
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (auto size = random() % 24; size > 0; --size) text += "0123456789012345678901234567 -x"[random() % 31];
    expect_as_from_chars(text);
  }
}

}  // namespace
}  // namespace dsta::cache::detail
