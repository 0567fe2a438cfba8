#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include <dsta/cache/coherence_mode.hpp>
#include <dsta/cache/duration.hpp>
#include <dsta/cache/log.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Link;

struct ChannelOptions {
  /// Changes of keys that begin so are reported: the namespace and its colon.
  std::string prefix = "dsta:";
  /// How often both connections must show a sign of life. What is lost without a word is noticed within two periods.
  Duration ping_period = std::chrono::seconds(1);
  /// What is tried: tracking, announcements, or automatic: the second where the server refuses the first, once more
  /// each time that the channel is connected.
  CoherenceMode coherence = CoherenceMode::tracking;
  /// What this process's announcements are known by; of no other process.
  std::string process = {};
  /// For the messages: the bound for what is not announced.
  Duration untracked_ttl = std::chrono::seconds(5);
  /// Before tracking is tried again that the server has not refused, but did not show either.
  Duration until_tracking_again = std::chrono::minutes(10);
  /// In a cluster: goes into the key of each self-test, so that its slot is one of the server's. Null: nothing does.
  std::function<std::string()> probe_tag = nullptr;
  /// In a cluster: the key by which listeners to announcements are known, or nothing where another server keeps it.
  /// Null: as listener_key has it.
  std::function<std::string()> listener = nullptr;
  /// Takes the messages of the channel's thread. It must return at once: until it does nothing is received. Null: they
  /// go to the log of the link.
  std::function<void(LogLevel, std::string)> say = nullptr;
};

/// What the invalidation channel reports. Called by the channel's thread alone, one call at a time, never after the
/// channel's destructor has returned. The calls must be short: until they return nothing further is received.
class ChannelListener {
 public:
  virtual ~ChannelListener() = default;
  /// These keys changed, by whomever but this process's link: written, deleted, expired or evicted. Scripts that it ran
  /// count as others' doing, and so does all that it writes when the server is older than 7.0. With announcements: what
  /// other processes of this library have changed.
  virtual void on_keys(std::span<const std::string_view> keys) = 0;
  /// The server was emptied.
  virtual void on_flush() = 0;
  /// Others have removed all entries whose joined key matches one of these; with announcements alone. Each once.
  virtual void on_globs(std::span<const std::string_view> /*globs*/) {}
  /// A process of another release has changed something, and its announcement is not understood.
  virtual void on_unknown() { on_flush(); }
  /// The channel is about to be up: what is remembered from before must go first, since it will be trusted.
  virtual void before_up(CoherenceMode /*mode*/) {}
  /// Of what is read by a request that begins from now on, every change is reported.
  virtual void on_up(TimePoint known_good) = 0;
  /// All changes up to then have been reported.
  virtual void on_known_good(TimePoint /*known_good*/) {}
  /// Changes may go unreported from now on, or have for up to two ping periods. Once for each on_up that it revokes.
  virtual void on_down(std::string_view why) = 0;
};

/// The invalidation channel: reports which keys others change at the server. Thread-safe.
///
/// Idea (server-assisted invalidation): the server is asked to broadcast the names of changed keys of one namespace
/// (CLIENT TRACKING, BCAST) to a connection of its own, the channel, which does nothing but listen. The data link's
/// connection is the one that asks (REDIRECT): then what goes over it is not echoed (NOLOOP).
///
/// So two connections carry one promise, and the server ends the one without a word on the other. Therefore:
/// - the channel is up only after a self-test, a key written for the purpose and reported, and after a second
///   registration that adds NOLOOP;
/// - the end of any connection of the link, noticed by whichever thread, takes the channel down before a request can
///   run on the next one; the end of an idle one is seen by polling it;
/// - a heartbeat asks both for a sign of life every ping period: PING on the channel, CLIENT GETREDIR on the link,
///   which also says that the registration still stands.
/// Where the server does not offer that, processes announce what they change by PUBLISH, behind the change in the same
/// request, and each subscribes to that. The self-test and the heartbeat are probes then, which go out by the data
/// connection and must come back by the channel.
///
/// ChannelPhase has the phases and their transitions. Its thread never waits for a reply: whatever takes time is a job
/// for a worker, so that what the server reports is received at once.
///
/// The trap: there is no order between the two connections. A change may be reported before or after the reply of a
/// read that it made obsolete; a fill must be dropped when its key was reported since its request began, or when the
/// channel went up or down since. One on_down is enough to know that all kept values must go.
class Channel {
 public:
  /// Starts. `data` and `listener` must outlive it; one channel for each link. Throws std::system_error when there is
  /// no thread or no descriptor for it.
  Channel(ChannelOptions options, Link& data, ChannelListener& listener);
  /// Nothing is reported afterwards. Returns at once, whatever the network does.
  void stop() noexcept;
  /// After stop(): waits for its last thread, which may be waiting for a reply. At once where the link is closed.
  void join() noexcept;
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// False as soon as it is known to be: before on_down is called, and always in the child of a fork, which has no
  /// channel but may destroy it.
  bool up() const;
  /// False in the child of a fork: it must make its own.
  bool here() const;
  /// Tracking or announcements once it was up; off where the server refused what was tried; automatic before. As the
  /// last attempt was.
  CoherenceMode mode() const;
  /// All changes up to then have been reported; the beginning of time while it was never up.
  TimePoint last_known_good() const;

 private:
  struct State;
  State* state_;  ///< owned, and left behind in the child of a fork
  const std::uint32_t forks_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
