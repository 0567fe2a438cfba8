#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// One reply of a server (RESP2), parsed.
struct Reply {
  enum class Kind : std::uint8_t { nil, status, error, integer, text, array };

  /// An error in place of a reply that did not come, where others to the same request did.
  enum class Missing : std::uint8_t { no, not_sent, maybe_executed };

  Kind kind = Kind::nil;
  Missing missing = Missing::no;
  std::int64_t integer = 0;
  std::string text;  ///< of a status, an error or a text
  std::vector<Reply> elements;
  /// Of an error, where it is known what it answers: see reason.hpp.
  std::string_view why;

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_ok() const { return kind == Kind::status && text == "OK"; }
  /// The first word of an error, such as WRONGTYPE; empty when it is none.
  std::string_view error_code() const {
    if (kind != Kind::error) return {};
    return std::string_view(text).substr(0, text.find(' '));
  }
  /// The server does not know the command or its arguments, or the user may not run it: asking again is of no use.
  bool means_never() const {
    const std::string_view code = error_code();
    return code == "NOPERM" || code == "ERR";
  }
  /// And it names the command, which is given in lower case. Others may be named before it: the user, who may be called
  /// as the command is, and is not quoted.
  bool refuses(std::string_view command) const {
    if (!means_never()) return false;
    const auto same = [](char there, char wanted) {
      return (there >= 'A' && there <= 'Z' ? static_cast<char>(there + ('a' - 'A')) : there) == wanted;
    };
    const auto is_quote = [](char c) { return c == '\'' || c == '`'; };
    for (auto from = text.begin();; ++from) {
      from = std::search(from, text.end(), command.begin(), command.end(), same);
      if (from == text.end()) return false;
      const auto behind = from + static_cast<std::ptrdiff_t>(command.size());
      if (from != text.begin() && is_quote(*(from - 1)) && behind != text.end() && is_quote(*behind)) return true;
    }
  }
  /// The server says that it serves nobody for now; other errors concern one key or one client.
  bool means_not_now() const {
    if (kind != Kind::error) return false;
    const std::string_view code = error_code();
    return code == "LOADING" || code == "BUSY" || code == "MASTERDOWN" || code == "CLUSTERDOWN";
  }
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
