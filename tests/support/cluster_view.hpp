#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dsta::cache::testing_support {

inline constexpr std::uint16_t kClusterSlots = 16384;

/// CRC16 (XMODEM) of what stands in the first {…} that is not empty, or of the whole key, modulo 16384.
inline std::uint16_t slot_of(std::string_view key) {
  if (const std::size_t open = key.find('{'); open != std::string_view::npos) {
    const std::size_t close = key.find('}', open + 1);
    if (close != std::string_view::npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  }
  unsigned crc = 0;
  for (const char each : key) {
    crc ^= static_cast<unsigned>(static_cast<unsigned char>(each)) << 8;
    for (int bit = 0; bit < 8; ++bit) crc = ((crc << 1) ^ ((crc & 0x8000u) != 0 ? 0x1021u : 0u)) & 0xffffu;
  }
  return static_cast<std::uint16_t>(crc % kClusterSlots);
}

/// A line of CLUSTER NODES.
struct NodeLine {
  std::string id, flags, master;
  std::uint16_t port = 0;
  std::uint64_t epoch = 0;
  std::vector<std::pair<std::uint16_t, std::uint16_t>> slots;

  bool is(std::string_view flag) const { return (',' + flags + ',').find(',' + std::string(flag) + ',') != flags.npos; }
  bool serves(std::uint16_t slot) const {
    return std::any_of(slots.begin(), slots.end(),
                       [&](const auto& range) { return range.first <= slot && slot <= range.second; });
  }
};

/// `text`: the reply to CLUSTER NODES. Slots that migrate count as those of their present owner.
inline std::vector<NodeLine> parse_nodes(const std::string& text) {
  std::vector<NodeLine> nodes;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    NodeLine node;
    std::string address, ping, pong, link, slots;
    if (!(words >> node.id >> address >> node.flags >> node.master >> ping >> pong >> node.epoch >> link)) continue;
    address = address.substr(0, address.find('@'));
    node.port = static_cast<std::uint16_t>(std::stoul("0" + address.substr(address.rfind(':') + 1)));
    while (words >> slots) {
      if (slots.front() == '[') continue;
      const std::size_t dash = slots.find('-');
      const auto first = static_cast<std::uint16_t>(std::stoul(slots));
      const auto last = dash == slots.npos ? first : static_cast<std::uint16_t>(std::stoul(slots.substr(dash + 1)));
      node.slots.emplace_back(first, last);
    }
    nodes.push_back(std::move(node));
  }
  return nodes;
}

}  // namespace dsta::cache::testing_support
