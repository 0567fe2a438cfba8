#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "l2/client/pending_queue.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A connection's send buffer, and when what is in it goes out. Logic without I/O. One thread at a time.
///
/// Idea: every write takes two system calls here and two at the server, whatever it carries. So while many requests are
/// in flight, single ones are held back until as many have come together. The caller that was the first to wait sends
/// them when that takes long; when no other came meanwhile, the next requests are not held back. A caller that reads
/// cannot look after its own request, so that one is due.
class WriteBatching {
 public:
  /// Requests that are sent at once after one was held back in vain.
  static constexpr int kAfterVain = 64;

  bool empty() const { return buffer_.empty(); }
  void append(std::string_view one, std::string_view two) { (buffer_ += one) += two; }
  /// Swaps the buffer with `into`, which is empty.
  void take(std::string& into) {
    into.swap(buffer_);
    overdue_ = false;
  }
  void clear() { buffer_.clear(); }

  void request_added() {
    if (returning_ > 0) --returning_;
    if (sent_at_once_ > 0) --sent_at_once_;
  }
  void requests_completed(std::size_t count) { returning_ += count; }
  /// What was held back has waited long enough; `alone`: no other request came meanwhile.
  void held_back_too_long(bool alone) {
    if (alone) sent_at_once_ = kAfterVain;
    overdue_ = true;
  }

  /// `at_once`: nothing is to be held back, as the request of the caller that reads has not been sent, or since
  /// AdaptiveYield says so.
  bool is_due(const PendingQueue& pending, bool at_once) const {
    if (empty()) return false;
    return at_once || pending.unsent() >= pending.in_flight() || overdue_ || sent_at_once_ > 0;
  }

  /// Callers whose requests were completed since the last write and that have not asked again. Most do at once: one
  /// write for all of them costs less than it delays the first.
  bool has_returning() const { return returning_ > 0; }
  void forget_returning() { returning_ = 0; }

 private:
  std::string buffer_;  ///< bytes of the unsent requests
  bool overdue_ = false;
  int sent_at_once_ = 0;  ///< how many requests from now on are not held back
  std::size_t returning_ = 0;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
