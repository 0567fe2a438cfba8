#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

constexpr int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// `%41` to `A`; '+' is itself. Nothing when a '%' stands without two hexadecimal digits.
inline std::optional<std::string> percent_decoded(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    plain += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return plain;
}

/// Everything but letters, digits and `-._~`, and what is in `also_kept`, becomes %XX.
inline std::string percent_encoded(std::string_view text, std::string_view also_kept = {}) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string coded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || std::string_view("-._~").find(c) != std::string_view::npos ||
        also_kept.find(c) != std::string_view::npos) {
      coded += c;
    } else {
      coded += '%';
      coded += kHex[byte >> 4];
      coded += kHex[byte & 15];
    }
  }
  return coded;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
