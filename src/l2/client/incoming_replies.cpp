#include "l2/client/incoming_replies.hpp"

#include <algorithm>

#include "l2/net/buffer_limits.hpp"
#include "l2/resp/parse_replies.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Reads in vain before a caller sleeps: as long as it takes, with the server's part, to fall asleep and be woken.
constexpr int kSpins = 256;

}  // namespace

void IncomingReplies::make_room() {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ >= kReadAtLeast) return;
  buffer_.keep(begin_, end_);
  end_ -= begin_;
  begin_ = 0;
  // It grows with what has come, never with what was announced.
  buffer_.grow(std::max(end_ + kReadAtLeast, std::min(2 * end_, end_ + (std::size_t{1} << 20))));
}

Step IncomingReplies::read(Stream& stream, TimePoint deadline, bool alone, bool& late) {
  make_room();
  Step step{Step::Kind::wait_read, 0};
  if (alone && spins_.pay()) {
    for (int i = 0; i < kSpins && step.kind == Step::Kind::wait_read; ++i) {
      step = stream.read(buffer_.data() + end_, buffer_.size() - end_);
    }
    spins_.have(step.kind == Step::Kind::moved);
  }
  if (step.kind == Step::Kind::wait_read || step.kind == Step::Kind::wait_write) {  // TLS writes to read on
    step = stream.read_by(buffer_.data() + end_, buffer_.size() - end_, deadline);
  }
  late = step.kind == Step::Kind::wait_read || step.kind == Step::Kind::wait_write;
  if (step.kind == Step::Kind::moved) end_ += step.bytes;
  return step;
}

bool IncomingReplies::parse(std::string_view& why) {
  const bool sound = parse_replies({buffer_.data() + begin_, end_ - begin_}, guard_, parser_, replies_, begin_, why);
  // Now, since nobody knows when the next reply comes.
  if (buffer_.size() > kKeptBuffer && begin_ == end_) [[unlikely]] {
    begin_ = end_ = 0;
    buffer_.release();
    guard_.forget_large();
  }
  return sound;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
