// Payloads: whatever a codec reads, it writes, and reads again as the same.
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/error.hpp>
#include <dsta/cache/json.hpp>

#include "fuzz.hpp"

namespace dsta::cache::fuzz {
namespace {

enum class Side : std::int8_t { sell = -1, buy = 1 };

struct Tick {
  std::int64_t time;
  double price;
};

/// A document as JSON, and one for each binary format.
struct Cbor {
  nlohmann::json document;
};
struct Msgpack {
  nlohmann::json document;
};
void to_json(nlohmann::json& json, const Cbor& value) { json = value.document; }
void from_json(const nlohmann::json& json, Cbor& value) { value.document = json; }
void to_json(nlohmann::json& json, const Msgpack& value) { json = value.document; }
void from_json(const nlohmann::json& json, Msgpack& value) { value.document = json; }

struct Quote {
  std::string symbol;
  double price = 0;
  std::vector<std::uint64_t> sizes;
  std::map<std::string, bool> flags;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(Quote, symbol, price, sizes, flags)

struct QuoteInCbor : Quote {};
void to_json(nlohmann::json& json, const QuoteInCbor& value) { to_json(json, static_cast<const Quote&>(value)); }
void from_json(const nlohmann::json& json, QuoteInCbor& value) { from_json(json, static_cast<Quote&>(value)); }

}  // namespace
}  // namespace dsta::cache::fuzz

template <>
inline constexpr std::string_view dsta::cache::trivially_codable<dsta::cache::fuzz::Tick> = "tick/1";
template <>
inline constexpr auto dsta::cache::json_format<dsta::cache::fuzz::Cbor> = dsta::cache::JsonFormat::cbor;
template <>
inline constexpr auto dsta::cache::json_format<dsta::cache::fuzz::Msgpack> = dsta::cache::JsonFormat::msgpack;
template <>
inline constexpr auto dsta::cache::json_format<dsta::cache::fuzz::QuoteInCbor> = dsta::cache::JsonFormat::cbor;

namespace dsta::cache::fuzz {
namespace {

/// What is read has a spelling of its own, which is read as what is written the same way again.
template <class T>
void check(std::string_view bytes) {
  const std::optional<T> value = codec<T>::decode(bytes);
  if (!value) return;
  std::string written;
  try {
    codec<T>::encode(*value, written);
  } catch (const ValueError&) {  // binary formats hold text that is no UTF-8, which text JSON cannot say
    return;
  }
  const std::optional<T> read = codec<T>::decode(written);
  require(read.has_value(), "what a codec wrote it does not read");
  std::string again;
  codec<T>::encode(*read, again);
  require(written == again, "what a codec wrote it reads as something else");
}

template <class... Ts>
void check_all(std::string_view bytes) {
  (check<Ts>(bytes), ...);
}

}  // namespace

FUZZ_TARGET(codec) {
  check_all<bool, char, std::int8_t, std::int32_t, std::int64_t, std::uint8_t, std::uint64_t, float, double,
            long double, Side, Tick, std::string, std::vector<std::byte>>(input);
  check_all<std::optional<int>, std::optional<std::string>, std::optional<std::optional<double>>,
            std::shared_ptr<const std::string>>(input);
  check_all<nlohmann::json, Cbor, Msgpack, Quote, QuoteInCbor>(input);
}

}  // namespace dsta::cache::fuzz
