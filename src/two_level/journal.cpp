#include "two_level/journal.hpp"

#include <new>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Journal::add(const KeyPatternPtr& pattern, TimePoint now) noexcept {
  const Kind kind = pattern->is_glob() ? Kind::pattern : Kind::rule;
  try {
    add(kind, pattern->text(), pattern, now);
  } catch (const std::bad_alloc&) {
    add(Kind::epoch, {}, now);
  }
}

void Journal::add(Kind kind, std::string_view name, KeyPatternPtr pattern, TimePoint now) noexcept {
  if (window_ <= Duration::zero()) return;
  Entries gone;  // its memory is freed without the mutex
  const MutexLock lock(mutex_);
  try {
    add_one(kind, name, std::move(pattern), now);
    if (entries_.size() > kMost || bytes_ > kMostBytes) collapse(gone, now);
  } catch (const std::bad_alloc&) {
    collapse(gone, now);
  }
}

void Journal::add_one(Kind kind, std::string_view name, KeyPatternPtr pattern, TimePoint now) {
  if (const auto known = index_.find({kind, name}); known != index_.end()) {
    known->second->at = now;
    entries_.splice(entries_.end(), entries_, known->second);
    return;
  }
  Entries made;
  made.push_back({kind, std::string(name), std::move(pattern), now});
  const auto at = made.begin();
  index_.emplace(Id(kind, at->name), at);
  entries_.splice(entries_.end(), made);
  bytes_ += name.size();
}

/// All that stays is that the namespace is to be invalidated.
void Journal::collapse(Entries& gone, TimePoint now) noexcept {
  index_.clear();
  for (const Entry& entry : entries_) flushed_ = flushed_ || entry.kind == Kind::flush_all;
  gone.swap(entries_);
  bytes_ = 0;
  collapsed_ = now;
}

void Journal::alive(TimePoint then) noexcept {
  Entries gone;
  const MutexLock lock(mutex_);
  if (collapsed_ && then - *collapsed_ > window_) {
    collapsed_.reset();
    flushed_ = false;
  }
  while (!entries_.empty() && then - entries_.front().at > window_) {
    const Entry& oldest = entries_.front();
    index_.erase({oldest.kind, oldest.name});
    bytes_ -= oldest.name.size();
    gone.splice(gone.end(), entries_, entries_.begin());
  }
}

void Journal::repeat(Pending& pending) const noexcept {
  const MutexLock lock(mutex_);
  if (collapsed_) pending.add(flushed_ ? Kind::flush_all : Kind::epoch);
  for (const Entry& entry : entries_) {
    if (entry.pattern) {
      pending.add(entry.pattern);
    } else {
      pending.add(entry.kind, entry.name);
    }
  }
}

std::size_t Journal::size() const {
  const MutexLock lock(mutex_);
  return entries_.size() + (collapsed_ ? 1 : 0);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
