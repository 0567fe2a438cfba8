#pragma once
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/number_text.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// "00" to "99" as they lie in memory.
inline constexpr auto kDigitPairs = [] {
  std::array<std::uint16_t, 100> pairs{};
  for (unsigned i = 0; i < 100; ++i) pairs[i] = static_cast<std::uint16_t>(('0' + i / 10) | ('0' + i % 10) << 8);
  return pairs;
}();

/// The top bit of each byte that is neither a letter nor a digit.
inline std::uint64_t not_alphanumeric(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101, kHigh = 0x80 * kOnes;
  // With the top bits clear no byte carries into the next: bit 7 of (x + 128 - low) says x >= low.
  const std::uint64_t ascii = word & ~kHigh;
  const std::uint64_t lower = ascii | 0x20 * kOnes;  // letters to lower case; digits stay
  const std::uint64_t letter = (lower + (0x80 - 'a') * kOnes) & ~(lower + (0x80 - 'z' - 1) * kOnes);
  const std::uint64_t digit = (ascii + (0x80 - '0') * kOnes) & ~(ascii + (0x80 - '9' - 1) * kOnes);
  return (word | ~(letter | digit)) & kHigh;
}

inline bool all_alphanumeric(std::uint64_t word) { return not_alphanumeric(word) == 0; }

/// The `n` < 8 lowest bytes of a word, and letters in place of the others.
inline std::uint64_t filled_with_letters(std::uint64_t word, std::size_t n) {
  constexpr std::uint64_t kLetters = 0x6161616161616161;
  return word | kLetters << (8 * n);
}

/// Where a key under construction stands. Small enough for registers, and kept there on the way of a cache hit.
///
/// Bytes are gathered in a word and leave it eight at a time, into the text and into the hash. So the text is only ever
/// written in aligned words, and reading it back right away (to compare it with an entry's) does not stall the
/// processor as reading across byte-wise writes would; and the hash needs no second pass.
struct KeyCursor {
  std::size_t whole = 0;  ///< words complete
  std::uint64_t pending = 0;
  std::size_t filled = 0;  ///< bytes in pending, below 8
  Hasher hasher;

  std::size_t size() const { return whole * 8 + filled; }
  std::uint64_t hash() const { return hasher.finish(pending, size()); }

  [[gnu::always_inline]] void put_text(std::uint64_t* words, std::string_view text) {
    const char* p = text.data();
    std::size_t n = text.size();
    const std::size_t shift = 8 * filled;
    for (; n >= 8; p += 8, n -= 8) {
      const std::uint64_t word = load64(p), complete = pending | word << shift;
      words[whole++] = complete;
      hasher.add(complete);
      pending = word >> 1 >> (63 - shift);  // in two steps: a shift by 64 is undefined
    }
    if (n != 0) put(words, load_partial(p, n), n);
  }
  /// The `n` <= 8 lowest bytes of `word`; the others must be zero.
  [[gnu::always_inline]] void put(std::uint64_t* words, std::uint64_t word, std::size_t n) {
    pending |= word << (8 * filled);
    filled += n;
    if (filled >= 8) {
      words[whole++] = pending;
      hasher.add(pending);
      filled -= 8;
      const std::size_t used = n - filled;
      pending = used == 8 ? 0 : word >> (8 * used);
    }
  }
};

/// A key under construction: its text, on the stack until it outgrows it, and its hash. One thread.
class KeyBuffer {
 public:
  static constexpr std::size_t kInlineWords = 40;

  /// The start that many keys share, with its hash half done.
  class Head {
   public:
    explicit Head(std::string_view text);
    const KeyCursor& cursor() const { return at_; }

   private:
    friend class KeyBuffer;
    std::vector<std::uint64_t> words_;  // an even number: copied two at a time
    bool in_line_ = true;               // short enough for the stack
    KeyCursor at_;
  };

  KeyBuffer() = default;
  explicit KeyBuffer(const Head& head) : at_(head.at_) {
    if (!head.in_line_) [[unlikely]] {
      at_ = KeyCursor();  // there is nothing yet to be moved
      grow(head.words_.size() * 8);
      at_ = head.at_;
    }
    const std::uint64_t* const from = head.words_.data();
    std::uint64_t* const to = words_;
    const std::size_t whole = head.at_.whole;
    for (std::size_t i = 0; i < whole; i += 2) std::memcpy(to + i, from + i, 16);
  }
  KeyBuffer(const KeyBuffer&) = delete;
  KeyBuffer& operator=(const KeyBuffer&) = delete;
  ~KeyBuffer() {
    if (words_ != inline_) [[unlikely]]
      delete[] words_;
  }

  void append(std::string_view text) {
    reserve(text.size());
    KeyCursor at = at_;  // in registers for so long
    at.put_text(words_, text);
    at_ = at;
  }

  void push(char c) { put(static_cast<unsigned char>(c), 1); }
  /// See KeyCursor::put.
  void put(std::uint64_t word, std::size_t n) {
    reserve(n);
    at_.put(words_, word, n);
  }

