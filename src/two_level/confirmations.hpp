#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "base/periodic_task.hpp"
#include "l2/values/l2_store.hpp"
#include "two_level/context.hpp"
#include "two_level/journal.hpp"
#include "two_level/pending.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The invalidations that L2 has not confirmed, and the periodic task that applies them there until it does.
/// Thread-safe.
class Confirmations {
 public:
  /// `quiet`: see Coherence::quiet().
  Confirmations(Context& context, L2Store& l2_store, Mutex& quiet);

  const Pending& pending() const noexcept { return pending_; }
  /// L2 did not confirm it: it is applied there as soon as it can be. Nothing after close(). `kind` is neither
  /// `pattern` nor `rule`.
  void add(Pending::Kind kind, std::string_view name = {});
  void add(const KeyPatternPtr& pattern);

  /// An invalidation that is sent now: where L2 may be replaced by a server that has missed it, it is repeated there.
  void note(Pending::Kind kind, std::string_view name = {}) noexcept;
  void note(const KeyPatternPtr& pattern) noexcept;
  /// L2 has answered a request that was sent then.
  void alive(TimePoint then) noexcept;
  /// Another server is L2 now, and nothing was read from it yet.
  void repeat_all() noexcept;

  /// See PeriodicTask.
  void tend() { task_->tend(); }
  void stop() noexcept { task_->stop(); }
  /// In the child of a fork: another task in place of the one whose thread is missing. It begins with resume().
  void replace_task();
  void resume();

 private:
  /// The step of the task.
  TimePoint confirm();
  /// True: the server has refused some of it.
  bool apply_all();
  Done apply(const Pending::Intent& intent);
  void note_all(std::span<const Pending::Intent> intents);
  void confirmed(const Pending::Intent& intent);

  Context& context_;
  L2Store& l2_store_;
  Mutex& quiet_;
  const bool keeps_journal_;
  Journal journal_;
  Pending pending_;
  std::unique_ptr<PeriodicTask> task_;  ///< last: it uses the others
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
