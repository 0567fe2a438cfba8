#pragma once
/// The standard containers and strings: how many, then the elements. Of the same shape, and so read as each other, are
/// sequences, whatever their kind; ordered and unordered sets; ordered and unordered maps. Where one of two is padded
/// and the other is not, as they take more and less memory, that is a miss.
#include <algorithm>
#include <array>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <deque>
#include <forward_list>
#include <iterator>
#include <list>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include <dsta/cache/detail/structure.hpp>
#include <dsta/cache/detail/structure_fields.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An order, a hash or an equality that needs no state: decoding default-constructs it, and a function pointer would be
/// null then.
template <class... Functions>
concept Stateless = (... && (std::is_empty_v<Functions> && std::default_initializable<Functions>));

/// Sets and maps whose functions have state, which no codec can make again.
struct KeepsFunctions {
  static constexpr bool through_pointers = true;
  template <class T>
  static constexpr bool of = false;
};
template <class T>
  requires requires { typename T::key_compare; }
inline constexpr bool KeepsFunctions::of<T> = !Stateless<typename T::key_compare>;
template <class T>
  requires requires {
    typename T::hasher;
    typename T::key_equal;
  }
inline constexpr bool KeepsFunctions::of<T> = !Stateless<typename T::hasher, typename T::key_equal>;

template <class C, class Traits, class A>
inline constexpr bool has_structure<std::basic_string<C, Traits, A>> = Scalar<C>;
template <class T, std::size_t N>
inline constexpr bool has_structure<std::array<T, N>> = can_be_part<T>;
template <class T, class A>
inline constexpr bool has_structure<std::vector<T, A>> = can_be_part<T>;
template <class T, class A>
inline constexpr bool has_structure<std::deque<T, A>> = can_be_part<T>;
template <class T, class A>
inline constexpr bool has_structure<std::list<T, A>> = can_be_part<T>;
template <class T, class A>
inline constexpr bool has_structure<std::forward_list<T, A>> = can_be_part<T>;
template <class T, class C, class A>
inline constexpr bool has_structure<std::set<T, C, A>> = can_be_part<T>&& Stateless<C>;
template <class T, class C, class A>
inline constexpr bool has_structure<std::multiset<T, C, A>> = can_be_part<T>&& Stateless<C>;
template <class T, class H, class E, class A>
inline constexpr bool has_structure<std::unordered_set<T, H, E, A>> = can_be_part<T>&& Stateless<H, E>;
template <class T, class H, class E, class A>
inline constexpr bool has_structure<std::unordered_multiset<T, H, E, A>> = can_be_part<T>&& Stateless<H, E>;
template <class K, class V, class C, class A>
inline constexpr bool has_structure<std::map<K, V, C, A>> = can_be_part<K>&& can_be_part<V>&& Stateless<C>;
template <class K, class V, class C, class A>
inline constexpr bool has_structure<std::multimap<K, V, C, A>> = can_be_part<K>&& can_be_part<V>&& Stateless<C>;
template <class K, class V, class H, class E, class A>
inline constexpr bool has_structure<std::unordered_map<K, V, H, E, A>> =
    can_be_part<K>&& can_be_part<V>&& Stateless<H, E>;
template <class K, class V, class H, class E, class A>
inline constexpr bool has_structure<std::unordered_multimap<K, V, H, E, A>> =
    can_be_part<K>&& can_be_part<V>&& Stateless<H, E>;

/// Elements that lie in bytes of any alignment, for the constructors of containers: so each is written once, and not
/// set to zero before.
template <class T>
class BytesIterator {
 public:
  using iterator_category = std::random_access_iterator_tag;
  using value_type = T;
  using difference_type = std::ptrdiff_t;
  using pointer = const T*;
  using reference = T;

