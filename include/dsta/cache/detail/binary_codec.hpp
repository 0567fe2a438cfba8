#pragma once
/// The binary codec of standard containers, pairs, tuples, arrays, variants, times and described types. Whether a type
/// has it does not depend on which headers a file includes: docs/codecs.md has the order of codecs.
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <dsta/cache/detail/binary_io.hpp>
#include <dsta/cache/detail/codec_traits.hpp>
#include <dsta/cache/detail/shape.hpp>
#include <dsta/cache/detail/structure.hpp>
#include <dsta/cache/detail/structure_chrono.hpp>
#include <dsta/cache/detail/structure_containers.hpp>
#include <dsta/cache/detail/structure_fields.hpp>
#include <dsta/cache/detail/structure_holders.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class T>
concept BinaryCodable = !in_process_only<T> && !is_builtin<T> && !std::is_array_v<T> && Structured<T> &&
                        (Described<T> || std::default_initializable<T>);

/// `bin1:` and the shape.
template <class T>
struct BinaryName {
  static constexpr void write(ShapeText& out) {
    out.put("bin1:");
    Structure<T>::template shape<>(out);
  }
};

}  // namespace detail

template <detail::BinaryCodable T>
struct codec<T> : detail::LibraryCodec<T> {
  static constexpr std::string_view name = detail::ShapeConstant<detail::BinaryName<T>>::text;

  /// Throws ValueError for a variant without a value and a value nested more than 64 levels deep.
  static void encode(const T& value, std::string& out) {
    detail::BinaryWriter writer(out);
    detail::Structure<T>::write(writer, value);
    writer.finish();
  }

  /// nullopt for bytes that `encode` writes of no type of this shape. Allocates at most 16 times their size, and what
  /// codecs and default constructors of yours allocate.
  static std::optional<T> decode(std::string_view bytes) {
    std::optional<T> value;
    if constexpr (std::default_initializable<T>) {
      detail::BinaryReader reader(bytes);
      value.emplace();
      if (!detail::Structure<T>::read(reader, *value) || !reader.finish()) value.reset();
    }
    return value;
  }
};

}  // namespace v1
}  // namespace dsta::cache
