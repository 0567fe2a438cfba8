#pragma once
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

/// Reads a connection's bytes and parses the whole replies among them. One thread at a time: the one that has the
/// reader's role.
class IncomingReplies {
 public:
  explicit IncomingReplies(ReplyLimits limits) : guard_(limits) {}

  /// Waits for bytes until `deadline`, and reads what is there; `late` when none came. Throws std::bad_alloc.
  Step read(Stream& stream, TimePoint deadline, bool& late);
  /// Parses what is whole, into replies(). False: what came is no reply, and `why` says so. Throws std::bad_alloc.
  bool parse(std::string_view& why);
  /// Parsed, and not given to a request yet.
  std::vector<Reply>& replies() { return replies_; }
  /// Bytes have come that are not parsed yet.
  bool has_rest() const { return begin_ != end_; }

 private:
  void make_room();

  ReplyGuard guard_;
  ReplyReader parser_;
  std::vector<Reply> replies_;
  ByteBuffer buffer_;  ///< what has come and is not parsed yet stands in [begin_, end_)
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
