#include "two_level/lease_renewal.hpp"

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include "base/fork_count.hpp"
#include "base/time_budget.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// What the server says to `action` for each of them, by one request for entries and one for raw values.
std::vector<Done> ask(L2Store& l2_store, std::span<const Leases::Record> leases, EntryAction action) {
  std::vector<LeaseStore::Replace> entries;
  std::vector<LeaseStore::RawReplace> raw;
  for (const auto& lease : leases) {
    const LoadClaim claim{.generation = lease.generation};
    if (lease.key.empty()) {
      raw.push_back({lease.name, claim, action, Leases::kLife});
    } else {
      entries.push_back({.key = lease.key, .claim = claim, .action = action, .life = Leases::kLife});
    }
  }
  const auto of_entries = entries.empty() ? std::vector<Done>() : l2_store.leases().replace(entries);
  const auto of_raw = raw.empty() ? std::vector<Done>() : l2_store.leases().replace_raw(raw);
  std::vector<Done> done;
  auto entry = of_entries.begin();
  auto raw_one = of_raw.begin();
  for (const auto& lease : leases) done.push_back(lease.key.empty() ? *raw_one++ : *entry++);
  return done;
}

/// The server refuses to write how many are left (it is out of memory, or the user may not): nobody has it then.
bool give_back_refused(L2Store& l2_store, const Leases::Record& lease) {
  if (!lease.key.empty()) return l2_store.leases().give_back(lease.key, lease.generation);
  const LeaseStore::RawReplace end{
      lease.name, {.generation = lease.generation}, EntryAction::keep, std::chrono::milliseconds(1)};
  return bool(l2_store.leases().replace_raw({&end, 1})[0]);
}

}  // namespace

LeaseRenewal::LeaseRenewal(L2Store& l2_store, Mutex& quiet) : l2_store_(l2_store), quiet_(quiet) { start(); }

void LeaseRenewal::start() {
  auto leases = std::make_shared<Leases>([this](TimePoint time) { task_->wake(time); });
  auto task = std::make_unique<PeriodicTask>([this] { return renew(); }, "dsta-leases");
  replace_in_child(leases_, std::move(leases));
  replace_in_child(task_, std::move(task));
}

TimePoint LeaseRenewal::renew() {
  try {
    return renew(std::chrono::steady_clock::now(), TimePoint::max());
  } catch (...) {  // no memory: the step is called again soon, and then all are due
    leases_->renew_all();
    throw;
  }
}

TimePoint LeaseRenewal::renew(TimePoint now, TimePoint next) {
  // The leases that are held must be renewed in time.
  constexpr Duration kForGivingBack = Duration(Leases::kRenewal) / 2;
  std::vector<Leases::Record> due, ended;
  {
    const MutexLock quiet(quiet_);
    due = leases_->due(now, next);
    ended = leases_->to_give_back(now, next);
  }
  ask(l2_store_, due, EntryAction::keep);
  give_back(ended, now + kForGivingBack);
  return next;
}

void LeaseRenewal::give_back(std::span<const Leases::Record> ended, TimePoint end) {
  constexpr std::size_t kMost = 256;
  const auto goes_on = [&] { return l2_store_.servers().up() && std::chrono::steady_clock::now() <= end; };
  for (std::size_t at = 0; at < ended.size(); at += kMost) {
    const std::span part = ended.subspan(at, std::min(kMost, ended.size() - at));
    const auto done = goes_on() ? ask(l2_store_, part, EntryAction::leave) : std::vector<Done>();
    for (std::size_t i = 0; i < part.size(); ++i) {
      const Done asked = done.empty() ? Done{Done::unknown} : done[i];
      bool given = asked.executed();
      if (asked.refused && goes_on()) given = give_back_refused(l2_store_, part[i]);
      if (part[i].taken_late) given = asked.status == Done::yes;  // "not there" may be: not there yet
      const MutexLock quiet(quiet_);
      leases_->note_answer(part[i], given, asked.answered());
    }
  }
}

void LeaseRenewal::give_back_all(Duration time_limit) noexcept {
  if (!l2_store_.servers().up()) return;
  // A request with less than an eighth of the limit left is not sent.
  const TimeBudget::Operation budget(time_limit / 4);
  try {
    TimePoint next = TimePoint::max();
    std::vector<Leases::Record> ended;
    {
      const MutexLock quiet(quiet_);
      ended = leases_->to_give_back(std::chrono::steady_clock::now(), next);
    }
    give_back(ended, TimeBudget::end());
  } catch (const std::exception&) {  // no memory
  }
  leases_->wait_for_answers(TimeBudget::end());  // to what the periodic task has asked
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