  BytesIterator() = default;
  explicit BytesIterator(const char* at) : at_(at) {}
  T operator*() const {
    T value;
    std::memcpy(static_cast<void*>(&value), at_, sizeof value);
    return value;
  }
  BytesIterator& operator++() {
    at_ += sizeof(T);
    return *this;
  }
  BytesIterator operator++(int) {
    BytesIterator before = *this;
    ++*this;
    return before;
  }
  BytesIterator& operator--() { return *this += -1; }
  BytesIterator operator--(int) {
    BytesIterator before = *this;
    --*this;
    return before;
  }
  BytesIterator& operator+=(difference_type n) {
    at_ += n * static_cast<difference_type>(sizeof(T));
    return *this;
  }
  BytesIterator& operator-=(difference_type n) { return *this += -n; }
  BytesIterator operator+(difference_type n) const { return BytesIterator(*this) += n; }
  friend BytesIterator operator+(difference_type n, const BytesIterator& it) { return it + n; }
  BytesIterator operator-(difference_type n) const { return BytesIterator(*this) -= n; }
  T operator[](difference_type n) const { return *(*this + n); }
  difference_type operator-(const BytesIterator& other) const {
    return (at_ - other.at_) / static_cast<difference_type>(sizeof(T));
  }
  auto operator<=>(const BytesIterator& other) const = default;

 private:
  const char* at_ = nullptr;
};

/// What a node takes besides its element T, when it takes `usual` bytes with elements of the usual alignment.
template <class T>
constexpr std::size_t node_memory(std::size_t usual) {
  return std::max(usual, alignof(T));
}

/// Larger elements are not copied by way of the stack.
inline constexpr std::size_t kLargestOnStack = 4096;

/// [T]. `kEach`: what an element takes in memory besides its own size; `kSelf`: the container without any.
template <class Container, class T, std::size_t kEach, std::size_t kSelf>
struct SequenceStructure {
  static constexpr std::size_t kFixed = 0, kMin = 1, kMemory = kSelf;
  static constexpr bool kPlain = false;

  static void write(BinaryWriter& out, const Container& value) {
    using Element = Part<T>;
    const auto count = static_cast<std::size_t>(std::distance(value.begin(), value.end()));
    out.length(count);
    out.charge(count, Element::kMemory + kEach);
    if constexpr (Element::kPlain && std::contiguous_iterator<typename Container::const_iterator>) {
      if (Element::in_order()) return out.bytes(std::data(value), count * sizeof(T));
    }
    if constexpr (Element::kFixed != 0) {
      char* at = out.extend(count * Element::kFixed);
      for (auto it = value.begin(); it != value.end(); ++it, at += Element::kFixed) Element::put(at, *it);
    } else {
      for (const T& element : value) Element::write(out, element);
    }
  }

  static bool read(BinaryReader& in, Container& value) {
    using Element = Part<T>;
    std::size_t count = 0;
    if (!in.count(count, Element::kMin, Element::kMemory + kEach)) return false;
    if constexpr (Element::kPlain && std::contiguous_iterator<typename Container::const_iterator>) {
      if (Element::in_order()) {
        const char* const at = in.take(count * Element::kFixed);
        if constexpr (sizeof(T) <= kLargestOnStack) {
          value.assign(BytesIterator<T>(at), BytesIterator<T>(at + count * Element::kFixed));
          return true;
        } else {
          value.clear();
          value.resize(count);
          return get_all(at, std::data(value), count);
        }
      }
    }
    value.clear();
    if constexpr (requires { value.reserve(count); }) value.reserve(count);
    auto last = before_begin(value);
    for (std::size_t i = 0; i < count; ++i) {
      if (!read_one(in, value, last)) return false;
    }
    return true;
  }

  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    out.put('[');
    Part<T>::template shape<Above...>(out);
    out.put(']');
  }

 private:
  static constexpr bool kForward = requires(Container & value) { value.before_begin(); };
  static auto before_begin(Container& value) {
    if constexpr (kForward)
      return value.before_begin();
    else
      return nullptr;
  }
  template <class Place>
  static bool read_one(BinaryReader& in, Container& value, Place& last) {
    if constexpr (std::same_as<T, bool> && std::same_as<typename Container::const_reference, bool>) {
      bool element = false;  // std::vector<bool> has no elements to refer to
      const bool valid = Part<T>::read(in, element);
      value.push_back(element);
      return valid;
    } else if constexpr (kForward) {
      last = value.emplace_after(last);
      return Part<T>::read(in, *last);
    } else {
      return Part<T>::read(in, value.emplace_back());
    }
  }
};

