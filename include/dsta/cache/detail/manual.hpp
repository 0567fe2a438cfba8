#pragma once
/// What the templates of CacheManager are made of.
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/core.hpp>
#include <dsta/cache/detail/key_buffer.hpp>
#include <dsta/cache/options.hpp>
#include <dsta/cache/set_result.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a value is kept as: text of any kind as std::string.
template <class T>
using stored_t = std::conditional_t<std::convertible_to<const T&, std::string_view> && !Cacheable<std::decay_t<T>>,
                                    std::string, std::decay_t<T>>;

/// The key of a manual call: the prefix, ':' and the key, as given. Throws KeyError.
class ManualKey {
 public:
  ManualKey(std::string_view key, const EntryOptions& options);
  const KeyView& view() const { return view_; }

 private:
  void add_part(std::string_view part);

  KeyBuffer buffer_;
  KeyView view_;
};

template <class T>
consteval bool check_codable() {
  static_assert(Cacheable<T>,
                "no codec for this type: name its fields (dsta::cache::fields<T>), include <dsta/cache/json.hpp> for "
                "types that nlohmann::json converts or <dsta/cache/message.hpp> for protobuf messages, specialise "
                "dsta::cache::codec<T>, or mark it in_process_only");
  return Cacheable<T>;
}

/// The type of a counter that is read as a T. Depends on T, so that files which read none do not instantiate it.
template <class T>
struct CounterFor {
  using type = std::int64_t;
};

/// What an entry may be read as to give a T: counters are 64-bit whatever type they are asked for.
template <class T>
constexpr auto readable_types() {
  using Integer = typename CounterFor<T>::type;
  if constexpr (Counter<T> && !std::same_as<T, Integer>) {
    return std::array<const TypeOps*, 2>{&kTypeOps<T>, &kTypeOps<Integer>};
  } else {
    return std::array<const TypeOps*, 1>{&kTypeOps<T>};
  }
}
template <class T>
inline constexpr auto kReadableTypes = readable_types<T>();

/// Counts a miss of a manual call, and says in the debug log when there is a value all the same: of another type than
/// the one asked for, or one that could not be read just now.
void count_manual_miss(Core& core, const KeyView& key, const EntryOptions& options, const TypeOps& type);

/// The values of set_many, in their order. Compiled, like all that follows: it knows no types.
std::vector<SetResult> put_manual(Core& core, std::vector<NodeRef> nodes, const EntryOptions& options);

/// An entry at L2, as one of the types.
Fetched fetch_manual(Core& core, const KeyView& key, const EntryOptions& options, const TypeOps* const* types,
                     std::size_t count, Reach reach);

/// The keys of get_many, read from L1 and then from L2 at once. One thread.
class ManualReads {
 public:
  /// Of so many values of this type.
  ManualReads(Core& core, const EntryOptions& options, const TypeOps& type, std::size_t count);
  ~ManualReads();
  ManualReads(const ManualReads&) = delete;
  ManualReads& operator=(const ManualReads&) = delete;

  /// Takes the next key. Throws KeyError.
  void add(std::string_view key);
  /// The entry of the last key in L1; null when there is none.
  NodeRef read(const TypeOps& type);
  /// What was read last is past its ttl.
  bool stale() const noexcept;
  /// The last key is to be read from L2, if there is one.
  void want();

  /// Reads what is wanted.
  void fetch(const TypeOps* const* types, std::size_t count);
  std::size_t wanted() const noexcept;
  /// Of those wanted, the entry and its place among all keys.
  const NodeRef& fetched(std::size_t i) const noexcept;
  std::size_t place(std::size_t i) const noexcept;
  bool fetched_stale(std::size_t i) const noexcept;

 private:
  struct Items;
  Items* items_;  // owned
};

/// Says whose load a get_or_load is.
void describe_load(Loader& load, EntryTerms terms, Identity& counted, const TypeOps& type);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
