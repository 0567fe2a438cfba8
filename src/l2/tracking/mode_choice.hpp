#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <dsta/cache/coherence_mode.hpp>
#include <dsta/cache/duration.hpp>

#include "base/saturating_add.hpp"
#include "l2/tracking/subscriber.hpp"
#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Which mode of coherence the channel tries next. Pure logic. One thread.
///
/// With CoherenceMode::automatic each new connection of the channel begins with tracking. What the server refuses for
/// good is followed by one attempt with announcements, at once. Where it did not say so, but ended connections or
/// reported nothing, that may have been another trouble: tracking is tried again after a while.
class ModeChoice {
 public:
  /// `until_again`: twice as long after each time in a row.
  explicit ModeChoice(CoherenceMode wanted, Duration until_again = std::chrono::minutes(10))
      : wanted_(wanted), until_again_(until_again), pause_(until_again), next_(first()) {}

  /// Of the connection that is made now.
  CoherenceMode next() {
    const CoherenceMode now = std::exchange(next_, first());
    if (now == first()) refusal_.clear();
    return now;
  }
  /// It follows an attempt with another one, without a pause.
  bool is_second(CoherenceMode mode) const { return mode != first(); }
  void came_up(CoherenceMode mode, TimePoint now) {
    const bool again = mode == CoherenceMode::announcements && std::exchange(inferred_, false);
    tracking_due_ = again ? saturating_add(now, pause_) : TimePoint::max();
    pause_ = again ? std::min<Duration>(2 * pause_, kLongest) : until_again_;
    of(mode) = {};
    if (again) tracking_ = {};
  }
  /// When the channel reconnects to try tracking.
  TimePoint tracking_due() const { return tracking_due_; }
  /// It is another server.
  void start_over() {
    tracking_ = announcements_ = {};
    inferred_ = false;
    pause_ = until_again_;
    next_ = first();
  }

  /// The server does not offer what the connection asked for. One that ends the connection instead of saying so (it may
  /// as well be about to restart) does not when it has done so twice in a row.
  bool is_unsupported(CoherenceMode mode, const Subscriber::Failure& failure) {
    int& ends = of(mode).ended;
    ends = failure.ended ? ends + 1 : 0;
    return failure.ended ? ends >= kOften : failure.unsupported;
  }
  /// The data connection ended over the self-test, time and again.
  bool self_test_ended(CoherenceMode mode, const Answer& answer) {
    int& ends = of(mode).tests_ended;
    ends = answer.fault == Fault::lost && answer.maybe_executed ? ends + 1 : 0;
    return ends >= kOften;
  }
  /// The probe of a self-test did not come back; it may have been too slow.
  bool unreported(CoherenceMode mode) { return ++of(mode).unreported >= kOften; }

  /// The server does not offer `mode`. True: the next one is to be tried at once.
  bool refused(CoherenceMode mode, std::string_view why) {
    if (wanted_ != CoherenceMode::automatic || mode != CoherenceMode::tracking) return false;
    refusal_ = why;
    inferred_ = std::max({tracking_.ended, tracking_.tests_ended, tracking_.unreported}) >= kOften;
    next_ = CoherenceMode::announcements;
    return true;
  }
  /// Why there is no mode at all.
  std::string with_first_refusal(std::string_view why) const {
    return refusal_.empty() ? std::string(why)
                            : fmt::format("no tracking ({}), and no announcements ({})", refusal_, why);
  }
  /// To be said when the channel is up: what is not heard. Empty: nothing, or it was said before.
  std::string message(CoherenceMode mode, std::string_view endpoint, Duration untracked_ttl) {
    if (mode == CoherenceMode::tracking || std::exchange(said_, true)) return {};
    const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(untracked_ttl).count();
    return fmt::format(
        "coherence of L1 with {}: announcements{}. Only changes by processes of this library are heard, so L1 keeps a "
        "copy for at most {} ms (l1.untracked_ttl): so long a change by another program may go unseen",
        endpoint,
        refusal_.empty() ? "" : fmt::format(", since there is no tracking ({}{})", refusal_, remedy_for(refusal_)),
        milliseconds);
  }

 private:
  static constexpr int kOften = 2;
  static constexpr std::chrono::hours kLongest{24};

  CoherenceMode first() const { return wanted_ == CoherenceMode::announcements ? wanted_ : CoherenceMode::tracking; }

  const CoherenceMode wanted_;
  const Duration until_again_;
  Duration pause_;  ///< before tracking is tried again
  TimePoint tracking_due_ = TimePoint::max();
  bool inferred_ = false;  ///< that there is no tracking
  CoherenceMode next_;
  std::string refusal_;  ///< of tracking, where announcements are tried for that reason
  /// What was seen of a mode since it came up last, each in a row.
  struct Seen {
    int ended = 0, tests_ended = 0, unreported = 0;
  };
  Seen& of(CoherenceMode mode) { return mode == CoherenceMode::tracking ? tracking_ : announcements_; }
  Seen tracking_, announcements_;
  bool said_ = false;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
