#pragma once
#include <string_view>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

// What is lost where a server offers no such command: see MissingCommands.

inline constexpr std::string_view kWithoutEval =
    "there are no leases, so processes may load a key at the same time, and what is loaded lives at the server for "
    "l1.untracked_ttl at most";
inline constexpr std::string_view kWithoutEvalsha = "scripts are sent as a whole";
inline constexpr std::string_view kWithoutGetrange =
    "scripts read whole values, and removals by pattern are not counted by function";
inline constexpr std::string_view kWithoutMulti =
    "an increment with a ttl is two steps, and so is setting a large value";
inline constexpr std::string_view kWithoutScan =
    "patterns stay pending, and no key that they concern is read here, nor a counter or raw value after flush_all";
inline constexpr std::string_view kWithoutRename = "large values that are set hold up other requests";
inline constexpr std::string_view kWithoutPublish =
    "processes that hear only announcements do not hear of what this one changes";
inline constexpr std::string_view kWithoutTime = "this machine's clock is used, and those of all machines must agree";
/// The name of no script, to ask whether scripts may be called by name.
inline constexpr std::string_view kNoScript = "0000000000000000000000000000000000000000";

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
