#pragma once
/// Whether a value that was read from JSON says what the JSON says.
///
/// The idea: write the value as JSON once more and compare. from_json narrows (-300 as a signed char is -44), truncates
/// (64000.75 as an integer) and guesses (an enumerator that it does not know is the first one), and reports none of it.
/// What comes back of such a value differs from what was read.
///
/// The cost: one to_json and one walk over two documents; numbers, text and the usual containers of them are compared
/// as they are. The trap: containers without an order come back in another order, so arrays that differ are compared
/// once more with both sorted.
#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <dsta/cache/detail/sort_places.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// True when `test` holds for each element of an array or object; of anything else, which has none, too.
template <class Test>
bool every_element(const nlohmann::json& value, Test test) {
  if (const auto* array = value.get_ptr<const nlohmann::json::array_t*>()) {
    for (const nlohmann::json& element : *array) {
      if (!test(element)) return false;
    }
  } else if (const auto* object = value.get_ptr<const nlohmann::json::object_t*>()) {
    for (const auto& field : *object) {
      if (!test(field.second)) return false;
    }
  }
  return true;
}

/// Exact: nlohmann's own comparison rounds an integer to a double first.
inline bool same_number(const nlohmann::json& a, const nlohmann::json& b) {
  const auto* x = a.get_ptr<const double*>();
  const auto* y = b.get_ptr<const double*>();
  if (x && y)
    return (std::equal_to<>()(*x, *y) && std::signbit(*x) == std::signbit(*y)) || (std::isnan(*x) && std::isnan(*y));
  if (x || y) {
    const double real = x ? *x : *y;
    const nlohmann::json& other = x ? b : a;
    const bool whole_number = std::equal_to<>()(real, std::trunc(real));
    const bool negative_zero = std::fpclassify(real) == FP_ZERO && std::signbit(real);
    if (!whole_number || negative_zero) return false;
    if (const auto* whole = other.get_ptr<const std::uint64_t*>()) {
      return real >= 0 && real < 0x1p64 && static_cast<std::uint64_t>(real) == *whole;
    }
    return real >= -0x1p63 && real < 0x1p63 && static_cast<std::int64_t>(real) == *other.get_ptr<const std::int64_t*>();
  }
  const auto* m = a.get_ptr<const std::uint64_t*>();
  const auto* n = b.get_ptr<const std::uint64_t*>();
  if (m && n) return *m == *n;
  // Negative numbers are of the signed kind; a signed one that is not negative may come from to_json.
  const std::int64_t* s = a.get_ptr<const std::int64_t*>();
  const std::int64_t* t = b.get_ptr<const std::int64_t*>();
  if (m) return std::cmp_equal(*m, *t);
  if (n) return std::cmp_equal(*s, *n);
  return *s == *t;
}

inline bool same_json(const nlohmann::json& stored, const nlohmann::json& read);

/// A field that one side lacks is no difference: a reader may ignore a field of a later release, and where from_json
/// does without a missing one that is its author's word. An object of which nothing was read is another type's.
inline bool same_fields(const nlohmann::json::object_t& stored, const nlohmann::json::object_t& read) {
  bool common = stored.empty();
  auto a = stored.begin();
  auto b = read.begin();
  while (a != stored.end() && b != read.end()) {
    const int order = a->first.compare(b->first);
    if (order == 0) {
      if (!same_json(a->second, b->second)) return false;
      common = true;
    }
    if (order <= 0) ++a;
    if (order >= 0) ++b;
  }
  return common;
}

/// Goes no deeper than `stored`, whose depth the parser bounds.
inline bool same_json(const nlohmann::json& stored, const nlohmann::json& read) {
  if (stored.is_number() && read.is_number()) return same_number(stored, read);
  if (stored.type() != read.type()) return false;
  if (const auto* object = stored.get_ptr<const nlohmann::json::object_t*>()) {
    return same_fields(*object, *read.get_ptr<const nlohmann::json::object_t*>());
  }
  if (const auto* array = stored.get_ptr<const nlohmann::json::array_t*>()) {
    const auto& other = *read.get_ptr<const nlohmann::json::array_t*>();
    if (array->size() != other.size()) return false;
    for (std::size_t i = 0; i < array->size(); ++i) {
      if (!same_json((*array)[i], other[i])) return false;
    }
    return true;
  }
  // Not `stored == read`: every operator== of std would be tried with what JSON converts to, a tenth of a second.
  if (const auto* text = stored.get_ptr<const std::string*>()) return *text == *read.get_ptr<const std::string*>();
  if (const auto* flag = stored.get_ptr<const bool*>()) return *flag == *read.get_ptr<const bool*>();
  if (const auto* binary = stored.get_ptr<const nlohmann::json::binary_t*>()) {
    return *binary == *read.get_ptr<const nlohmann::json::binary_t*>();
  }
  return stored.is_null();
}

