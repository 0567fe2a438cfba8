#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/link.hpp"
#include "l2/net/stream.hpp"
#include "l2/resp/reply_guard.hpp"
#include "l2/resp/reply_reader.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A connection that has subscribed to channels of the server, which pushes messages to it. One thread, which polls
/// `descriptor()` for `events()`.
class Subscriber {
 public:
  struct Wanted {
    std::vector<std::string> channels;  ///< the last is the one where messages may come at once
    bool id = true;                     ///< id() is needed
  };
  /// Why there is none.
  struct Failure {
    std::string why = {};
    bool refused = false;      ///< by the server itself
    bool unsupported = false;  ///< and it will do so again: it does not know the command, or the user may not run it
    bool ended = false;        ///< the server ended the connection in answer to what it was asked
  };
  /// Connects, logs in and subscribes; with a ServerFinder the server must be a master. Null when that did not come
  /// about by `deadline`; `failure` says why.
  static std::unique_ptr<Subscriber> open(const LinkOptions& options, const Address& server, const Wanted& wanted,
                                          TimePoint deadline, Failure& failure);
  ~Subscriber() { stream_->shut(); }

  /// The server's number for this connection; 0 where it was not asked.
  std::int64_t id() const { return id_; }
  int descriptor() const { return stream_->descriptor(); }
  short events() const;

  /// Appends the whole messages that have come; `more` when there may be others, so that a flood leaves room for other
  /// things. False when the connection has ended: see why().
  bool receive(std::vector<Reply>& messages, bool& more);
  /// What cannot go at once goes with a later `receive`.
  void send(std::string_view bytes) { outgoing_ += bytes; }
  const std::string& why() const { return why_; }

 private:
  Subscriber(std::unique_ptr<Stream> stream, ReplyLimits limits) : stream_(std::move(stream)), guard_(limits) {}

  /// Where in the replies to the login those of ServerRole begin, and behind them those to what is wanted.
  struct Places {
    std::size_t roles, first;
  };
  bool log_in(const LinkOptions& options, const Wanted& wanted, TimePoint deadline, Failure& failure);
  void note_end(const std::vector<Reply>& replies, std::size_t first, Failure& failure);
  bool take_login(const Request& request, std::vector<Reply>& replies, Places at, const Wanted& wanted,
                  Failure& failure);
  bool write();
  bool parse(std::vector<Reply>& messages);
  bool ended(Step step);

  const std::unique_ptr<Stream> stream_;
  std::int64_t id_ = 0;
  ReplyGuard guard_;
  ReplyReader parser_;
  std::string outgoing_;
  std::string buffer_;  ///< what has come and is no whole message yet stands in [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool reading_needs_write_ = false;  ///< encryption may have to say something first
  std::string why_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
