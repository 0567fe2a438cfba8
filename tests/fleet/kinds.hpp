#pragma once
#include <dsta/cache/options.hpp>

#include <span>
#include <string>
#include <string_view>

namespace dsta::cache::fleet_model {

/// A kind of value: how it is kept, and so what may be said of it.
struct Kind {
  enum Type { function, manual, counter };
  enum Tags { untagged, by_options, by_value };

  std::string_view name;
  std::string_view prefix;
  Type type = function;
  Tags tags = untagged;
  Level level = Level::both;
  bool raw = false;
  /// ttl, stale_for; a value is never older than both.
  std::int64_t ttl_ms = 60'000, stale_ms = 0;
  /// Every loaded value is stored, and stays.
  bool kept = true;
  /// Loads may end in an exception, or in a caller's.
  bool fails = false, times_out = false;
  /// A load may bring back an older value that is still right, so its age says nothing.
  bool keeps_previous = false;
  bool optional = false;
  /// Every other version is large: it travels on a connection of its own.
  bool large = false;
  /// Some loads take long.
  bool slow = true;
};

std::span<const Kind> kinds();
inline constexpr std::size_t kArguments = 3;

/// Cells are numbered kind by kind.
inline std::size_t cell_of(std::size_t kind, std::size_t argument) { return kind * kArguments + argument; }
inline const Kind& kind_of(std::size_t cell) { return kinds()[cell / kArguments]; }
inline std::size_t cells() { return kinds().size() * kArguments; }
/// "S0" …; also symbols, exchanges and users.
std::string argument_name(std::size_t argument);
/// The whole key of a cell, at the server without the space.
std::string key_of(std::size_t cell);
std::size_t kind_named(std::string_view name);

/// Whether CacheInvalidator reaches it by a symbol or an exchange, by a user.
bool of_symbols(const Kind& kind);
bool of_users(const Kind& kind);
/// Tags of a cell: its kind's, its own, one that all tagged kinds share.
std::string kind_tag(const Kind& kind);
std::string cell_tag(std::size_t cell);
inline constexpr std::string_view kSharedTag = "shared";

}  // namespace dsta::cache::fleet_model
