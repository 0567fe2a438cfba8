#include "l2/resp/reply_guard.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "base/decimal.hpp"
#include "l2/net/buffer_limits.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

ReplyGuard::Verdict ReplyGuard::refuse(std::string_view reason) {
  reason_ = reason;
  return Verdict::refused;
}

ReplyGuard::Verdict ReplyGuard::look(std::string_view bytes) {
  const std::size_t whole = std::max(limits_.bytes, limits_.whole);
  while (!done_) {
    if (at_ > whole && bytes.size() > whole) return refuse("the reply is larger than max_reply_bytes, and than 64 MiB");
    if (body_ != 0) {
      const std::size_t here = bytes.size() - at_;
      if (here < body_) {
        note_text(body_ - 2);
        return Verdict::incomplete;
      }
      if (bytes[at_ + body_ - 2] != '\r' || bytes[at_ + body_ - 1] != '\n') {
        return refuse("a text is not followed by the end of a line");
      }
      at_ += body_;
      body_ = 0;
      end_element();
      continue;
    }
    const std::string_view rest = bytes.substr(at_);
    const void* found = std::memchr(rest.data() + searched_, '\n', rest.size() - searched_);
    if (!found) {
      searched_ = rest.size();
      return searched_ > kLongestLine ? refuse("a line does not end") : Verdict::incomplete;
    }
    const auto line_size = static_cast<std::size_t>(static_cast<const char*>(found) - rest.data());
    searched_ = 0;
    if (line_size < 2 || line_size > kLongestLine || rest[line_size - 1] != '\r') return refuse("a line is malformed");
    at_ += line_size + 1;
    if (!header(rest.substr(0, line_size - 1))) return Verdict::refused;
  }
  size_ = at_;
  at_ = elements_ = depth_ = 0;
  done_ = false;
  return Verdict::complete;
}

bool ReplyGuard::number(std::string_view digits, std::int64_t& value) {
  const bool negative = digits.starts_with('-');
  const std::string_view plain = digits.substr(negative ? 1 : 0);
  const char* const end = plain.data() + plain.size();
  // One more below zero than above.
  const std::uint64_t most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) + (negative ? 1 : 0);
  std::uint64_t size = 0;
  const bool whole = !plain.empty() && parse_digits(plain.data(), end, size) == end && size <= most;
  value = static_cast<std::int64_t>(negative ? 0 - size : size);
  if (whole && (plain[0] != '0' || digits == "0")) return true;
  reason_ = "a number is malformed";
  return false;
}

bool ReplyGuard::header(std::string_view line) {
  if (++elements_ > limits_.elements) {
    reason_ = "the reply has more elements than are allowed";
    return false;
  }
  std::int64_t count = 0;
  switch (line[0]) {
    case '+':
    case '-':
      if (line.find('\r') != std::string_view::npos) {
        reason_ = "a line is malformed";
        return false;
      }
      end_element();
      return true;
    case ':':
      if (!number(line.substr(1), count)) return false;
      end_element();
      return true;
    case '$':
      if (!number(line.substr(1), count)) return false;
      if (count < -1 || (count > 0 && static_cast<std::uint64_t>(count) > limits_.bytes)) {
        reason_ = "a text is longer than max_reply_bytes or negative";
        if (count > 0) note_text(static_cast<std::uint64_t>(count));
        return false;
      }
      if (count == -1) {
        end_element();
      } else {
        body_ = static_cast<std::size_t>(count) + 2;
      }
      return true;
    case '*':
      if (!number(line.substr(1), count)) return false;
      if (count < -1 || (count > 0 && static_cast<std::uint64_t>(count) > limits_.elements)) {
        reason_ = "an array has more elements than are allowed, or fewer than none";
        return false;
      }
      if (count <= 0) {
        end_element();
        return true;
      }
      if (depth_ == kDepth) {
        reason_ = "arrays are nested too deeply";
        return false;
      }
      left_[depth_++] = count;
      return true;
    default:
      reason_ = "this is no reply of a Redis server";
      return false;
  }
}

void ReplyGuard::note_text(std::uint64_t size) {
  large_at_.store(size < kLargeValue ? 0 : static_cast<std::uint32_t>(elements_), std::memory_order_relaxed);
}

void ReplyGuard::end_element() {
  while (depth_ != 0 && --left_[depth_ - 1] == 0) --depth_;
  done_ = depth_ == 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
