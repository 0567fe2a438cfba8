#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/counters.hpp>
#include <dsta/cache/detail/type_identity.hpp>

namespace dsta::cache {
inline namespace v1 {

/// A place in the source of the program, for error messages. A plain value. (clang 14 has no std::source_location.)
struct CodePlace {
  const char* file = "";  ///< the file's name, as the compiler was given it
  unsigned line = 0;      ///< from 1
  /// The place of the call.
  static constexpr CodePlace current(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
    return {file, line};
  }
};

namespace detail {

/// Who a wrapped function is, as far as the language lets us tell: its type, and its state when that can be compared.
struct FunctionMark {
  const void* type = nullptr;             ///< one address per type in a library
  const std::type_info* info = nullptr;   ///< of that type
  const std::type_info* named = nullptr;  ///< of a type made of the function itself, where it was given at compile time
  bool comparable = false;                ///< false: the state cannot be compared, so no two are known to be the same
  std::vector<unsigned char> state;       ///< the bytes of a comparable state; empty for stateless functions
  CodePlace where;

  bool same_function(const FunctionMark& other) const;
  /// The function can be compared by the bytes of its state.
  void note_state(const void* bytes, std::size_t size);
};

/// One wrapped function (prefix + name) of one manager, or the manual calls of one prefix. That of a function lives as
/// long as it has a wrapper, an entry or a load (see IdentityRef), others as long as their manager.
struct Identity {
  std::string prefix = {};
  std::string name = {};
  /// The invalidation sequence of the last cache_clear: entries and loads older than this do not count.
  std::atomic<std::uint64_t> cleared{0};
  /// Wrappers of the function name different tags: each compares the tags of a value with its own before it takes it.
  std::atomic<bool> mixed_tags{false};
  // What a hit reads stands above the counters, and what changes with each entry below: so they share no cache line.
  mutable Counters counters = {};
  mutable std::atomic<std::uint32_t> references{0};  ///< of a function
  /// Manual calls stored something under this prefix; whatever tags they gave, others may not.
  std::atomic<bool> written_by_hand{false};
  bool function = false;  ///< a wrapped one
  /// Its values stand at L2 as they are, without the versions by which others are cleared.
  std::atomic<bool> raw{false};

  /// prefix:name, without the ':' when one is missing: what keys start with, and what tells functions apart.
  std::string text() const;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
