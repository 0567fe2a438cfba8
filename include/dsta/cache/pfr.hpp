#pragma once
/// Values of aggregates without JSON and without naming their fields, by Boost.PFR (Debian 12: libboost1.81-dev, Ubuntu
/// 24.04: libboost1.83-dev). Beside the type:
///     template <> inline constexpr bool dsta::cache::reflected<Tick> = true;
///
/// The codec's name contains the types of the fields, in their order, and not their names: C++20 has no reflection for
/// field names. If a field is added, removed or given another type, values stored before are misses. If two fields of
/// one type change places, or one changes its meaning, values stored before are misread. Where that may happen name the
/// fields instead (fields.hpp), which takes precedence.
///
/// PFR knows aggregates of up to 100 fields without base classes, references and arrays (std::array is fine).
#include <boost/pfr.hpp>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/fields.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

template <class T>
  requires(bool(reflected<T>) && !NamedFields<T>)
struct FieldsOf<T> {
  static_assert(std::is_aggregate_v<T>,
                "Boost.PFR finds the fields of aggregates only: name the fields (dsta::cache::fields<T>)");
  static auto tie(T& value) { return boost::pfr::structure_tie(value); }
  static auto tie(const T& value) { return boost::pfr::structure_tie(value); }
  static constexpr std::string_view name(std::size_t) { return {}; }
  static constexpr std::string_view version() { return {}; }

 private:
  template <class... References>
  static auto values(const std::tuple<References...>&) -> std::tuple<std::remove_reference_t<References>...>;

 public:
  using Types = decltype(values(boost::pfr::structure_tie(std::declval<T&>())));
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
