#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "base/nonce.hpp"
#include "l2/resp/reply.hpp"
#include "l2/resp/request.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Echo check (desync check): an ECHO of a nonce, sent behind a request so that its replies are known to be its own. A
/// lost or repeated reply would else shift all that follow. One thread.
class EchoCheck {
 public:
  // Not PING, which a server refuses when it refuses writes (MISCONF).
  EchoCheck() : word_(new_nonce()) { request_.add({"ECHO", word_}); }

  const Request& request() const { return request_; }

  /// True when the last of the replies is this one's, which is then taken away. A server that serves nobody says so to
  /// the ECHO, too: where all say it, none says anything else.
  bool confirms(std::vector<Reply>& replies) const {
    const Reply& last = replies.back();
    const bool mine =
        (last.is(Reply::Kind::text) && last.text == word_) ||
        std::all_of(replies.begin(), replies.end(), [](const Reply& reply) { return reply.means_not_now(); });
    if (mine) replies.pop_back();
    return mine;
  }

 private:
  const std::string word_;
  Request request_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
