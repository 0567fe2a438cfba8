// What L2 stores is read back bit for bit, and nothing else is ever taken for it.
#include "l2/values/envelope.hpp"

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

#include "l2/values/compression.hpp"
#include "random_values.hpp"
#include "scale.hpp"
#include "stored_bytes.hpp"

namespace dsta::cache::detail {
namespace {

using testing_support::as_first_version;
using testing_support::RandomValues;
using testing_support::scaled;
using testing_support::signed_again;
using testing_support::with_number;

/// An envelope that owns its parts.
struct Sample {
  EnvelopeTerms terms;
  LeaseToken generation{};
  std::uint32_t order = 0;
  std::vector<std::uint64_t> epochs;
  std::vector<std::pair<std::string, std::uint64_t>> tags;
  std::string etag, key, payload;

  bool operator==(const Sample&) const = default;

  std::string encoded() const {
    std::vector<TagVersion> views;
    for (const auto& [name, version] : tags) views.push_back({name, version});
    return encode(Envelope{terms, generation, order, epochs, views, etag, key, payload});
  }
  /// As version 1 of the format has it.
  std::string first_encoded() const { return as_first_version(encoded()); }
  /// What is read of that: it says nothing of where the value came from.
  Sample without_generation() const {
    Sample out = *this;
    out.generation = {};
    out.order = 0;
    return out;
  }
};

Sample sample_of(const EnvelopeView& view, std::string key) {
  Sample out{.terms = view.terms,
             .generation = view.generation,
             .order = view.order,
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
  if (const auto* view = std::get_if<EnvelopeView>(&decoded)) return sample_of(*view, key);
  return std::nullopt;
}

template <class T>
std::string_view refusal_in(const std::variant<T, DecodeError>& result) {
  const auto* refusal = std::get_if<DecodeError>(&result);
  return refusal ? decode_error_name(*refusal) : "none";
}

std::string_view refusal_of(std::string_view bytes, std::string_view key) { return refusal_in(decode(bytes, key)); }

std::string random_bytes(RandomValues& random, std::size_t size) {
  std::string out(size, '\0');
  for (char& c : out) c = static_cast<char>(random.bits());
  return out;
}

LeaseToken random_token(RandomValues& random) {
  LeaseToken token;
  for (char& c : token) c = static_cast<char>(random.bits());
  return token;
}

Sample random_sample(RandomValues& random) {
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
  out.generation = random_token(random);
  out.order = static_cast<std::uint32_t>(random.bits());
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
          .generation = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'},
          .order = 0x01020304,
          .epochs = {7, 1'699'999'999'000'001},
          .tags = {{"symbol:BTCUSDT", 1'700'000'000'000'001}, {"", 0}},
          .etag = "\"v1\"",
          .key = "dsta:api:ticker:BTCUSDT",
          .payload = R"({"price":"43250.10"})"};
}

// In version 2; in version 1 all of these stand 20 bytes before.
constexpr std::size_t kFreshUntilAt = 52, kUncompressedSizeAt = 84, kEtagSizeAt = 92, kKeySizeAt = 96, kEpochsAt = 98,
                      kZeroAt = 99, kVariable = 100, kSinceVersion2 = 20;

TEST(Envelope, EveryValueIsReadBackAsItWasWritten) {
  RandomValues random(1);
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    const Sample sample = random_sample(random);
    ASSERT_EQ(read(sample.encoded(), sample.key), sample) << i;
  }
}

TEST(Envelope, EveryValueOfVersion1IsReadBackAndHasNoGeneration) {
  RandomValues random(8);
  for (std::size_t i = 0; i < scaled(20'000); ++i) {
    const Sample sample = random_sample(random);
    const std::string bytes = sample.first_encoded();
    ASSERT_EQ(read(bytes, sample.key), sample.without_generation()) << i;
    ASSERT_FALSE(std::get<EnvelopeView>(decode(bytes, sample.key)).has_generation);
    ASSERT_TRUE(std::get<EnvelopeView>(decode(sample.encoded(), sample.key)).has_generation);
  }
}

TEST(Envelope, KeysUpTo256BytesAreKeptAndLongerOnesHashed) {
  Sample sample;
  sample.key.assign(256, 'k');
  EXPECT_EQ(sample.encoded().size(), kVariable + 256 + 8);
  EXPECT_EQ(read(sample.encoded(), sample.key), sample);
  sample.key += 'k';
  const std::string bytes = sample.encoded();
  EXPECT_EQ(bytes.size(), kVariable + 16 + 8);
  EXPECT_EQ(read(bytes, sample.key), sample);
  EXPECT_EQ(refusal_of(bytes, bytes.substr(kVariable, 16)), "other_key") << "the hash itself is another key";
  EXPECT_EQ(refusal_of(bytes, std::string(257, 'l')), "other_key");
}

TEST(Envelope, AnotherKeysValueIsRefused) {
  const std::string key = full_sample().key;
  for (const std::string& bytes : {full_sample().encoded(), full_sample().first_encoded()}) {
    for (const auto& other :
         {std::string(), key + "x", key.substr(1), std::string("dsta:api:ticker:ETHUSDT"), std::string(300, 'x')}) {
      EXPECT_EQ(refusal_of(bytes, other), "other_key") << other;
    }
  }
}

TEST(Envelope, ASingleFlippedBitIsRefused) {
  RandomValues random(2);
  std::vector<Sample> samples{full_sample(), Sample{}};
  for (int i = 0; i < 20; ++i) samples.push_back(random_sample(random));
  for (const Sample& sample : samples) {
    for (std::string bytes : {sample.encoded(), sample.first_encoded()}) {
      for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        char& byte = bytes[bit / 8];
        byte = static_cast<char>(byte ^ 1 << bit % 8);
        ASSERT_NE(refusal_of(bytes, sample.key), "none") << "bit " << bit;
        byte = static_cast<char>(byte ^ 1 << bit % 8);
      }
    }
  }
}

TEST(Envelope, APartOfAValueIsRefusedAndSoAreBytesBehindIt) {
  RandomValues random(3);
  for (int i = 0; i < 50; ++i) {
    const Sample sample = i == 0 ? full_sample() : random_sample(random);
    const std::string bytes = i % 2 == 0 ? sample.encoded() : sample.first_encoded();
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
  RandomValues random(4);
  const std::array preludes = {Sample{}.encoded().substr(0, 8), Sample{}.first_encoded().substr(0, 8),
                               encode_lease({}).substr(0, 8)};
  for (std::size_t i = 0; i < scaled(1'000'000); ++i) {
    std::string bytes = random_bytes(random, random.below(i % 16 == 0 ? 300 : 40));
    const auto kind =
        i % 4;  // as drawn; behind a true beginning; and with a true size, which only the checksum refuses
    if (kind >= 1) bytes.insert(0, random.pick(preludes));
    if (kind >= 2 && bytes.size() >= 16) bytes = with_number(bytes, 8, 8, bytes.size());
    ASSERT_NE(refusal_of(bytes, ""), "none") << i;
    ASSERT_NE(refusal_in(decode_lease(bytes)), "none") << i;
  }
}

TEST(Envelope, WhateverIsAcceptedIsWhatEncodeWrites) {
  // Damage under a valid checksum, as only malice or a bug can do: refused, or another value in the one true spelling.
  RandomValues random(5);
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < scaled(200'000); ++i) {
    const Sample sample = random_sample(random);
    const bool first = random.one_in(2);
    std::string bytes = first ? sample.first_encoded() : sample.encoded();
    for (std::size_t n = 1 + random.below(3); n != 0; --n) {
      const std::size_t at = 5 + random.below(random.one_in(2) ? bytes.size() - 13 : first ? 75 : 95);
      bytes[at] = random.one_in(2) ? static_cast<char>(random.bits()) : static_cast<char>(bytes[at] ^ 1);
    }
    if (random.one_in(2)) bytes = with_number(bytes, 8, 8, bytes.size());
    bytes = signed_again(bytes);
    const auto exact = std::make_unique<char[]>(bytes.size());
    bytes.copy(exact.get(), bytes.size());
    if (const auto seen = read({exact.get(), bytes.size()}, sample.key)) {
      ++accepted;
      ASSERT_EQ(first ? seen->first_encoded() : seen->encoded(), bytes) << i;
    }
  }
  EXPECT_GT(accepted, scaled(200'000) / 100) << "the property was tested on something";
}

TEST(Envelope, ALaterVersionIsToldFromDamage) {
  const Sample sample = full_sample();
  for (const int version : {3, 4, 127, 128, 255}) {
    const std::string bytes = with_number(sample.encoded(), 3, 1, static_cast<std::uint64_t>(version));
    EXPECT_EQ(refusal_of(bytes, sample.key), "newer_version");
    EXPECT_EQ(refusal_of(bytes.substr(0, 4), sample.key), "newer_version") << "whatever follows";
    EXPECT_EQ(refusal_in(decode_lease(bytes)), "newer_version");
  }
  EXPECT_EQ(refusal_of(with_number(sample.encoded(), 3, 1, 0), sample.key), "malformed");
}

TEST(Envelope, TheTwoVersionsAreNotTakenForEachOther) {
  const Sample sample = full_sample();
  const std::string first = sample.first_encoded(), second = sample.encoded(), lease = encode_lease({});
  EXPECT_EQ(refusal_of(with_number(first, 3, 1, 2), sample.key), "corrupt");
  EXPECT_EQ(refusal_of(with_number(second, 3, 1, 1), sample.key), "corrupt");
  EXPECT_EQ(refusal_in(decode_lease(with_number(lease, 3, 1, 1))), "corrupt");
  EXPECT_EQ(refusal_in(decode_lease(with_number(as_first_version(lease), 3, 1, 2))), "truncated");
  for (const auto& [bytes, version] : {std::pair(first, 2), std::pair(second, 1)}) {
    EXPECT_EQ(refusal_of(signed_again(with_number(bytes, 3, 1, static_cast<std::uint64_t>(version))), sample.key),
              "malformed");
  }
}

struct HostileEnvelope : ::testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(OfVersion, HostileEnvelope, ::testing::Values(1, 2));

TEST_P(HostileEnvelope, SizesAreRefused) {
  const Sample sample = full_sample();
  const bool first = GetParam() == 1;
  const std::string bytes = first ? sample.first_encoded() : sample.encoded();
  const auto refusal = [&](std::size_t at, std::size_t size, std::uint64_t value) {
    if (first && at > 16) at -= kSinceVersion2;
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
  EXPECT_THROW(encode({.terms = {},
                       .generation = {},
                       .order = 0,
                       .epochs = epochs,
                       .tags = {},
                       .etag = {},
                       .key = {},
                       .payload = {}}),
               std::length_error);
  const std::vector<TagVersion> tags(65536);
  EXPECT_THROW(encode({.terms = {},
                       .generation = {},
                       .order = 0,
                       .epochs = {},
                       .tags = tags,
                       .etag = {},
                       .key = {},
                       .payload = {}}),
               std::length_error);
  const std::string name(65536, 't');
  const std::vector<TagVersion> tag{{name, 1}};
  EXPECT_THROW(
      encode(
          {.terms = {}, .generation = {}, .order = 0, .epochs = {}, .tags = tag, .etag = {}, .key = {}, .payload = {}}),
      std::length_error);
}

/// A lease that owns its parts.
struct LeaseSample {
  LeaseToken token{};
  std::uint32_t holders = 1;
  std::vector<std::uint64_t> epochs;
  std::vector<std::pair<std::string, std::uint64_t>> tags;
  std::uint64_t codec = 0;

  bool operator==(const LeaseSample&) const = default;

  std::string encoded() const {
    std::vector<TagVersion> views;
    for (const auto& [name, version] : tags) views.push_back({name, version});
    return encode(Lease{token, holders, epochs, views, codec});
  }
};

std::optional<LeaseSample> read_lease(std::string_view bytes) {
  const auto decoded = decode_lease(bytes);
  const auto* view = std::get_if<LeaseView>(&decoded);
  if (!view) return std::nullopt;
  LeaseSample out{.token = view->token, .holders = view->holders, .epochs = {}, .tags = {}, .codec = view->codec};
  for (std::size_t i = 0; i < view->epochs.size(); ++i) out.epochs.push_back(view->epochs[i]);
  for (const TagVersion tag : view->tags) out.tags.emplace_back(tag.name, tag.version);
  return out;
}

LeaseSample random_lease(RandomValues& random) {
  LeaseSample out{
      .token = random_token(random), .holders = static_cast<std::uint32_t>(random.bits()), .epochs = {}, .tags = {}};
  for (std::size_t n = random.below(3); n != 0; --n) out.epochs.push_back(random.bits());
  for (std::size_t n = random.below(4); n != 0; --n) {
    out.tags.emplace_back(random_bytes(random, random.below(20)), random.bits());
  }
  if (random.below(2) == 0) out.codec = random.bits();
  return out;
}

LeaseSample full_lease() {
  return {.token = full_sample().generation,
          .holders = 3,
          .epochs = {1'699'999'999'000'001},
          .tags = {{"\x01"
                    "api:ticker",
                    7},
                   {"symbol:BTCUSDT", 1'700'000'000'000'001}}};
}

TEST(EnvelopeLease, IsReadBackWithTheVersionsThatItsLoadBeganUnder) {
  RandomValues random(6);
  for (std::size_t i = 0; i < scaled(20'000); ++i) {
    const LeaseSample lease = random_lease(random);
    ASSERT_EQ(read_lease(lease.encoded()), lease) << i;
  }
  EXPECT_EQ(read_lease(encode_lease(full_lease().token)), (LeaseSample{full_lease().token, 1, {}, {}, 0}));
}

TEST(EnvelopeLease, IsNeverTakenForAValueNorAValueForALease) {
  RandomValues random(9);
  for (int i = 0; i < 1000; ++i) {
    const std::string lease = random_lease(random).encoded(), first = as_first_version(encode_lease({}));
    ASSERT_EQ(refusal_of(lease, ""), "other_kind");
    ASSERT_EQ(refusal_of(first, ""), "other_kind");
    const Sample sample = random_sample(random);
    ASSERT_EQ(refusal_in(decode_lease(sample.encoded())), "other_kind");
    ASSERT_EQ(refusal_in(decode_lease(sample.first_encoded())), "other_kind");
  }
}

TEST(EnvelopeLease, OfVersion1HasOneHolderAndDependsOnNothing) {
  const LeaseToken token = full_lease().token;
  const std::string bytes = as_first_version(encode_lease(token));
  ASSERT_EQ(bytes.size(), 40U);
  EXPECT_EQ(read_lease(bytes), (LeaseSample{token, 1, {}, {}, 0}));
  EXPECT_EQ(refusal_in(decode_lease(signed_again(with_number(bytes, 6, 2, 1)))), "malformed") << "it has no tags";
  EXPECT_EQ(refusal_in(decode_lease(testing_support::sized_again(bytes + "more"))), "malformed");
  EXPECT_EQ(refusal_in(decode_lease(testing_support::sized_again(bytes.substr(0, 30)))), "malformed");
}

TEST(EnvelopeLease, APartOfOneIsRefusedAndSoAreBytesBehindIt) {
  for (const std::string& bytes :
       {full_lease().encoded(), encode_lease({}), as_first_version(encode_lease(full_lease().token))}) {
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      const auto part = std::make_unique<char[]>(size);
      bytes.copy(part.get(), size);
      ASSERT_EQ(refusal_in(decode_lease({part.get(), size})), "truncated") << size;
    }
    EXPECT_EQ(refusal_in(decode_lease(bytes + 'x')), "malformed");
    EXPECT_EQ(refusal_in(decode_lease(testing_support::sized_again(bytes + 'x'))), "malformed");
  }
}

TEST(EnvelopeLease, AFlippedBitIsRefusedButInTheHolderCount) {
  RandomValues random(10);
  std::vector<std::string> leases{full_lease().encoded(), as_first_version(encode_lease(full_lease().token))};
  for (int i = 0; i < 20; ++i) leases.push_back(random_lease(random).encoded());
  for (const std::string& bytes : leases) {
    const bool first = bytes[3] == 1;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string flipped = bytes;
      flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
      ASSERT_NE(refusal_of(flipped, ""), "none") << "bit " << bit;
      if (first || bit / 8 < 32 || bit / 8 >= 36) {
        ASSERT_NE(refusal_in(decode_lease(flipped)), "none") << "bit " << bit;
        continue;
      }
      auto expected = read_lease(bytes);
      ASSERT_TRUE(expected);
      expected->holders ^= std::uint32_t{1} << (bit - 8 * 32);
      ASSERT_EQ(read_lease(flipped), expected) << "bit " << bit;
    }
  }
}

TEST(EnvelopeLease, WhateverIsAcceptedIsWhatEncodeWrites) {
  RandomValues random(11);
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < scaled(100'000); ++i) {
    std::string bytes = random_lease(random).encoded();
    for (std::size_t n = 1 + random.below(3); n != 0; --n) {
      const std::size_t at = 5 + random.below(bytes.size() - 13);
      bytes[at] = random.one_in(2) ? static_cast<char>(random.bits()) : static_cast<char>(bytes[at] ^ 1);
    }
    bytes = random.one_in(2) ? testing_support::sized_again(bytes) : signed_again(bytes);
    const auto exact = std::make_unique<char[]>(bytes.size());
    bytes.copy(exact.get(), bytes.size());
    if (const auto seen = read_lease({exact.get(), bytes.size()})) {
      ++accepted;
      ASSERT_EQ(seen->encoded(), bytes) << i;
    }
  }
  EXPECT_GT(accepted, scaled(100'000) / 100) << "the property was tested on something";
}

TEST(EnvelopeLease, HostileSizesAreRefused) {
  const std::string bytes = full_lease().encoded();
  const auto refusal = [&](std::size_t at, std::size_t size, std::uint64_t value) {
    return refusal_in(decode_lease(signed_again(with_number(bytes, at, size, value))));
  };
  EXPECT_EQ(refusal(5, 1, 1), "malformed") << "a flag";
  EXPECT_EQ(refusal(5, 1, 8), "malformed") << "a codec that is not there";
  EXPECT_EQ(refusal(6, 2, 0), "malformed") << "fewer tags than there are";
  EXPECT_EQ(refusal(6, 2, 3), "malformed");
  EXPECT_EQ(refusal(6, 2, 0xFFFF), "malformed");
  EXPECT_EQ(refusal(8, 8, ~std::uint64_t{0}), "truncated");
  EXPECT_EQ(refusal(36, 1, 0), "malformed") << "fewer epochs than there are";
  EXPECT_EQ(refusal(36, 1, 255), "malformed");
  EXPECT_EQ(refusal(45 + 8, 2, 0xFFFF), "malformed") << "the size of a tag's name";
  EXPECT_EQ(refusal(4, 1, 1), "other_kind");
  EXPECT_EQ(refusal(4, 1, 9), "malformed") << "an unknown kind";
  EXPECT_EQ(refusal_of(signed_again(with_number(bytes, 4, 1, 1)), ""), "malformed") << "a value without its fields";
}

TEST(EnvelopeLease, WhatDoesNotFitTheFormatIsNotWritten) {
  const std::vector<std::uint64_t> epochs(256);
  EXPECT_THROW(encode(Lease{.epochs = epochs}), std::length_error);
  const std::vector<TagVersion> tags(65536);
  EXPECT_THROW(encode(Lease{.tags = tags}), std::length_error);
  const std::string name(65536, 't');
  const std::vector<TagVersion> tag{{name, 1}};
  EXPECT_THROW(encode(Lease{.tags = tag}), std::length_error);
}

TEST(Envelope, CodecsAreToldApartByTheirNames) {
  EXPECT_NE(codec_fingerprint(codec<int>::name), codec_fingerprint(codec<std::int64_t>::name));
  EXPECT_NE(codec_fingerprint(codec<std::string>::name), codec_fingerprint(codec<std::optional<std::string>>::name));
  EXPECT_EQ(codec_fingerprint("json"), 0xe24d47cf8b594dbbU) << "stored: never changes";
}

std::vector<std::pair<std::string, Sample>> golden_samples() {
  Sample negative = full_sample(), hashed = full_sample(), compressed = full_sample(), forever = full_sample();
  negative.terms.negative = true;
  negative.payload = "0";
  hashed.key.assign(257, 'k');
  compressed.terms.uncompressed_size = 1'000'000;
  compressed.payload = std::string("\0\x01\xFF", 3);
  forever.terms = {.codec = codec_fingerprint("str")};
  forever.tags.clear();
  forever.etag.clear();
  return {{"empty", Sample{}},    {"full", full_sample()},    {"negative", negative},
          {"hashed_key", hashed}, {"compressed", compressed}, {"forever", forever}};
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

std::string bytes_of(std::string_view hexadecimal) {
  std::string out;
  for (std::size_t at = 0; at + 1 < hexadecimal.size(); at += 2) {
    out += static_cast<char>(std::stoi(std::string(hexadecimal.substr(at, 2)), nullptr, 16));
  }
  return out;
}

const auto kGolden = std::filesystem::path(__FILE__).replace_filename("golden_envelopes.txt");

/// The lines of the file whose names begin so, in hexadecimal by the rest of their names.
std::vector<std::pair<std::string, std::string>> golden_lines(std::string_view beginning) {
  std::ifstream in(kGolden);
  EXPECT_TRUE(in) << kGolden;
  std::vector<std::pair<std::string, std::string>> lines;
  for (std::string name, bytes; in >> name >> bytes;) {
    const bool second = name.starts_with("v2_");
    if (second != (beginning == "v2_")) continue;
    lines.emplace_back(name.substr(beginning.size()), bytes);
  }
  return lines;
}

TEST(GoldenEnvelopes, WhatVersion1WroteIsReadAsItWasMeant) {
  auto lines = golden_lines("");
  const auto samples = golden_samples();
  ASSERT_EQ(lines.size(), samples.size() + 1);
  const auto lease = lines.back();
  lines.pop_back();
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto& [name, sample] = samples[i];
    EXPECT_EQ(lines[i].first, name);
    EXPECT_EQ(read(bytes_of(lines[i].second), sample.key), sample.without_generation()) << name;
    EXPECT_EQ(lines[i].second, hex(sample.first_encoded())) << name << ": what the other tests take for version 1";
  }
  EXPECT_EQ(lease.first, "lease");
  EXPECT_EQ(read_lease(bytes_of(lease.second)), (LeaseSample{full_lease().token, 1, {}, {}, 0}));
  EXPECT_EQ(lease.second, hex(as_first_version(encode_lease(full_lease().token))));
}

TEST(GoldenEnvelopes, TheStoredFormatIsTheSameInEveryBuild) {
  std::vector<std::pair<std::string, std::string>> written;
  for (const auto& [name, sample] : golden_samples()) written.emplace_back(name, hex(sample.encoded()));
  written.emplace_back("lease", hex(encode_lease(full_lease().token)));
  written.emplace_back("lease_with_versions", hex(full_lease().encoded()));
  LeaseSample with_codec = full_lease();
  with_codec.codec = codec_fingerprint("i64");
  written.emplace_back("lease_with_codec", hex(with_codec.encoded()));
  if (written != golden_lines("v2_")) {
    const std::string made = ::testing::TempDir() + "golden_envelopes.txt";
    std::ofstream out(made);
    for (const auto& [name, bytes] : written) out << "v2_" << name << ' ' << bytes << '\n';
    ADD_FAILURE() << "envelopes differ from " << kGolden << "; see " << made
                  << ". Stored formats are public: a change is a new version byte.";
  }
}

TEST(Compression, ABombIsRefusedBeforeAnythingIsAllocated) {
  for (const std::uint64_t size : {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1001}}) {
    EXPECT_EQ(refusal_in(decompress("\x28\xB5\x2F\xFD", size, 1000)), "too_large");
  }
}

TEST(Compression, WithoutZstdCompressedIsAMiss) {
  if (kHasZstd) GTEST_SKIP() << "this build has zstd";
  EXPECT_EQ(compress(std::string(10'000, 'a')), std::nullopt);
  EXPECT_EQ(refusal_in(decompress("\x28\xB5\x2F\xFD", 1000, 1000)), "needs_zstd");
}

TEST(Compression, IsReadBackAsItWas) {
  if (!kHasZstd) GTEST_SKIP() << "this build has no zstd";
  RandomValues random(7);
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
