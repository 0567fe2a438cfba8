// What the shared level stores is read back bit for bit, and nothing else is ever taken for it.
#include "l2/envelope.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/hash.hpp>

#include "l2/compression.hpp"
#include "random_values.hpp"
#include "scale.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::Random;
using testing_support::scaled;

/// An envelope that owns its parts.
struct Sample {
  EnvelopeTerms terms;
  std::vector<std::uint64_t> epochs;
  std::vector<std::pair<std::string, std::uint64_t>> tags;
  std::string etag, key, payload;

  bool operator==(const Sample&) const = default;

  std::string encoded() const {
    std::vector<TagVersion> views;
    for (const auto& [name, version] : tags) views.push_back({name, version});
    return encode(Envelope{terms, epochs, views, etag, key, payload});
  }
};

Sample copy(const EnvelopeView& view, std::string key) {
  Sample out{.terms = view.terms,
             .epochs = {},
             .tags = {},
             .etag = std::string(view.etag),
             .key = std::move(key),
             .payload = std::string(view.payload)};
  for (std::size_t i = 0; i < view.epochs.size(); ++i) out.epochs.push_back(view.epochs[i]);
  for (const TagVersion tag : view.tags) out.tags.emplace_back(tag.name, tag.version);
  return out;
}

std::optional<Sample> read(std::string_view bytes, const std::string& key) {
  const auto decoded = decode(bytes, key);
  if (const auto* view = std::get_if<EnvelopeView>(&decoded)) return copy(*view, key);
  return std::nullopt;
}

template <class T>
std::string_view refusal_in(const std::variant<T, Refusal>& result) {
  const auto* refusal = std::get_if<Refusal>(&result);
  return refusal ? refusal_name(*refusal) : "none";
}

std::string_view refusal_of(std::string_view bytes, std::string_view key) { return refusal_in(decode(bytes, key)); }

std::string random_bytes(Random& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.bits());
  return out;
}

Sample random_sample(Random& random) {
  std::array<std::int64_t, 3> times{};
  for (auto& time : times) time = random.one_in(4) ? kNever : static_cast<std::int64_t>(random.bits());
  std::sort(times.begin(), times.end());
  Sample out;
  out.terms = {.codec = random.bits(),
               .created = static_cast<std::int64_t>(random.bits()),
               .fresh_until = times[1],
               .refresh_after = times[0],
               .stale_until = times[2],
               .load_cost = random.bits(),
               .uncompressed_size = random.one_in(3) ? random.bits() : 0,
               .negative = random.one_in(5)};
  for (std::size_t n = random.below(4); n != 0; --n) out.epochs.push_back(random.bits());
  for (std::size_t n = random.below(4); n != 0; --n) {
    out.tags.emplace_back(random_bytes(random, random.below(20)), random.bits());
  }
  out.etag = random_bytes(random, random.below(3) * 10);
  out.key = random_bytes(random, random.one_in(10) ? 250 + random.below(15) : random.below(60));
  out.payload = random_bytes(random, random.one_in(50) ? random.below(2000) : random.below(50));
  return out;
}

