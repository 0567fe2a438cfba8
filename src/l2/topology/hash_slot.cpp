#include "l2/topology/hash_slot.hpp"

#include <array>
#include <string>
#include <vector>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// CRC16/XMODEM: polynomial 0x1021, from 0, nothing reflected.
constexpr std::array<std::uint16_t, 256> make_table() {
  std::array<std::uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) crc = (crc & 0x8000U) != 0 ? (crc << 1) ^ 0x1021U : crc << 1;
    table[byte] = static_cast<std::uint16_t>(crc);
  }
  return table;
}
constexpr auto kTable = make_table();

constexpr std::uint16_t add(std::uint16_t crc, char c) {
  return static_cast<std::uint16_t>((crc << 8) ^ kTable[((crc >> 8) ^ static_cast<unsigned char>(c)) & 0xFFU]);
}

using SlotWord = std::array<char, 3>;

/// For each slot the first word of three letters that is on it.
std::vector<SlotWord> make_slot_words() {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
  std::vector<SlotWord> tags(kSlots, SlotWord{});
  for (const char a : kLetters) {
    const std::uint16_t first = add(0, a);
    for (const char b : kLetters) {
      const std::uint16_t second = add(first, b);
      for (const char c : kLetters) {
        SlotWord& tag = tags[add(second, c) % kSlots];
        if (tag == SlotWord{}) tag = {a, b, c};
      }
    }
  }
  return tags;
}

}  // namespace

std::string_view hash_tag(std::string_view key) {
  const std::size_t open = key.find('{');
  if (open == key.npos) return key;
  const std::size_t close = key.find('}', open + 1);
  if (close == key.npos || close == open + 1) return key;
  return key.substr(open + 1, close - open - 1);
}

Slot slot_of(std::string_view key) {
  std::uint16_t crc = 0;
  for (const char c : hash_tag(key)) crc = add(crc, c);
  return crc % kSlots;
}

std::string tag_of(Slot slot) {
  static const std::vector<SlotWord> kSlotWords = make_slot_words();  // looked for once: 262,144 words for 16,384 slots
  const SlotWord& tag = kSlotWords[slot];
  return {tag.begin(), tag.end()};
}

std::string tag_beside(std::string_view key) {
  const std::string_view tag = hash_tag(key);
  // A tag ends with the first '}', and an empty one is none.
  if (tag.empty() || tag.find('}') != tag.npos) return tag_of(slot_of(key));
  return std::string(tag);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
