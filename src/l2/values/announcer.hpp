#pragma once
#include <atomic>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include <dsta/cache/coherence_mode.hpp>
#include <dsta/cache/duration.hpp>

#include "base/nonce.hpp"
#include "l2/tracking/announcement.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether this process announces what it changes at the server, and as whom. Thread-safe.
///
/// It does for good once it depends on announcements itself, and else for as long as somebody is known to: a process
/// that listens leaves a key at the server, which is reported to those that track, and looked for by the others when
/// they ask for the server's time.
class Announcer {
 public:
  Announcer(std::string_view prefix, CoherenceMode wanted)
      : channel_(announcement_channel(prefix)), always_(wanted == CoherenceMode::announcements) {}

  /// Cheap while nobody listens.
  bool on() const {
    const TimePoint until = listened_until_.load(std::memory_order_relaxed);
    if (!always() && until == TimePoint{}) [[likely]]
      return false;
    const TimePoint now = std::chrono::steady_clock::now();
    return (always() || now < until) && now >= refused_until_.load(std::memory_order_relaxed);
  }
  bool always() const { return always_.load(std::memory_order_relaxed); }
  void always_from_now() { always_.store(true, std::memory_order_relaxed); }
  /// Somebody listens, or did a moment ago.
  void heard_of_listener() {
    listened_until_.store(std::chrono::steady_clock::now() + kListens, std::memory_order_relaxed);
  }
  /// The user may not publish: it is tried again after a while.
  void refused() { refused_until_.store(std::chrono::steady_clock::now() + kRefused, std::memory_order_relaxed); }
  /// To publish ends the connection.
  void refused_for_good() { refused_until_.store(TimePoint::max(), std::memory_order_relaxed); }
  bool is_refused_for_good() const { return refused_until_.load(std::memory_order_relaxed) == TimePoint::max(); }
  /// The server took one, or it is another server.
  void accepted() { refused_until_.store(TimePoint{}, std::memory_order_relaxed); }

  const std::string& channel() const { return channel_; }
  const std::string& process() const { return process_; }
  /// In the child of a fork, before anything else: it is another process.
  void forked() { process_ = new_nonce(); }

 private:
  static constexpr std::chrono::seconds kListens{120}, kRefused{30};

  const std::string channel_;
  std::string process_ = new_nonce();
  std::atomic<bool> always_;
  std::atomic<TimePoint> listened_until_{TimePoint{}}, refused_until_{TimePoint{}};
};

/// What one request changes, to be announced behind it. Nothing where nobody listens. One thread.
class Changes {
 public:
  explicit Changes(const Announcer& announcer) {
    if (announcer.on()) text_.emplace(announcer.process());
  }
  explicit operator bool() const { return text_.has_value(); }
  /// `make`: the server's key.
  template <class Make>
  void add_key(const Make& make) {
    if (text_) text_->add(Announcement::Kind::key, make());
  }
  void add_glob(std::string_view glob) {
    if (text_) text_->add(Announcement::Kind::glob, glob);
  }
  /// Of a counter, which nobody has in L1: if the announcement alone is refused, nothing is to be made up for.
  void may_be_lost() { must_arrive_ = false; }
  bool must_arrive() const { return must_arrive_; }
  const std::string& text() const { return text_->text(); }

 private:
  std::optional<AnnouncementText> text_;
  bool must_arrive_ = true;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
