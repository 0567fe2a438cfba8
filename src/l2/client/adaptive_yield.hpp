#pragma once

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Yields the processor, in the hope that what the caller waits for comes meanwhile. False: yields do not pay at the
/// moment, and nothing was done. Thread-safe.
///
/// Trap: on a busy machine a yield hands the processor to other processes for milliseconds, where sleeping until woken
/// takes microseconds. So yields are timed, and one that took long stops all of them for a while.
bool yield_briefly() noexcept;

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
