#include "identities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/error.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::string place(const FunctionMark& mark) { return fmt::format("{}:{}", mark.where.file, mark.where.line); }

}  // namespace

IdentityTable::Registered IdentityTable::add(const std::string& prefix, const std::string& name,
                                             const FunctionMark& mark) {
  const std::lock_guard lock(mutex_);
  const std::string text = Identity{.prefix = prefix, .name = name}.text();
  auto& function = functions_[text];
  if (!function) {
    function = std::make_unique<Function>();
    function->identity.prefix = prefix;
    function->identity.name = name;
    function->identity.function = true;
    function->mark = mark;
    function->alive = 1;
    return {function->identity, false};
  }
  const bool same = function->mark.same_function(mark);
  if (!same && function->alive > 0) {
    throw ConfigError(fmt::format(
        "two functions would share the cache identity '{}': the one wrapped at {} and the one wrapped at {}{}; each "
        "would serve the other's values: give each its own .name (or .prefix), or wrap once and share the wrapper",
        text, place(function->mark), place(mark),
        function->mark.type == mark.type ? " (of one type, but with captured state that differs or cannot be compared)"
                                         : ""));
  }
  function->mark = mark;
  ++function->alive;
  return {function->identity, !same};
}

Identity* IdentityTable::find(std::string_view text) const {
  const std::lock_guard lock(mutex_);
  const auto it = functions_.find(text);
  return it == functions_.end() ? nullptr : &it->second->identity;
}

void IdentityTable::release(const Identity& identity) noexcept {
  const std::lock_guard lock(mutex_);
  const auto it = functions_.find(identity.text());
  if (it != functions_.end() && it->second->alive > 0) --it->second->alive;
}

Identity* IdentityTable::lookup(std::string_view prefix, std::size_t& slot) const {
  slot = hash_bytes(prefix) % kSlots;
  for (;; slot = (slot + 1) % kSlots) {
    Identity* identity = slots_[slot].load(std::memory_order_acquire);
    if (!identity || identity->prefix == prefix) return identity;
  }
}

Identity& IdentityTable::manual(std::string_view prefix) {
  std::size_t slot = 0;
  if (Identity* known = lookup(prefix, slot)) return *known;
  const std::lock_guard lock(mutex_);
  if (Identity* known = lookup(prefix, slot)) return *known;
  if (manual_.size() >= kMostPrefixes) return other_;
  auto& identity = *manual_.emplace_back(std::make_unique<Identity>());
  identity.prefix = prefix;
  slots_[slot].store(&identity, std::memory_order_release);
  return identity;
}

void IdentityTable::each(const std::function<void(Identity&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, function] : functions_) visit(function->identity);
  for (const auto& identity : manual_) visit(*identity);
  visit(const_cast<Identity&>(other_));
}

void IdentityTable::note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain) {
  std::vector<std::string> kinds;
  for (const std::string& tag : tags) {
    // Only `kind:{N}` is the tag that is invalidated by name, and only where the argument is spelled as the name is.
    const std::size_t colon = tag.find(':');
    if (colon == std::string::npos) continue;
    const std::string_view rest = std::string_view(tag).substr(colon + 1);
    if (rest.size() != 3 || rest[0] != '{' || rest[1] < '0' || rest[1] > '9' || rest[2] != '}') continue;
    if (plain >> (rest[1] - '0') & 1) kinds.push_back(tag.substr(0, colon));
  }
  const std::lock_guard lock(mutex_);
  const auto it = functions_.find(identity.text());
  if (it == functions_.end()) return;
  Function& function = *it->second;
  if (!function.tags_noted) {
    function.tag_kinds = std::move(kinds);
    function.tags_noted = true;
  } else {
    std::erase_if(function.tag_kinds, [&](const auto& kind) { return std::ranges::find(kinds, kind) == kinds.end(); });
  }
}

bool IdentityTable::all_carry(std::string_view prefix, std::string_view kind) const {
  const auto may_hold = [&](std::string_view text) {
    return text.empty() || text == prefix || (text.starts_with(prefix) && text.substr(prefix.size()).starts_with(':'));
  };
  const std::lock_guard lock(mutex_);
  for (const auto& [text, function] : functions_) {
    if (may_hold(text) && std::ranges::find(function->tag_kinds, kind) == function->tag_kinds.end()) return false;
  }
  for (const auto& identity : manual_) {
    if (may_hold(identity->prefix) && identity->written_by_hand.load(std::memory_order_acquire)) return false;
  }
  return !other_.written_by_hand.load(std::memory_order_acquire);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
