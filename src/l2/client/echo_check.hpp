#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/nonce.hpp"
#include "l2/resp/reply.hpp"
#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// By what the echo check is made: the server may not know ECHO, or the user may not run it. One for a link, which
/// keeps what ends connections, and one for each of its connections, which begins there and keeps what is refused: so
/// rights that are granted count from the next connection on. Thread-safe.
class EchoWay {
 public:
  enum class By : std::uint8_t {
    echo,
    ping,     ///< PING with the word
    nothing,  ///< replies are known by their place alone
  };
  /// `say` is called once for each way that is refused.
  explicit EchoWay(std::function<void(By refused)> say = nullptr) : say_(std::move(say)) {}
  /// Of a connection.
  explicit EchoWay(std::shared_ptr<EchoWay> of_link) : of_link_(std::move(of_link)) {}

  By by() const {
    const By own = by_.load(std::memory_order_relaxed);
    return of_link_ ? std::max(own, of_link_->by()) : own;
  }
  /// The server refused that way, which was tried: the next one.
  void refused(By tried) {
    if (tried == By::nothing) return;
    const auto next = static_cast<By>(static_cast<int>(tried) + 1);
    By now = by_.load();
    while (now < next && !by_.compare_exchange_weak(now, next)) {
    }
    (of_link_ ? *of_link_ : *this).note(tried);
  }
  /// It is to be tried again: the server is another one, or knows it by now.
  void start_over() { by_ = By::echo; }

 private:
  static constexpr unsigned bit(By way) { return 1U << static_cast<unsigned>(way); }
  void note(By way) {
    if ((said_.fetch_or(bit(way)) & bit(way)) == 0 && say_) say_(way);
  }

  const std::function<void(By refused)> say_;
  const std::shared_ptr<EchoWay> of_link_;
  std::atomic<By> by_{By::echo};
  std::atomic<unsigned> said_{0};
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
    refused,     ///< its last reply says that the check itself is not to be had. It is taken for a reply to it.
    unverified,  ///< its last reply is taken for one to it, and says nothing about the next check
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
    const Verdict verdict = mine ? Verdict::confirmed : otherwise(last);
    if (verdict != Verdict::failed) replies.pop_back();
    return verdict;
  }

 private:
  Verdict otherwise(const Reply& last) const {
    if (by_ == By::ping && last.error_code() == "MISCONF") return Verdict::unverified;                    // it passes
    if (by_ == By::ping && last.is(Reply::Kind::status) && last.text == "PONG") return Verdict::refused;  // without it
    // An error that names the command: no other request brings it.
    return last.refuses(by_ == By::echo ? "echo" : "ping") ? Verdict::refused : Verdict::failed;
  }

  const By by_;
  const std::string word_;
  Request request_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
