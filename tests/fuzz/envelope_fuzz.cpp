// Stored bytes. The first byte of the input says whether the size and checksum are put right, which a fuzzer would not
// hit by itself.
#include <string>
#include <variant>
#include <vector>

#include "base/little_endian.hpp"
#include "fuzz.hpp"
#include "l2/values/compression.hpp"
#include "l2/values/envelope.hpp"
#include "stored_bytes.hpp"

namespace dsta::cache::fuzz {
namespace {

using namespace detail;
using testing_support::as_first_version;
using testing_support::sized_again;

constexpr std::size_t kKeySizeAt = 76, kEpochsAt = 78, kFixed = 80, kPrelude = 16, kSinceVersion2 = 20, kSealable = 44;

bool is_first_version(std::string_view bytes) { return bytes.size() < 4 || bytes[3] == 1; }

/// The key that the bytes are for, if they are for one: to get past the last check.
std::string key_in(std::string_view bytes) {
  const std::size_t shift = is_first_version(bytes) ? 0 : kSinceVersion2;
  if (bytes.size() < kFixed + shift) return "";
  const auto size = read_little<std::uint16_t>(bytes.data() + kKeySizeAt + shift);
  const std::size_t at = kFixed + shift + std::size_t{8} * static_cast<unsigned char>(bytes[kEpochsAt + shift]);
  return at <= bytes.size() ? std::string(bytes.substr(at, size)) : "";
}

void check_value(std::string_view bytes, const std::string& key) {
  const auto decoded = decode(bytes, key);
  const auto* view = std::get_if<EnvelopeView>(&decoded);
  if (!view) return;
  std::vector<std::uint64_t> epochs;
  for (std::size_t i = 0; i < view->epochs.size(); ++i) epochs.push_back(view->epochs[i]);
  std::vector<TagVersion> tags;
  for (const TagVersion tag : view->tags) tags.push_back(tag);
  const Envelope again{.terms = view->terms,
                       .generation = view->generation,
                       .order = view->order,
                       .epochs = epochs,
                       .tags = tags,
                       .etag = view->etag,
                       .key = key,
                       .payload = view->payload};
  const std::string written = view->has_generation ? encode(again) : as_first_version(encode(again));
  require(written == bytes, "what was decoded is not written that way");
  require(!std::holds_alternative<EnvelopeView>(decode(bytes, key + "x")), "a value counts for another key");
  if (view->terms.uncompressed_size == 0) return;
  constexpr std::size_t kAllowed = std::size_t{1} << 20;
  const auto plain = decompress(view->payload, view->terms.uncompressed_size, kAllowed);
  if (const auto* text = std::get_if<std::string>(&plain)) {
    require(text->size() == view->terms.uncompressed_size, "decompressed to another size than was said");
    require(text->size() <= kAllowed, "decompressed to more than was allowed");
  }
}

void check_peek(std::string_view bytes) {
  const std::string key = key_in(bytes);
  const auto decoded = decode(bytes, key);
  const auto peeked = peek_envelope(bytes, key);
  require(peeked || !std::holds_alternative<EnvelopeView>(decoded), "a value that is there is not seen");
  if (!peeked) return;
  for (const TagVersion tag : peeked->tags) {
    const std::string_view name = tag.name;
    require(name.empty() || (name.data() >= bytes.data() && name.data() + name.size() <= bytes.data() + bytes.size()),
            "a tag is not among the bytes");
  }
}

void check_lease(std::string_view bytes) {
  const auto lease = decode_lease(bytes);
  const auto* view = std::get_if<LeaseView>(&lease);
  if (!view) return;
  std::vector<std::uint64_t> epochs;
  for (std::size_t i = 0; i < view->epochs.size(); ++i) epochs.push_back(view->epochs[i]);
  std::vector<TagVersion> tags;
  for (const TagVersion tag : view->tags) tags.push_back(tag);
  const std::string written = encode(Lease{view->token, view->holders, epochs, tags, view->codec});
  require((is_first_version(bytes) ? as_first_version(written) : written) == bytes,
          "a lease that was decoded is not written that way");
}

}  // namespace

FUZZ_TARGET(envelope) {
  if (input.empty()) return;
  const bool put_right = input[0] % 2 != 0;
  input.remove_prefix(1);
  std::string bytes(input);
  if (put_right && input.size() >= (is_first_version(input) ? kPrelude + 8 : kSealable)) bytes = sized_again(bytes);
  check_value(bytes, key_in(bytes));
  check_value(bytes, std::string(kMaxStoredKey + 1, 'x'));
  check_peek(bytes);
  check_lease(bytes);
}

}  // namespace dsta::cache::fuzz