  /// Shortest text that reads back as the same number; the same in every locale.
  template <class Number>
  void append_number(Number number) {
    append_written(static_cast<written_t<Number>>(number));
  }

  std::size_t size() const { return at_.size(); }
  std::uint64_t hash() const { return at_.hash(); }
  /// Valid until the next change. Zeros follow it up to the next multiple of eight bytes.
  std::string_view view() {
    words_[at_.whole] = at_.pending;
    return {reinterpret_cast<const char*>(words_), size()};
  }

  // For those who keep the cursor in registers: write at `words()`, and only while `in_line(cursor, n)` says that n
  // bytes more still fit on the stack; then hand it back.
  const KeyCursor& cursor() const { return at_; }
  void move_to(const KeyCursor& cursor) { at_ = cursor; }
  /// The text up to a cursor that never left the stack.
  std::string_view in_line_view(const KeyCursor& cursor) {
    inline_[cursor.whole] = cursor.pending;
    return {reinterpret_cast<const char*>(inline_), cursor.size()};
  }
  std::uint64_t* words() { return inline_; }
  /// The same wherever the text is. Null where there is no room for n bytes more: a text may leave the stack only for
  /// what is then written, so that in_line() is false from then on.
  std::uint64_t* words_with_room(std::size_t n) { return has_room(n) ? words_ : nullptr; }
  static bool in_line(const KeyCursor& cursor, std::size_t more) { return cursor.whole + more / 8 + 2 <= kInlineWords; }

 private:
  /// One word more than whole ones: view() writes the pending one.
  bool has_room(std::size_t more) const { return at_.whole + more / 8 + 2 <= capacity_; }
  void reserve(std::size_t more) {
    if (!has_room(more)) [[unlikely]]
      grow(more);
  }
  void grow(std::size_t more);
  void append_written(long long number);
  void append_written(unsigned long long number);
  void append_written(Int128 number);
  void append_written(UInt128 number);
  void append_written(float number);
  void append_written(double number);
  void append_written(long double number);

  KeyCursor at_;
  std::uint64_t* words_ = inline_;  ///< owned when not inline_
  std::size_t capacity_ = kInlineWords;
  std::uint64_t inline_[kInlineWords];
};

/// Puts up to seven bytes, with the ':' between two parts before them.
template <bool Separated>
[[gnu::always_inline]] inline void put_part(KeyCursor& at, std::uint64_t* words, std::uint64_t word, std::size_t n) {
  if constexpr (Separated) {
    at.put(words, word << 8 | ':', n + 1);
  } else {
    at.put(words, word, n);
  }
}

/// Appends a part of letters and digits only. False, with nothing appended, when it holds anything else or is too long.
template <bool Separated>
[[gnu::always_inline]] inline bool put_alphanumeric(KeyCursor& at, std::uint64_t* words, std::string_view text) {
  const char* p = text.data();
  const std::size_t n = text.size();
  if (n == 0 || n > 16 || !KeyBuffer::in_line(at, n + 1)) return false;
  if (n < 8) {
    const std::uint64_t word = load_partial(p, n);
    if (!all_alphanumeric(filled_with_letters(word, n))) return false;
    put_part<Separated>(at, words, word, n);
    return true;
  }
  const std::uint64_t first = load64(p), last = load64(p + n - 8);
  if (!all_alphanumeric(first) || !all_alphanumeric(last)) return false;
  if constexpr (Separated) at.put(words, ':', 1);
  at.put(words, first, 8);
  if (n > 8) at.put(words, last >> (8 * (16 - n)), n - 8);
  return true;
}

/// The same for a literal, whose length is found without a call.
template <bool Separated, std::size_t N>
  requires(N <= 8)
[[gnu::always_inline]] inline bool put_alphanumeric(KeyCursor& at, std::uint64_t* words, const char (&text)[N]) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  const std::uint64_t word = N == 8 ? load64(text) : load_partial(text, N);
  const std::uint64_t zeros = (word - kOnes) & ~word & 0x80 * kOnes;  // the lowest mark is exact
  const auto n = static_cast<std::size_t>(std::countr_zero(zeros)) / 8;
  if (n == 0 || n >= 8) return false;
  const std::uint64_t kept = word & ((std::uint64_t{1} << (8 * n)) - 1);
  if (!KeyBuffer::in_line(at, n + 1) || !all_alphanumeric(filled_with_letters(kept, n))) return false;
  put_part<Separated>(at, words, kept, n);
  return true;
}

/// Appends a number below 100; false for others.
template <bool Separated, std::integral Number>
[[gnu::always_inline]] inline bool put_small(KeyCursor& at, std::uint64_t* words, Number number) {
  if (!KeyBuffer::in_line(at, 3)) return false;
  if (number < 0 || std::cmp_greater_equal(number, 100)) return false;
  if (std::cmp_less(number, 10)) {
    put_part<Separated>(at, words, static_cast<std::uint64_t>('0' + number), 1);
  } else {
    put_part<Separated>(at, words, kDigitPairs[static_cast<std::size_t>(number)], 2);
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
