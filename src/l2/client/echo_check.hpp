#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/nonce.hpp"
#include "l2/resp/reply.hpp"
#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// By what the echo check of a server's connections is made: it may not know ECHO, or the user may not run it.
/// Thread-safe.
class EchoWay {
 public:
  enum class By : std::uint8_t {
    echo,
    ping,     ///< PING with the word
    nothing,  ///< replies are known by their place alone
  };
  /// `say` is called once for each way that is refused.
  explicit EchoWay(std::function<void(By refused)> say = nullptr) : say_(std::move(say)) {}

  By by() const { return by_.load(std::memory_order_relaxed); }
  /// The server refused that way: the next one.
  void refused(By by) {
    if (by == By::nothing) return;
    By now = by;
    const bool first = by_.compare_exchange_strong(now, static_cast<By>(static_cast<int>(by) + 1));
    if (first && say_) say_(by);
  }
  /// It is another server.
  void begin_anew() { by_.store(By::echo, std::memory_order_relaxed); }

 private:
  const std::function<void(By refused)> say_;
  std::atomic<By> by_{By::echo};
};

/// Echo check (desync check): an ECHO of a nonce, sent behind a request so that its replies are known to be its own. A
/// lost or repeated reply would else shift all that follow. One thread.
class EchoCheck {
 public:
  using By = EchoWay::By;
  // PING only where ECHO is not to be had: a server refuses it when it refuses writes (MISCONF).
  explicit EchoCheck(By by = By::echo) : by_(by), word_(by == By::nothing ? std::string() : new_nonce()) {
    if (by_ != By::nothing) request_.add({by_ == By::echo ? "ECHO" : "PING", word_});
  }

  By by() const { return by_; }
  const Request& request() const { return request_; }

  enum class Verdict : std::uint8_t {
    confirmed,
    refused,  ///< its last reply says that the check itself is not to be had. It is taken for a reply to it.
    failed,
  };
  /// Confirmed when the last of the replies is this one's, which is then taken away. A server that serves nobody says
  /// so to the ECHO, too: where all say it, none says anything else.
  Verdict judge(std::vector<Reply>& replies) const {
    if (by_ == By::nothing) return Verdict::confirmed;
    const Reply& last = replies.back();
    const bool mine =
        (last.is(Reply::Kind::text) && last.text == word_) ||
        std::all_of(replies.begin(), replies.end(), [](const Reply& reply) { return reply.means_not_now(); });
    const bool refused = !mine && is_refused(last);
    if (!mine && !refused) return Verdict::failed;
    replies.pop_back();
    return mine ? Verdict::confirmed : Verdict::refused;
  }

 private:
  /// An error that names the command: no other request brings it.
  bool is_refused(const Reply& last) const {
    if (by_ == By::ping && last.is(Reply::Kind::status) && last.text == "PONG") return true;  // it takes no word
    if (by_ == By::ping && last.error_code() == "MISCONF") return true;
    return last.refuses(by_ == By::echo ? "echo" : "ping");
  }

  const By by_;
  const std::string word_;
  Request request_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
