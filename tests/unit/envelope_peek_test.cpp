// What is told of a value by its first bytes: all of its parts or nothing, and never more than there is.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "l2/values/envelope.hpp"
#include "random_values.hpp"
#include "scale.hpp"
#include "stored_bytes.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::as_first_version;
using testing_support::RandomValues;
using testing_support::scaled;

/// What an envelope says beside its payload.
struct Parts {
  EnvelopeTerms terms;
  LeaseToken generation{};
  std::uint32_t order = 0;
  std::vector<std::uint64_t> epochs;
  std::vector<std::pair<std::string, std::uint64_t>> tags;
  std::string etag, key;

  bool operator==(const Parts&) const = default;

  std::string encoded(std::string_view payload) const {
    std::vector<TagVersion> views;
    for (const auto& [name, version] : tags) views.push_back({name, version});
    return encode(Envelope{terms, generation, order, epochs, views, etag, key, payload});
  }
  /// From the magic to the last tag.
  std::size_t size() const { return encoded("").size() - 8; }
};

Parts parts_of(const EnvelopeView& view, const std::string& key) {
  Parts out{.terms = view.terms,
            .generation = view.generation,
            .order = view.order,
            .epochs = {},
            .tags = {},
            .etag = std::string(view.etag),
            .key = key};
  for (std::size_t i = 0; i < view.epochs.size(); ++i) out.epochs.push_back(view.epochs[i]);
  for (const TagVersion tag : view.tags) out.tags.emplace_back(tag.name, tag.version);
  return out;
}

std::string text(RandomValues& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.bits());
  return out;
}

Parts random_parts(RandomValues& random) {
  Parts out;
  out.terms = {.codec = random.bits(),
               .created = static_cast<std::int64_t>(random.below(1000)),
               .fresh_until = 3000 + static_cast<std::int64_t>(random.below(1000)),
               .refresh_after = 2000 + static_cast<std::int64_t>(random.below(1000)),
               .stale_until = random.one_in(3) ? kNever : 5000,
               .load_cost = random.bits(),
               .uncompressed_size = random.one_in(3) ? 1 + random.below(1000) : 0,
               .negative = random.one_in(5)};
  text(random, out.generation.size()).copy(out.generation.data(), out.generation.size());
  out.order = static_cast<std::uint32_t>(random.bits());
  for (std::size_t n = random.below(3); n != 0; --n) out.epochs.push_back(random.bits());
  for (std::size_t n = random.below(4); n != 0; --n)
    out.tags.emplace_back(text(random, random.below(9)), random.bits());
  out.etag = text(random, random.below(3) * 5);
  out.key = text(random, random.one_in(5) ? 250 + random.below(15) : random.below(40));
  return out;
}

/// On the heap and of just this size, so that a sanitizer sees what is read beyond it.
std::optional<Parts> peek(std::string_view head, const std::string& key) {
  const std::vector<char> bytes(head.begin(), head.end());
  const auto view = peek_envelope({bytes.data(), bytes.size()}, key);
  if (!view) return std::nullopt;
  EXPECT_TRUE(view->payload.empty()) << "of which nobody knows whether it is whole";
  return parts_of(*view, key);
}

TEST(PeekEnvelope, ShowsEachPartAsSoonAsItIsThere) {
  RandomValues random(1);
  for (std::size_t left = scaled(1'000); left != 0; --left) {
    const Parts parts = random_parts(random);
    const std::string bytes = parts.encoded(text(random, random.below(30)));
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const auto peeked = peek(std::string_view(bytes).substr(0, size), parts.key);
      if (size < parts.size()) {
        ASSERT_EQ(peeked, std::nullopt) << size << " of " << parts.size();
      } else {
        ASSERT_EQ(peeked, parts) << size << " of " << parts.size();
      }
    }
  }
}