Sample full_sample() {
  return {.terms = {.codec = codec_fingerprint("json"),
                    .created = 1'700'000'000'000'000,
                    .fresh_until = 1'700'000'060'000'000,
                    .refresh_after = 1'700'000'048'000'000,
                    .stale_until = 1'700'000'360'000'000,
                    .load_cost = 12'345},
          .epochs = {7, 1'699'999'999'000'001},
          .tags = {{"symbol:BTCUSDT", 1'700'000'000'000'001}, {"", 0}},
          .etag = "\"v1\"",
          .key = "dsta:api:ticker:BTCUSDT",
          .payload = R"({"price":"43250.10"})"};
}

/// Bytes whose checksum is right although they are not what `encode` wrote.
std::string signed_again(std::string bytes) {
  bytes.resize(bytes.size() - 8);
  append_little(bytes, stable_hash(bytes).first);
  return bytes;
}

std::string with_number(std::string bytes, std::size_t at, std::size_t size, std::uint64_t value) {
  for (std::size_t i = 0; i < size; ++i) bytes[at + i] = static_cast<char>(value >> (8 * i));
  return bytes;
}

constexpr std::size_t kFreshUntilAt = 32, kUncompressedSizeAt = 64, kEtagSizeAt = 72, kKeySizeAt = 76, kEpochsAt = 78,
                      kZeroAt = 79;

TEST(Envelope, EveryValueIsReadBackAsItWasWritten) {
  Random random(1);
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    const Sample sample = random_sample(random);
    ASSERT_EQ(read(sample.encoded(), sample.key), sample) << i;
  }
}

TEST(Envelope, KeysUpTo256BytesAreKeptWholeAndLongerOnesAsTheirHash) {
  Sample sample;
  sample.key.assign(256, 'k');
  EXPECT_EQ(sample.encoded().size(), 80U + 256 + 8);
  EXPECT_EQ(read(sample.encoded(), sample.key), sample);
  sample.key += 'k';
  const std::string bytes = sample.encoded();
  EXPECT_EQ(bytes.size(), 80U + 16 + 8);
  EXPECT_EQ(read(bytes, sample.key), sample);
  EXPECT_EQ(refusal_of(bytes, bytes.substr(80, 16)), "other_key") << "the hash itself is another key";
  EXPECT_EQ(refusal_of(bytes, std::string(257, 'l')), "other_key");
}

TEST(Envelope, AnotherKeysValueIsRefused) {
  const std::string bytes = full_sample().encoded(), key = full_sample().key;
  for (const auto& other :
       {std::string(), key + "x", key.substr(1), std::string("dsta:api:ticker:ETHUSDT"), std::string(300, 'x')}) {
    EXPECT_EQ(refusal_of(bytes, other), "other_key") << other;
  }
}

TEST(Envelope, ASingleFlippedBitIsRefused) {
  Random random(2);
  std::vector<Sample> samples{full_sample(), Sample{}};
  for (int i = 0; i < 20; ++i) samples.push_back(random_sample(random));
  for (const Sample& sample : samples) {
    std::string bytes = sample.encoded();
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      char& byte = bytes[bit / 8];
      byte = static_cast<char>(byte ^ 1 << bit % 8);
      ASSERT_NE(refusal_of(bytes, sample.key), "none") << "bit " << bit;
      byte = static_cast<char>(byte ^ 1 << bit % 8);
    }
  }
}

TEST(Envelope, APartOfAValueIsRefusedAndSoAreBytesBehindIt) {
  Random random(3);
  for (int i = 0; i < 50; ++i) {
    const Sample sample = i == 0 ? full_sample() : random_sample(random);
    const std::string bytes = sample.encoded();
    EXPECT_EQ(refusal_of("", sample.key), "not_an_envelope");
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      // A copy of exactly that size, so that a sanitizer sees the first byte read beyond it.
      const auto part = std::make_unique<char[]>(size);
      bytes.copy(part.get(), size);
      ASSERT_EQ(refusal_of({part.get(), size}, sample.key), "truncated") << size;
    }
    EXPECT_EQ(refusal_of(bytes + '\0', sample.key), "malformed");
    EXPECT_EQ(refusal_of(bytes + bytes, sample.key), "malformed");
    EXPECT_EQ(refusal_of(signed_again(bytes + "12345678"), sample.key), "malformed");
  }
}

TEST(Envelope, WhatOtherSoftwareStoresIsNoEnvelope) {
  for (const std::string_view bytes : {"", "0", "42", "{}", "[1,2]", "null", "\"\xC3\xA4\"", "\xC1", "\xC1\xFF",
                                       "\xA1\x61\x61\x01", "\x81\xA1\x61\x01", "\x28\xB5\x2F\xFD", "\x80\x04\x95"}) {
    const bool begins_alike = !bytes.empty() && bytes[0] == '\xC1';
    EXPECT_EQ(refusal_of(bytes, "k"), begins_alike ? "truncated" : "not_an_envelope") << bytes;
  }
}

TEST(Envelope, RandomBytesAreRefused) {
  Random random(4);
  const std::string prelude = Sample{}.encoded().substr(0, 8);
  for (std::size_t i = 0; i < scaled(1'000'000); ++i) {
    std::string bytes = random_bytes(random, random.below(i % 16 == 0 ? 300 : 40));
    const auto kind =
        i % 4;  // as drawn; behind a true beginning; and with a true size, which only the checksum refuses
    if (kind >= 1) bytes.insert(0, prelude);
    if (kind >= 2 && bytes.size() >= 16) bytes = with_number(bytes, 8, 8, bytes.size());
    ASSERT_NE(refusal_of(bytes, ""), "none") << i;
    ASSERT_NE(refusal_in(decode_lease(bytes)), "none") << i;
  }
}

TEST(Envelope, WhateverIsAcceptedIsWhatEncodeWrites) {
  // Damage under a valid checksum, as only malice or a bug can do: refused, or another value in the one true spelling.
  Random random(5);
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < scaled(200'000); ++i) {
    const Sample sample = random_sample(random);
    std::string bytes = sample.encoded();
    for (std::size_t n = 1 + random.below(3); n != 0; --n) {
      const std::size_t at = 5 + random.below(random.one_in(2) ? bytes.size() - 13 : 75);
      bytes[at] = random.one_in(2) ? static_cast<char>(random.bits()) : static_cast<char>(bytes[at] ^ 1);
    }
    if (random.one_in(2)) bytes = with_number(bytes, 8, 8, bytes.size());
    bytes = signed_again(bytes);
    const auto exact = std::make_unique<char[]>(bytes.size());
    bytes.copy(exact.get(), bytes.size());
    if (const auto seen = read({exact.get(), bytes.size()}, sample.key)) {
      ++accepted;
      ASSERT_EQ(seen->encoded(), bytes) << i;
    }
  }
  EXPECT_GT(accepted, scaled(200'000) / 100) << "the property was tested on something";
}

TEST(Envelope, ALaterVersionIsToldFromDamage) {
  const Sample sample = full_sample();
  for (const int version : {2, 3, 127, 128, 255}) {
    const std::string bytes = with_number(sample.encoded(), 3, 1, static_cast<std::uint64_t>(version));
    EXPECT_EQ(refusal_of(bytes, sample.key), "newer_version");
    EXPECT_EQ(refusal_of(bytes.substr(0, 4), sample.key), "newer_version") << "whatever follows";
    EXPECT_EQ(refusal_in(decode_lease(bytes)), "newer_version");
  }
  EXPECT_EQ(refusal_of(with_number(sample.encoded(), 3, 1, 0), sample.key), "malformed");
}

TEST(Envelope, HostileSizesAreRefused) {
  const Sample sample = full_sample();
  const std::string bytes = sample.encoded();
  const auto refusal = [&](std::size_t at, std::size_t size, std::uint64_t value) {
    return refusal_of(signed_again(with_number(bytes, at, size, value)), sample.key);
  };
  for (const std::uint64_t huge : {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1} << 32}) {
    EXPECT_EQ(refusal(8, 8, huge), "truncated");
  }
  for (const std::uint64_t small : {0U, 1U, 8U, 16U, 23U, 24U, 88U}) EXPECT_EQ(refusal(8, 8, small), "malformed");
  for (const std::uint64_t size : {std::uint64_t{1} << 31, (std::uint64_t{1} << 32) - 1, std::uint64_t{1000}}) {
    EXPECT_EQ(refusal(kEtagSizeAt, 4, size), "malformed");
  }
  EXPECT_EQ(refusal(kKeySizeAt, 2, 257), "malformed");
  EXPECT_EQ(refusal(kKeySizeAt, 2, 0xFFFF), "malformed");
  EXPECT_EQ(refusal(kEpochsAt, 1, 255), "malformed");
  EXPECT_EQ(refusal(6, 2, 0xFFFF), "malformed") << "number of tags";
  EXPECT_EQ(refusal(kZeroAt, 1, 1), "malformed");
  EXPECT_EQ(refusal(kUncompressedSizeAt, 8, ~std::uint64_t{0}), "malformed") << "a size of what is not compressed";
  EXPECT_EQ(refusal(5, 1, 2), "malformed") << "compressed, without a size";
  EXPECT_EQ(refusal(5, 1, 4), "malformed") << "a hash of 23 bytes";
  EXPECT_EQ(refusal(5, 1, 8), "malformed") << "an unknown flag";
  EXPECT_EQ(refusal(4, 1, 9), "malformed") << "an unknown kind";
  EXPECT_EQ(refusal(kFreshUntilAt, 8, 0), "malformed") << "a refresh after the end";
  EXPECT_EQ(refusal(kFreshUntilAt, 8, static_cast<std::uint64_t>(kNever)), "malformed") << "fresh when it is stale";
}

TEST(Envelope, WhatDoesNotFitTheFormatIsNotWritten) {
  const std::vector<std::uint64_t> epochs(256);
  EXPECT_THROW(encode({.terms = {}, .epochs = epochs, .tags = {}, .etag = {}, .key = {}, .payload = {}}),
               std::length_error);
  const std::vector<TagVersion> tags(65536);
  EXPECT_THROW(encode({.terms = {}, .epochs = {}, .tags = tags, .etag = {}, .key = {}, .payload = {}}),
               std::length_error);
  const std::string name(65536, 't');
  const std::vector<TagVersion> tag{{name, 1}};
  EXPECT_THROW(encode({.terms = {}, .epochs = {}, .tags = tag, .etag = {}, .key = {}, .payload = {}}),
               std::length_error);
}

TEST(Envelope, ALeaseIsReadBackAndNeverTakenForAValueNorAValueForALease) {
  Random random(6);
  for (int i = 0; i < 1000; ++i) {
    LeaseToken token;
    random_bytes(random, token.size()).copy(token.data(), token.size());
    const std::string bytes = encode_lease(token);
    ASSERT_EQ(bytes.size(), 40U);
    const auto decoded = decode_lease(bytes);
    ASSERT_TRUE(std::holds_alternative<LeaseToken>(decoded));
    ASSERT_EQ(std::get<LeaseToken>(decoded), token);
    ASSERT_EQ(refusal_of(bytes, ""), "other_kind");
    ASSERT_EQ(refusal_in(decode_lease(random_sample(random).encoded())), "other_kind");
  }
  const std::string bytes = encode_lease({});
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    ASSERT_EQ(refusal_in(decode_lease(bytes.substr(0, size))), "truncated");
  }
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::string flipped = bytes;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    ASSERT_NE(refusal_in(decode_lease(flipped)), "none") << "bit " << bit;
    ASSERT_NE(refusal_of(flipped, ""), "none") << "bit " << bit;
  }
  EXPECT_EQ(refusal_in(decode_lease(bytes + 'x')), "malformed");
  EXPECT_EQ(refusal_in(decode_lease(signed_again(with_number(bytes, 5, 1, 1)))), "malformed");
  EXPECT_EQ(refusal_in(decode_lease(signed_again(with_number(bytes, 4, 1, 1)))), "other_kind");
  EXPECT_EQ(refusal_of(signed_again(with_number(bytes, 4, 1, 1)), ""), "malformed") << "a value without its fields";
}

