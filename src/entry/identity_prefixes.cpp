/// Prefixes: whom manual calls are counted for, and what statistics show.
#include <memory>
#include <utility>

#include <dsta/cache/detail/hash.hpp>

#include "entry/identity_function.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

IdentityTable::Line& IdentityTable::line(std::string_view prefix) {
  if (const auto found = lines_.find(prefix); found != lines_.end()) return *found->second;
  if (lines_.size() >= kMostPrefixes) return other_line_;
  auto added = std::make_unique<Line>();
  added->prefix = prefix;
  const auto place = lines_.emplace(added->prefix, nullptr).first;
  place->second = std::move(added);
  return *place->second;
}

Identity* IdentityTable::find_manual(std::string_view prefix, std::uint64_t hash, std::size_t& slot) const {
  slot = hash % kSlots;
  for (;; slot = (slot + 1) % kSlots) {
    const std::uint64_t held = slots_[slot].load(std::memory_order_acquire);
    if (held == 0) return nullptr;
    if ((held ^ hash) >> 48 != 0) continue;
    auto* const identity = reinterpret_cast<Identity*>(held & 0x0000ffffffffffff);
    if (identity->prefix == prefix) return identity;
  }
}

Identity& IdentityTable::look_up_manual(std::string_view prefix) {
  const std::uint64_t hash = hash_bytes(prefix);
  std::size_t slot = 0;
  const bool full = manual_full_.load(std::memory_order_acquire);  // before the look: then nothing is added after it
  if (Identity* known = find_manual(prefix, hash, slot)) return *known;
  if (full) return other_;
  const MutexLock lock(mutex_);
  if (Identity* known = find_manual(prefix, hash, slot)) return *known;
  if (manual_.size() >= kMostPrefixes) return other_;
  auto added = std::make_unique<Manual>();
  added->prefix = prefix;
  added->line = &line(prefix);
  auto& identity = *manual_.emplace_back(std::move(added));
  slots_[slot].store((hash >> 48 << 48) | reinterpret_cast<std::uint64_t>(&identity), std::memory_order_release);
  if (prefix.empty()) no_prefix_.store(&identity, std::memory_order_release);
  if (manual_.size() == kMostPrefixes) manual_full_.store(true, std::memory_order_release);
  return identity;
}

void IdentityTable::each(const std::function<void(const std::string&, Counters&)>& visit) const {
  const MutexLock lock(mutex_);
  for (const auto& [text, function] : functions_) visit(function->line->prefix, function->counters);
  for (const auto& identity : manual_) visit(identity->line->prefix, identity->counters);
  for (const auto& [prefix, line] : lines_) visit(prefix, line->gone);
  visit(other_line_.prefix, other_line_.gone);
  visit(other_line_.prefix, other_.counters);
}

// --- tags

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