TEST(PeekEnvelope, TellsAllPartsOfAValueOfVersion1AsWell) {
  RandomValues random(3);
  for (std::size_t left = scaled(1'000); left != 0; --left) {
    Parts parts = random_parts(random);
    if (left % 8 == 0)
      parts = {.terms = parts.terms, .generation = {}, .order = 0, .epochs = {}, .tags = {}, .etag = "", .key = ""};
    const std::string bytes = as_first_version(parts.encoded(text(random, random.below(30))));
    const std::size_t whole = parts.size() - 20;
    parts.generation = {};
    parts.order = 0;
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const auto peeked = peek(std::string_view(bytes).substr(0, size), parts.key);
      if (size < whole) {
        ASSERT_EQ(peeked, std::nullopt) << size << " of " << whole;
      } else {
        ASSERT_EQ(peeked, parts) << size << " of " << whole;
      }
    }
  }
}

TEST(PeekEnvelope, AValueOfAnotherKeyIsNone) {
  const Parts parts{.terms = {}, .generation = {}, .order = 0, .epochs = {1}, .tags = {}, .etag = "", .key = "dsta:a"};
  const std::string bytes = parts.encoded("v");
  EXPECT_TRUE(peek(bytes, "dsta:a"));
  EXPECT_FALSE(peek(bytes, "dsta:b"));
  EXPECT_FALSE(peek(bytes, ""));
  EXPECT_FALSE(peek(bytes, std::string(300, 'a')));
}

TEST(PeekEnvelope, ALeaseIsNoValueNorIsOneOfALaterVersion) {
  const Parts parts{.terms = {}, .generation = {}, .order = 0, .epochs = {1}, .tags = {}, .etag = "", .key = "k"};
  std::string bytes = parts.encoded(std::string(64, 'v'));
  ASSERT_TRUE(peek(bytes, "k"));
  EXPECT_FALSE(peek(encode_lease({}) + bytes, "k"));
  std::string lease = bytes;
  lease[4] = 2;
  EXPECT_FALSE(peek(lease, "k"));
  bytes[3] = 3;
  EXPECT_FALSE(peek(bytes, "k"));
}

TEST(PeekEnvelope, WhatIsNoEnvelopeIsNone) {
  for (const std::string_view bytes : {"", "42", R"({"price":1})"}) EXPECT_FALSE(peek(bytes, "k")) << bytes;
  EXPECT_FALSE(peek(std::string(512, '\0'), ""));
  EXPECT_FALSE(peek(std::string(512, '\xff'), ""));
}

TEST(PeekEnvelope, DamageLeadsNowhereOutsideOfWhatIsThere) {
  RandomValues random(2);
  for (std::size_t left = scaled(20'000); left != 0; --left) {
    const Parts parts = random_parts(random);
    const bool first = left % 2 == 0;
    std::string bytes = parts.encoded("payload");
    if (first) bytes = as_first_version(std::move(bytes));
    for (std::size_t n = 1 + random.below(3); n != 0; --n) {
      bytes[5 + random.below(bytes.size() - 5)] = static_cast<char>(random.bits());
    }
    bytes.resize(random.below(bytes.size() + 1));
    if (const auto peeked = peek(bytes, parts.key)) {
      ASSERT_LE(peeked->size() - (first ? 20 : 0), bytes.size());  // what it says stands among the bytes
    }
  }
}

TEST(LooksLikeEnvelope, IsTrueForEveryVersionAndKindOnly) {
  const std::string value =
      Parts{.terms = {}, .generation = {}, .order = 0, .epochs = {}, .tags = {}, .etag = "", .key = "k"}.encoded("v");
  std::string later = value;
  later[3] = 9;
  EXPECT_TRUE(looks_like_envelope(value));
  EXPECT_TRUE(looks_like_envelope(later));
  EXPECT_TRUE(looks_like_envelope(as_first_version(value)));
  EXPECT_TRUE(looks_like_envelope(encode_lease({})));
  EXPECT_TRUE(looks_like_envelope(value.substr(0, 3)));
  EXPECT_FALSE(looks_like_envelope(value.substr(0, 2)));
  EXPECT_FALSE(looks_like_envelope(value.substr(1)));
  for (const std::string_view bytes : {"", "42", "-1", "text"}) EXPECT_FALSE(looks_like_envelope(bytes)) << bytes;
}

}  // namespace
}  // namespace dsta::cache::detail
