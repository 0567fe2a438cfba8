#pragma once
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/log_queue.hpp"
#include "base/periodic_task.hpp"
#include "entry/entry.hpp"
#include "l2/values/remote.hpp"
#include "two_level/leases.hpp"
#include "two_level/pending.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The client of L2 and what goes with it in this process: pending invalidations, leases, refresh backoffs, counts.
/// Thread-safe.
struct Shared {
  Shared(Remote::Options options, const Log& log)
      : remote(std::move(options)), messages(std::make_unique<LogQueue>(log)) {}

  Remote remote;
  /// What the invalidation channel's thread has to say: it must not wait for the user's sink.
  std::unique_ptr<LogQueue> messages;
  Pending pending;
  std::shared_ptr<Leases> leases = new_leases();
  std::shared_ptr<Leases> new_leases() {
    return std::make_shared<Leases>([this](TimePoint time) { renewals->wake(time); });
  }
  std::atomic<std::uint64_t> errors{0};  ///< requests that failed, or that the server refused
  std::atomic<std::uint64_t> hits{0};
  std::atomic<std::uint64_t> channel_losses{0};  ///< times that the invalidation channel went down
  std::atomic<std::uint64_t> unknown{0};         ///< writes of which it is not known whether they were executed

  // Loads of other processes that this one waits for: woken by what the channel reports, else looked after.
  std::mutex news_mutex;
  std::condition_variable news;
  std::uint64_t news_count = 0;  // under news_mutex
  std::atomic<int> waiting{0};
  void tell_waiting() {
    if (waiting.load(std::memory_order_acquire) == 0) return;
    {
      const std::lock_guard lock(news_mutex);
      ++news_count;
    }
    news.notify_all();
  }

  /// No refresh of the value that was made at `created`, and is not kept in-process, is begun before `until`; few, and
  /// forgotten when many.
  void back_off(std::string_view name, TimePoint created, TimePoint until) {
    const std::lock_guard lock(backoff_mutex);
    if (backoffs.size() >= 4096) backoffs.clear();
    backoffs.insert_or_assign(std::string(name), RefreshBackoff{created, until});
  }
  /// A value that was made later is due by its own time: another process has refreshed. The time of the refusal would
  /// not do instead, as the other may have stored before it was noted.
  bool backs_off(std::string_view name, TimePoint created, TimePoint now) {
    const std::lock_guard lock(backoff_mutex);
    const auto held = backoffs.find(name);
    return held != backoffs.end() && now < held->second.until && created <= held->second.created;
  }
  struct RefreshBackoff {
    TimePoint created, until;
  };
  std::mutex backoff_mutex;
  std::map<std::string, RefreshBackoff, std::less<>> backoffs;  // under backoff_mutex

  /// True the first time that it is asked for this reason.
  bool first_of(std::string_view reason) {
    const std::lock_guard lock(said_mutex);
    return said.size() < 64 && said.emplace(reason).second;
  }
  std::mutex said_mutex;
  std::set<std::string, std::less<>> said;  // under said_mutex

  // A thread each, since what one waits for must not keep the others from their time. Last: they use all of the above.
  std::unique_ptr<PeriodicTask> confirmations;  ///< of pending invalidations
  std::unique_ptr<PeriodicTask> renewals;       ///< of leases
  std::array<std::unique_ptr<PeriodicTask>*, 2> periodic_tasks() { return {&confirmations, &renewals}; }
};

/// Whether an entry of L2 counts for `reader`, and how fresh it is: judge()'s rule, by the server's time
/// and the versions. `reader` null: a manual call.
struct Judged {
  Freshness freshness = Freshness::miss;
  bool expired = false;  ///< by a tag: past its ttl whatever the time
};
Judged judge(const EnvelopeView& view, const Versions& versions, std::int64_t server_now, const Identity* reader);
/// True when an entry carries all of these tags, or was not stored by a function: what a manual call stored has the
/// tags that it was given.
bool has_all(const EnvelopeView& entry, const std::vector<std::string>& names);
/// The same for bytes without an envelope: a counter, or what the caller says is a raw value.
bool counts_plain(const Found& found, bool raw);
/// What an entry of the function (null: none) with these tags depends on.
std::vector<std::string> dependencies_of(const Identity* identity, const std::vector<std::string>& tags);
/// A counter is plain decimal digits, which a 64-bit integer may be read from.
bool may_be_counter(const TypeOps& type);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