TEST(Envelope, CodecsAreToldApartByTheirNames) {
  EXPECT_NE(codec_fingerprint(codec<int>::name), codec_fingerprint(codec<std::int64_t>::name));
  EXPECT_NE(codec_fingerprint(codec<std::string>::name), codec_fingerprint(codec<std::optional<std::string>>::name));
  EXPECT_EQ(codec_fingerprint("json"), 0xe24d47cf8b594dbbU) << "stored: never changes";
}

std::vector<std::pair<std::string, std::string>> golden_samples() {
  Sample negative = full_sample(), hashed = full_sample(), compressed = full_sample(), forever = full_sample();
  negative.terms.negative = true;
  negative.payload = "0";
  hashed.key.assign(257, 'k');
  compressed.terms.uncompressed_size = 1'000'000;
  compressed.payload = std::string("\0\x01\xFF", 3);
  forever.terms = {.codec = codec_fingerprint("str")};
  forever.tags.clear();
  forever.etag.clear();
  return {{"empty", Sample{}.encoded()},
          {"full", full_sample().encoded()},
          {"negative", negative.encoded()},
          {"hashed_key", hashed.encoded()},
          {"compressed", compressed.encoded()},
          {"forever", forever.encoded()},
          {"lease", encode_lease({'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'})}};
}

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

