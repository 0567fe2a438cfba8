#include "two_level/confirmations.hpp"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>
#include <vector>

#include "base/fork_count.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Confirmations::Confirmations(Context& context, L2Store& l2_store, Mutex& quiet)
    : context_(context),
      l2_store_(l2_store),
      quiet_(quiet),
      keeps_journal_(l2_store.servers().options().finder || l2_store.servers().cluster()),
      journal_(context.options.sentinel.failover_window.value_or({})) {
  replace_task();
}

void Confirmations::note(Pending::Kind kind, std::string_view name) noexcept {
  if (keeps_journal_) journal_.add(kind, name, std::chrono::steady_clock::now());
}

void Confirmations::note(const KeyPatternPtr& pattern) noexcept {
  if (keeps_journal_) journal_.add(pattern, std::chrono::steady_clock::now());
}

/// By a thread of the manager's own, which a fork must not find at it.
void Confirmations::alive(TimePoint then) noexcept {
  const MutexLock quiet(quiet_);
  journal_.alive(then);
}

void Confirmations::repeat_all() noexcept {
  {
    const MutexLock quiet(quiet_);
    // Their leases and versions are another server's, whose clock of versions may have been ahead of this one's.
    context_.store.fence_loads();
    journal_.repeat(pending_);
    pending_.new_server();
  }
  task_->wake();
}

void Confirmations::replace_task() {
  replace_in_child(task_, std::make_unique<PeriodicTask>([this] { return confirm(); }, "dsta-confirm"));
}

void Confirmations::resume() {
  if (pending_.any()) task_->wake();
}

void Confirmations::add(Pending::Kind kind, std::string_view name) {
  if (context_.closed()) return;
  context_.probes.at(Probes::Point::unconfirmed, name);
  pending_.add(kind, name);
  task_->wake();
}

void Confirmations::add(const KeyPatternPtr& pattern) {
  if (context_.closed()) return;
  context_.probes.at(Probes::Point::unconfirmed, pattern->text());
  pending_.add(pattern);
  task_->wake();
}

TimePoint Confirmations::confirm() {
  // What the server refuses it will refuse for a while.
  constexpr std::chrono::milliseconds kPause{50}, kRefused{500};
  const bool refused = pending_.any() && l2_store_.servers().up() && apply_all();
  if (!pending_.any()) return TimePoint::max();
  return std::chrono::steady_clock::now() + (refused ? kRefused : kPause);
}

Done Confirmations::apply(const Pending::Intent& intent) {
  switch (intent.kind) {
    case Pending::Kind::pattern:
    case Pending::Kind::rule:
      return l2_store_.remover().remove_matching(*intent.pattern, {});
    case Pending::Kind::remove:
    case Pending::Kind::expire:
      return l2_store_.versions().raise(intent.name, intent.kind == Pending::Kind::remove);
    case Pending::Kind::epoch:
    case Pending::Kind::flush_all: {
      const Done done = l2_store_.versions().raise_epoch();
      if (done) l2_store_.versions().forget_all();
      return done;
    }
    case Pending::Kind::rest:
      return l2_store_.remover().remove_old(*glob_pattern("*"));
    case Pending::Kind::key:
      break;
  }
  return {Done::yes};
}

void Confirmations::confirmed(const Pending::Intent& intent) {
  const MutexLock quiet(quiet_);
  // The epoch is raised once, however often the rest is tried.
  if (intent.kind == Pending::Kind::flush_all) pending_.add(Pending::Kind::rest);
  pending_.confirm(intent);
}

/// By the task, which a fork must not find at it.
void Confirmations::note_all(std::span<const Pending::Intent> intents) {
  if (!keeps_journal_) return;
  const MutexLock quiet(quiet_);
  for (const Pending::Intent& intent : intents) {
    if (intent.pattern) {
      note(intent.pattern);
    } else {
      note(intent.kind, intent.name);
    }
  }
}

bool Confirmations::apply_all() {
  std::vector<Pending::Intent> all, keys, wider;
  {
    const MutexLock quiet(quiet_);
    all = pending_.all();
  }
  for (Pending::Intent& intent : all) (intent.kind == Pending::Kind::key ? keys : wider).push_back(std::move(intent));
  // Keys first: what they need the server refuses last.
  constexpr std::size_t kBatch = 500;
  bool refused = false;
  for (std::size_t at = 0; at < keys.size(); at += kBatch) {
    const std::size_t end = std::min(keys.size(), at + kBatch);
    std::vector<std::string_view> names;
    for (std::size_t i = at; i < end; ++i) names.push_back(keys[i].name);
    note_all(std::span(keys).subspan(at, end - at));
    const Done done = l2_store_.remover().remove_many(names);
    if (done.status == Done::unknown && !l2_store_.servers().up()) return false;
    refused |= !done;
    for (std::size_t i = at; done && i < end; ++i) confirmed(keys[i]);
  }
  // One that is refused, or that ends its connection each time, keeps none of the others waiting.
  for (const Pending::Intent& intent : wider) {
    note_all(std::span(&intent, 1));
    const Done done = apply(intent);
    if (done.status == Done::unknown && !l2_store_.servers().up()) return false;
    refused |= !done;
    if (done) confirmed(intent);
  }
  return refused;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
