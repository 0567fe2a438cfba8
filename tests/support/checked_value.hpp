#pragma once
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dsta::cache::testing_support {

/// A value that says of which key it is and the how manyth, and whether it is whole.
///
/// Text: `key|number|padding|checksum`; the padding makes values of one key differ in length, so that bytes of two of
/// them do not fit together by chance.
struct CheckedValue {
  std::string key;
  std::uint64_t number = 0;

  std::string text() const {
    const std::string head = key + '|' + std::to_string(number) + '|' + std::string(number * 7 % 97, 'p') + '|';
    return head + std::to_string(checksum(head));
  }
  /// nullopt: corrupt.
  static std::optional<CheckedValue> parse(std::string_view text) {
    const std::size_t end = text.rfind('|');
    const std::size_t first = text.find('|');
    if (end == std::string_view::npos || first == end) return std::nullopt;
    CheckedValue value{.key = std::string(text.substr(0, first))};
    const auto parsed = std::from_chars(text.data() + first + 1, text.data() + end, value.number);
    if (parsed.ec != std::errc{} || value.text() != text) return std::nullopt;
    return value;
  }

 private:
  /// FNV-1a.
  static std::uint64_t checksum(std::string_view bytes) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3;
    return hash;
  }
};

}  // namespace dsta::cache::testing_support
