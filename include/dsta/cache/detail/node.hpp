#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <dsta/cache/codec.hpp>
#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/identity_ref.hpp>
#include <dsta/cache/detail/type_identity.hpp>
#include <dsta/cache/detail/weigh.hpp>
#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct NodeExtra;
class NodeRef;

/// A key as the store sees it. `full` is empty unless the key was too long to be kept readable; then `name` is its
/// shortened form and `full` is what an entry is verified by. For reads, zeros must follow `name` up to the next
/// multiple of eight bytes (KeyBuffer and StoredKey see to it), so that it is compared by whole words.
struct KeyView {
  std::string_view name;
  std::string_view full;
  std::uint64_t hash = 0;
  /// A manual call's: whatever has this name is meant, a long key under its shortened name included.
  bool by_name = false;
};

/// What compiled code must know of a value's type. Its address is the type's identity inside a library; between
/// libraries see type_identity.hpp.
struct TypeOps {
  std::uint32_t size;
  /// Trivially copyable and small: a hit copies it by whole words.
  bool bitwise;
  void (*destroy)(void* value) noexcept;
  /// False when the type is not stored as an integer or the value is out of range.
  bool (*as_integer)(const void* value, std::int64_t& out);
  /// Of an integer type, as which counters may be read: whether it can hold the number. Null for other types.
  bool (*fits)(std::int64_t number);
  /// Of the type's codec; empty when it has none.
  std::string_view codec;
  /// Appends the value's bytes. Throws what the codec throws.
  void (*encode)(const void* value, std::string& out);
  /// An unpublished node of this type; null when the bytes are none of it. Throws what the codec throws.
  NodeRef (*decode)(const KeyView& key, std::string_view bytes);
  /// Null; for results of callables with open parameter types, the type without those of the call's arguments.
  const TypeOps* plain = nullptr;
  /// False: values are kept in this process alone. Either they are of an in_process_only type, or keys say the argument
  /// types of such calls only roughly, so that another process could not know what it gets.
  bool shareable = true;
  /// Null without RTTI.
  const std::type_info* info = nullptr;

  bool same(const TypeOps& other) const { return this == &other || same_elsewhere(other); }
  /// True when an entry of this type may be handed to who asks for `asked`. Results of calls with arguments of
  /// different types are kept apart; manual calls know no arguments and take, and are taken by, all of them.
  [[gnu::always_inline]] bool serves(const TypeOps& asked) const {
    return this == &asked || plain == &asked || asked.plain == this || (size == asked.size && serves_elsewhere(asked));
  }

 private:
  [[gnu::cold]] bool same_elsewhere(const TypeOps& other) const noexcept;
  [[gnu::cold]] bool serves_elsewhere(const TypeOps& asked) const noexcept;
};

template <class T>
concept Counter = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char> && !std::same_as<T, wchar_t> &&
                  !std::same_as<T, char8_t> && !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// Stored as the decimal digits of an integer, which increment() counts on.
template <class T>
constexpr bool written_as_integer() {
  if constexpr (std::is_enum_v<T>) {
    if constexpr (!stays_in_process<T> && Codable<T> && Codable<std::underlying_type_t<T>>) {
      return codec<T>::name == codec<std::underlying_type_t<T>>::name &&
             written_as_integer<std::underlying_type_t<T>>();
    }
    return false;
  }
  return std::integral<T> && !std::same_as<T, bool>;
}

template <class T>
constexpr std::string_view codec_name() {
  if constexpr (!stays_in_process<T> && Codable<T>) return codec<T>::name;
  return {};
}
template <class T>
void encode_value(const void* value, std::string& out) {
  if constexpr (!stays_in_process<T> && Codable<T>) codec<T>::encode(*static_cast<const T*>(value), out);
}
template <class T>
NodeRef decode_node(const KeyView& key, std::string_view bytes);

template <class T>
bool integer_of(T value, std::int64_t& out) {
  out = static_cast<std::int64_t>(value);
  if constexpr (Counter<T>) return std::in_range<std::int64_t>(value);
  return out >= 0 || value < T{};  // characters and enumerators: it has not wrapped around
}
template <class T>
constexpr bool (*fits_integer())(std::int64_t) {
  if constexpr (Counter<T> && Number<T> && !stays_in_process<T>) {
    // A codec of the user's own reads other text.
    if constexpr (codec_name<T>() == number_name<T>()) {
      return [](std::int64_t number) { return std::in_range<T>(number); };
    }
  }
  return nullptr;
}

template <class T>
inline constexpr TypeOps kTypeOps = {
    sizeof(T),
    std::is_trivially_copyable_v<T> && sizeof(T) <= 64,
    [](void* value) noexcept { static_cast<T*>(value)->~T(); },
    [](const void* value, std::int64_t& out) {
      if constexpr (written_as_integer<T>()) {
        return integer_of(*static_cast<const T*>(value), out);
      } else {
        return false;
      }
    },
    fits_integer<T>(),
    codec_name<T>(),
    encode_value<T>,
    decode_node<T>,
    nullptr,
    !stays_in_process<T>,
    type_info_of<T>(),
};

