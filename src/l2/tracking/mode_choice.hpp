#pragma once
#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include <dsta/cache/coherence_mode.hpp>
#include <dsta/cache/duration.hpp>

#include "l2/tracking/subscriber.hpp"
#include "l2/tracking/tracking_registration.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Which mode of coherence the channel tries next. Pure logic. One thread.
///
/// With CoherenceMode::automatic each new connection of the channel begins with tracking. What the server refuses for
/// good is followed by one attempt with announcements, at once.
class ModeChoice {
 public:
  explicit ModeChoice(CoherenceMode wanted) : wanted_(wanted), next_(first()) {}

  /// Of the connection that is made now.
  CoherenceMode next() {
    const CoherenceMode now = std::exchange(next_, first());
    if (now == first()) refusal_.clear();
    return now;
  }
  /// It follows an attempt with another one, without a pause.
  bool is_second(CoherenceMode mode) const { return mode != first(); }
  void came_up(CoherenceMode mode) { of(mode) = {}; }
  /// It is another server.
  void begin_anew() {
    tracking_ = announcements_ = {};
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

  CoherenceMode first() const { return wanted_ == CoherenceMode::announcements ? wanted_ : CoherenceMode::tracking; }

  const CoherenceMode wanted_;
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
