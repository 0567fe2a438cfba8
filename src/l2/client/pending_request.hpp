#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "base/send_order.hpp"
#include "l2/resp/reply.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Why there is no reply.
enum class Fault : std::uint8_t {
  none,
  no_connection,  ///< none could be had, or none was tried because the last attempts failed
  timeout,        ///< the deadline passed
  lost,           ///< the connection ended first
  protocol,       ///< what came was no reply, or not the one to this request
};

/// A request on its way and the replies to it. Made by the caller, on its stack; the connection forgets it before the
/// caller is told that it is done.
class PendingRequest {
 public:
  explicit PendingRequest(std::size_t replies_expected) : expected(replies_expected) { replies.reserve(expected); }
  PendingRequest(const PendingRequest&) = delete;
  PendingRequest& operator=(const PendingRequest&) = delete;

  const std::size_t expected;
  std::vector<Reply> replies;
  bool answered() const { return replies.size() == expected; }
  Fault fault = Fault::none;
  /// A byte of it was given to the kernel: the server may have executed it.
  bool sent = false;
  SendOrder order;
  /// The connection's, for a list of those it is about to tell.
  PendingRequest* next = nullptr;

  enum class News : std::uint32_t { none, asleep, lead, done };
  News news() const { return news_.load(std::memory_order_acquire); }
  /// By whoever finished it, or hands on the reader's role; the exchange may be gone when this returns.
  void tell(News news);
  /// By its caller: waits for news. `none` when the deadline passed first.
  News await(TimePoint deadline);
  /// By its caller, who has taken the reader's role.
  void led();

 private:
  std::atomic<News> news_{News::none};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
