#include "pending.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Pending::add(const KeyPatternPtr& pattern) noexcept {
  const Kind kind = pattern->is_glob() ? Kind::pattern : Kind::rule;
  std::string text;
  try {
    text = pattern->text();
  } catch (const std::bad_alloc&) {
    const std::lock_guard lock(mutex_);
    any_.store(true, std::memory_order_release);
    unnamed_ = ++added_;
    return;
  }
  add(kind, text, pattern);
}

void Pending::add(Kind kind, std::string_view name, KeyPatternPtr pattern) noexcept {
  const std::lock_guard lock(mutex_);
  any_.store(true, std::memory_order_release);
  try {
    const bool full = intents_.size() >= kMost || bytes_ + name.size() > kMostBytes;
    if (full && !has(kind, name)) {
      const bool everything = has(Kind::flush_all, {});
      intents_.clear();
      bytes_ = 0;
      if (everything) add_one(Kind::flush_all, {});
      add_one(Kind::epoch, {});
    }
    add_one(kind, name).pattern = std::move(pattern);
  } catch (const std::bad_alloc&) {
    unnamed_ = ++added_;
  }
}

Pending::Held& Pending::add_one(Kind kind, std::string_view name) {
  const auto [at, added] = intents_.try_emplace({kind, std::string(name)});
  at->second.number = ++added_;
  if (added) bytes_ += name.size();
  return at->second;
}

std::size_t Pending::size() const {
  const std::lock_guard lock(mutex_);
  return intents_.size() + (unnamed_ != 0 ? 1 : 0);
}

bool Pending::concerns_key(std::string_view name) const {
  if (!any()) return false;
  const std::lock_guard lock(mutex_);
  if (unnamed_ != 0) return true;
  if (has(Kind::key, name) || has(Kind::epoch, {}) || has(Kind::flush_all, {})) return true;
  for (auto it = intents_.lower_bound({Kind::pattern, {}}); it != intents_.end() && it->second.pattern; ++it) {
    if (it->second.pattern->concerns(name)) return true;
  }
  return false;
}

bool Pending::concerns_dependency(std::string_view name) const {
  if (!any()) return false;
  const std::lock_guard lock(mutex_);
  return unnamed_ != 0 || has(Kind::remove, name) || has(Kind::expire, name);
}

std::vector<Pending::Intent> Pending::all() const {
  std::vector<Intent> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, held] : intents_) all.push_back({id.first, id.second, held.number, held.pattern});
  if (unnamed_ != 0) all.push_back({Kind::epoch, {}, unnamed_, {}});
  return all;
}

void Pending::confirm(const Intent& intent) {
  const std::lock_guard lock(mutex_);
  confirmed_.fetch_add(1, std::memory_order_release);
  if (intent.kind == Kind::epoch && intent.number == unnamed_) unnamed_ = 0;
  const auto held = intents_.find({intent.kind, intent.name});
  if (held != intents_.end() && held->second.number == intent.number) {
    bytes_ -= held->first.second.size();
    intents_.erase(held);
  }
  if (intents_.empty() && unnamed_ == 0) any_.store(false, std::memory_order_release);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
