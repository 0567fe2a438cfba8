#include "l2/client/pending_request.hpp"

#include <cassert>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool PendingRequest::set(Status signalled) {
  assert(signalled == Status::take_role || signalled == Status::complete);
  const Status before = status_.exchange(signalled, std::memory_order_acq_rel);
  assert(before != Status::complete);
  return before == Status::asleep;
}

void PendingRequest::signal(Status signalled) {
  // Once the caller has seen `complete` the request may be gone; the word is the connection's.
  WakeWord* const where = word;
  const std::uint32_t its_bits = bits;
  if (set(signalled)) where->wake(its_bits);
}

void PendingRequest::complete_all(PendingRequest* first) {
  WakeWord* where = nullptr;
  std::uint32_t sleeping = 0;
  const auto wake = [&] {
    if (sleeping != 0) where->wake(std::exchange(sleeping, 0));
  };
  while (first) {
    PendingRequest& request = *std::exchange(first, first->next);  // it may be gone once it is complete
    if (request.word != where) wake();
    where = request.word;
    const std::uint32_t its_bits = request.bits;
    if (request.set(Status::complete)) sleeping |= its_bits;
  }
  wake();
}

PendingRequest::Status PendingRequest::await(TimePoint deadline) {
  for (;;) {
    const std::uint32_t seen_word = word->changes();  // before the status: see WakeWord
    Status seen = Status::waiting;
    if (!status_.compare_exchange_strong(seen, Status::asleep, std::memory_order_acq_rel) && seen != Status::asleep) {
      return seen;
    }
    if (!word->sleep(seen_word, bits, deadline)) {
      seen = Status::asleep;
      if (status_.compare_exchange_strong(seen, Status::waiting, std::memory_order_acq_rel)) return Status::waiting;
      return seen;
    }
  }
}

void PendingRequest::note_role() {
  Status seen = Status::take_role;
  status_.compare_exchange_strong(seen, Status::waiting, std::memory_order_acq_rel);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
