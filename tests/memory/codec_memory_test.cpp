/// Bytes that anybody may have written take at most 16 times their size in memory.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include <dsta/cache/codec.hpp>

#include "allocations.hpp"
#include "binary_types.hpp"
#include "encoded.hpp"

namespace dsta::cache {
namespace {

using namespace testing_support;

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
  for_binary_types([&]<class T>() {
    for (const std::size_t size : {1, 10, 100, 3000}) {
      for (const char filler : {'\0', '\1', '\x7f', '\x80', '\xff'}) {
        std::string bytes(size, filler);
        expect_bounded<T>(bytes);
        // A length that just fits the rest, and one that is half of it.
        for (const std::size_t claimed : {size, size / 2, size / 8}) {
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
  });
}

}  // namespace
}  // namespace dsta::cache
