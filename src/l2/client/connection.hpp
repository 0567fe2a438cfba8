#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "l2/client/pending_request.hpp"
#include "l2/net/stream.hpp"
#include "l2/net/wake.hpp"
#include "l2/resp/byte_buffer.hpp"
#include "l2/resp/reply_guard.hpp"
#include "l2/resp/reply_reader.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// One connection that many threads use at once. Thread-safe.
///
/// Idea (combining): no thread is the connection's own. A caller appends its request to a common buffer; if nobody is
/// writing, it writes for all who appended, and if nobody is reading, it reads for all who wait, until its own replies
/// are there, and hands the reader's role to the longest waiting. So requests and replies of many callers share system
/// calls, and a lone caller pays for no hop between threads.
///
/// Replies come in the order of the requests, which is all that tells them apart. Whatever puts that in doubt ends the
/// connection: bytes that are no reply, a reply too many, a request that was not answered by its deadline while no
/// large value moved. All that were under way then fail with `lost`.
///
/// Large values: a reply of many megabytes keeps all behind it waiting. A caller whose deadline passes meanwhile
/// leaves: its place stays, and the replies that are owed to it are thrown away when they come. So one that waits in
/// vain costs the others nothing, as long as enough bytes move that the connection is known to work, and not for longer
/// than kMostOverdue without a reply that somebody still waits for.
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
  /// Sends `bytes` and waits for the replies until `deadline` (steady clock). When it returns, the exchange has its
  /// replies or a fault. Memory that cannot be had for what comes is a fault, too: the connection ends.
  void run(PendingRequest& exchange, Bytes bytes, TimePoint deadline);

  bool usable() const { return !ended_.load(std::memory_order_acquire); }
  /// Ends the connection because of what its caller found in a reply.
  void condemn(std::string_view why);
  /// Why it ended.
  std::string why() const;
  /// It ended because something did not go out or come in by a deadline.
  bool was_slow() const;
  /// Tells `watch` when it ends; at once when it has.
  void report_to(std::shared_ptr<LinkWatch> watch);
  /// Bytes that went out or came in so far.
  std::uint64_t moved() const { return moved_.load(std::memory_order_relaxed); }
  /// So many between two looks prove that it works: what a server drips out does not.
  static constexpr std::uint64_t kProgress = std::uint64_t{64} << 10;
  static constexpr std::chrono::seconds kMostOverdue{2};
  /// Open as long as this lives.
  int descriptor() const { return stream_->descriptor(); }
  /// In the child of a fork.
  void forget() noexcept { stream_->forget(); }

 private:
  using Lock = std::unique_lock<std::mutex>;

  void take_part(PendingRequest& exchange, Bytes bytes, Lock& lock, TimePoint deadline);
  void hand_on(bool writing);
  bool leave(PendingRequest& exchange, std::uint64_t moved_before);
  void await_telling(PendingRequest& exchange, Lock& lock);
  void send_held(const PendingRequest& own, Lock& lock, TimePoint deadline);
  bool is_due() const;
  void write_out(const PendingRequest& own, Lock& lock, TimePoint deadline);
  void gather(Lock& lock);
  bool is_left_to_others(const PendingRequest& own);
  void write_large(PendingRequest& own, Bytes bytes, Lock& lock, TimePoint deadline);
  void take_outgoing();
  void note_sent();
  bool send_all(std::string_view bytes, TimePoint deadline, Fault& fault, std::string_view& why);
  void read_for_all(PendingRequest& own, Lock& lock, TimePoint deadline, std::uint64_t moved_before);
  Step read_some(TimePoint deadline, bool& late);
  bool parse(std::string_view& why);
  PendingRequest* distribute();
  void end(Fault fault, const PendingRequest* whose, std::string_view why);
  void end_if_gone(Step step);
  void refuse_leftovers();

  const std::unique_ptr<Stream> stream_;
  const std::uint64_t number_;  ///< of the connection, in this process
  std::atomic<bool> ended_{false};
  std::atomic<std::uint64_t> moved_{0};

  mutable std::mutex mutex_;
  // Under mutex_.
  std::string outgoing_;
  struct Place {
    PendingRequest* exchange;  ///< null: its caller has left
    std::size_t owed = 0;      ///< replies that are thrown away then
  };
  std::deque<Place> under_way_;
  TimePoint overdue_since_ = TimePoint::max();  ///< when the first left since somebody was answered last
  std::uint64_t place_ = 0;                     ///< of the last request
  std::size_t unsent_ = 0;                      ///< how many at the end of under_way_ have their bytes in outgoing_
  bool writing_ = false;
  bool overdue_ = false;                    ///< what is unsent has waited long enough for others
  int sent_at_once_ = 0;                    ///< how many requests from now on do not wait for others
  const PendingRequest* reader_ = nullptr;  ///< whose caller reads
  std::size_t returning_ = 0;  ///< callers that were answered since the last write and have not asked again
  std::string why_;
  bool was_slow_ = false;
  std::shared_ptr<LinkWatch> watch_;

  // The writer's.
  std::string sending_;

  // The reader's.
  ReplyGuard guard_;
  ReplyReader parser_;
  std::vector<Reply> parsed_;  ///< parsed, and not given to who asked for them yet
  ByteBuffer buffer_;          ///< what has come and is not parsed yet stands in [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  int spin_luck_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
