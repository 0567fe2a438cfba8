#pragma once
#include <cstdint>
#include <memory>

#include "flight.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A number for the calling thread, never 0, never used again.
std::uint64_t this_thread_number() noexcept;

/// Marks that the calling thread runs a flight's loader, for as long as it lives. One thread.
class LoadScope {
 public:
  explicit LoadScope(Flight& flight);
  ~LoadScope();
  LoadScope(const LoadScope&) = delete;
  LoadScope& operator=(const LoadScope&) = delete;

  /// True when this thread runs any loader.
  static bool active() noexcept;
  /// True when this thread is running the very call, directly or further out.
  static bool loading(const KeyView& key, const Loader& loader) noexcept;

 private:
  Flight& flight_;
  LoadScope* outer_;
};

/// Marks that the calling thread, itself inside a loader, waits for `flight`. Throws RecursiveLoadError when that
/// flight waits, over however many threads, for a flight of this one: they would wait for ever.
///
/// Idea: each waiting thread waits for one flight and each flight runs on one thread, so the waits form a chain, and a
/// deadlock is a chain that comes back to its start. It is looked for under one lock, before waiting, and only by
/// threads that are inside a loader.
class WaitScope {
 public:
  explicit WaitScope(const std::shared_ptr<Flight>& flight);
  ~WaitScope();
  WaitScope(const WaitScope&) = delete;
  WaitScope& operator=(const WaitScope&) = delete;

 private:
  bool registered_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
