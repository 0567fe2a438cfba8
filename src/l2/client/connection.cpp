#include "l2/client/connection.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "l2/client/adaptive_yield.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr std::size_t kReadAtLeast = std::size_t{16} << 10;
/// What is kept of the buffers between requests.
constexpr std::size_t kKeptBuffer = std::size_t{256} << 10;
constexpr std::size_t kLongestReason = 127;
/// Writes a caller makes for others before it looks after its own reply.
constexpr int kWrites = 4;
/// How long a request waits at most for others to be sent along with it.
constexpr std::chrono::microseconds kLongestHold{50};
/// Requests that are sent at once after one waited in vain.
constexpr int kAfterVain = 64;
/// Times a caller that is about to write lets others run although none of them asks for anything.
constexpr int kPatience = 4;
/// ... and for how long in all.
constexpr std::chrono::microseconds kMostGathering{200};

/// For who may hold his request.
TimePoint hold_until(TimePoint deadline) {
  const TimePoint now = std::chrono::steady_clock::now();
  return now + std::min<Duration>(kLongestHold, (deadline - now) / 4);
}

std::uint64_t next_number() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Connection::Connection(std::unique_ptr<Stream> stream, ReplyLimits limits)
    : stream_(std::move(stream)), number_(next_number()), guard_(limits) {
  why_.reserve(kLongestReason);
}

Connection::~Connection() { stream_->shut(); }

void Connection::report_to(std::shared_ptr<LinkWatch> watch) {
  const std::lock_guard lock(mutex_);
  watch_ = std::move(watch);
  if (watch_ && ended_) watch_->ended();
}

std::string Connection::why() const {
  const std::lock_guard lock(mutex_);
  return why_;
}

bool Connection::was_slow() const {
  const std::lock_guard lock(mutex_);
  return was_slow_;
}

void Connection::condemn(std::string_view why) {
  const std::lock_guard lock(mutex_);
  end(Fault::lost, nullptr, why);
}

void Connection::run(PendingRequest& exchange, Bytes bytes, TimePoint deadline) {
  Lock lock(mutex_);
  if (under_way_.empty() && !reader_ && !ended_) refuse_leftovers();
  if (ended_) {
    exchange.fault = Fault::lost;
    return;
  }
  try {
    take_part(exchange, bytes, lock, deadline);
  } catch (const std::bad_alloc&) {
    // Where it happened nobody knows how much was read or is owed, and the exchange must not stay in the list.
    if (!lock.owns_lock()) lock.lock();
    end(Fault::lost, &exchange, "there was no memory for it");
    if (reader_ == &exchange) reader_ = nullptr;
    if (exchange.answered()) return await_telling(exchange, lock);
    exchange.fault = Fault::lost;
  }
}

void Connection::take_part(PendingRequest& exchange, Bytes bytes, Lock& lock, TimePoint deadline) {
  bool sees_to_sending = outgoing_.empty();
  exchange.order = {number_, ++place_};
  const std::uint64_t moved_before = moved();
  under_way_.push_back({&exchange});
  ++unsent_;
  if (returning_ > 0) --returning_;
  if (sent_at_once_ > 0) --sent_at_once_;
  if (!writing_ && bytes.first.size() >= kKeptBuffer) {
    write_large(exchange, bytes, lock, deadline);
  } else {
    (outgoing_ += bytes.first) += bytes.second;
    if (!writing_ && is_due()) write_out(exchange, lock, deadline);
  }

  for (;;) {
    if (exchange.news() == PendingRequest::News::done) return;
    if (!reader_) {
      reader_ = &exchange;
      exchange.led();
      read_for_all(exchange, lock, deadline, moved_before);
      reader_ = nullptr;
      return hand_on(false);
    }
    // Somebody else reads already, and will hand the role on; what was wanted is that this one writes.
    if (exchange.news() == PendingRequest::News::lead && !outgoing_.empty() && !writing_) {
      exchange.led();
      write_out(exchange, lock, deadline);
      if (exchange.news() == PendingRequest::News::done) return;
      if (!reader_) continue;
    }
    exchange.led();
    sees_to_sending = sees_to_sending && !exchange.sent;
    const TimePoint until = sees_to_sending ? hold_until(deadline) : deadline;
    lock.unlock();
    const auto news = exchange.await(until);
    if (news == PendingRequest::News::done) return;
    lock.lock();
    if (news != PendingRequest::News::none || exchange.news() == PendingRequest::News::done) continue;
    if (sees_to_sending) {
      sees_to_sending = false;
      send_held(exchange, lock, deadline);
    } else {
      if (exchange.answered()) return await_telling(exchange, lock);
      if (leave(exchange, moved_before)) return;
      return end(Fault::timeout, &exchange, "a reply did not come in time");
    }
  }
}

