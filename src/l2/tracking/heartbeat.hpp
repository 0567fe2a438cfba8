#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <dsta/cache/duration.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// When both connections of the invalidation channel are asked for a sign of life, and up to when all changes are known
/// to have been reported. Pure logic: times are handed in. One thread.
///
/// The channel is asked by PING, whose pong stands behind all that was reported before it. The data connection is asked
/// by CLIENT GETREDIR, whose answer says that the registration still stands.
class Heartbeat {
 public:
  explicit Heartbeat(Duration period) : period_(period), check_period_(period) {}

  // --- the channel's connection

  void channel_opened(TimePoint now) {
    awaits_pong_ = false;
    next_ping_ = now;
  }
  TimePoint next_ping() const { return next_ping_; }
  bool awaits_pong() const { return awaits_pong_; }
  /// What the PING carries, and the pong brings back.
  std::string begin_ping(TimePoint now) {
    awaits_pong_ = true;
    ping_sent_ = now;
    next_ping_ = now + period_;
    return std::to_string(++pings_);
  }
  /// True: it is the pong that was waited for.
  bool take_pong(std::string_view payload) { return payload == std::to_string(pings_) && take_refusal(); }
  /// The server refused the PING, as one that refuses writes does (MISCONF): an error is a sign of life, too.
  bool take_refusal() {
    if (!awaits_pong_) return false;
    awaits_pong_ = false;
    channel_good_ = ping_sent_;
    return true;
  }

  // --- the data connection

  /// Both were good at `since`.
  void up(TimePoint since, TimePoint now) {
    channel_good_ = data_good_ = since;
    next_check_ = now + check_period_;
  }
  TimePoint next_check() const { return next_check_; }
  void check_begun(TimePoint now) { next_check_ = now + check_period_; }
  void check_again(TimePoint at) { next_check_ = at; }
  /// The registration stood when the check began.
  void confirmed(TimePoint check_begun) { data_good_ = check_begun; }
  /// The server ended it while it was idle: it may be one that does so after its `timeout`. Then it is asked more
  /// often.
  void idle_connection_ended() { check_period_ = std::min(check_period_, std::max(kOftenest, check_period_ / 2)); }
  /// The answer to a check may stand behind a large value: the bytes of that are a sign of life as good as any, but do
  /// not say that the registration stands, so not for ever.
  bool may_wait_for_large_value(TimePoint now) const { return now - data_good_ < kMostUnconfirmed * period_; }

  /// All changes up to then have been reported.
  TimePoint known_good() const { return std::min(channel_good_, data_good_); }

 private:
  /// How often the data connection is asked at most, where the server ends idle ones.
  static constexpr Duration kOftenest = std::chrono::seconds(1);
  /// Periods for which a large value may stand for an answer.
  static constexpr int kMostUnconfirmed = 8;

  const Duration period_;
  Duration check_period_;
  bool awaits_pong_ = false;
  std::uint64_t pings_ = 0;
  TimePoint next_ping_{}, ping_sent_{}, channel_good_{};
  TimePoint next_check_{}, data_good_{};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
