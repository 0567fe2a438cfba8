#pragma once

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Lets other threads run for a moment, in the hope that what the caller waits for comes meanwhile. False: it is not
/// worth trying now, and nothing was done. Thread-safe.
///
/// Trap: on a busy machine a yield hands the processor to other processes for milliseconds, where sleeping until woken
/// takes microseconds. So yields are timed, and one that took long stops all of them for a while.
bool yield_briefly() noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
