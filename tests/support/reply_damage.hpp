#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <random>
#include <string>
#include <string_view>

/// Replies as a bad server or network would make them.
namespace dsta::cache::testing_support {

/// Overwrites `bytes` from `at` on. The first byte of the reply, when it is one of them, becomes no RESP type.
inline std::string with_garbage(std::string reply, std::size_t bytes, std::size_t at, std::mt19937_64& random) {
  for (std::size_t i = at; i < std::min(reply.size(), at + bytes); ++i) {
    reply[i] = static_cast<char>(i == 0 ? 0x80U | random() % 0x80U : random() % 0x100U);
  }
  return reply;
}

/// Adds `by` to the first length, of a string or an aggregate; a reply without one, or nil, is left as it is.
inline std::string with_wrong_length(const std::string& reply, int by) {
  const std::string_view types = "$=!*~>%|";
  const std::size_t end = reply.find("\r\n");
  if (end == std::string::npos || types.find(reply[0]) == std::string_view::npos) return reply;
  long length = 0;
  const auto parsed = std::from_chars(reply.data() + 1, reply.data() + end, length);
  if (parsed.ec != std::errc{} || length < 0) return reply;
  return reply[0] + std::to_string(std::max(0L, length + by)) + reply.substr(end);
}

/// The command of a request, in upper case; of an inline one too.
inline std::string command_name(std::string_view request) {
  if (request.starts_with('*')) {
    const std::size_t head = request.find("\r\n", std::min(request.size(), request.find('$')));
    request.remove_prefix(head == std::string_view::npos ? request.size() : head + 2);
  }
  std::string name(request.substr(0, request.find_first_of(" \r\n")));
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; });
  return name;
}

}  // namespace dsta::cache::testing_support
