#pragma once
/// The text that names a type's shape in the codec's name: docs/formats.md has its grammar.
#include <array>
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Where a shape is written to; without a place it only counts.
class ShapeText {
 public:
  constexpr explicit ShapeText(char* place = nullptr) : place_(place) {}

  constexpr void put(std::string_view part) {
    for (const char c : part) put(c);
  }
  constexpr void put(const char* part) { put(std::string_view(part)); }
  constexpr void put(char c) {
    if (place_) place_[size_] = c;
    ++size_;
  }
  template <class Number>
    requires std::is_unsigned_v<Number>
  constexpr void put(Number number) {  // std::to_chars is not constexpr yet
    Number power = 1;
    while (number / power >= 10) power = static_cast<Number>(power * 10);
    for (; power != 0; power = static_cast<Number>(power / 10)) put(static_cast<char>('0' + number / power % 10));
  }
  /// What may hold any character: with its size before it.
  constexpr void put_quoted(std::string_view text) {
    put(text.size());
    put(':');
    put(text);
  }

  constexpr std::size_t size() const { return size_; }

 private:
  char* place_;
  std::size_t size_ = 0;
};

/// The text that `Writer::write(ShapeText&)` writes, as a constant.
template <class Writer>
struct ShapeConstant {
  static constexpr std::size_t kSize = [] {
    ShapeText text;
    Writer::write(text);
    return text.size();
  }();
  static constexpr std::array<char, kSize> kText = [] {
    std::array<char, kSize> place{};
    ShapeText text(place.data());
    Writer::write(text);
    return place;
  }();
  static constexpr std::string_view text{kText.data(), kText.size()};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
