#pragma once
/// What L2 stores under a key: a value with all that decides whether it is valid, or a lease that identifies its load.
/// docs/formats.md describes the bytes.
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/little_endian.hpp"
#include "l2/values/decode_error.hpp"

#include "base/lease_token.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A time that never comes.
inline constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();

/// Longer keys are represented by their stable hash.
inline constexpr std::size_t kMaxStoredKey = 256;

/// Names the codec (and so the type) of a payload: the first half of the stable hash of `codec<T>::name`.
std::uint64_t codec_fingerprint(std::string_view codec_name);

/// Times are microseconds since 1970, or kNever; refresh_after <= fresh_until <= stale_until.
struct EnvelopeTerms {
  std::uint64_t codec = 0;  ///< codec_fingerprint; the reader compares it
  std::int64_t created = 0;
  std::int64_t fresh_until = kNever;
  std::int64_t refresh_after = kNever;  ///< fresh_until: no refresh ahead
  std::int64_t stale_until = kNever;    ///< fresh_until: never served stale
  std::uint64_t load_cost = 0;          ///< microseconds that the load took
  std::uint64_t uncompressed_size = 0;  ///< 0: the payload is not compressed
  bool negative = false;                ///< the source said that there is no value

  bool operator==(const EnvelopeTerms&) const = default;
};

struct TagVersion {
  std::string_view name;
  std::uint64_t version = 0;

  bool operator==(const TagVersion&) const = default;
};

/// A value to be written.
struct Envelope {
  EnvelopeTerms terms;
  LeaseToken generation{};
  std::uint32_t order = 0;                ///< of several loads of one generation the last to begin has the highest
  std::span<const std::uint64_t> epochs;  ///< of the namespace and of the function, as read before the load
  std::span<const TagVersion> tags;       ///< as read before the load
  std::string_view etag;
  std::string_view key;
  std::string_view payload;
};

/// The epochs of an envelope, read in place.
class EpochList {
 public:
  EpochList() = default;
  explicit EpochList(std::string_view bytes) : bytes_(bytes) {}

  std::size_t size() const { return bytes_.size() / 8; }
  std::uint64_t operator[](std::size_t index) const { return read_little<std::uint64_t>(bytes_.data() + 8 * index); }

 private:
  std::string_view bytes_;
};

/// The tags of an envelope, read in place.
class TagList {
 public:
  class Iterator {
   public:
    explicit Iterator(const char* at) : at_(at) {}
    TagVersion operator*() const { return {{at_ + kHead, size()}, read_little<std::uint64_t>(at_)}; }
    Iterator& operator++() {
      at_ += kHead + size();
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    std::size_t size() const { return read_little<std::uint16_t>(at_ + 8); }
    const char* at_;
  };

  /// Before each name: its version and its size.
  static constexpr std::size_t kHead = 10;

  TagList() = default;
  /// `bytes` are whole tags.
  explicit TagList(std::string_view bytes) : bytes_(bytes) {}

  bool empty() const { return bytes_.empty(); }
  Iterator begin() const { return Iterator(bytes_.data()); }
  Iterator end() const { return Iterator(bytes_.data() + bytes_.size()); }

 private:
  std::string_view bytes_;
};

/// A value that was read. Refers to the bytes it was decoded from.
struct EnvelopeView {
  EnvelopeTerms terms;
  bool has_generation = false;  ///< false: of format version 1, which has none
  LeaseToken generation{};
  std::uint32_t order = 0;
  EpochList epochs;
  TagList tags;
  std::string_view etag;
  std::string_view payload;  ///< still compressed if terms.uncompressed_size is not 0
};

/// Throws std::length_error for more than the format can say: 255 epochs, 65535 tags, 64 KiB a tag's name, 4 GiB etag.
std::string encode(const Envelope& envelope);

/// What was stored under `expected_key`, or why it does not count. Reads any bytes whatever safely, allocates nothing,
/// and takes only what `encode` writes, to the last bit.
std::variant<EnvelopeView, DecodeError> decode(std::string_view bytes, std::string_view expected_key);

/// A value's parts, as far as its first bytes show them; nothing when these are no value's or its tags are not
/// all among them. Not verified: for counting what is removed. The payload is empty.
std::optional<EnvelopeView> peek_envelope(std::string_view head, std::string_view expected_key);
/// Begins like a value or a lease of any version.
bool looks_like_envelope(std::string_view head);
/// Of a value, which may be cut off.
bool looks_like_value(std::string_view head);

/// A lease to be written.
struct Lease {
  LeaseToken token{};
  /// Running loads that would store under it: refreshes join the load that they find.
  std::uint32_t holders = 1;
  /// What the value will depend on, as read before the load. A lease of older versions does not count.
  std::span<const std::uint64_t> epochs = {};
  std::span<const TagVersion> tags = {};
  std::uint64_t codec = 0;  ///< codec_fingerprint of the value; 0: the lease does not say
};

/// A lease that was read. Refers to the bytes it was decoded from.
struct LeaseView {
  LeaseToken token{};
  std::uint32_t holders = 1;
  EpochList epochs;
  TagList tags;
  std::uint64_t codec = 0;
};

/// Throws std::length_error as the other does.
std::string encode(const Lease& lease);
/// A lease that depends on nothing.
inline std::string encode_lease(const LeaseToken& token) { return encode(Lease{.token = token}); }
std::variant<LeaseView, DecodeError> decode_lease(std::string_view bytes);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
