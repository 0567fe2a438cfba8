// A text part of a key is written byte for byte as its definition says, however long it is and wherever it begins.
#include <dsta/cache/key.hpp>

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

std::string written(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF", kOthers = "-._/@+=$&;<>|#'";
  if (text.empty()) return "\"\"";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       kOthers.find(c) != std::string_view::npos;
    out += plain ? std::string{c} : std::string{'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return out;
}

TEST(KeyTextPart, IsWrittenByteForByteAndHashedAsText) {
  std::mt19937 random(5);
  const std::string_view some = "abcXYZ019-:% \n'";
  for (std::size_t i = 0; i < testing_support::scaled(20'000); ++i) {
    const std::string before(random() % 9, 'b');
    std::string text(random() % (i % 10 == 0 ? 400 : 40), '\0');
    const bool any = random() % 4 == 0;
    for (char& c : text) c = any ? static_cast<char>(random()) : some[random() % some.size()];
    KeyBuffer buffer;
    buffer.append(before);
    append_text(buffer, text);
    buffer.append("behind");
    const std::string expected = before + written(text) + "behind";
    ASSERT_EQ(buffer.view(), expected) << "round " << i;
    ASSERT_EQ(buffer.hash(), hash_bytes(expected)) << "round " << i;
  }
}

}  // namespace
}  // namespace dsta::cache::detail
