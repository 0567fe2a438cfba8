#pragma once
#include <cstddef>
#include <string_view>
#include <type_traits>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Room for the text of any number.
inline constexpr std::size_t kNumberText = 64;

/// Some compilers count them among the integers.
__extension__ using Int128 = __int128;
__extension__ using UInt128 = unsigned __int128;

/// Writes the shortest text that reads back as the same number, the same in every locale. Returns its size. Compiled: a
/// template of the standard library would be instantiated for each type in each file.
std::size_t write_number(char* text, long long number);
std::size_t write_number(char* text, unsigned long long number);
std::size_t write_number(char* text, Int128 number);
std::size_t write_number(char* text, UInt128 number);
std::size_t write_number(char* text, float number);
std::size_t write_number(char* text, double number);
std::size_t write_number(char* text, long double number);

/// False unless the whole text is a number that fits.
bool read_number(std::string_view text, long long& number);
bool read_number(std::string_view text, unsigned long long& number);
bool read_number(std::string_view text, float& number);
bool read_number(std::string_view text, double& number);
bool read_number(std::string_view text, long double& number);

/// The type that a number is written as: integers, also those of character types, as the widest of their kind.
template <class T, bool Wide = (sizeof(T) > sizeof(long long))>
using written_t =
    std::conditional_t<std::is_floating_point_v<T>, T,
                       std::conditional_t<std::is_signed_v<T>, std::conditional_t<Wide, Int128, long long>,
                                          std::conditional_t<Wide, UInt128, unsigned long long>>>;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
