#pragma once
#include <span>
#include <string_view>

#include "request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A Lua program that the server runs in one step. All have one key.
struct Script {
  std::string_view sha1;  ///< of `text`, in hexadecimal: what EVALSHA calls it by
  std::string_view text;
};

/// ARGV: what must be there, what to do, for how long (ms; 0: for ever), the bytes to store. What must be there is a
/// lease's token (16 bytes) or the last 8 bytes of a stored value, its checksum. Returns 1 when it was there and it was
/// done: `set` stores the bytes, `drop` removes the key, `keep` extends a lease.
extern const Script kReplaceIf;
/// ARGV: `remove` or `expire`; how long a version that was not there is kept (ms). Raises a version. One that was not
/// there is made: a load under way may be about to depend on it.
extern const Script kRaiseVersion;
/// ARGV: how long the version is needed at least (ms; 0: for ever); what it is when it is missing (0: the server's time).
/// Returns it, made when it was missing.
extern const Script kNeedVersion;

/// ARGV: the namespace's version (8 bytes, as in an envelope). Removes the key unless it is a lease, or a value that
/// depends on just that version. Returns 1 when it was removed.
extern const Script kRemoveOld;

/// Adds a call by name, or with the whole text for a server that has not seen it yet.
void add_call(Request& request, const Script& script, bool whole, std::string_view key,
              std::span<const std::string_view> arguments);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