inline constexpr std::size_t kListSize = 24;
/// With what it allocates at once: a block of 512 bytes, or of one larger element, and the list of blocks.
template <class T>
inline constexpr std::size_t kDequeSize = std::max<std::size_t>(512, round_up_to_word(sizeof(T))) + 208;

template <class T, std::size_t N>
struct Structure<std::array<T, N>> : ArrayStructure<std::array<T, N>, T, N> {};
template <class T, class A>
struct Structure<std::vector<T, A>> : SequenceStructure<std::vector<T, A>, T, 0, kListSize> {};
template <class T, class A>
struct Structure<std::deque<T, A>> : SequenceStructure<std::deque<T, A>, T, 8, kDequeSize<T>> {};
template <class T, class A>
struct Structure<std::list<T, A>> : SequenceStructure<std::list<T, A>, T, node_memory<T>(32), kListSize> {};
template <class T, class A>
struct Structure<std::forward_list<T, A>>
    : SequenceStructure<std::forward_list<T, A>, T, node_memory<T>(16), kListSize> {};

/// "str" for what holds bytes of text, else [T].
template <class C, class Traits, class A>
struct Structure<std::basic_string<C, Traits, A>> : SequenceStructure<std::basic_string<C, Traits, A>, C, 0, 32> {
  using String = std::basic_string<C, Traits, A>;
  static constexpr std::size_t kShort = 15;  ///< characters that need no memory of their own

  static void write(BinaryWriter& out, const String& value) {
    out.length(value.size());
    if (value.size() * sizeof(C) > kShort) out.charge(value.size() + 1, sizeof(C));
    if constexpr (Structure<C>::kPlain)
      out.bytes(value.data(), value.size() * sizeof(C));
    else
      put_all(out.extend(value.size() * sizeof(C)), value.data(), value.size());
  }
  static bool read(BinaryReader& in, String& value) {
    std::size_t count = 0;
    if (!in.count(count, sizeof(C), 0)) return false;
    if (count * sizeof(C) > kShort && !in.charge(count + 1, sizeof(C))) return false;
    const char* const at = in.take(count * sizeof(C));
    value.resize(count);
    return get_all(at, value.data(), count);
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    if constexpr (std::same_as<C, char>)
      out.put("str");
    else
      SequenceStructure<String, C, 0, 32>::template shape<Above...>(out);
  }
};

template <class Container>
concept Hashed = requires {
  typename Container::hasher;
};

/// What a node of a tree or a hash table takes besides its element; of a hash table its bucket, too, and what lies
/// behind the element as well as before it.
template <class Container>
constexpr std::size_t tree_or_hash_node() {
  constexpr std::size_t kAlignment = alignof(typename Container::value_type);
  return Hashed<Container> ? std::max<std::size_t>(48, 2 * kAlignment + 32) : std::max<std::size_t>(40, kAlignment);
}

/// {T}, and {T+} when elements may be equal.
template <class Set, class T, bool kUnique>
struct SetStructure {
  static constexpr std::size_t kFixed = 0, kMin = 1, kMemory = Hashed<Set> ? 56 : 48;
  static constexpr bool kPlain = false;
  /// A template, as T may contain the set and is not complete before.
  template <class Element = T>
  static constexpr std::size_t kEntry = round_up_to_word(Part<Element>::kMemory) + tree_or_hash_node<Set>();
  static void write(BinaryWriter& out, const Set& value) {
    out.length(value.size());
    out.charge(value.size(), kEntry<>);
    for (const T& element : value) Part<T>::write(out, element);
  }
  static bool read(BinaryReader& in, Set& value) {
    std::size_t count = 0;
    if (!in.count(count, Part<T>::kMin, kEntry<>)) return false;
    value.clear();
    if constexpr (Hashed<Set>) value.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      T element{};
      if (!Part<T>::read(in, element)) return false;
      value.emplace_hint(value.end(), std::move(element));
      if (value.size() != i + 1) return false;  // twice
    }
    return true;
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    out.put('{');
    Part<T>::template shape<Above...>(out);
    out.put(kUnique ? "}" : "+}");
  }
};
template <class T, class C, class A>
  requires Stateless<C>
