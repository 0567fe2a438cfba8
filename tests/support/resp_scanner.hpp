#pragma once
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>

namespace dsta::cache::testing_support {

/// Finds where a RESP2 or RESP3 message ends, however the bytes arrive in pieces. Works for requests too (inline ones
/// are a line). One thread.
///
/// Idea: nesting needs no stack. A message is complete when no value is owed: an array of n owes n more, a map 2n, an
/// attribute 2n and still the value it belongs to.
class RespScanner {
 public:
  /// The length of the first message of `buffer`, none when there is more to come. Call it again with the same buffer
  /// grown at its end; what was looked at is not looked at again.
  std::optional<std::size_t> scan(std::string_view buffer) {
    while (!broken_ && owed_ > 0) {
      if (buffer.size() - at_ < payload_) return std::nullopt;
      at_ += payload_;
      payload_ = 0;
      if (payload_owed_) {
        payload_owed_ = false;
        --owed_;
        continue;
      }
      const std::size_t end = buffer.find("\r\n", at_);
      if (end == std::string_view::npos) return std::nullopt;
      read_line(buffer.substr(at_, end - at_));
      at_ = end + 2;
    }
    if (broken_) return std::nullopt;
    const std::size_t length = at_;
    *this = {};
    return length;
  }
  /// This is not RESP: no boundary will be found any more.
  bool broken() const { return broken_; }

 private:
  static constexpr std::int64_t kMost = 1 << 30;

  void read_line(std::string_view line) {
    const char type = line.empty() ? '\0' : line.front();
    switch (type) {
      case '$':
      case '!':
      case '=': {
        const std::int64_t size = number(line.substr(1));
        if (size < 0) {
          --owed_;
        } else {
          payload_ = static_cast<std::size_t>(size) + 2;
          payload_owed_ = true;
        }
        break;
      }
      case '*':
      case '~':
      case '>':
        owed_ += std::max<std::int64_t>(number(line.substr(1)), 0) - 1;
        break;
      case '%':
        owed_ += 2 * number(line.substr(1)) - 1;
        break;
      case '|':
        owed_ += 2 * number(line.substr(1));
        break;
      default:
        --owed_;
    }
    if (owed_ < 0 || owed_ > kMost) broken_ = true;
  }
  /// -1 is nil; what is no length breaks the stream.
  std::int64_t number(std::string_view digits) {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{} || end != digits.data() + digits.size() || value < -1 || value > kMost) {
      broken_ = true;
      return 0;
    }
    return value;
  }

  std::size_t at_ = 0;
  std::size_t payload_ = 0;  // bytes to skip, "\r\n" included
  bool payload_owed_ = false;
  std::int64_t owed_ = 1;
  bool broken_ = false;
};

}  // namespace dsta::cache::testing_support
