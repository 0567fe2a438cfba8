#pragma once
#include <cstdint>
#include <memory>
#include <span>

#include "l1/flight.hpp"
#include "load/admission.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A number for the calling thread, never 0, never used again.
std::uint64_t this_thread_number() noexcept;

/// Marks that the calling thread runs the loader of these flights, for as long as it lives. One thread.
class LoadScope {
 public:
  /// `place`: what the load holds a place of and gives back at the end; null when it needs none.
  LoadScope(std::span<const std::shared_ptr<Flight>> flights, Admission* place);
  ~LoadScope();
  LoadScope(const LoadScope&) = delete;
  LoadScope& operator=(const LoadScope&) = delete;

  /// True when this thread runs any loader.
  static bool active() noexcept;
  /// True when this thread is loading the very key, directly or further out.
  static bool loading(const KeyView& key, const LoadSpec& spec) noexcept;
  /// True when a load of this thread has this lease: the thread would wait for itself.
  static bool holds_lease(const LeaseToken& generation) noexcept;
  /// True when a load of this thread holds a place: what it loads inside runs in that place.
  static bool holds_place(const Admission& admission) noexcept;

 private:
  friend class PlacesLent;
  std::span<const std::shared_ptr<Flight>> flights_;
  Admission* place_;
  bool lent_ = false;
  LoadScope* outer_;
};

/// While it lives, the places of this thread's loads are free for others: the thread is about to wait for another load,
/// which may need one of them. At the end it takes them again without waiting, over the limit if need be; so nobody
/// ever waits while he holds a place, and no circle of waits goes through one.
class PlacesLent {
 public:
  PlacesLent();
  ~PlacesLent();
  PlacesLent(const PlacesLent&) = delete;
  PlacesLent& operator=(const PlacesLent&) = delete;

 private:
  LoadScope* innermost_;
  LoadScope* end_;  ///< the first that had been lent before
};

/// Marks that the calling thread, itself inside a loader, waits for `flight`. Throws RecursiveLoadError when that
/// flight waits, over however many threads, for a flight of this one: they would wait for ever.
///
/// Idea: each waiting thread waits for one flight and each flight runs on one thread, so the waits form a chain, and a
/// deadlock is a chain that comes back to its start. It is looked for under one lock, before waiting, and only by
/// threads that are inside a loader.
class WaitScope {
 public:
  /// Null: for none that this process runs.
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
