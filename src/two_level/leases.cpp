#include "two_level/leases.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/fork_count.hpp"
#include "base/random_word.hpp"
#include "l1/flight.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
/// Between attempts to give a lease back.
constexpr std::chrono::milliseconds kAgain{100};
}  // namespace

void Leases::hold(Records& one) {
  Record& record = one.front();
  record.renewed = std::chrono::steady_clock::now();
  const TimePoint due = record.due = record.renewed + kRenewal;
  {
    const MutexLock lock(mutex_);
    held_.splice(held_.end(), one);
  }
  wake_(due);
}

void Leases::release(Records::iterator record, Records& out) noexcept {
  const MutexLock lock(mutex_);
  out.splice(out.end(), held_, record);
}

void Leases::give_back(Records::iterator record) noexcept {
  Records forgotten;
  {
    const MutexLock lock(mutex_);
    record->due = std::chrono::steady_clock::now();
    record->expires = record->taken_late ? TimePoint::max() : record->due + kLife;
    returned_.splice(returned_.end(), held_, record);
    // Beyond the bound the oldest run out by themselves.
    if (returned_.size() > kMost) forgotten.splice(forgotten.end(), returned_, returned_.begin());
  }
  wake_(TimePoint{});
}

std::vector<Leases::Record> Leases::due(TimePoint now, TimePoint& next) {
  std::vector<Record> due;
  const MutexLock lock(mutex_);
  for (Record& record : held_) {
    if (now > record.deserted_after) {
      const auto flight = record.flight.lock();
      if (flight && flight->callers.load(std::memory_order_relaxed) == 0) {
        const TimePoint lapses = record.renewed + kLife;
        if (now >= lapses) {
          flight->lapsed.store(true, std::memory_order_relaxed);
        } else {
          next = std::min({next, lapses, now + kRenewal});  // a caller may come while it still stands
        }
        continue;
      }
    }
    if (record.due <= now) {
      due.push_back(record);
      record.renewed = now;
      record.due = now + kRenewal;
    }
    next = std::min(next, record.due);
  }
  return due;
}

void Leases::renew_all() noexcept {
  {
    const MutexLock lock(mutex_);
    for (Record& record : held_) record.due = TimePoint{};
    for (Record& record : returned_) record.asked = false;
  }
  answered_.notify_all();
}

std::vector<Leases::Record> Leases::to_give_back(TimePoint now, TimePoint& next) {
  std::vector<Record> due;
  const MutexLock lock(mutex_);
  std::erase_if(returned_, [&](const Record& record) { return record.expires < now; });
  due.reserve(returned_.size());  // then nothing fails once one is marked
  for (Record& record : returned_) {
    if (!record.asked && record.due <= now) {
      due.push_back(record);
      record.asked = true;
      record.due = now + kAgain;
    }
    next = std::min(next, record.due);
  }
  return due;
}

void Leases::note_answer(const Record& record, bool given, bool answered) {
  {
    const MutexLock lock(mutex_);
    // One of them: the server counts the holders of a lease that several loads share.
    const auto one = std::ranges::find_if(returned_, [&](const Record& each) {
      return each.asked && each.generation == record.generation && each.key == record.key && each.name == record.name;
    });
    if (one == returned_.end()) return;
    one->asked = false;
    if (answered && one->expires == TimePoint::max()) one->expires = std::chrono::steady_clock::now() + kLife;
    if (given) returned_.erase(one);
  }
  answered_.notify_all();
}

bool Leases::wait_for_answers(TimePoint end) {
  MutexLock lock(mutex_);
  while (std::ranges::any_of(returned_, &Record::asked)) {
    if (answered_.wait_until(lock.native(), end) == std::cv_status::timeout) {
      return std::ranges::none_of(returned_, &Record::asked);
    }
  }
  return true;
}

void Leases::doubt(Records::iterator record) noexcept {
  const MutexLock lock(mutex_);
  record->taken_late = true;
}

std::shared_ptr<Flight> Leases::flight_of(const LeaseToken& generation) const {
  const MutexLock lock(mutex_);
  for (const Record& record : held_) {
    if (record.generation == generation) return record.flight.lock();
  }
  return nullptr;
}

std::optional<LeaseToken> Leases::held_under(std::string_view key) const {
  const MutexLock lock(mutex_);
  const auto record = std::ranges::find(held_, key, &Record::key);
  return record == held_.end() ? std::nullopt : std::optional(record->generation);
}

bool Leases::is_given_back(const LeaseToken& generation) const {
  const MutexLock lock(mutex_);
  const auto is_of = [&](const Record& record) { return record.generation == generation; };
  return std::ranges::any_of(returned_, is_of) && std::ranges::none_of(held_, is_of);
}

LeaseHold::LeaseHold(std::shared_ptr<Leases> leases, Leases::Record record) : leases_(std::move(leases)) {
  own_.push_back(std::move(record));
  place_ = own_.begin();
}

LeaseHold& LeaseHold::operator=(LeaseHold&& other) noexcept {
  if (this == &other) return *this;
  end(false);
  leases_ = std::move(other.leases_);
  own_ = std::move(other.own_);
  place_ = other.place_;
  held_ = std::exchange(other.held_, false);
  return *this;
}

void LeaseHold::begin() {
  leases_->hold(own_);
  held_ = true;
}

void LeaseHold::give_up() noexcept {
  if (held_) leases_->doubt(place_);
  end(false);
}

void LeaseHold::end(bool dropped) noexcept {
  if (!std::exchange(held_, false)) return;
  if (dropped || !place_->is_lease) {
    leases_->release(place_, own_);
  } else {
    leases_->give_back(place_);
  }
}

LeaseToken new_lease_token() {
  // The process has a random half of its own, again after each fork: the parent's names must not come twice.
  static std::atomic<std::uint64_t> half{0}, made{0};
  static std::atomic<std::uint32_t> forks{~std::uint32_t{0}};
  if (forks.load(std::memory_order_acquire) != fork_count()) {
    half.store(random_word());
    forks.store(fork_count(), std::memory_order_release);
  }
  const std::uint64_t words[] = {half.load(std::memory_order_relaxed),
                                 made.fetch_add(1, std::memory_order_relaxed) + 1};
  LeaseToken token;
  static_assert(sizeof words == sizeof token);
  std::memcpy(token.data(), words, sizeof words);
  return token;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