/// A type that the key of an open call (`auto` parameters) spells exactly: numbers and text. Wide characters are
/// spelled as the numbers that they are.
template <class T>
inline constexpr bool spelled_exactly = (std::is_arithmetic_v<T> && !std::same_as<T, wchar_t> &&
                                         !std::same_as<T, char8_t> && !std::same_as<T, char16_t> &&
                                         !std::same_as<T, char32_t>) ||
                                        std::same_as<T, std::string>;

/// Stands for a call's result and arguments where types are compared.
template <class R, class... Arguments>
struct CallOf {};

/// The type R of a result, told apart by the types of the call's arguments.
template <class R, class... Arguments>
inline constexpr TypeOps kCallTypeOps = [] {
  TypeOps ops = kTypeOps<R>;
  ops.plain = &kTypeOps<R>;
  ops.shareable = ops.shareable && (spelled_exactly<Arguments> && ...);
  ops.info = type_info_of<CallOf<R, Arguments...>>();
  return ops;
}();

/// Equality of two texts that zeros follow up to the next multiple of eight bytes.
[[gnu::always_inline]] inline bool same_padded(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); i += 8) {
    if (load64(a.data() + i) != load64(b.data() + i)) return false;
  }
  return true;
}

/// The same where nothing need follow `text`.
[[gnu::always_inline]] inline bool same_text(std::string_view padded, std::string_view text) {
  if (padded.size() != text.size()) return false;
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    if (load64(padded.data() + i) != load64(text.data() + i)) return false;
  }
  return i == text.size() || load64(padded.data() + i) == load_partial(text.data() + i, text.size() - i);
}

/// Makes a copy of the value, at `out`. Runs no user code and reads no cache: meanwhile the entry is protected by the
/// one hazard pointer of the thread.
using Copier = void(const void* value, void* out);

/// Which of the store's lists a node is on.
enum class Place : std::uint8_t { none, window, main, pinned };

/// An entry: one allocation that holds this header, the key's bytes, and the value.
///
/// Invariant: once a node is published in the store, its value, key and times never change (replacing is a new node);
/// `place`, `wheel_slot` and the links belong to the shard and change under its lock only. References keep the value
/// alive after the entry is gone, so a reader copies it without holding any lock.
///
/// The order of the fields is for the hit path: what a hit does not look at comes first, so that what it does look at
/// lies together with the key and the value.
struct Node {
  Node* previous = nullptr;  ///< links of the policy's list
  Node* next = nullptr;
  Node* wheel_previous = nullptr;  ///< links of the expiry wheel
  Node* wheel_next = nullptr;
  TimePoint fresh_until;  ///< TimePoint::max(): for ever
  TimePoint stale_until;  ///< physical expiry
  TimePoint created;
  /// No refresh is begun before: the last one failed. Changes while published.
  std::atomic<TimePoint> retry_after{};

  // From here on what a hit looks at.
  std::atomic<std::uint32_t> references{1};
  std::atomic<std::uint8_t> frequency{0};
  bool counter : 1 = false;  ///< made by increment: never evicted
  bool shared : 1 = false;   ///< L2 has it too, and it goes when that can no longer be kept track of
  bool wide : 1 = false;     ///< the value wants the alignment of std::max_align_t
  bool is_long : 1 = false;  ///< there is a full key beside the name
  std::uint16_t : 0;         // what the shard changes is a memory location of its own: readers look at those above
  Place place : 4 = Place::none;
  std::uint16_t wheel_slot : 12 = 0;
  std::uint64_t hash = 0;
  const TypeOps* type = nullptr;
  /// Whose function stored it; null for a manual set.
  IdentityRef identity;
  /// The invalidation sequence seen before the value was read from its source.
  std::uint64_t sequence = 0;
  TimePoint refresh_at;        ///< until then it is fresh and nothing is to be done: the hit path's only comparison
  NodeExtra* extra = nullptr;  ///< tags and what else few entries have; owned
  std::uint32_t key_size = 0;
  std::uint32_t weight = 0;  ///< kTooHeavy: that or more

  static constexpr std::uint32_t kTooHeavy = std::numeric_limits<std::uint32_t>::max();
  void add_weight(std::size_t more) {
    weight = more < kTooHeavy - weight ? weight + static_cast<std::uint32_t>(more) : kTooHeavy;
  }

