#pragma once
/// The codec of json.hpp.
#include <cmath>
#include <concepts>
#include <cstddef>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/json_match.hpp>
#include <dsta/cache/detail/value_check.hpp>
#include <dsta/cache/detail/weigh.hpp>
#include <dsta/cache/error.hpp>
#include <dsta/cache/json.hpp>
#include <dsta/cache/json_format.hpp>
#include <dsta/cache/key.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

// clang-format off
template <class T>
concept JsonConvertible =
    std::same_as<T, nlohmann::json> ||
    (!is_builtin<T> && !BinaryCodable<T> && !holds<KeepsFunctions, T> && (!MessageLike<T> || PrefersJson<T>) &&
     std::default_initializable<T> && !std::convertible_to<T, std::string_view> &&
     requires(nlohmann::json& json, const nlohmann::json& read, const T& value, T& out) {
       nlohmann::to_json(json, value);
       nlohmann::from_json(read, out);
     });
// clang-format on

/// Builds a document from parser events and refuses what is nested too deeply before anything recurses.
class JsonBuilder {
 public:
  using json = nlohmann::json;
  // The names and types of nlohmann's SAX interface.
  using number_integer_t = json::number_integer_t;
  using number_unsigned_t = json::number_unsigned_t;
  using number_float_t = json::number_float_t;
  using string_t = json::string_t;
  using binary_t = json::binary_t;

  // Numbers as lvalues, as nlohmann's own parser gives them to these constructors: then nothing new is instantiated.
  bool null() { return place(json()) != nullptr; }
  bool boolean(bool value) { return place(json(value)) != nullptr; }
  bool number_integer(number_integer_t value) { return place(json(value)) != nullptr; }
  bool number_unsigned(number_unsigned_t value) { return place(json(value)) != nullptr; }
  bool number_float(number_float_t value, const string_t&) { return place(json(value)) != nullptr; }
  bool string(string_t& value) {
    *place(json(json::value_t::string))->get_ptr<string_t*>() = std::move(value);
    return true;
  }
  bool binary(binary_t& value) {
    *place(json(json::value_t::binary))->get_ptr<binary_t*>() = std::move(value);
    return true;
  }
  bool start_object(std::size_t) { return open(json::value_t::object); }
  bool start_array(std::size_t) { return open(json::value_t::array); }
  bool key(string_t& value) {
    keys_.back() = std::move(value);
    return true;
  }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool parse_error(std::size_t, const std::string&, const json::exception&) { return false; }

  json take() { return std::move(root_); }

 private:
  bool open(json::value_t container) {
    if (open_.size() >= static_cast<std::size_t>(kMaxJsonDepth)) return false;
    open_.push_back(place(json(container)));
    keys_.emplace_back();
    return true;
  }
  bool close() {
    open_.pop_back();
    keys_.pop_back();
    return true;
  }
  json* place(json value) {
    if (open_.empty()) return &(root_ = std::move(value));
    json& parent = *open_.back();
    if (auto* array = parent.get_ptr<json::array_t*>()) {
      array->push_back(std::move(value));
      return &array->back();
    }
    return &((*parent.get_ptr<json::object_t*>())[keys_.back()] = std::move(value));
  }

  json root_;
  std::vector<json*> open_;  // a container is complete before its parent grows, so these stay valid
  std::vector<std::string> keys_;
};

/// Text that cannot say all of a value is replaced by CBOR, and told by its first byte: a float, array or map is above
/// ASCII, a binary is '@' to 'Z', and no text begins so.
inline nlohmann::json::input_format_t input_format(JsonFormat format, std::string_view bytes) {
  if (format == JsonFormat::msgpack) return nlohmann::json::input_format_t::msgpack;
  const auto first = bytes.empty() ? 0 : static_cast<unsigned char>(bytes[0]);
  if (format == JsonFormat::cbor || first >= 0x80 || (first >= '@' && first <= 'Z')) {
    return nlohmann::json::input_format_t::cbor;
  }
  return nlohmann::json::input_format_t::json;
}

/// True for CBOR that has a text or bytes of unknown length, which to_cbor never writes: nlohmann's parser calls itself
/// for each that is in another, and asks no depth. Goes from head to head; where they are malformed, the parser says
/// so.
inline bool has_endless_text(std::string_view cbor) {
  for (std::size_t at = 0; at < cbor.size();) {
    const auto head = static_cast<unsigned char>(cbor[at++]);
    const unsigned kind = head >> 5, info = head & 31;
    const bool text = kind == 2 || kind == 3;
    if (text && info == 31) return true;
    const std::size_t digits = info < 24 || info == 31 ? 0 : std::size_t{1} << (info - 24);
    if (info > 27 && info != 31) return false;
    if (digits > cbor.size() - at) return false;
    std::uint64_t size = info;
    for (std::size_t i = 0; i < digits; ++i) {
      size = (i == 0 ? 0 : size << 8) | static_cast<unsigned char>(cbor[at + i]);
    }
    at += digits;
    if (!text) continue;
    if (size > cbor.size() - at) return false;
    at += static_cast<std::size_t>(size);
  }
  return false;
}

