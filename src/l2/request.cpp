#include "request.hpp"

#include <charconv>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

void append_header(std::string& out, char kind, std::size_t count) {
  char digits[24];
  digits[0] = kind;
  char* end = std::to_chars(digits + 1, digits + sizeof digits - 2, count).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(digits, end);
}

}  // namespace

Request& Request::add(std::span<const std::string_view> command) {
  append_header(bytes_, '*', command.size());
  for (const std::string_view argument : command) {
    append_header(bytes_, '$', argument.size());
    bytes_.append(argument).append("\r\n");
  }
  ++commands_;
  return *this;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