/// The role of reading, if nobody has it, and that of writing go to the first whose callers are still there.
void Connection::hand_on(bool writing) {
  const auto first = [&](std::size_t from) {
    while (from < under_way_.size() && !under_way_[from].exchange) ++from;
    if (from < under_way_.size()) under_way_[from].exchange->tell(PendingRequest::News::lead);
  };
  if (!reader_) first(0);
  if (writing && !writing_ && unsent_ != 0) first(under_way_.size() - unsent_);
}

/// True: the caller may go, and the connection stays.
bool Connection::leave(PendingRequest& exchange, std::uint64_t moved_before) {
  if (ended_ || moved() - moved_before < kProgress) return false;
  const TimePoint now = std::chrono::steady_clock::now();
  if (overdue_since_ == TimePoint::max()) overdue_since_ = now;
  if (now - overdue_since_ > kMostOverdue) return false;
  const auto place = std::ranges::find(under_way_, &exchange, &Place::exchange);
  *place = {nullptr, exchange.expected - exchange.replies.size()};
  exchange.fault = Fault::timeout;
  exchange.sent = true;  // or will be
  // It may have been made the next to read or write just now.
  if (reader_ != &exchange && exchange.news() == PendingRequest::News::lead) hand_on(true);
  return true;
}

/// Whoever reads is about to tell, and must find the exchange where it is.
void Connection::await_telling(PendingRequest& exchange, Lock& lock) {
  lock.unlock();
  while (exchange.await(TimePoint::max()) != PendingRequest::News::done) exchange.led();
}

/// The first of what waits to be sent has waited long enough.
void Connection::send_held(const PendingRequest& own, Lock& lock, TimePoint deadline) {
  if (own.sent || ended_) return;
  if (unsent_ == 1 && !writing_) sent_at_once_ = kAfterVain;
  overdue_ = true;
  if (!writing_) write_out(own, lock, deadline);
}

/// Nothing is under way, so nothing may have come: a reply too many would be taken for the next request's.
void Connection::refuse_leftovers() {
  char byte = 0;
  const Step step = begin_ != end_ ? Step{Step::Kind::moved, 0} : stream_->read(&byte, 1);
  if (step.kind == Step::Kind::moved) {
    end(Fault::lost, nullptr, "the server sent more than was asked for");
  } else {
    end_if_gone(step);
  }
}

void Connection::end_if_gone(Step step) {
  if (step.kind == Step::Kind::closed) end(Fault::lost, nullptr, "the server closed the connection");
  if (step.kind == Step::Kind::failed) end(Fault::lost, nullptr, "the connection was reset");
}

// --- writing

void Connection::write_out(const PendingRequest& own, Lock& lock, TimePoint deadline) {
  writing_ = true;
  for (int n = 0; n == 0 || is_due(); ++n) {
    if (n >= kWrites && is_left_to_others(own)) break;
    gather(lock);
    if (ended_) break;
    take_outgoing();
    note_sent();
    lock.unlock();
    Fault fault = Fault::lost;
    std::string_view why;
    const bool sent = send_all(sending_, deadline, fault, why);
    lock.lock();
    if (!sent) end(fault, nullptr, why);
  }
  writing_ = false;
}

/// While many requests are under way, single ones wait until as many have come together: every write takes two system
/// calls here and two of the server's, whatever it carries. Who was the first to wait sends them when that takes long,
/// and when nobody came meanwhile it is not tried again soon. Who reads cannot look after his own, so that one is due.
bool Connection::is_due() const {
  if (outgoing_.empty()) return false;
  return unsent_ >= under_way_.size() - unsent_ || overdue_ || sent_at_once_ > 0 || (reader_ && !reader_->sent);
}

