#include "kinds.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <stdexcept>

#include "board.hpp"
#include "stamp.hpp"

namespace dsta::cache::fleet_model {
namespace {

constexpr std::array kKinds{
    Kind{.name = "plain", .prefix = "api"},
    Kind{.name = "number", .prefix = "fn"},
    Kind{.name = "raw", .prefix = "db", .raw = true},
    Kind{.name = "negative", .prefix = "fn", .optional = true},
    Kind{.name = "adaptive_tags", .prefix = "api", .tags = Kind::by_value},
    Kind{.name = "context_tags", .prefix = "fn", .tags = Kind::by_value},
    Kind{.name = "etag", .prefix = "fn", .tags = Kind::by_options, .keeps_previous = true},
    Kind{.name = "static_tags", .prefix = "fn", .tags = Kind::by_options},
    Kind{.name = "symbol", .prefix = "indicator", .tags = Kind::by_options},
    Kind{.name = "user", .prefix = "session", .tags = Kind::by_options},
    Kind{.name = "bulk", .prefix = "fn", .tags = Kind::by_options},
    Kind{.name = "nested", .prefix = "fn"},
    Kind{.name = "limited", .prefix = "lim", .slow = false},
    Kind{.name = "on_executor", .prefix = "fn"},
    Kind{.name = "timeout", .prefix = "fn", .times_out = true},
    Kind{.name = "soft", .prefix = "fn", .tags = Kind::by_options, .ttl_ms = 150, .stale_ms = 20'000, .kept = false},
    Kind{.name = "stale", .prefix = "fn", .tags = Kind::by_options, .ttl_ms = 150, .stale_ms = 2'000, .kept = false},
    Kind{.name = "ahead", .prefix = "fn", .ttl_ms = 300, .kept = false},
    Kind{.name = "xfetch", .prefix = "fn", .ttl_ms = 200, .kept = false},
    Kind{.name = "jitter", .prefix = "fn", .ttl_ms = 300, .kept = false},
    Kind{.name = "short", .prefix = "fn", .ttl_ms = 100, .kept = false},
    Kind{.name = "condition", .prefix = "fn", .kept = false},
    Kind{.name = "failing", .prefix = "fn", .fails = true},
    Kind{.name = "adaptive_ttl", .prefix = "fn", .kept = false},
    Kind{.name = "server_only", .prefix = "fn", .tags = Kind::by_options, .level = Level::l2},
    Kind{.name = "large", .prefix = "fn", .tags = Kind::by_options, .large = true},
    Kind{.name = "large_raw", .prefix = "db", .raw = true, .large = true},
    Kind{.name = "own_only", .prefix = "fn", .tags = Kind::by_options, .level = Level::l1},
    Kind{.name = "text", .prefix = "m", .type = Kind::manual},
    Kind{.name = "text_tagged", .prefix = "m", .type = Kind::manual, .tags = Kind::by_options},
    Kind{.name = "text_raw", .prefix = "m", .type = Kind::manual, .raw = true},
    Kind{.name = "text_server", .prefix = "m", .type = Kind::manual, .level = Level::l2},
    Kind{.name = "text_large", .prefix = "m", .type = Kind::manual, .large = true},
    Kind{.name = "text_own", .prefix = "m", .type = Kind::manual, .level = Level::l1},
    Kind{.name = "count", .prefix = "m", .type = Kind::counter},
};
static_assert(kKinds.size() * kArguments <= kCells);

}  // namespace

std::span<const Kind> kinds() { return kKinds; }
std::string argument_name(std::size_t argument) { return "S" + std::to_string(argument); }
std::string key_of(std::size_t cell) {
  const Kind& kind = kind_of(cell);
  return std::string(kind.prefix) + ":" + std::string(kind.name) + ":" + argument_name(cell % kArguments);
}
std::string padding_of(const Stamp& stamp) {
  constexpr std::size_t kLarge = 300'000;
  if (stamp.cell >= cells() || !kind_of(stamp.cell).large || stamp.version % 2 == 0)
    return std::string(stamp.version * 7 % 97, 'p');
  // Such as no compression makes small.
  std::mt19937_64 random(stamp.version);
  std::string bytes(kLarge, '\0');
  for (std::size_t at = 0; at + 8 <= kLarge; at += 8) {
    const std::uint64_t word = random();
    std::memcpy(bytes.data() + at, &word, 8);
  }
  return bytes;
}
std::size_t kind_named(std::string_view name) {
  const auto found = std::ranges::find(kKinds, name, &Kind::name);
  if (found == kKinds.end()) throw std::runtime_error("no such kind: " + std::string(name));
  return static_cast<std::size_t>(found - kKinds.begin());
}
bool of_symbols(const Kind& kind) { return kind.prefix == "api" || kind.prefix == "db" || kind.prefix == "indicator"; }
bool of_users(const Kind& kind) { return kind.prefix == "session"; }
std::string kind_tag(const Kind& kind) { return "kind:" + std::string(kind.name); }
std::string cell_tag(std::size_t cell) { return kind_tag(kind_of(cell)) + ":" + argument_name(cell % kArguments); }

}  // namespace dsta::cache::fleet_model