/// Sorts every array by hashes of its elements, so that two documents that differ in their order alone become the
/// same. Returns the document's hash. Recursive: for documents of bounded depth.
inline std::size_t sort_arrays(nlohmann::json& value) {
  const auto mix = [](std::size_t seed, std::size_t hash) {
    return (seed ^ (hash + 0x9e3779b97f4a7c15 + (seed << 6) + (seed >> 2))) * 0xff51afd7ed558ccd;
  };
  std::size_t hash = value.is_number() ? 0 : static_cast<std::size_t>(value.type()) + 1;
  if (value.is_number()) {
    hash = mix(hash, std::hash<double>()(value.get<double>()));  // the same number is the same double, of any kind
  } else if (const auto* text = value.get_ptr<const std::string*>()) {
    hash = mix(hash, std::hash<std::string>()(*text));
  } else if (auto* object = value.get_ptr<nlohmann::json::object_t*>()) {
    for (auto& [key, element] : *object) hash = mix(mix(hash, std::hash<std::string>()(key)), sort_arrays(element));
  } else if (auto* array = value.get_ptr<nlohmann::json::array_t*>()) {
    std::vector<HashedPlace> places;
    places.reserve(array->size());
    for (auto& element : *array) places.push_back({sort_arrays(element), places.size()});
    sort_places(places);
    nlohmann::json::array_t sorted;
    sorted.reserve(array->size());
    for (const HashedPlace& place : places) {
      hash = mix(hash, place.hash);
      sorted.push_back(std::move((*array)[place.index]));
    }
    array->swap(sorted);
  } else if (const auto* flag = value.get_ptr<const bool*>()) {
    hash = mix(hash, *flag ? 1 : 0);
  }
  return hash;
}

template <class>
inline constexpr bool is_sequence = false;
template <class T, class A>
inline constexpr bool is_sequence<std::vector<T, A>> = true;
template <class T, class A>
inline constexpr bool is_sequence<std::deque<T, A>> = true;
template <class T, class A>
inline constexpr bool is_sequence<std::list<T, A>> = true;
template <class T, std::size_t N>
inline constexpr bool is_sequence<std::array<T, N>> = true;

template <class>
inline constexpr bool is_set = false;
template <class T, class C, class A>
inline constexpr bool is_set<std::set<T, C, A>> = true;
template <class T, class H, class E, class A>
inline constexpr bool is_set<std::unordered_set<T, H, E, A>> = true;

template <class>
inline constexpr bool is_text_map = false;
template <class V, class C, class A>
inline constexpr bool is_text_map<std::map<std::string, V, C, A>> = true;
template <class V, class H, class E, class A>
inline constexpr bool is_text_map<std::unordered_map<std::string, V, H, E, A>> = true;

template <class>
inline constexpr bool is_couple = false;
template <class A, class B>
inline constexpr bool is_couple<std::pair<A, B>> = true;

/// True when `value` says what `stored`, from which it was read, says. Without to_json where it can be; so false may be
/// wrong for a container that its author writes in a form of its own.
template <class T>
bool says_plainly(const nlohmann::json& stored, const T& value) {
  if constexpr (std::same_as<T, nlohmann::json>) {
    return same_json(stored, value);
  } else if constexpr (std::same_as<T, bool>) {
    return stored.is_boolean() && stored.get<bool>() == value;
  } else if constexpr (std::is_arithmetic_v<T>) {
    return stored.is_number() && same_number(stored, nlohmann::json(value));
  } else if constexpr (std::same_as<T, std::string>) {
    const auto* text = stored.get_ptr<const std::string*>();
    return text && *text == value;
  } else if constexpr (is_sequence<T>) {
    using Element = typename T::value_type;
    return stored.is_array() && stored.size() == value.size() &&
           std::equal(stored.begin(), stored.end(), value.begin(),
                      [](const auto& a, const Element& b) { return says_plainly(a, b); });
  } else if constexpr (is_set<T>) {
    // All elements of the JSON are in the set, and there are as many: none is there twice.
    return stored.is_array() && stored.size() == value.size() && std::ranges::all_of(stored, [&](const auto& element) {
             const auto key = element.template get<typename T::key_type>();
             return value.contains(key) && says_plainly(element, key);
           });
  } else if constexpr (is_text_map<T>) {
    const auto* object = stored.get_ptr<const nlohmann::json::object_t*>();
    return object && object->size() == value.size() && std::ranges::all_of(value, [&](const auto& element) {
             const auto found = object->find(element.first);
             return found != object->end() && says_plainly(found->second, element.second);
           });
  } else if constexpr (is_couple<T>) {
    return stored.is_array() && stored.size() == 2 && says_plainly(stored[0], value.first) &&
           says_plainly(stored[1], value.second);
  } else if constexpr (std::is_constructible_v<nlohmann::json, const T&>) {
    return same_json(stored, nlohmann::json(value));
  } else {
    return false;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