/// Callers that were answered just now mostly ask again at once. One write for all of them, which also wakes the server
/// once, costs less than it delays the first.
void Connection::gather(Lock& lock) {
  if (returning_ == 0) return;
  const auto until = std::chrono::steady_clock::now() + kMostGathering;
  for (int fruitless = 0; returning_ > 0 && fruitless < kPatience && !ended_;) {
    const std::size_t before = unsent_;
    lock.unlock();
    const bool yielded = yield_briefly();
    lock.lock();
    if (!yielded || std::chrono::steady_clock::now() >= until) break;
    fruitless = unsent_ == before ? fruitless + 1 : 0;
  }
  returning_ = 0;
}

/// What is left was appended by callers who wait by now: the first of them to read sends it. But one who reads already
/// may have looked before, and does not wake for it: then another sends it, or nobody does.
bool Connection::is_left_to_others(const PendingRequest& own) {
  if (!reader_ || reader_ == &own) return true;
  for (std::size_t i = under_way_.size() - unsent_; i < under_way_.size(); ++i) {
    if (!under_way_[i].exchange || under_way_[i].exchange == reader_) continue;
    under_way_[i].exchange->tell(PendingRequest::News::lead);
    return true;
  }
  return false;
}

void Connection::note_sent() {
  for (std::size_t i = under_way_.size() - unsent_; i < under_way_.size(); ++i) {
    if (under_way_[i].exchange) under_way_[i].exchange->sent = true;
  }
  unsent_ = 0;
  overdue_ = false;
}

/// What is to go out is in sending_ then.
void Connection::take_outgoing() {
  sending_.clear();
  if (sending_.capacity() > kKeptBuffer) sending_ = std::string();
  sending_.swap(outgoing_);
}

/// Behind what waits already, straight from the caller's memory: a copy would cost as long as sending it.
void Connection::write_large(PendingRequest& own, Bytes bytes, Lock& lock, TimePoint deadline) {
  writing_ = true;
  take_outgoing();
  note_sent();
  lock.unlock();
  Fault fault = Fault::lost;
  std::string_view why;
  const bool sent = send_all(sending_, deadline, fault, why) && send_all(bytes.first, deadline, fault, why) &&
                    send_all(bytes.second, deadline, fault, why);
  lock.lock();
  writing_ = false;
  if (!sent) return end(fault, &own, why);
  if (is_due()) write_out(own, lock, deadline);
}

