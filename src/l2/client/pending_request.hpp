#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "base/send_order.hpp"
#include "l2/client/wake_word.hpp"
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

/// Instead of a place: see Connection::awaited_large.
inline constexpr std::uint32_t kMaybeLarge = std::numeric_limits<std::uint32_t>::max();

/// A request whose replies have not all come, and the replies to it. The caller makes it, on its stack. The connection
/// drops its pointer to it before it signals that the request is complete.
///
/// Status:
///
///     from                         to         by          when
///     waiting                      asleep     the caller  it waits in await() and nobody signalled yet
///     asleep                       waiting    the caller  its deadline passed
///     waiting, asleep, take_role   take_role  any thread  the role of reading or writing is free, and this is the next
///     take_role                    waiting    the caller  it has taken note of the role
///     waiting, asleep, take_role   complete   any thread  all replies are there, or a fault
///
/// `complete` is final. Nobody touches the request after it: its caller may have returned.
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
  /// Its caller is elsewhere, and comes back for the replies: it takes no role. Under the connection's mutex.
  bool away = false;
  std::uint64_t moved_before = 0;  ///< the connection's moved() when it was sent, of one that is started
  /// The connection's, for its list of requests that it is about to complete.
  PendingRequest* next = nullptr;
  /// Where the caller sleeps, and by which of the word's bits it is woken. The connection's; null: not sent yet.
  WakeWord* word = nullptr;
  std::uint32_t bits = 0;

  enum class Status : std::uint32_t { waiting, asleep, take_role, complete };
  Status status() const { return status_.load(std::memory_order_acquire); }
  /// `signalled` is take_role or complete. Wakes the caller. After `complete` the request may be gone when this
  /// returns.
  void signal(Status signalled);
  /// Completes `first` and those behind it, linked by `next`. Wakes the callers, those that share a word by one call.
  static void complete_all(PendingRequest* first);
  /// By the caller: waits for a signal. `waiting` when the deadline passed first.
  Status await(TimePoint deadline);
  /// By the caller, which has taken note of take_role.
  void note_role();

 private:
  /// True: the caller sleeps, and is to be woken.
  bool set(Status signalled);

  std::atomic<Status> status_{Status::waiting};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