struct Structure<std::set<T, C, A>> : SetStructure<std::set<T, C, A>, T, true> {
};
template <class T, class C, class A>
  requires Stateless<C>
struct Structure<std::multiset<T, C, A>> : SetStructure<std::multiset<T, C, A>, T, false> {
};
template <class T, class H, class E, class A>
  requires Stateless<H, E>
struct Structure<std::unordered_set<T, H, E, A>> : SetStructure<std::unordered_set<T, H, E, A>, T, true> {
};
template <class T, class H, class E, class A>
  requires Stateless<H, E>
struct Structure<std::unordered_multiset<T, H, E, A>> : SetStructure<std::unordered_multiset<T, H, E, A>, T, false> {
};

/// {K=V}, and {K=V+} when keys may be equal.
template <class Map, class K, class V, bool kUnique>
struct MapStructure {
  static constexpr std::size_t kFixed = 0, kMin = 1, kMemory = Hashed<Map> ? 56 : 48;
  static constexpr bool kPlain = false;
  /// A template, as V may contain the map and is not complete before.
  template <class Value = V>
  static constexpr std::size_t kEntry = std::max(round_up_to_word(Part<K>::kMemory) +
                                                     round_up_to_word(Part<Value>::kMemory),
                                                 round_up_to_word(sizeof(std::pair<const K, Value>))) +
                                        tree_or_hash_node<Map>();

  static void write(BinaryWriter& out, const Map& value) {
    out.length(value.size());
    out.charge(value.size(), kEntry<>);
    for (const auto& [key, held] : value) {
      Part<K>::write(out, key);
      Part<V>::write(out, held);
    }
  }
  static bool read(BinaryReader& in, Map& value) {
    std::size_t count = 0;
    if (!in.count(count, Part<K>::kMin + Part<V>::kMin, kEntry<>)) return false;
    value.clear();
    if constexpr (Hashed<Map>) value.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      K key{};
      if (!Part<K>::read(in, key)) return false;
      // Made where it stays, as it may be too large for the stack.
      const auto entry = value.emplace_hint(value.end(), std::piecewise_construct,
                                            std::forward_as_tuple(std::move(key)), std::forward_as_tuple());
      if (value.size() != i + 1) return false;  // a key twice
      if (!Part<V>::read(in, entry->second)) return false;
    }
    return true;
  }
  template <class... Above>
  static constexpr void shape(ShapeText& out) {
    out.put('{');
    Part<K>::template shape<Above...>(out);
    out.put('=');
    Part<V>::template shape<Above...>(out);
    out.put(kUnique ? "}" : "+}");
  }
};
template <class K, class V, class C, class A>
  requires Stateless<C>
struct Structure<std::map<K, V, C, A>> : MapStructure<std::map<K, V, C, A>, K, V, true> {
};
template <class K, class V, class C, class A>
  requires Stateless<C>
struct Structure<std::multimap<K, V, C, A>> : MapStructure<std::multimap<K, V, C, A>, K, V, false> {
};
template <class K, class V, class H, class E, class A>
  requires Stateless<H, E>
struct Structure<std::unordered_map<K, V, H, E, A>> : MapStructure<std::unordered_map<K, V, H, E, A>, K, V, true> {
};
template <class K, class V, class H, class E, class A>
  requires Stateless<H, E>
struct Structure<std::unordered_multimap<K, V, H, E, A>>
    : MapStructure<std::unordered_multimap<K, V, H, E, A>, K, V, false> {
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
