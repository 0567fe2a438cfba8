#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A cluster shares its keys out by these: each key has one, and each has one master.
using Slot = std::uint16_t;
inline constexpr std::size_t kSlots = 16384;

/// What of a key decides its slot: what stands between the first '{' and the first '}' behind it, or else, where that
/// is nothing, all of it.
std::string_view hash_tag(std::string_view key);
Slot slot_of(std::string_view key);

/// Without braces: `{tag}` at the beginning of a key puts it on the slot.
std::string tag_of(Slot slot);
/// The same for the slot of `key`, made of what the key has where that is possible. In a key that is put together from
/// a part without braces, `{`, this and `}`, whatever follows, it makes the slot the same.
std::string tag_beside(std::string_view key);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
