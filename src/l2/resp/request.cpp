#include "l2/resp/request.hpp"

#include <algorithm>
#include <charconv>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// What stands around an argument: a kind, up to 20 digits, two ends of line.
constexpr std::size_t kFrame = 25;

void append_header(std::string& out, char kind, std::size_t count) {
  char digits[24];
  digits[0] = kind;
  char* end = std::to_chars(digits + 1, digits + sizeof digits - 2, count).ptr;
  *end++ = '\r';
  *end++ = '\n';
  out.append(digits, end);
}

}  // namespace

Request& Request::begin(std::size_t arguments, std::size_t bytes) {
  const std::size_t size = bytes_.size() + bytes + (arguments + 1) * kFrame;
  if (size > bytes_.capacity()) bytes_.reserve(std::max(size, 2 * bytes_.capacity()));
  append_header(bytes_, '*', arguments);
  ++commands_;
  return *this;
}

Request& Request::argument(std::string_view text) {
  append_header(bytes_, '$', text.size());
  bytes_.append(text).append("\r\n");
  return *this;
}

Request& Request::add(std::span<const std::string_view> command) {
  std::size_t size = 0;
  for (const std::string_view text : command) size += text.size();
  begin(command.size(), size);
  for (const std::string_view text : command) argument(text);
  return *this;
}

namespace {

/// Takes a line of a kind and a number.
std::size_t take_number(std::string_view& rest) {
  std::size_t value = 0;
  std::from_chars(rest.data() + 1, rest.data() + rest.size(), value);
  rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1));
  return value;
}

std::string_view take_word(std::string_view& rest) {
  const std::size_t size = take_number(rest);
  const std::string_view word = rest.substr(0, size);
  rest.remove_prefix(std::min(rest.size(), size + 2));
  return word;
}

}  // namespace

std::string_view Request::take_command(std::string_view& rest) {
  std::string_view name;
  for (std::size_t words = rest.empty() ? 0 : take_number(rest), word = 0; word < words; ++word) {
    const std::string_view text = take_word(rest);
    if (word == 0) name = text;
  }
  return name;
}

void Request::take_words(std::string_view& rest, std::vector<std::string_view>& words) {
  words.clear();
  for (std::size_t left = rest.empty() ? 0 : take_number(rest); left != 0; --left) words.push_back(take_word(rest));
}

std::string_view Request::command(std::size_t index) const {
  std::string_view rest = bytes_;
  for (std::size_t at = 0; at < index; ++at) take_command(rest);
  return take_command(rest);
}

bool Request::writes(std::string_view command) {
  static constexpr std::string_view kReads[] = {"GET",  "MGET", "GETRANGE", "PTTL", "PEXPIRETIME", "TIME",
                                                "SCAN", "PING", "ECHO",     "TYPE", "MULTI",       "EXEC"};
  return std::ranges::find(kReads, command) == std::end(kReads);
}

bool Request::writes() const {
  std::string_view rest = bytes_;
  for (std::size_t i = 0; i < commands_; ++i) {
    if (writes(take_command(rest))) return true;
  }
  return false;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