TEST(Envelope, TheStoredFormatIsTheSameInEveryBuild) {
  const auto golden = std::filesystem::path(__FILE__).replace_filename("golden_envelopes.txt");
  std::ifstream in(golden);
  ASSERT_TRUE(in) << golden;
  std::vector<std::string> expected, actual;
  for (std::string line; std::getline(in, line);) expected.push_back(line);
  for (const auto& [name, bytes] : golden_samples()) actual.push_back(name + ' ' + hex(bytes));
  if (actual != expected) {
    const std::string made = ::testing::TempDir() + "golden_envelopes.txt";
    std::ofstream out(made);
    for (const auto& line : actual) out << line << '\n';
    ADD_FAILURE() << "envelopes differ from " << golden << "; see " << made
                  << ". Stored formats are public: a change is a new version byte.";
  }
}

TEST(Compression, ABombIsRefusedBeforeAnythingIsAllocated) {
  for (const std::uint64_t size : {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1001}}) {
    EXPECT_EQ(refusal_in(decompress("\x28\xB5\x2F\xFD", size, 1000)), "too_large");
  }
}

TEST(Compression, WithoutZstdNothingIsCompressedAndWhatOthersCompressedIsToldApart) {
  if (kHasZstd) GTEST_SKIP() << "this build has zstd";
  EXPECT_EQ(compress(std::string(10'000, 'a')), std::nullopt);
  EXPECT_EQ(refusal_in(decompress("\x28\xB5\x2F\xFD", 1000, 1000)), "needs_zstd");
}

TEST(Compression, IsReadBackAsItWas) {
  if (!kHasZstd) GTEST_SKIP() << "this build has no zstd";
  Random random(7);
  for (int i = 0; i < 200; ++i) {
    std::string text;
    for (std::size_t n = 50 + random.below(500); n != 0; --n) text += random.one_in(9) ? "4325" : "price:";
    const auto small = compress(text);
    ASSERT_TRUE(small);
    ASSERT_LT(small->size(), text.size());
    const auto back = decompress(*small, text.size(), text.size());
    ASSERT_TRUE(std::holds_alternative<std::string>(back)) << refusal_in(back);
    ASSERT_EQ(std::get<std::string>(back), text);
    EXPECT_EQ(refusal_in(decompress(*small, text.size(), text.size() - 1)), "too_large");
    EXPECT_EQ(refusal_in(decompress(*small, text.size() - 1, text.size())), "corrupt");
    EXPECT_EQ(refusal_in(decompress(*small, text.size() + 1, text.size() + 1)), "corrupt");
    EXPECT_EQ(refusal_in(decompress(*small + *small, text.size(), text.size())), "corrupt") << "bytes behind the frame";
    for (std::size_t size = 0; size < small->size(); ++size) {
      ASSERT_EQ(refusal_in(decompress(small->substr(0, size), text.size(), text.size())), "corrupt");
    }
  }
  EXPECT_EQ(compress(random_bytes(random, 1000)), std::nullopt) << "would be no smaller";
  EXPECT_EQ(compress(""), std::nullopt);
}

}  // namespace
}  // namespace dsta::cache::detail