  [[gnu::always_inline]] void* value() {
    if (is_long || wide) [[unlikely]]
      return bytes() + value_offset(key_size, full().size(), wide);
    return bytes() + value_offset(key_size, 0, false);
  }
  [[gnu::always_inline]] const void* value() const { return const_cast<Node*>(this)->value(); }
  std::string_view name() const { return {bytes() + sizeof(Node), key_size}; }
  /// Empty where the name is the whole key.
  std::string_view full() const {
    if (!is_long) [[likely]]
      return {};
    const char* const at = bytes() + sizeof(Node) + padded(key_size);
    return {at + 8, static_cast<std::size_t>(load64(at))};
  }

  /// To whole words: keys are compared, and values copied, by words.
  static constexpr std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }
  /// Behind the header: the name; the size and the bytes of the full key if there is one; the value.
  static constexpr std::size_t value_offset(std::size_t key_size, std::size_t full_size, bool wide) {
    const std::size_t after_key =
        sizeof(Node) + padded(key_size) + (full_size != 0 ? 8 + padded(full_size) : std::size_t{0});
    return wide ? (after_key + 15) / 16 * 16 : after_key;
  }

 private:
  char* bytes() { return reinterpret_cast<char*>(this); }
  const char* bytes() const { return reinterpret_cast<const char*>(this); }
};
static_assert(sizeof(Node) == 128 && alignof(std::max_align_t) == 16, "a header of two cache lines");

/// Frees what `extra` points to. Null is fine.
void release_extra(NodeExtra* extra) noexcept;

inline void destroy(Node* node) noexcept {
  node->type->destroy(node->value());
  release_extra(node->extra);
  const auto alignment = std::align_val_t{alignof(std::max_align_t)};
  node->~Node();
  ::operator delete(static_cast<void*>(node), alignment);
}

/// A counted reference to a node. Copies are thread-safe as those of std::shared_ptr are.
class NodeRef {
 public:
  NodeRef() = default;
  /// Takes over a reference that the caller holds.
  explicit NodeRef(Node* adopted) : node_(adopted) {}
  /// One more reference to a node that somebody else keeps alive meanwhile.
  static NodeRef to(Node& node) {
    node.references.fetch_add(1, std::memory_order_relaxed);
    return NodeRef(&node);
  }
  NodeRef(const NodeRef& other) : node_(other.node_) {
    if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
  }
  NodeRef(NodeRef&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  NodeRef& operator=(NodeRef other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~NodeRef() { reset(); }

  void reset() noexcept {
    if (node_ && node_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) destroy(node_);
    node_ = nullptr;
  }
  Node* release() noexcept { return std::exchange(node_, nullptr); }
  Node* get() const { return node_; }
  Node* operator->() const { return node_; }
  Node& operator*() const { return *node_; }
  explicit operator bool() const { return node_ != nullptr; }

  template <class T>
  const T& as() const {
    return *static_cast<const T*>(const_cast<const Node*>(node_)->value());
  }

 private:
  Node* node_ = nullptr;
};

/// An unpublished node that holds T made from `arguments`.
template <class T, class... Arguments>
NodeRef make_node(const KeyView& key, Arguments&&... arguments) {
  static_assert(alignof(T) <= alignof(std::max_align_t), "over-aligned types cannot be cached by value");
  constexpr bool kWide = alignof(T) > 8;
  const std::size_t padded = Node::padded(key.name.size());
  const std::size_t at = Node::value_offset(key.name.size(), key.full.size(), kWide);
  const std::size_t bytes = at + Node::padded(sizeof(T));
  constexpr auto kAlignment = std::align_val_t{alignof(std::max_align_t)};
  void* memory = ::operator new(bytes, kAlignment);
  T* value = nullptr;
  try {
    value = ::new (static_cast<char*>(memory) + at) T(std::forward<Arguments>(arguments)...);
  } catch (...) {
    ::operator delete(memory, kAlignment);
    throw;
  }
  auto* node = ::new (memory) Node;
  node->hash = key.hash;
  node->type = &kTypeOps<T>;
  node->wide = kWide;
  node->is_long = !key.full.empty();
  node->key_size = static_cast<std::uint32_t>(key.name.size());
  char* const text = static_cast<char*>(memory) + sizeof(Node);
  if (padded != 0) std::memset(text + padded - 8, 0, 8);
  std::memcpy(text, key.name.data(), key.name.size());
  if (node->is_long) {
    const std::uint64_t full_size = key.full.size();
    std::memcpy(text + padded, &full_size, 8);
    std::memcpy(text + padded + 8, key.full.data(), key.full.size());
  }
  NodeRef owner(node);
  node->add_weight(allocation(bytes) + heap_size(*value));
  return owner;
}

template <class T>
NodeRef decode_node(const KeyView& key, std::string_view bytes) {
  if constexpr (!stays_in_process<T> && Codable<T>) {
    if (std::optional<T> value = codec<T>::decode(bytes)) return make_node<T>(key, std::move(*value));
  }
  return {};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
