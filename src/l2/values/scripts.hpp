#pragma once
#include <span>
#include <string_view>

#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A Lua program that the server runs in one step. Its keys belong to one entry or to one version.
///
/// A command that the server lacks, or that the user may not run, is worked around where that is possible: GETRANGE by
/// GET, TIME by the caller's clock.
struct Script {
  std::string_view sha1;  ///< of `text`, in hexadecimal: what EVALSHA calls it by
  std::string_view text;
};

/// KEYS: an entry. ARGV: the generation (16 bytes) and order of a load, or '' and 0; a mark of what was seen there
/// ('=' and all of it, or '~' and its end), or ''; what to do; for how long (ms; 0: for ever); the bytes.
///
/// It is done only if the lease or value of that generation, or what has that mark, still stands there:
/// `set` stores the bytes, unless a load of higher order has stored; `remove` removes what a load of no higher order
/// has stored, and gives the lease back; with bytes
/// these stand there instead, as long as others may yet store, so that the older of them do not; `leave` only gives the
/// lease back, which goes with its last holder; `join` adds a holder to the lease; `keep` sees to it that lease or
/// value live at least so long. Returns 1 when it was done, 2 when a load of higher order was there before, 0 when
/// something else stands there.
extern const Script kReplaceIf;

/// KEYS: a raw entry; the lease beside it, text: generation (hexadecimal), holders, highest order that stored, hash of
/// the entry's bytes as they were then, when these expire (ms; 0: never). ARGV: what to do, the generation, the order,
/// for how long (ms; 0: for ever), the bytes.
///
/// `take` makes the lease, `join` makes it or adds a holder to what is there, unless the entry has
/// other bytes than that knows, when a new one takes its place; both return the generation that stands
/// there then; zeros when the entry was said to be `absent` and is there. Else as kReplaceIf, and only if the entry
/// still has the bytes that the lease knows, or these have expired and nothing took their place.
extern const Script kRawLease;

/// KEYS: a version; the space's clock; for versions that are kept for ever the version's copy. ARGV: `remove` or
/// `expire`; how long a version that was not there is kept (ms); the caller's time (microseconds); the name's hash.
/// Raises the version, and the clock with it: of two versions of a space the one that was raised later is the higher.
/// The clock also lists the last raises: see VersionClock.
extern const Script kRaiseVersion;
/// The same keys. ARGV: how long the version is needed at least (ms; 0: for ever); the caller's time (microseconds).
/// Returns it; when it was missing it is made from its copy, or else with the clock's value, since the last raise of
/// whatever version in the space was not later than that.
extern const Script kNeedVersion;

/// KEYS: an entry. ARGV: the namespace's version (8 bytes, as in an envelope). Removes the key unless it is a lease, or
/// a value that depends on just that version. Returns 1 when it was removed.
extern const Script kRemoveOld;

/// KEYS: any. ARGV: the last byte to be shown. Returns the beginning of each: nil where nothing stands, 0 where that is
/// no string or may not be read.
extern const Script kHeads;

/// Adds a call by name, or with the whole text for a server that has not seen it yet.
void add_call(Request& request, const Script& script, bool whole, std::span<const std::string_view> keys,
              std::span<const std::string_view> arguments);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