bool Connection::send_all(std::string_view rest, TimePoint deadline, Fault& fault, std::string_view& why) {
  while (!rest.empty()) {
    const Step step = stream_->write(rest.data(), rest.size());
    switch (step.kind) {
      case Step::Kind::moved:
        moved_.fetch_add(step.bytes, std::memory_order_relaxed);
        rest.remove_prefix(step.bytes);
        break;
      case Step::Kind::wait_write:
      case Step::Kind::wait_read:
        if (!wait_ready(stream_->descriptor(), step.kind == Step::Kind::wait_write, deadline)) {
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

// --- reading

void Connection::read_for_all(PendingRequest& own, Lock& lock, TimePoint deadline, std::uint64_t moved_before) {
  while (own.news() != PendingRequest::News::done) {
    if (!writing_ && is_due()) {
      write_out(own, lock, deadline);
      continue;
    }
    lock.unlock();
    bool late = false;
    std::string_view why;
    const Step step = read_some(deadline, late);
    const bool sound = step.kind != Step::Kind::moved || parse(why);
    lock.lock();
    if (ended_) return;  // and everybody knows
    PendingRequest* answered = distribute();
    // Bytes that trickle in keep nobody waiting beyond his deadline.
    late = late || (!own.answered() && std::chrono::steady_clock::now() >= deadline);
    const bool left = late && sound && !ended_ && !own.answered() && leave(own, moved_before);
    if (left) {
      end_if_gone(step);
    } else if (late) {
      end(Fault::timeout, &own, "a reply did not come in time");
    } else if (!sound) {
      end(Fault::protocol, &own, why);
    } else {
      end_if_gone(step);
    }
    lock.unlock();
    while (answered) std::exchange(answered, answered->next)->tell(PendingRequest::News::done);
    lock.lock();
    if (left) return;
  }
}

Step Connection::read_some(TimePoint deadline, bool& late) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - end_ < kReadAtLeast) {
    buffer_.keep(begin_, end_);
    end_ -= begin_;
    begin_ = 0;
    if (end_ == 0 && buffer_.size() > kKeptBuffer) buffer_.release();
    // It grows with what has come, never with what was announced.
    buffer_.grow(std::max(end_ + kReadAtLeast, std::min(2 * end_, end_ + (std::size_t{1} << 20))));
  }
  const auto read = [&] { return stream_->read(buffer_.data() + end_, buffer_.size() - end_); };
  Step step = read();
  // A reply that comes within a few yields spares two switches of context. Whether it does depends on where the server
  // runs, so it is tried as long as it mostly works, and now and then after that.
  constexpr int kSpins = 24, kMostLuck = 64;
  if (step.kind == Step::Kind::wait_read && ++spin_luck_ > 0) {
    for (int i = 0; i < kSpins && step.kind == Step::Kind::wait_read && yield_briefly(); ++i) step = read();
    spin_luck_ = step.kind == Step::Kind::wait_read ? -kMostLuck : kMostLuck;
  }
  while (step.kind == Step::Kind::wait_read || step.kind == Step::Kind::wait_write) {
    if (!wait_ready(stream_->descriptor(), step.kind == Step::Kind::wait_write, deadline)) {
      late = true;
      return step;
    }
    step = read();
  }
  if (step.kind == Step::Kind::moved) {
    end_ += step.bytes;
    moved_.fetch_add(step.bytes, std::memory_order_relaxed);
  }
  return step;
}

bool Connection::parse(std::string_view& why) {
  for (;;) {
    if (begin_ == end_) return true;
    const std::string_view come(buffer_.data() + begin_, end_ - begin_);
    switch (guard_.look(come)) {
      case ReplyGuard::Verdict::incomplete:
        return true;
      case ReplyGuard::Verdict::refused:
        why = guard_.reason();
        return false;
      case ReplyGuard::Verdict::complete:
        if (!parser_.read(come.substr(0, guard_.size()), parsed_.emplace_back())) {
          parsed_.pop_back();
          why = "a reply could not be parsed";
          return false;
        }
        begin_ += guard_.size();
    }
  }
}

/// Returns those that have all their replies now, linked by `next`: they are told without the lock, which they take
/// as soon as they wake.
PendingRequest* Connection::distribute() {
  PendingRequest* answered = nullptr;
  PendingRequest** end_of_answered = &answered;
  for (Reply& reply : parsed_) {
    if (under_way_.size() <= unsent_) {
      end(Fault::lost, nullptr, "the server sent more than was asked for");
      break;
    }
    Place& place = under_way_.front();
    if (!place.exchange) {
      if (--place.owed == 0) under_way_.pop_front();
      if (std::ranges::all_of(under_way_, [](const Place& one) { return one.exchange != nullptr; })) {
        overdue_since_ = TimePoint::max();
      }
      continue;
    }
    PendingRequest& first = *place.exchange;
    first.replies.push_back(std::move(reply));
    if (!first.answered()) continue;
    under_way_.pop_front();
    overdue_since_ = TimePoint::max();
    *end_of_answered = &first;
    end_of_answered = &first.next;
    ++returning_;
  }
  parsed_.clear();
  return answered;
}

void Connection::end(Fault fault, const PendingRequest* whose, std::string_view why) {
  if (ended_.load(std::memory_order_relaxed)) return;  // it changes under mutex_ only
  if (watch_) watch_->ended();
  was_slow_ = fault == Fault::timeout;
  ended_.store(true, std::memory_order_release);
  stream_->shut();
  outgoing_.clear();
  unsent_ = 0;
  for (const auto& [exchange, owed] : under_way_) {
    if (!exchange) continue;
    exchange->fault = exchange == whose ? fault : Fault::lost;
    exchange->tell(PendingRequest::News::done);
  }
  under_way_.clear();
  why_.assign(why.substr(0, why_.capacity()));  // within what was reserved: it ends without memory, too
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
