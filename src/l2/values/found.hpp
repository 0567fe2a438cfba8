#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/little_endian.hpp"
#include "l2/resp/reply.hpp"
#include "l2/values/envelope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What is stored under a key.
struct Found {
  enum class Kind : std::uint8_t {
    nothing,
    value,  ///< `view`; whether it is valid is for the versions and the clock to say
    lease,  ///< a load is running: `lease`
    other,  ///< bytes that are no entry of this key: `decode_error`
  };
  Found() = default;
  Found(Found&&) = default;  // the view's bytes are on the heap and stay where they are
  Found& operator=(Found&&) = default;

  Kind kind = Kind::nothing;
  std::string bytes;
  EnvelopeView view;
  LeaseView lease;
  DecodeError decode_error{};
  bool of_other_type = false;  ///< a list, a set…: nothing can be compared with it
  /// Its master did not answer, while others did to the same request: what is stored is not known.
  bool unanswered = false;

  /// Of a value; it tells it from any other.
  std::uint64_t checksum() const { return read_little<std::uint64_t>(bytes.data() + bytes.size() - 8); }
  /// What kReplaceIf takes to recognise it again.
  std::string mark() const;
};

/// Of what stands under a key, so that it is recognised again: see Found::mark.
std::string mark_of(std::string_view bytes);

/// What the reply to GET shows; its bytes are taken from it. `key`: the entry's, as the server has it.
Found found_in(std::string_view key, Reply& reply);
/// The same by the head alone: a value of 40 MB need not travel to be counted. Of the payload nothing is kept.
Found found_in_head(std::string_view key, Reply& head);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
