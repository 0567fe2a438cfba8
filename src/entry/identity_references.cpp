/// How long the table remembers a function: while anything refers to it, and then until newer ones have used up the
/// room.
#include <algorithm>

#include "entry/identity_function.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void retain_identity(const Identity& identity) noexcept {
  if (identity.function) identity.references.fetch_add(1, std::memory_order_relaxed);
}

void release_identity(const Identity& identity) noexcept {
  if (!identity.function) return;
  // The last one is given up under the table's lock only, where it is also looked for: so nobody finds a record that is
  // about to go.
  std::uint32_t seen = identity.references.load(std::memory_order_relaxed);
  while (seen > 1) {
    if (identity.references.compare_exchange_weak(seen, seen - 1, std::memory_order_release,
                                                  std::memory_order_relaxed)) {
      return;
    }
  }
  auto& function = const_cast<IdentityTable::Function&>(static_cast<const IdentityTable::Function&>(identity));
  const MutexLock lock(function.table->mutex_);
  function.table->drop_reference(function);
}

void IdentityTable::drop_reference(Function& function) noexcept {
  if (function.references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  charged_.fetch_sub(function.bytes, std::memory_order_relaxed);
  idle_bytes_ += function.bytes;
  function.idle = true;
  function.older = newest_idle_;
  (newest_idle_ ? newest_idle_->newer : oldest_idle_) = &function;
  newest_idle_ = &function;
  while (idle_bytes_ > most_idle()) forget(*oldest_idle_);
}

void IdentityTable::unlink(Function& function) noexcept {
  (function.older ? function.older->newer : oldest_idle_) = function.newer;
  (function.newer ? function.newer->older : newest_idle_) = function.older;
  function.older = function.newer = nullptr;
  function.idle = false;
  idle_bytes_ -= function.bytes;
  charged_.fetch_add(function.bytes, std::memory_order_relaxed);
}

void IdentityTable::add_reference(Function& function) noexcept {
  if (function.idle) unlink(function);
  function.references.fetch_add(1, std::memory_order_relaxed);
}

void IdentityTable::forget(Function& function) noexcept {
  unlink(function);
  charged_.fetch_sub(function.bytes, std::memory_order_relaxed);
  Totals totals{};
  function.counters.add_to(totals);
  Line& line = *function.line;
  line.gone.add(totals);
  forgotten_cleared_ = std::max(forgotten_cleared_, function.cleared.load(std::memory_order_relaxed));
  if (elsewhere_) {
    line.forgot ? keep_common(line.tag_kinds, function.tag_kinds) : line.tag_kinds.swap(function.tag_kinds);
    line.forgot = true;
  }
  functions_.erase(function.place);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
