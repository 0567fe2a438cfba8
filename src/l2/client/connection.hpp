#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "l2/client/adaptive_yield.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/incoming_replies.hpp"
#include "l2/client/pending_queue.hpp"
#include "l2/client/pending_request.hpp"
#include "l2/client/wake_word.hpp"
#include "l2/client/write_batching.hpp"
#include "l2/net/stream.hpp"
#include "l2/net/wake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// One connection that many threads use at once. Thread-safe.
///
/// Idea (combining): no thread is the connection's own. A caller appends its request to a common buffer; if nobody is
/// writing, it writes for all that appended, and if nobody is reading, it reads for all that wait, until its own
/// replies are there, and hands the reader's role to the one that has waited longest. So requests and replies of many
/// callers share system calls, and a lone caller pays for no hop between threads.
///
/// Phases:
///
///     from   to         when
///     open   lost       the server or the network ended it, what came is out of step, or its user closed it
///     open   timed_out  something did not go out or come in by a deadline while no large value moved
///
/// Both are final. Whoever ends it completes all pending requests with a fault. Beside the phase there are two roles,
/// the writer's and the reader's, each held by one caller at a time, or by none.
///
/// Matching: nothing in a reply names its request. Its place alone says whose it is:
/// 1. A request takes its place in the queue in the same critical section in which its bytes are appended to the
///    buffer, and only the writer takes bytes from there. So places stand in the order of the bytes on the wire, in
///    which the server answers.
/// 2. Only the reader parses. It gives whole replies to the first request in flight until that has all it expects.
///
/// A late reply cannot reach another caller:
/// 3. A caller whose deadline passes ends the connection: the reader looks at the phase, under the mutex, after each
///    read and before it gives a reply to anybody, and the next request goes over another connection.
/// 4. Or, while large values move, the caller abandons its request: the place stays, and the replies that it is owed
///    are dropped when they come. So a reply of many megabytes costs others nothing but their own deadline. That goes
///    on as long as enough bytes move, and not longer than PendingQueue::kMostOverdue without a completed request.
/// 5. A caller whose replies came just before its deadline waits for the reader's signal: the reader has taken the
///    request off the queue, and still holds a pointer to it.
/// 6. A reply too many ends the connection, also one that came while nothing was pending: that is looked for before
///    each request that finds the connection idle.
/// 7. A reply lost and another repeated by what is between shifts all that follow. Places do not show that: the users
///    check it, by an EchoCheck or by the key that a value names, and call `close_as_corrupt`.
class Connection {
 public:
  Connection(std::unique_ptr<Stream> stream, ReplyLimits limits);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// What is sent in one go, in two pieces so that nobody has to join them.
  struct Bytes {
    Bytes(std::string_view only) : first(only) {}
    Bytes(std::string_view one, std::string_view two) : first(one), second(two) {}
    std::string_view first, second;
  };
  /// Sends `bytes` and waits for the replies until `deadline` (steady clock). When it returns, the request has its
  /// replies or a fault. Memory that cannot be had for what comes is a fault, too: the connection ends.
  void run(PendingRequest& request, Bytes bytes, TimePoint deadline);

  /// The same in two steps, for a caller that has requests at several connections: sends, and waits for nothing but
  /// room to do so. From then on the request is the connection's until wait() has returned true.
  void start(PendingRequest& request, Bytes bytes, TimePoint deadline);
  /// Waits for the replies until `until`. False: they are not there; only before `deadline`, by which it has replies or
  /// a fault. In between the caller takes part in nothing, so others read what comes for it.
  bool wait(PendingRequest& request, TimePoint until, TimePoint deadline);

