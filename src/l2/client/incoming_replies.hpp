#pragma once
#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "l2/net/stream.hpp"
#include "l2/resp/byte_buffer.hpp"
#include "l2/resp/reply_guard.hpp"
#include "l2/resp/reply_reader.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Whether a caller that waits alone spins before it sleeps. Where the server runs on another processor its reply comes
/// before the caller has fallen asleep and been woken; on the same one it never does. So spinning is used while it
/// mostly works, and tried again now and then, more and more seldom. Logic without I/O. One thread at a time.
class AdaptiveSpin {
 public:
  static constexpr int kMostLuck = 8, kLeastPause = 64, kMostPause = 4096;

  bool pay() { return luck_ > 0 || ++passed_ >= pause_; }
  /// By whether bytes came while it was tried.
  void have(bool worked) {
    pause_ = worked ? kLeastPause : luck_ > 0 ? pause_ : std::min(2 * pause_, kMostPause);
    luck_ = worked ? std::min(luck_ + 1, kMostLuck) : std::max(luck_ - 1, 0);
    passed_ = 0;
  }

 private:
  int luck_ = 1;
  int pause_ = kLeastPause;  ///< reads between two attempts while none works
  int passed_ = 0;
};

/// Reads a connection's bytes and parses the whole replies among them. One thread at a time: the one that has the
/// reader's role.
class IncomingReplies {
 public:
  explicit IncomingReplies(ReplyLimits limits) : guard_(limits) {}

  /// Waits for bytes until `deadline`, and reads what is there; `late` when none came. `alone`: for one request, and
  /// nobody else could use the processor for another. Throws std::bad_alloc.
  Step read(Stream& stream, TimePoint deadline, bool alone, bool& late);
  /// Parses what is whole, into replies(). False: what came is no reply, and `why` says so. Throws std::bad_alloc.
  bool parse(std::string_view& why);
  /// Parsed, and not given to a request yet.
  std::vector<Reply>& replies() { return replies_; }
  /// How much it keeps for what comes.
  std::size_t room() const { return buffer_.size(); }
  /// Bytes have come that are not parsed yet.
  bool has_rest() const { return begin_ != end_; }
  /// Of the reply that is coming: see ReplyGuard. By any thread.
  std::uint32_t large_at() const { return guard_.large_at(); }

 private:
  void make_room();

  ReplyGuard guard_;
  ReplyReader parser_;
  std::vector<Reply> replies_;
  ByteBuffer buffer_;  ///< what has come and is not parsed yet stands in [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  AdaptiveSpin spins_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
