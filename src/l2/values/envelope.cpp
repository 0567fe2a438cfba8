// Every number has a fixed size, least significant byte first: fields stand where GETRANGE and a script find them, each
// value has one spelling only, and nothing overflows while it is read. Varints would save some ten bytes of the sizes
// and none of the times.
//
// Reading checks, in this order: these are our bytes (magic), of a version we know, all of them (size), as they were
// written (checksum), of the right kind, with parts that fill them exactly, and for this key. Sizes inside are checked
// against the bytes that are there although the checksum vouches for them: whoever can write to the server can compute
// a checksum.
#include "l2/values/envelope.hpp"

#include <bit>
#include <limits>
#include <optional>
#include <stdexcept>
#include <utility>

#include <dsta/cache/detail/hash.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

// C1 is in no UTF-8 text, so in no JSON, and MessagePack never uses it; C1 FF is no CBOR (a tag, then the end of
// something that never began).
constexpr std::string_view kMagic = "\xC1\xFF\xD5";
constexpr char kVersion = 2, kFirstVersion = 1;
enum FrameKind : char { kValue = 1, kLease = 2 };

enum Flag : unsigned char { kNegative = 1, kCompressed = 2, kKeyIsHash = 4, kKnownFlags = 7 };
enum LeaseFlag : char { kNamesCodec = 8 };

// Magic, version, kind, flags, number of tags, size of the whole.
constexpr std::size_t kVersionAt = 3, kKindAt = 4, kFlagsAt = 5, kTagsAt = 6, kSizeAt = 8, kPrelude = 16;
// Since version 2: the generation, and the order (of a value) or the number of holders (of a lease).
constexpr std::size_t kGenerationAt = kPrelude, kOrderAt = kGenerationAt + 16, kPartsAt = kOrderAt + 4;
// Fingerprint, four times, cost, uncompressed size, size of the etag, of the key, number of epochs, a zero.
constexpr std::size_t kFixed = 7 * 8 + 4 + 2 + 1 + 1;
constexpr std::size_t kChecksum = 8;
constexpr std::size_t kKeyHash = 16;

std::uint64_t checksum(std::string_view bytes) { return stable_hash(bytes).first; }

template <class To>
To narrow(std::size_t size, const char* what) {
  if (size > std::numeric_limits<To>::max()) throw std::length_error(what);
  return static_cast<To>(size);
}

std::string begin(FrameKind kind, unsigned flags, std::uint16_t tags, std::size_t size) {
  std::string out;
  out.reserve(size);
  out += kMagic;
  out += kVersion;
  out += kind;
  out += static_cast<char>(flags);
  append_little(out, tags);
  append_little(out, std::uint64_t{size});
  return out;
}

std::string finish(std::string out) {
  append_little(out, checksum(out));
  return out;
}

/// Of all but the number of holders, which a script changes where the bytes are.
std::uint64_t lease_checksum(std::string_view bytes) {
  return checksum(bytes.substr(0, kOrderAt)) ^ std::rotl(checksum(bytes.substr(kPartsAt)), 1);
}

void append_tag(std::string& out, const TagVersion& tag) {
  append_little(out, tag.version);
  append_little(out, narrow<std::uint16_t>(tag.name.size(), "a tag's name in an envelope is at most 65535 bytes"));
  out += tag.name;
}

void append_time(std::string& out, std::int64_t time) { append_little(out, static_cast<std::uint64_t>(time)); }

void append_hash(std::string& out, std::string_view key) {
  const StableHash hash = stable_hash(key);
  append_little(out, hash.first);
  append_little(out, hash.second);
}

bool is_hash_of(std::string_view stored, std::string_view key) {
  const StableHash hash = stable_hash(key);
  return read_little<std::uint64_t>(stored.data()) == hash.first &&
         read_little<std::uint64_t>(stored.data() + 8) == hash.second;
}

/// What is wrong with the frame that every kind has; nothing if the bytes are whole and as they were written.
std::optional<DecodeError> check_frame(std::string_view bytes, FrameKind kind) {
  if (bytes.empty() || bytes.substr(0, kMagic.size()) != kMagic.substr(0, bytes.size())) {
    return DecodeError::not_an_envelope;
  }
  if (bytes.size() <= kVersionAt) return DecodeError::truncated;
  const char version = bytes[kVersionAt];
  if (version != kVersion && version != kFirstVersion) {
    return version == 0 ? DecodeError::malformed : DecodeError::newer_version;
  }
  const std::size_t head = version == kVersion ? kPartsAt : kPrelude;
  if (bytes.size() < head + kChecksum) return DecodeError::truncated;
  const auto size = read_little<std::uint64_t>(bytes.data() + kSizeAt);
  if (size != bytes.size()) return bytes.size() < size ? DecodeError::truncated : DecodeError::malformed;
  const std::string_view signed_part = bytes.substr(0, bytes.size() - kChecksum);
  const auto expected =
      bytes[kKindAt] == kLease && version == kVersion ? lease_checksum(signed_part) : checksum(signed_part);
  if (expected != read_little<std::uint64_t>(bytes.data() + signed_part.size())) return DecodeError::corrupt;
  if (bytes[kKindAt] == kind) return std::nullopt;
  return bytes[kKindAt] == kValue || bytes[kKindAt] == kLease ? DecodeError::other_kind : DecodeError::malformed;
}

