#include <dsta/cache/detail/number_text.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace dsta::cache {
inline namespace v1 {
namespace detail {
namespace {

template <class Number>
std::size_t write(char* text, Number number) {
  return static_cast<std::size_t>(std::to_chars(text, text + kNumberText, number).ptr - text);
}

template <class Number>
bool read(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && stop == end;
}

}  // namespace

std::size_t write_number(char* text, long long number) { return write(text, number); }
std::size_t write_number(char* text, unsigned long long number) { return write(text, number); }
std::size_t write_number(char* text, Int128 number) {
  if (number >= 0) return write_number(text, static_cast<UInt128>(number));
  *text = '-';
  return 1 + write_number(text + 1, -static_cast<UInt128>(number));
}
std::size_t write_number(char* text, UInt128 number) {
  char digits[kNumberText];
  char* const end = digits + sizeof digits;
  char* first = end;
  do {
    *--first = static_cast<char>('0' + static_cast<int>(number % 10));
    number /= 10;
  } while (number != 0);
  std::copy(first, end, text);
  return static_cast<std::size_t>(end - first);
}
std::size_t write_number(char* text, float number) { return write(text, number); }
std::size_t write_number(char* text, double number) { return write(text, number); }
std::size_t write_number(char* text, long double number) { return write(text, number); }

bool read_number(std::string_view text, long long& number) { return read(text, number); }
bool read_number(std::string_view text, unsigned long long& number) { return read(text, number); }
bool read_number(std::string_view text, float& number) { return read(text, number); }
bool read_number(std::string_view text, double& number) { return read(text, number); }
bool read_number(std::string_view text, long double& number) {
  // libstdc++ 12 reads behind the end of "inf" and "nan" for a long double, up to a zero: there is one behind a copy.
  const std::string terminated(text);
  return read(std::string_view(terminated), number);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