  enum class Phase : std::uint8_t { open, lost, timed_out };
  Phase phase() const { return phase_.load(std::memory_order_acquire); }
  bool usable() const { return phase() == Phase::open; }
  /// Ends the connection: its user found that a reply cannot be to what was asked, or has no use for it any more.
  void close_as_corrupt(std::string_view why);
  /// Why it ended.
  std::string why() const;
  /// `watch` is notified when it ends; at once when it has.
  void report_to(std::shared_ptr<LinkWatch> watch);
  /// How requests on it are checked; one for all connections of a link.
  EchoWay& echo_way() { return *echo_way_; }
  /// Before it is used.
  void share(std::shared_ptr<EchoWay> way) { echo_way_ = std::move(way); }
  /// Bytes that went out or came in so far.
  std::uint64_t moved() const { return moved_.load(std::memory_order_relaxed); }
  /// So many between two looks prove that it works: what a server drips out does not.
  static constexpr std::uint64_t kProgress = std::uint64_t{64} << 10;
  /// Replies are owed to callers that have left.
  bool has_abandoned() const {
    const MutexLock lock(mutex_);
    return pending_.has_abandoned();
  }
  /// Replies are owed to the request of this place, or to one before it.
  bool owes(std::uint64_t place) const {
    const MutexLock lock(mutex_);
    return last_order_.place < place + pending_.size();
  }
  /// By the caller of a request that has a fault: a large text was on its way to it. It stood in the first reply,
  /// behind so many headers with its own: 1 is a text alone, 2 the first of an array. kMaybeLarge: there may have been
  /// one, of which nothing came. 0: none was.
  std::uint32_t awaited_large(const PendingRequest& request) const {
    const MutexLock lock(mutex_);
    return request.order == awaiting_ ? awaited_ : 0;
  }
  /// False: the server has ended it while nobody used it, or it had ended before.
  bool is_open_still() noexcept;
  /// Open as long as this lives.
  int descriptor() const { return stream_->descriptor(); }
  /// In the child of a fork.
  void forget() noexcept { stream_->forget(); }

 private:
  void enqueue(PendingRequest& request, Bytes bytes, TimePoint deadline) DSTA_REQUIRES(mutex_);
  void pass_roles_on(bool writer_too) DSTA_REQUIRES(mutex_);
  bool abandon(PendingRequest& request, std::uint64_t moved_before) DSTA_REQUIRES(mutex_);
  void check_idle() DSTA_REQUIRES(mutex_);

  bool is_write_due() const DSTA_REQUIRES(mutex_);
  void send_held_back(const PendingRequest& own, TimePoint deadline) DSTA_REQUIRES(mutex_);
  void write_for_all(const PendingRequest& own, TimePoint deadline) DSTA_REQUIRES(mutex_);
  void write_large(const PendingRequest& own, Bytes bytes, TimePoint deadline) DSTA_REQUIRES(mutex_);
  void gather() DSTA_REQUIRES(mutex_);
  void take_buffer() DSTA_REQUIRES(mutex_);
  bool leave_rest_to_others(const PendingRequest& own) DSTA_REQUIRES(mutex_);

  void take_reader_role(PendingRequest& own, TimePoint deadline, std::uint64_t moved_before) DSTA_REQUIRES(mutex_);
  void read_for_all(PendingRequest& own, TimePoint until, TimePoint deadline, std::uint64_t moved_before)
      DSTA_REQUIRES(mutex_);
  bool wait_here(PendingRequest& request, TimePoint until, TimePoint deadline) DSTA_REQUIRES(mutex_);

  void note_awaited(std::uint32_t large_at) DSTA_REQUIRES(mutex_);
  void end(Fault fault, const PendingRequest* whose, std::string_view why) DSTA_REQUIRES(mutex_);

  const std::unique_ptr<Stream> stream_;
  std::shared_ptr<EchoWay> echo_way_ = std::make_shared<EchoWay>();
  std::atomic<Phase> phase_{Phase::open};  ///< changes under mutex_ only
  std::atomic<std::uint64_t> moved_{0};

  mutable Mutex mutex_;
  PendingQueue pending_ DSTA_GUARDED_BY(mutex_);
  WriteBatching batching_ DSTA_GUARDED_BY(mutex_);
  AdaptiveYield yield_ DSTA_GUARDED_BY(mutex_);
  SendOrder last_order_ DSTA_GUARDED_BY(mutex_);  ///< the connection's number in this process, the last request's place
  bool writing_ DSTA_GUARDED_BY(mutex_) = false;  ///< a caller has the writer's role
  const PendingRequest* reader_ DSTA_GUARDED_BY(mutex_) = nullptr;  ///< whose caller has the reader's role
  SendOrder awaiting_ DSTA_GUARDED_BY(mutex_);  ///< the last request that left while a large text was on its way to it
  std::uint32_t awaited_ DSTA_GUARDED_BY(mutex_) = 0;
  std::string why_ DSTA_GUARDED_BY(mutex_);
  std::shared_ptr<LinkWatch> watch_ DSTA_GUARDED_BY(mutex_);

  /// Where callers sleep. Neighbours on the wire share a word, as their replies come together.
  std::array<WakeWord, 16> words_;

  // Not under the mutex: each belongs to the one that has the role.
  std::string sending_;       ///< the writer's
  IncomingReplies incoming_;  ///< the reader's
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
