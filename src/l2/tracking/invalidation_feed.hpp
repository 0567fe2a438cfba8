#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "l2/tracking/announcement.hpp"
#include "l2/tracking/channel.hpp"
#include "l2/tracking/heartbeat.hpp"
#include "l2/tracking/subscriber.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The self-test of a registration: a key is written, or a probe announced, and must be reported on the channel.
struct SelfTest {
  std::string prefix;  ///< of all such keys, which mean nothing else
  std::string probe = {};
  bool reported = false;  ///< may be so before the reply to the write is there
  TimePoint begun{}, deadline{};
};

/// Receives what the server sends to the channel's connection: changed keys go to the listener, pongs to the heartbeat,
/// probes to the self-test. One thread.
class InvalidationFeed {
 public:
  /// `prefix` of the keys, `process` what its own announcements are known by.
  InvalidationFeed(ChannelListener& listener, Heartbeat& heartbeat, SelfTest& self_test, std::string_view prefix,
                   std::string process)
      : listener_(listener),
        heartbeat_(heartbeat),
        self_test_(self_test),
        announcements_(announcement_channel(prefix)),
        probes_(probe_channel(prefix, process)),
        process_(std::move(process)) {}

  void open(std::unique_ptr<Subscriber> subscriber) { subscriber_ = std::move(subscriber); }
  void close() { subscriber_.reset(); }
  /// Null: closed.
  Subscriber* subscriber() const { return subscriber_.get(); }

  struct Received {
    bool open = false;  ///< the connection has not ended
    bool pong = false;  ///< the heartbeat took a pong
  };
  /// A part of what has come, so that a flood keeps nothing else from being looked after. Only when open.
  Received receive();
  /// There may be more to receive.
  bool has_more() const { return subscriber_ && more_; }

 private:
  bool handle(const Reply& message);
  void report_keys(const Reply& message);
  void report(const Announcement& announcement);
  void report_kept_keys();
  void report_kept_globs();

  ChannelListener& listener_;
  Heartbeat& heartbeat_;
  SelfTest& self_test_;
  const std::string announcements_, probes_;  ///< the names of these channels
  const std::string process_;
  std::unique_ptr<Subscriber> subscriber_;
  bool more_ = false;
  std::vector<Reply> messages_;
  std::vector<std::string_view> keys_;
  /// Of all messages that were received together: each costs a look at all of L1.
  std::vector<std::string_view> globs_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