/// True when no path is deeper than the limit. Goes down at most that far itself.
inline bool shallow(const nlohmann::json& value, int allowed = kMaxJsonDepth) {
  if (!value.is_structured()) return true;
  return allowed > 0 &&
         every_element(value, [allowed](const nlohmann::json& element) { return shallow(element, allowed - 1); });
}

/// True when the value's text says all of it: as text NaN and the infinities are null, and binaries are arrays.
inline bool textual(const nlohmann::json& value) {
  if (const auto* number = value.get_ptr<const double*>()) return std::isfinite(*number);
  if (value.is_binary() || value.is_discarded()) return false;
  return every_element(value, [](const nlohmann::json& element) { return textual(element); });
}

/// True when `value` says what `stored`, from which it was read, says. Changes the order of `stored`.
template <class T>
bool says(nlohmann::json& stored, const T& value) {
  if (says_plainly(stored, value)) return true;
  nlohmann::json read = value;
  if (!shallow(read)) return false;
  sort_arrays(stored);
  sort_arrays(read);
  return same_json(stored, read);
}

template <>
struct ValueCheck<nlohmann::json> {
  static void check(const nlohmann::json& value) {
    if (!shallow(value)) {
      throw ValueError("JSON nested deeper than " + std::to_string(kMaxJsonDepth) +
                       " levels cannot be cached: copying it could overflow the stack");
    }
  }
};

template <>
struct Weigher<nlohmann::json> {
  static std::size_t weigh(const nlohmann::json& value) {
    std::size_t bytes = 0;
    if (const auto* text = value.get_ptr<const std::string*>()) {
      bytes = allocation(sizeof *text) + heap_size(*text);
    } else if (const auto* binary = value.get_ptr<const nlohmann::json::binary_t*>()) {
      bytes = allocation(sizeof *binary) + allocation(binary->capacity());
    } else if (const auto* array = value.get_ptr<const nlohmann::json::array_t*>()) {
      bytes = allocation(sizeof *array) + allocation(array->capacity() * sizeof value);
      for (const auto& element : *array) bytes += weigh(element);
    } else if (const auto* object = value.get_ptr<const nlohmann::json::object_t*>()) {
      bytes = allocation(sizeof *object);
      for (const auto& [key, element] : *object) {
        bytes += allocation(sizeof key + sizeof element + 4 * sizeof(void*)) + heap_size(key) + weigh(element);
      }
    }
    return bytes;
  }
};

}  // namespace detail

template <std::same_as<nlohmann::json> Json>
void append_key(KeyWriter& key, const Json& value) {
  detail::check_value(value);
  if (detail::textual(value)) {
    try {
      return key(value.dump());
    } catch (const nlohmann::json::exception&) {  // holds text that is not UTF-8
    }
  }
  std::string bytes;
  nlohmann::json::to_cbor(value, bytes);
  key("cbor", bytes);
}

namespace detail {

/// Of any type that nlohmann::json converts, whichever codec the type has.
template <class T>
struct JsonCodec : LibraryCodec<T> {
  static constexpr std::string_view name = json_format<T> == JsonFormat::text   ? "json"
                                           : json_format<T> == JsonFormat::cbor ? "cbor"
                                                                                : "msgpack";

  /// Throws ValueError for JSON that is nested too deeply or holds text that is not UTF-8.
  static void encode(const T& value, std::string& out) {
    check_value(value);
    try {
      const nlohmann::json json = value;
      check_value(json);
      if constexpr (json_format<T> == JsonFormat::msgpack) {
        nlohmann::json::to_msgpack(json, out);
      } else if (json_format<T> == JsonFormat::text && textual(json)) {
        out += json.dump();
      } else {
        nlohmann::json::to_cbor(json, out);
      }
    } catch (const nlohmann::json::exception& e) {
      throw ValueError(std::string("this value cannot be written as JSON: ") + e.what());
    }
  }

  /// nullopt for bytes that are truncated, malformed, nested too deeply or of another shape than T, and for those whose
  /// numbers, texts or elements a T cannot hold as they are.
  static std::optional<T> decode(std::string_view bytes) {
    JsonBuilder builder;
    const auto format = input_format(json_format<T>, bytes);
    const bool strict = true;
    if (format == nlohmann::json::input_format_t::cbor && has_endless_text(bytes)) return std::nullopt;
    if (!nlohmann::json::sax_parse(bytes, &builder, format, strict)) return std::nullopt;
    if constexpr (std::same_as<T, nlohmann::json>) {
      return builder.take();
    } else {
      try {
        nlohmann::json stored = builder.take();
        std::optional<T> value(stored.template get<T>());
        if (json_round_trips<T> && !says(stored, *value)) return std::nullopt;
        return value;
      } catch (const std::exception&) {  // the bytes are JSON, but not a T
        return std::nullopt;
      }
    }
  }
};

}  // namespace detail

template <detail::JsonConvertible T>
struct codec<T> : detail::JsonCodec<T> {};

}  // namespace v1
}  // namespace dsta::cache
