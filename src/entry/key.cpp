#include <dsta/cache/key.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

KeyBuffer::Head::Head(std::string_view text) {
  KeyBuffer buffer;
  buffer.append(text);
  at_ = buffer.at_;
  words_.assign(buffer.words_, buffer.words_ + at_.whole);
  words_.resize((at_.whole + 1) / 2 * 2);
  in_line_ = words_.size() + 2 <= kInlineWords;
}

void KeyBuffer::grow(std::size_t more) {
  const std::size_t capacity = (at_.whole + more / 8 + 2) * 2;
  auto* const bigger = new std::uint64_t[capacity];
  std::copy_n(words_, at_.whole, bigger);
  if (words_ != inline_) delete[] words_;
  words_ = bigger;
  capacity_ = capacity;
}

namespace {
template <class Number>
void append_text_of(KeyBuffer& out, Number number) {
  char text[kNumberText];
  out.append({text, write_number(text, number)});
}
}  // namespace

void KeyBuffer::append_written(long long number) { append_text_of(*this, number); }
void KeyBuffer::append_written(unsigned long long number) { append_text_of(*this, number); }
void KeyBuffer::append_written(Int128 number) { append_text_of(*this, number); }
void KeyBuffer::append_written(UInt128 number) { append_text_of(*this, number); }
void KeyBuffer::append_written(float number) { append_text_of(*this, number); }
void KeyBuffer::append_written(double number) { append_text_of(*this, number); }
void KeyBuffer::append_written(long double number) { append_text_of(*this, number); }

namespace {

constexpr std::size_t kLongestWritten = 3;

/// How a byte is written in a part, as a word: as itself, or as '%' and two hexadecimal digits.
struct Written {
  std::uint32_t word, size;
};
constexpr auto kWritten = [] {
  constexpr std::string_view kHex = "0123456789ABCDEF", kPlain = "-._/@+=$&;<>|#'";
  std::array<Written, 256> all{};
  for (std::uint32_t byte = 0; byte < all.size(); ++byte) {
    const auto c = static_cast<char>(byte);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       kPlain.find(c) != std::string_view::npos;
    const auto digit = [&](std::uint32_t value) { return static_cast<std::uint32_t>(kHex[value]); };
    all[byte] = plain ? Written{byte, 1} : Written{'%' | digit(byte >> 4) << 8 | digit(byte & 15) << 16, 3};
  }
  return all;
}();

/// Hands `put` the text as it is written in a part, piece by piece: up to eight bytes, and how many they are.
template <class Put>
[[gnu::always_inline]] inline void write_part(std::string_view text, Put put) {
  while (!text.empty()) {
    const std::size_t n = std::min<std::size_t>(text.size(), 8);
    const std::uint64_t word = n == 8 ? load64(text.data()) : load_partial(text.data(), n);
    const std::uint64_t other = not_alphanumeric(n == 8 ? word : filled_with_letters(word, n));
    if (other == 0) {
      put(word, n);
      text.remove_prefix(n);
      continue;
    }
    const auto before = static_cast<std::size_t>(std::countr_zero(other)) / 8;
    put(word & ((std::uint64_t{1} << (8 * before)) - 1), before);
    const Written written = kWritten[static_cast<unsigned char>(text[before])];
    put(written.word, written.size);
    text.remove_prefix(before + 1);
  }
}

}  // namespace

void append_text(KeyBuffer& out, std::string_view text) {
  if (text.empty()) return out.append("\"\"");
  std::uint64_t* const words = out.words_with_room(kLongestWritten * text.size());
  if (!words) [[unlikely]]
    return write_part(text, [&](std::uint64_t word, std::size_t n) { out.put(word, n); });
  KeyCursor at = out.cursor();  // in registers for so long
  write_part(text, [&](std::uint64_t word, std::size_t n) { at.put(words, word, n); });
  out.move_to(at);
}

void append_sorted(KeyBuffer& out, std::vector<std::string>& parts) {
  std::ranges::sort(parts);
  for (const std::string& part : parts) {
    out.append(part);
    out.push(',');
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
