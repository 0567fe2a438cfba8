#include "two_level/pending.hpp"

#include <charconv>
#include <cstdint>
#include <iterator>
#include <new>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Pending::add(const KeyPatternPtr& pattern) noexcept {
  const Kind kind = pattern->is_glob() ? Kind::pattern : Kind::rule;
  try {
    add(kind, pattern->text(), pattern);
  } catch (const std::bad_alloc&) {
    // By where it is: as long as it stands here there is no other at that place.
    char where[2 + 2 * sizeof(std::uintptr_t)] = {'\x01'};
    const auto end = std::to_chars(where + 1, std::end(where), reinterpret_cast<std::uintptr_t>(pattern.get()), 36);
    add(kind, std::string_view(where, static_cast<std::size_t>(end.ptr - where)), pattern);
  }
}

void Pending::add(Kind kind, std::string_view name, KeyPatternPtr pattern) noexcept {
  const MutexLock lock(mutex_);
  any_.store(true, std::memory_order_release);
  const bool full = intents_.size() >= kMost || bytes_ + name.size() > kMostBytes;
  if (full && !has(kind, name)) make_room();
  if (Held* const held = add_one(kind, name)) {
    held->pattern = std::move(pattern);
  } else {
    add_unnamed();
  }
}

/// One intent for the namespace in place of all.
void Pending::make_room() noexcept {
  const bool everything = has(Kind::flush_all, {}), rest = has(Kind::rest, {});
  intents_.clear();
  bytes_ = 0;
  refill();
  if (everything && !add_one(Kind::flush_all, {})) add_unnamed();
  if (rest && !add_one(Kind::rest, {})) add_unnamed();
  if (!add_one(Kind::epoch, {})) add_unnamed();
}

Pending::Held* Pending::add_one(Kind kind, std::string_view name) noexcept {
  auto at = intents_.find(IdView(kind, name));
  if (at == intents_.end()) {
    try {
      at = intents_.try_emplace({kind, std::string(name)}).first;
    } catch (const std::bad_alloc&) {
      if (spares_.empty() || name.size() > kSpareName) return nullptr;
      spares_.back().key().first = kind;
      spares_.back().key().second.assign(name);
      at = intents_.insert(std::move(spares_.back())).position;
      spares_.pop_back();
    }
    bytes_ += name.size();
  }
  at->second.number = ++added_;
  return &at->second;
}

void Pending::refill() noexcept {
  try {
    spares_.reserve(kSpares);
    while (spares_.size() < kSpares) {
      Intents one;
      Id id;
      id.second.reserve(kSpareName);
      one.try_emplace(std::move(id));
      spares_.push_back(one.extract(one.begin()));
    }
  } catch (const std::bad_alloc&) {  // when something is confirmed it is tried again
  }
}

std::size_t Pending::size() const {
  const MutexLock lock(mutex_);
  return intents_.size() + (unnamed_ != 0 ? 1 : 0);
}

bool Pending::has_room() const {
  const MutexLock lock(mutex_);
  return intents_.size() < kMost / 2 && bytes_ < kMostBytes / 2;
}

bool Pending::concerns_key(std::string_view name) const {
  if (!any()) return false;
  const MutexLock lock(mutex_);
  if (unnamed_ != 0) return true;
  if (has(Kind::key, name) || has(Kind::epoch, {}) || has(Kind::flush_all, {})) return true;
  for (auto it = intents_.lower_bound(IdView(Kind::pattern, {})); it != intents_.end() && it->second.pattern; ++it) {
    if (it->second.pattern->concerns(name)) return true;
  }
  return false;
}

bool Pending::concerns_plain() const {
  if (!any()) return false;
  const MutexLock lock(mutex_);
  return has(Kind::rest, {});
}

bool Pending::concerns_dependency(std::string_view name) const {
  if (!any()) return false;
  const MutexLock lock(mutex_);
  return unnamed_ != 0 || has(Kind::remove, name) || has(Kind::expire, name);
}

std::vector<Pending::Intent> Pending::all() const {
  std::vector<Intent> all;
  const MutexLock lock(mutex_);
  for (const auto& [id, held] : intents_) all.push_back({id.first, id.second, held.number, held.pattern});
  if (unnamed_ != 0) all.push_back({Kind::epoch, {}, unnamed_, {}});
  return all;
}

void Pending::confirm(const Intent& intent) {
  const MutexLock lock(mutex_);
  confirmed_.fetch_add(1, std::memory_order_release);
  if (intent.kind == Kind::epoch && intent.number == unnamed_) unnamed_ = 0;
  const auto held = intents_.find(IdView(intent.kind, intent.name));
  if (held != intents_.end() && held->second.number == intent.number) {
    bytes_ -= held->first.second.size();
    intents_.erase(held);
    refill();
  }
  if (intents_.empty() && unnamed_ == 0) any_.store(false, std::memory_order_release);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
