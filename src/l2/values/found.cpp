#include "l2/values/found.hpp"

#include <algorithm>
#include <utility>
#include <variant>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::string Found::mark() const { return mark_of(bytes); }

std::string mark_of(std::string_view bytes) {
  // An entry ends with its checksum, which tells it from any other. Nothing less than all of it tells other bytes
  // apart.
  constexpr std::size_t kMostWhole = 1024;
  const auto last = [&](std::size_t size) { return bytes.substr(bytes.size() - std::min(size, bytes.size())); };
  if (looks_like_envelope(bytes)) return std::string("~").append(last(8));
  if (bytes.size() <= kMostWhole) return std::string("=").append(bytes);
  return std::string("~").append(last(kMostWhole));
}

Found found_in(std::string_view key, Reply& reply) {
  Found found;
  if (reply.is(Reply::Kind::nil)) return found;
  if (reply.missing != Reply::Missing::no) [[unlikely]] {
    found.unanswered = true;
    return found;
  }
  found.kind = Found::Kind::other;
  if (reply.is(Reply::Kind::error)) {
    found.decode_error = DecodeError::not_an_envelope;
    found.of_other_type = true;
    return found;
  }
  found.bytes = std::move(reply.text);
  const auto decoded = decode(found.bytes, key);
  if (const auto* view = std::get_if<EnvelopeView>(&decoded)) {
    found.kind = Found::Kind::value;
    found.view = *view;
    return found;
  }
  found.decode_error = std::get<DecodeError>(decoded);
  if (found.decode_error == DecodeError::other_kind) {
    const auto lease = decode_lease(found.bytes);
    if (const auto* held = std::get_if<LeaseView>(&lease)) {
      found.kind = Found::Kind::lease;
      found.lease = *held;
    }
  }
  return found;
}

Found found_in_head(std::string_view key, Reply& head) {
  Found found;
  found.kind = Found::Kind::other;
  found.decode_error = DecodeError::not_an_envelope;
  if (!head.is(Reply::Kind::text)) {  // WRONGTYPE, or the user may not look
    found.of_other_type = head.error_code() == "WRONGTYPE";
    return found;
  }
  found.bytes = std::move(head.text);
  if (const auto value = peek_envelope(found.bytes, key)) {
    found.kind = Found::Kind::value;
    found.view = *value;
  } else if (looks_like_envelope(found.bytes)) {
    found.decode_error = DecodeError::other_kind;
  }
  return found;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
