#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>

#include <dsta/cache/detail/load.hpp>

#include "two_level/coherence.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The L2 of a manager, if it has one, from start to end: the client, coherence, and the threads that they need.
/// Thread-safe.
///
/// In the child of a fork the threads of its parent are missing. Whatever operation comes first makes them again, under
/// a mutex that the others wait for.
class TwoLevel {
 public:
  TwoLevel(Context& context, L1Trust& trust) : context_(context), trust_(trust) {}

  /// If the URL names a server. `confirm` is the periodic task that confirms pending invalidations.
  void connect(std::function<TimePoint()> confirm);
  void disconnect() noexcept;

  bool has_l2() const noexcept { return shared_ != nullptr; }
  /// Only with an L2.
  Shared& shared() const { return *shared_; }
  Coherence& coherence() const { return *coherence_; }

  // By each operation that goes beyond a hit. In the child of a fork this is where threads are made again, and threads
  // that were not to be had are tried for again.
  /// Whether entries on these terms go to L2.
  bool used_by(const EntryTerms& terms);
  /// There is an L2, and the manager is open.
  bool reachable();
  /// The first of these two alone, before the manager closes.
  void notice_fork();

 private:
  void begin_tasks();
  void tend();
  void revive();

  Context& context_;
  L1Trust& trust_;
  std::function<TimePoint()> confirm_;
  std::unique_ptr<Shared> shared_;        ///< null: in-process only
  std::unique_ptr<Coherence> coherence_;  ///< null with shared_; destroyed before it, whose link it watches
  std::atomic<std::uint32_t> forks_{0};
  std::mutex reviving_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
