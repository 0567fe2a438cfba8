#include "two_level/lease_renewal.hpp"

#include <algorithm>

#include "base/time_budget.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// What the server says to `action` for each of them, by one request for entries and one for raw values.
std::vector<Done> ask(Remote& remote, std::span<const Leases::Record> leases, EntryAction action) {
  std::vector<Remote::Replace> entries;
  std::vector<Remote::RawReplace> raw;
  for (const auto& lease : leases) {
    const LoadClaim claim{.generation = lease.generation};
    if (lease.key.empty()) {
      raw.push_back({lease.name, claim, action, Leases::kLife});
    } else {
      entries.push_back({.key = lease.key, .claim = claim, .action = action, .life = Leases::kLife});
    }
  }
  const auto of_entries = entries.empty() ? std::vector<Done>() : remote.replace(entries);
  const auto of_raw = raw.empty() ? std::vector<Done>() : remote.replace_raw(raw);
  std::vector<Done> done;
  auto entry = of_entries.begin();
  auto raw_one = of_raw.begin();
  for (const auto& lease : leases) done.push_back(lease.key.empty() ? *raw_one++ : *entry++);
  return done;
}

/// The server refuses to write how many are left (it is out of memory, or the user may not): nobody has it then.
bool give_back_refused(Remote& remote, const Leases::Record& lease) {
  if (!lease.key.empty()) return remote.give_back(lease.key, lease.generation);
  const Remote::RawReplace end{
      lease.name, {.generation = lease.generation}, EntryAction::keep, std::chrono::milliseconds(1)};
  return bool(remote.replace_raw({&end, 1})[0]);
}

/// As many as there is time for; what is left is given back later.
void give_back(Shared& shared, std::mutex& quiet_mutex, const std::vector<Leases::Record>& ended, TimePoint end) {
  constexpr std::size_t kMost = 256;
  const auto goes_on = [&] { return shared.remote.link().up() && std::chrono::steady_clock::now() <= end; };
  const auto answered = [&](const Leases::Record& record, bool given) {
    const std::lock_guard quiet(quiet_mutex);
    shared.leases->answered(record, given);
  };
  for (std::size_t at = 0; at < ended.size(); at += kMost) {
    const std::span part = std::span(ended).subspan(at, std::min(kMost, ended.size() - at));
    const auto done = goes_on() ? ask(shared.remote, part, EntryAction::leave) : std::vector<Done>();
    for (std::size_t i = 0; i < part.size(); ++i) {
      bool given = !done.empty() && done[i].settled();
      if (given && part[i].taken_late) given = done[i].status == Done::yes;  // "not there" may be: not there yet
      if (!done.empty() && done[i].status == Done::no && !done[i].settled() && goes_on()) {
        given = give_back_refused(shared.remote, part[i]);
      }
      answered(part[i], given);
    }
  }
}

TimePoint renew(Shared& shared, std::mutex& quiet_mutex, TimePoint time, TimePoint next) {
  // The leases that are held must be renewed in time.
  constexpr Duration kPatience = Duration(Leases::kRenewal) / 2;
  std::vector<Leases::Record> due, ended;
  {
    const std::lock_guard quiet(quiet_mutex);
    due = shared.leases->due(time, next);
    ended = shared.leases->to_give_back(time, next);
  }
  ask(shared.remote, due, EntryAction::keep);
  give_back(shared, quiet_mutex, ended, time + kPatience);
  return next;
}

}  // namespace

TimePoint renew_leases(Shared& shared, std::mutex& quiet) {
  TimePoint next = TimePoint::max();
  const TimePoint time = std::chrono::steady_clock::now();
  try {
    return renew(shared, quiet, time, next);
  } catch (...) {  // no memory: the step is called again soon, and then all are due
    shared.leases->renew_all();
    throw;
  }
}

void give_back_leases(Shared& shared, std::mutex& quiet_mutex, Duration time_limit) noexcept {
  if (!shared.remote.link().up()) return;
  // A request with less than an eighth of the limit left is not sent.
  const TimeBudget::Operation budget(time_limit / 4);
  try {
    TimePoint next = TimePoint::max();
    std::vector<Leases::Record> ended;
    {
      const std::lock_guard quiet(quiet_mutex);
      ended = shared.leases->to_give_back(std::chrono::steady_clock::now(), next);
    }
    give_back(shared, quiet_mutex, ended, TimeBudget::end());
  } catch (const std::exception&) {  // no memory
  }
  shared.leases->wait_for_answers(TimeBudget::end());  // to what the periodic task has asked
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
