// Stored bytes. The first byte of the input says whether the size and checksum are put right, which a fuzzer would not
// hit by itself.
#include <string>
#include <variant>
#include <vector>

#include <dsta/cache/detail/hash.hpp>

#include "fuzz.hpp"
#include "l2/compression.hpp"
#include "l2/envelope.hpp"
#include "little_endian.hpp"

namespace dsta::cache::fuzz {
namespace {

using namespace detail;

constexpr std::size_t kSizeAt = 8, kKeySizeAt = 76, kEpochsAt = 78, kFixed = 80, kChecksum = 8, kPrelude = 16;

/// The key that the bytes are for, if they are for one: to get past the last check.
std::string key_in(std::string_view bytes) {
  if (bytes.size() < kFixed) return "";
  const auto size = read_little<std::uint16_t>(bytes.data() + kKeySizeAt);
  const std::size_t at = kFixed + std::size_t{8} * static_cast<unsigned char>(bytes[kEpochsAt]);
  return at <= bytes.size() ? std::string(bytes.substr(at, size)) : "";
}

/// The bytes with a size and a checksum that fit.
std::string sealed(std::string_view bytes) {
  std::string whole(bytes.substr(0, bytes.size() - kChecksum));
  std::string size;
  append_little(size, std::uint64_t{bytes.size()});
  whole.replace(kSizeAt, size.size(), size);
  append_little(whole, stable_hash(whole).first);
  return whole;
}

void check_value(std::string_view bytes, const std::string& key) {
  const auto decoded = decode(bytes, key);
  const auto* view = std::get_if<EnvelopeView>(&decoded);
  if (!view) return;
  std::vector<std::uint64_t> epochs;
  for (std::size_t i = 0; i < view->epochs.size(); ++i) epochs.push_back(view->epochs[i]);
  std::vector<TagVersion> tags;
  for (const TagVersion tag : view->tags) tags.push_back(tag);
  const Envelope again{
      .terms = view->terms, .epochs = epochs, .tags = tags, .etag = view->etag, .key = key, .payload = view->payload};
  require(encode(again) == bytes, "what was decoded is not written that way");
  require(!std::holds_alternative<EnvelopeView>(decode(bytes, key + "x")), "a value counts for another key");
  if (view->terms.uncompressed_size == 0) return;
  constexpr std::size_t kAllowed = std::size_t{1} << 20;
  const auto plain = decompress(view->payload, view->terms.uncompressed_size, kAllowed);
  if (const auto* text = std::get_if<std::string>(&plain)) {
    require(text->size() == view->terms.uncompressed_size, "decompressed to another size than was said");
    require(text->size() <= kAllowed, "decompressed to more than was allowed");
  }
}

}  // namespace

FUZZ_TARGET(envelope) {
  if (input.empty()) return;
  const bool put_right = input[0] % 2 != 0;
  input.remove_prefix(1);
  std::string bytes(input);
  if (put_right && input.size() >= kPrelude + kChecksum) bytes = sealed(input);
  check_value(bytes, key_in(bytes));
  check_value(bytes, std::string(kMaxStoredKey + 1, 'x'));
  const auto lease = decode_lease(bytes);
  if (const auto* token = std::get_if<LeaseToken>(&lease)) {
    require(encode_lease(*token) == bytes, "a lease that was decoded is not written that way");
  }
}

}  // namespace dsta::cache::fuzz
