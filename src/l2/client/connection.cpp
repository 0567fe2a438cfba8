#include "l2/client/connection.hpp"

#include <sched.h>

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include "l2/net/buffer_limits.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Status = PendingRequest::Status;

constexpr std::size_t kLongestReason = 127;
constexpr std::string_view kTooManyReplies = "the server sent more than was asked for";
/// Writes a caller makes for others before it looks after its own reply.
constexpr int kWrites = 4;
/// How long a request is held back at most for others to be sent along with it.
constexpr std::chrono::microseconds kLongestHold{50};
/// How often a caller that waits yields before it sleeps.
constexpr int kYields = 32;
/// How long a caller that is about to write yields at most, but for the last time.
constexpr std::chrono::microseconds kMostGathering{300};

/// For a request that may be held back.
TimePoint hold_until(TimePoint deadline) {
  const TimePoint now = std::chrono::steady_clock::now();
  return now + std::min<Duration>(kLongestHold, (deadline - now) / 4);
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

/// For as long as it takes to fall asleep and to be woken.
void yield_until_signalled(const PendingRequest& request, TimePoint deadline) {
  for (int i = 0; i < kYields && request.status() == Status::waiting; ++i) {
    ::sched_yield();
    if (std::chrono::steady_clock::now() >= deadline) return;
  }
}

/// The reader is about to complete the request, and must find it where it is.
void await_completion(PendingRequest& request) {
  while (request.await(TimePoint::max()) != Status::complete) request.note_role();
}

/// Empty: the connection has not ended.
std::string_view why_gone(Step step) {
  if (step.kind == Step::Kind::closed) return "the server closed the connection";
  if (step.kind == Step::Kind::failed) return "the connection was reset";
  return {};
}

/// Adds to `moved` what went out. False: not all did, because of `fault`.
bool send_all(Stream& stream, std::string_view rest, TimePoint deadline, std::atomic<std::uint64_t>& moved,
              Fault& fault, std::string_view& why) {
  while (!rest.empty()) {
    const Step step = stream.write(rest.data(), rest.size());
    switch (step.kind) {
      case Step::Kind::moved:
        moved.fetch_add(step.bytes, std::memory_order_relaxed);
        rest.remove_prefix(step.bytes);
        break;
      case Step::Kind::wait_write:
      case Step::Kind::wait_read:
        if (!wait_ready(stream.descriptor(), step.kind == Step::Kind::wait_write, deadline)) {
          fault = Fault::timeout;
          why = "a request could not be sent in time";
          return false;
        }
        break;
      case Step::Kind::closed:
      case Step::Kind::failed:
        why = "the connection was reset";
        return false;
    }
  }
  return true;
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, ReplyLimits limits)
    : stream_(std::move(stream)), last_order_{next_number(), 0}, incoming_(limits) {
  why_.reserve(kLongestReason);
}

Connection::~Connection() { stream_->shut(); }

void Connection::report_to(std::shared_ptr<LinkWatch> watch) {
  const MutexLock lock(mutex_);
  watch_ = std::move(watch);
  if (watch_ && !usable()) watch_->ended();
}

std::string Connection::why() const {
  const MutexLock lock(mutex_);
  return why_;
}

void Connection::close_as_corrupt(std::string_view why) {
  const MutexLock lock(mutex_);
  end(Fault::lost, nullptr, why);
}

// --- a caller

void Connection::run(PendingRequest& request, Bytes bytes, TimePoint deadline) {
  MutexLock lock(mutex_);
  if (pending_.empty() && !reader_ && usable()) check_idle();
  if (!usable()) {
    request.fault = Fault::lost;
    return;
  }
  try {
    bool holds_back = batching_.empty();  // the first in the buffer sees to it that it is sent
    const std::uint64_t moved_before = moved();
    enqueue(request, bytes, deadline);
    while (request.status() != Status::complete) {
      if (!reader_) return take_reader_role(request, deadline, moved_before);
      // Another reads already, and will pass the role on; what was wanted is that this one writes.
      const bool asked_to_write = request.status() == Status::take_role && !batching_.empty() && !writing_;
      request.note_role();
      if (asked_to_write) {
        write_for_all(request, deadline);
        if (!reader_ || request.status() == Status::complete) continue;
        request.note_role();
      }
      holds_back = holds_back && !request.sent;
      const TimePoint until = holds_back ? hold_until(deadline) : deadline;
      const bool yields = yield_.pays();
      lock.unlock();
      if (yields) yield_until_signalled(request, until);
      const Status seen = request.await(until);
      if (seen == Status::complete) return;
      lock.lock();
      if (seen != Status::waiting || request.status() == Status::complete) continue;
      if (holds_back) {
        holds_back = false;
        send_held_back(request, deadline);
        continue;
      }
      if (request.answered()) {
        lock.unlock();
        return await_completion(request);
      }
      if (abandon(request, moved_before)) return;
      return end(Fault::timeout, &request, "a reply did not come in time");
    }
  } catch (const std::bad_alloc&) {
    // The mutex is held here. Nobody knows how much was read or is owed, and the request must not stay in the queue.
    end(Fault::lost, &request, "there was no memory for it");
    if (reader_ == &request) reader_ = nullptr;
    if (request.answered()) {
      lock.unlock();
      return await_completion(request);
    }
    request.fault = Fault::lost;
  }
}

void Connection::enqueue(PendingRequest& request, Bytes bytes, TimePoint deadline) {
  ++last_order_.place;
  request.order = last_order_;
  request.word = &words_[last_order_.place / 32 % words_.size()];
  request.bits = std::uint32_t{1} << (last_order_.place % 32);
  pending_.push(request);
  batching_.request_added();
  if (!writing_ && bytes.first.size() >= kKeptBuffer) return write_large(request, bytes, deadline);
  batching_.append(bytes.first, bytes.second);
  if (!writing_ && is_write_due()) write_for_all(request, deadline);
}

/// The reader's role, if nobody has it, and the writer's go to the first whose callers still wait.
void Connection::pass_roles_on(bool writer_too) {
  const auto pass_to = [](PendingRequest* next) {
    if (next) next->signal(Status::take_role);
  };
  if (!reader_) pass_to(pending_.first());
  if (writer_too && !writing_) pass_to(pending_.first_unsent());
}

/// True: the caller may go, and the connection stays.
bool Connection::abandon(PendingRequest& request, std::uint64_t moved_before) {
  if (!usable() || moved() - moved_before < kProgress) return false;
  if (pending_.is_stuck(std::chrono::steady_clock::now())) return false;
  if (pending_.in_front() == &request) note_awaited(incoming_.large_at());
  pending_.abandon(request);
  request.fault = Fault::timeout;
  request.sent = true;  // or will be
  // It may have been made the next to read or write just now.
  if (reader_ != &request && request.status() == Status::take_role) pass_roles_on(true);
  return true;
}

/// Nothing is pending, so nothing may have come: a reply too many would be taken for the next request's.
bool Connection::is_open_still() noexcept {
  const MutexLock lock(mutex_);
  if (pending_.empty() && !reader_ && usable()) check_idle();
  return usable();
}

void Connection::check_idle() {
  char byte = 0;
  const Step step = incoming_.has_rest() ? Step{Step::Kind::moved, 0} : stream_->read(&byte, 1);
  if (step.kind == Step::Kind::moved) return end(Fault::lost, nullptr, kTooManyReplies);
  if (const auto gone = why_gone(step); !gone.empty()) end(Fault::lost, nullptr, gone);
}

// --- the writer's role

bool Connection::is_write_due() const {
  return batching_.is_due(pending_, yield_.pays() || (reader_ && !reader_->sent));
}

/// The first of what is held back has waited long enough.
void Connection::send_held_back(const PendingRequest& own, TimePoint deadline) {
  if (own.sent || !usable()) return;
  batching_.held_back_too_long(pending_.unsent() == 1 && !writing_);
  if (!writing_) write_for_all(own, deadline);
}

void Connection::write_for_all(const PendingRequest& own, TimePoint deadline) {
  writing_ = true;
  for (int n = 0; n == 0 || is_write_due(); ++n) {
    if (n >= kWrites && leave_rest_to_others(own)) break;
    gather();
    if (!usable()) break;
    take_buffer();
    Fault fault = Fault::lost;
    std::string_view why;
    bool sent = false;
    {
      const MutexUnlock unlocked(mutex_);
      sent = send_all(*stream_, sending_, deadline, moved_, fault, why);
      if (sending_.capacity() > kKeptBuffer) sending_ = std::string();
    }
    if (!sent) end(fault, nullptr, why);
  }
  writing_ = false;
}

/// Lets the callers run whose requests were completed just now, as long as they ask for more.
void Connection::gather() {
  if (yield_.pays() && batching_.has_returning()) {
    const TimePoint until = std::chrono::steady_clock::now() + kMostGathering;
    std::size_t before = 0;
    do {
      before = pending_.unsent();
      const MutexUnlock unlocked(mutex_);
      ::sched_yield();
    } while (pending_.unsent() != before && batching_.has_returning() && usable() &&
             std::chrono::steady_clock::now() < until);
  }
  batching_.forget_returning();
}

/// What is left was appended by callers that wait by now: the first of them to read sends it. But one that reads
/// already may have looked before, and does not wake for it: then another sends it, or nobody does.
bool Connection::leave_rest_to_others(const PendingRequest& own) {
  if (!reader_ || reader_ == &own) return true;
  PendingRequest* const next = pending_.first_unsent(reader_);
  if (next) next->signal(Status::take_role);
  return next != nullptr;
}

/// All requests in the buffer count as sent then: what is to go out is in sending_.
void Connection::take_buffer() {
  sending_.clear();
  batching_.take(sending_);
  pending_.mark_sent();
}

/// Behind what waits already, straight from the caller's memory: a copy would cost as long as sending it.
void Connection::write_large(const PendingRequest& own, Bytes bytes, TimePoint deadline) {
  writing_ = true;
  take_buffer();
  Fault fault = Fault::lost;
  std::string_view why;
  bool sent = false;
  {
    const MutexUnlock unlocked(mutex_);
    sent = send_all(*stream_, sending_, deadline, moved_, fault, why) &&
           send_all(*stream_, bytes.first, deadline, moved_, fault, why) &&
           send_all(*stream_, bytes.second, deadline, moved_, fault, why);
    if (sending_.capacity() > kKeptBuffer) sending_ = std::string();
  }
  writing_ = false;
  if (!sent) return end(fault, &own, why);
  if (is_write_due()) write_for_all(own, deadline);
}

// --- the reader's role

void Connection::take_reader_role(PendingRequest& own, TimePoint deadline, std::uint64_t moved_before) {
  reader_ = &own;
  own.note_role();
  read_for_all(own, deadline, deadline, moved_before);
  reader_ = nullptr;
  pass_roles_on(false);
}

/// Until that time, which is before the deadline where its caller comes back: nothing is amiss then.
void Connection::read_for_all(PendingRequest& own, TimePoint until, TimePoint deadline, std::uint64_t moved_before) {
  while (own.status() != Status::complete) {
    if (!writing_ && is_write_due()) {
      write_for_all(own, deadline);
      continue;
    }
    bool late = false;
    bool sound = true;
    std::string_view why;
    Step step;
    const bool alone = pending_.is_one();
    {
      const MutexUnlock unlocked(mutex_);
      step = incoming_.read(*stream_, until, alone, late);
      if (step.kind == Step::Kind::moved) {
        moved_.fetch_add(step.bytes, std::memory_order_relaxed);
        sound = incoming_.parse(why);
      }
    }
    if (!usable()) return;  // and all requests are complete
    auto [completed, count, too_many] = pending_.deliver(incoming_.replies());
    batching_.requests_completed(count);
    if (!alone || !pending_.empty()) yield_.completed(count, std::chrono::steady_clock::now());
    if (too_many) end(Fault::lost, nullptr, kTooManyReplies);
    // Bytes that trickle in keep no caller waiting beyond its deadline.
    late = late || (!own.answered() && std::chrono::steady_clock::now() >= until);
    const bool left = late && sound && usable() && !own.answered() && (until < deadline || abandon(own, moved_before));
    if (late && !left) {
      end(Fault::timeout, &own, "a reply did not come in time");
    } else if (!sound) {
      end(Fault::protocol, &own, why);
    } else if (const auto gone = why_gone(step); !gone.empty()) {
      // A server ends a connection over a reply that is larger than it may be, and sends nothing of it.
      note_awaited(kMaybeLarge);
      end(Fault::lost, nullptr, gone);
    }
    {
      // Those that are completed take the mutex as soon as they wake.
      const MutexUnlock unlocked(mutex_);
      PendingRequest::complete_all(completed);
    }
    if (left) return;
  }
}

// --- the end

/// The request in front will not get its reply.
void Connection::note_awaited(std::uint32_t large_at) {
  const PendingRequest* const front = pending_.in_front();
  if (large_at == 0 || !front || !front->replies.empty()) return;
  awaiting_ = front->order;
  awaited_ = large_at;
}

void Connection::end(Fault fault, const PendingRequest* whose, std::string_view why) {
  if (!usable()) return;  // both other phases are final
  note_awaited(incoming_.large_at());
  if (watch_) watch_->ended();
  const Phase to = fault == Fault::timeout ? Phase::timed_out : Phase::lost;
  [[maybe_unused]] const Phase from = phase_.exchange(to, std::memory_order_release);
  assert(from == Phase::open && to != Phase::open);
  stream_->shut();
  batching_.clear();
  pending_.fail_all(fault, whose);
  why_.assign(why.substr(0, why_.capacity()));  // within what was reserved: it ends without memory, too
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
