#include "pending.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Pending::add(Kind kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  const bool full = intents_.size() >= kMost || bytes_ + name.size() > kMostBytes;
  if (full && !has(kind, name)) {
    const bool everything = has(Kind::flush_all, {});
    intents_.clear();
    bytes_ = 0;
    if (everything) add_one(Kind::flush_all, {});
    add_one(Kind::epoch, {});
  }
  add_one(kind, name);
  any_.store(true, std::memory_order_release);
}

void Pending::add_one(Kind kind, std::string_view name) {
  std::optional<Glob> glob;
  if (kind == Kind::pattern) glob.emplace(name);
  const auto [at, added] = intents_.try_emplace({kind, std::string(name)}, Held{0, std::move(glob)});
  at->second.number = ++added_;
  if (added) bytes_ += name.size();
}

std::size_t Pending::size() const {
  const std::lock_guard lock(mutex_);
  return intents_.size();
}

bool Pending::concerns_key(std::string_view name) const {
  if (!any()) return false;
  const std::lock_guard lock(mutex_);
  if (has(Kind::key, name) || has(Kind::epoch, {}) || has(Kind::flush_all, {})) return true;
  for (auto it = intents_.lower_bound({Kind::pattern, {}}); it != intents_.end() && it->first.first == Kind::pattern;
       ++it) {
    if (it->second.glob->matches(name)) return true;
  }
  return false;
}

bool Pending::concerns_dependency(std::string_view name) const {
  if (!any()) return false;
  const std::lock_guard lock(mutex_);
  return has(Kind::remove, name) || has(Kind::expire, name);
}

std::vector<Pending::Intent> Pending::all() const {
  std::vector<Intent> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [id, held] : intents_) all.push_back({id.first, id.second, held.number});
  return all;
}

void Pending::confirm(const Intent& intent) {
  const std::lock_guard lock(mutex_);
  confirmed_.fetch_add(1, std::memory_order_release);
  const auto held = intents_.find({intent.kind, intent.name});
  if (held != intents_.end() && held->second.number == intent.number) {
    bytes_ -= held->first.second.size();
    intents_.erase(held);
  }
  if (intents_.empty()) any_.store(false, std::memory_order_release);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
