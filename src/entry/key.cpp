#include <dsta/cache/key.hpp>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// True for the bytes that stand for themselves in a part.
constexpr auto kPlainBytes = [] {
  std::array<bool, 256> plain{};
  for (unsigned char c = '0'; c <= '9'; ++c) plain[c] = true;
  for (unsigned char c = 'a'; c <= 'z'; ++c) plain[c] = true;
  for (unsigned char c = 'A'; c <= 'Z'; ++c) plain[c] = true;
  for (const char c : std::string_view("-._/@+=$&;<>|#'")) plain[static_cast<unsigned char>(c)] = true;
  return plain;
}();

}  // namespace

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

void append_text(KeyBuffer& out, std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  if (text.empty()) return out.append("\"\"");
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (kPlainBytes[byte]) continue;
    out.append(text.substr(plain, i - plain));
    const char escaped[3] = {'%', kHex[byte >> 4], kHex[byte & 15]};
    out.append({escaped, 3});
    plain = i + 1;
  }
  out.append(text.substr(plain));
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