/// Takes parts from the front; from the first that is not there on, takes nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T number() {
    const std::string_view bytes = take(sizeof(T));
    return bytes.empty() ? T{0} : read_little<T>(bytes.data());
  }
  std::int64_t time() { return static_cast<std::int64_t>(number<std::uint64_t>()); }

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) failed_ = true;
    if (failed_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view take_tags(std::size_t count) {
    const char* first = rest_.data();
    for (; count != 0 && !failed_; --count) {
      number<std::uint64_t>();
      take(number<std::uint16_t>());
    }
    return failed_ ? std::string_view() : std::string_view(first, static_cast<std::size_t>(rest_.data() - first));
  }

  std::string_view rest() const { return rest_; }
  bool failed() const { return failed_; }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace

std::uint64_t codec_fingerprint(std::string_view codec_name) { return stable_hash(codec_name).first; }

std::string encode(const Envelope& envelope) {
  const EnvelopeTerms& terms = envelope.terms;
  const bool hashed = envelope.key.size() > kMaxStoredKey;
  const std::size_t key_size = hashed ? kKeyHash : envelope.key.size();
  const auto epochs = narrow<std::uint8_t>(envelope.epochs.size(), "an envelope holds at most 255 epochs");
  const auto tags = narrow<std::uint16_t>(envelope.tags.size(), "an envelope holds at most 65535 tags");
  const auto etag_size = narrow<std::uint32_t>(envelope.etag.size(), "an envelope's etag is at most 4 GiB");
  std::size_t size = kPartsAt + kFixed + 8 * envelope.epochs.size() + key_size + envelope.etag.size() +
                     envelope.payload.size() + kChecksum;
  for (const TagVersion& tag : envelope.tags) size += TagList::kHead + tag.name.size();

  const unsigned flags = (terms.negative ? unsigned{kNegative} : 0U) |
                         (terms.uncompressed_size != 0 ? unsigned{kCompressed} : 0U) |
                         (hashed ? unsigned{kKeyIsHash} : 0U);
  std::string out = begin(kValue, flags, tags, size);
  out.append(envelope.generation.data(), envelope.generation.size());
  append_little(out, envelope.order);
  append_little(out, terms.codec);
  append_time(out, terms.created);
  append_time(out, terms.fresh_until);
  append_time(out, terms.refresh_after);
  append_time(out, terms.stale_until);
  append_little(out, terms.load_cost);
  append_little(out, terms.uncompressed_size);
  append_little(out, etag_size);
  append_little(out, static_cast<std::uint16_t>(key_size));
  append_little(out, epochs);
  out += '\0';
  for (const std::uint64_t epoch : envelope.epochs) append_little(out, epoch);
  if (hashed) {
    append_hash(out, envelope.key);
  } else {
    out += envelope.key;
  }
  out += envelope.etag;
  for (const TagVersion& tag : envelope.tags) append_tag(out, tag);
  out += envelope.payload;
  return finish(std::move(out));
}

namespace {

/// `bytes` without the checksum, or the beginning of them.
std::variant<EnvelopeView, DecodeError> read_parts(std::string_view bytes, std::string_view expected_key) {
  const auto flags = static_cast<unsigned char>(bytes[kFlagsAt]);
  const bool hashed = flags & kKeyIsHash;

  EnvelopeView view;
  view.has_generation = bytes[kVersionAt] == kVersion;
  if (view.has_generation) {
    bytes.copy(view.generation.data(), view.generation.size(), kGenerationAt);
    view.order = read_little<std::uint32_t>(bytes.data() + kOrderAt);
  }
  Reader reader(bytes.substr(view.has_generation ? kPartsAt : kPrelude));
  EnvelopeTerms& terms = view.terms;
  terms.codec = reader.number<std::uint64_t>();
  terms.created = reader.time();
  terms.fresh_until = reader.time();
  terms.refresh_after = reader.time();
  terms.stale_until = reader.time();
  terms.load_cost = reader.number<std::uint64_t>();
  terms.uncompressed_size = reader.number<std::uint64_t>();
  terms.negative = flags & kNegative;
  const auto etag_size = reader.number<std::uint32_t>();
  const auto key_size = reader.number<std::uint16_t>();
  const auto epochs = reader.number<std::uint8_t>();
  const auto zero = reader.number<std::uint8_t>();
  view.epochs = EpochList(reader.take(std::size_t{8} * epochs));
  const std::string_view key = reader.take(key_size);
  view.etag = reader.take(etag_size);
  view.tags = TagList(reader.take_tags(read_little<std::uint16_t>(bytes.data() + kTagsAt)));
  view.payload = reader.rest();

  const bool as_written = !reader.failed() && zero == 0 && (flags & ~unsigned{kKnownFlags}) == 0 &&
                          ((flags & kCompressed) != 0) == (terms.uncompressed_size != 0) &&
                          (hashed ? key_size == kKeyHash : key_size <= kMaxStoredKey) &&
                          terms.refresh_after <= terms.fresh_until && terms.fresh_until <= terms.stale_until;
  if (!as_written) return DecodeError::malformed;
  if (hashed != (expected_key.size() > kMaxStoredKey)) return DecodeError::other_key;
  if (hashed ? !is_hash_of(key, expected_key) : key != expected_key) return DecodeError::other_key;
  return view;
}

}  // namespace

std::variant<EnvelopeView, DecodeError> decode(std::string_view bytes, std::string_view expected_key) {
  if (const auto error = check_frame(bytes, kValue)) return *error;
  return read_parts(bytes.substr(0, bytes.size() - kChecksum), expected_key);
}

bool looks_like_envelope(std::string_view head) { return head.starts_with(kMagic); }

bool looks_like_value(std::string_view head) {
  return looks_like_envelope(head) && head.size() > kKindAt && head[kKindAt] == kValue;
}

std::optional<EnvelopeView> peek_envelope(std::string_view head, std::string_view expected_key) {
  if (head.size() < kPrelude || !looks_like_value(head)) return std::nullopt;
  const char version = head[kVersionAt];
  if (version != kFirstVersion && (version != kVersion || head.size() < kPartsAt)) return std::nullopt;
  auto parts = read_parts(head, expected_key);
  auto* view = std::get_if<EnvelopeView>(&parts);
  if (!view) return std::nullopt;
  view->payload = {};
  return *view;
}

std::string encode(const Lease& lease) {
  const auto epochs = narrow<std::uint8_t>(lease.epochs.size(), "a lease holds at most 255 epochs");
  const auto tags = narrow<std::uint16_t>(lease.tags.size(), "a lease holds at most 65535 tags");
  std::size_t size = kPartsAt + 1 + 8 * lease.epochs.size() + (lease.codec != 0 ? 8 : 0) + kChecksum;
  for (const TagVersion& tag : lease.tags) size += TagList::kHead + tag.name.size();
  std::string out = begin(kLease, lease.codec != 0 ? unsigned{kNamesCodec} : 0U, tags, size);
  out.append(lease.token.data(), lease.token.size());
  append_little(out, lease.holders);
  append_little(out, epochs);
  for (const std::uint64_t epoch : lease.epochs) append_little(out, epoch);
  for (const TagVersion& tag : lease.tags) append_tag(out, tag);
  if (lease.codec != 0) append_little(out, lease.codec);
  append_little(out, lease_checksum(out));
  return out;
}

std::variant<LeaseView, DecodeError> decode_lease(std::string_view bytes) {
  if (const auto error = check_frame(bytes, kLease)) return *error;
  const auto tags = read_little<std::uint16_t>(bytes.data() + kTagsAt);
  const bool names_codec = bytes[kFlagsAt] == kNamesCodec;
  LeaseView view;
  Reader reader(bytes.substr(kGenerationAt, bytes.size() - kGenerationAt - kChecksum));
  const std::string_view token = reader.take(view.token.size());
  token.copy(view.token.data(), token.size());
  if (bytes[kVersionAt] == kVersion) {
    view.holders = reader.number<std::uint32_t>();
    const auto epochs = reader.number<std::uint8_t>();
    view.epochs = EpochList(reader.take(std::size_t{8} * epochs));
    view.tags = TagList(reader.take_tags(tags));
    if (names_codec) view.codec = reader.number<std::uint64_t>();
  } else if (tags != 0) {
    return DecodeError::malformed;
  }
  if (reader.failed() || !reader.rest().empty()) return DecodeError::malformed;
  // One spelling for each lease.
  if ((bytes[kFlagsAt] != 0 && !names_codec) || names_codec != (view.codec != 0)) return DecodeError::malformed;
  return view;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
