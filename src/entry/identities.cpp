#include "entry/identities.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/weigh.hpp>
#include <dsta/cache/error.hpp>

#include "entry/tags.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::string place(const FunctionMark& mark) { return fmt::format("{}:{}", mark.where.file, mark.where.line); }

/// True when `text` is `prefix`, or begins with it and a colon.
bool is_under(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) && (text.size() == prefix.size() || text[prefix.size()] == ':');
}

bool contains(const std::vector<std::string>& kinds, std::string_view kind) {
  return std::ranges::find(kinds, kind) != kinds.end();
}

void keep_common(std::vector<std::string>& kinds, const std::vector<std::string>& others) noexcept {
  std::erase_if(kinds, [&](const auto& kind) { return !contains(others, kind); });
}

}  // namespace

bool FunctionMark::same_function(const FunctionMark& other) const {
  if (same_type(named, other.named)) return true;  // an inline function has an address in each library
  return (type == other.type || same_type(info, other.info)) && comparable && other.comparable && state == other.state;
}

void FunctionMark::note_state(const void* bytes, std::size_t size) {
  comparable = true;
  const auto* const first = static_cast<const unsigned char*>(bytes);
  state.assign(first, first + size);
}

std::string Identity::text() const { return prefix.empty() || name.empty() ? prefix + name : prefix + ":" + name; }

struct IdentityTable::Function final : Identity {
  IdentityTable* table = nullptr;
  Functions::iterator place = {};
  Line* line = nullptr;
  FunctionMark mark = {};
  std::size_t wrappers = 0;
  std::size_t bytes = 0;               ///< what it takes while it has no wrapper
  std::vector<std::string> tag_kinds;  ///< of the tags `kind:{N}` that every wrapper of it names
  bool tags_noted = false;
  bool taken_over = false;  ///< from another function, whose values are not cleared yet
  bool idle = false;        ///< on the list of those that nothing refers to
  Function* older = nullptr;
  Function* newer = nullptr;

  std::size_t weight() const {
    constexpr std::size_t kLinks = 4 * sizeof(void*);
    return allocation(sizeof(Function)) + allocation(kLinks + sizeof(Functions::value_type)) + heap_size(place->first) +
           heap_size(prefix) + heap_size(name) + heap_size(mark.state) + heap_size(tag_kinds);
  }
};

IdentityTable::IdentityTable(std::atomic<std::size_t>& charged, bool elsewhere)
    : charged_(charged), elsewhere_(elsewhere) {}
IdentityTable::~IdentityTable() = default;

// --- references

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
  const std::lock_guard lock(function.table->mutex_);
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

/// One more reference.
void IdentityTable::revive(Function& function) noexcept {
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

// --- functions

IdentityTable::Function& IdentityTable::record(const std::string& text, const std::string& prefix,
                                               const std::string& name) {
  if (const auto found = functions_.find(text); found != functions_.end()) return *found->second;
  auto function = std::make_unique<Function>();
  function->prefix = prefix;
  function->name = name;
  function->function = true;
  function->cleared = forgotten_cleared_;
  function->table = this;
  function->line = &line(prefix);
  const auto place = functions_.emplace(text, nullptr).first;
  place->second = std::move(function);
  place->second->place = place;
  return *place->second;
}

IdentityTable::Registered IdentityTable::add(const std::string& prefix, const std::string& name,
                                             const FunctionMark& mark) {
  FunctionMark copy = mark;
  const std::lock_guard lock(mutex_);
  const std::string text = Identity{.prefix = prefix, .name = name}.text();
  Function& function = record(text, prefix, name);
  const bool is_new = function.mark.type == nullptr;
  const bool same = is_new || function.mark.same_function(mark);
  if (!same && function.wrappers > 0) {
    throw ConfigError(fmt::format(
        "two functions would share the cache identity '{}': the one wrapped at {} and the one wrapped at {}{}; each "
        "would serve the other's values: give each its own .name (or .prefix), or wrap once and share the wrapper",
        text, place(function.mark), place(mark),
        function.mark.type == mark.type ? " (of one type, but with captured state that differs or cannot be compared)"
                                        : ""));
  }
  revive(function);
  if (function.wrappers++ == 0) charged_.fetch_sub(std::exchange(function.bytes, 0), std::memory_order_relaxed);
  function.mark = std::move(copy);
  function.taken_over = function.taken_over || !same;
  return {function, function.taken_over};
}

void IdentityTable::took_over(Identity& identity) noexcept {
  const std::lock_guard lock(mutex_);
  static_cast<Function&>(identity).taken_over = false;
}

IdentityRef IdentityTable::find(std::string_view text) {
  const std::lock_guard lock(mutex_);
  const auto found = functions_.find(text);
  if (found == functions_.end()) return {};
  Function& function = *found->second;
  if (function.idle) unlink(function);
  return &function;
}

void IdentityTable::clear(std::string_view text, std::uint64_t point) {
  const std::lock_guard lock(mutex_);
  const auto found = functions_.find(text);
  if (found != functions_.end()) raise(found->second->cleared, point);
}

void IdentityTable::release(Identity& identity) noexcept {
  auto& function = static_cast<Function&>(identity);
  const std::lock_guard lock(mutex_);
  if (--function.wrappers == 0) {
    function.counters.rest();
    function.bytes = function.weight();
    charged_.fetch_add(function.bytes, std::memory_order_relaxed);
  }
  drop_reference(function);
}

// --- prefixes

IdentityTable::Line& IdentityTable::line(std::string_view prefix) {
  if (const auto found = lines_.find(prefix); found != lines_.end()) return *found->second;
  if (lines_.size() >= kMostPrefixes) return other_line_;
  auto added = std::make_unique<Line>();
  added->prefix = prefix;
  const auto place = lines_.emplace(added->prefix, nullptr).first;
  place->second = std::move(added);
  return *place->second;
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
  auto added = std::make_unique<Manual>();
  added->prefix = prefix;
  added->line = &line(prefix);
  auto& identity = *manual_.emplace_back(std::move(added));
  slots_[slot].store(&identity, std::memory_order_release);
  return identity;
}

void IdentityTable::each(const std::function<void(const std::string&, Counters&)>& visit) const {
  const std::lock_guard lock(mutex_);
  for (const auto& [text, function] : functions_) visit(function->line->prefix, function->counters);
  for (const auto& identity : manual_) visit(identity->line->prefix, identity->counters);
  for (const auto& [prefix, line] : lines_) visit(prefix, line->gone);
  auto& self = const_cast<IdentityTable&>(*this);
  visit(other_line_.prefix, self.other_line_.gone);
  visit(other_line_.prefix, self.other_.counters);
}

// --- tags

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
  auto& function = const_cast<Function&>(static_cast<const Function&>(identity));
  const std::lock_guard lock(mutex_);
  if (function.tags_noted) {
    keep_common(function.tag_kinds, kinds);
  } else {
    function.tag_kinds = std::move(kinds);
    function.tags_noted = true;
  }
}

bool IdentityTable::all_carry(std::string_view prefix, std::string_view kind) const {
  const std::lock_guard lock(mutex_);
  const auto lacks = [&](const auto& function) { return !contains(function->second->tag_kinds, kind); };
  // Keys of a function without prefix and name may begin with anything.
  if (const auto nameless = functions_.find(""); nameless != functions_.end() && lacks(nameless)) return false;
  for (auto it = functions_.lower_bound(prefix); it != functions_.end() && it->first.starts_with(prefix); ++it) {
    if (is_under(it->first, prefix) && lacks(it)) return false;
  }
  for (const auto& identity : manual_) {
    const bool may_hold = identity->prefix.empty() || is_under(identity->prefix, prefix);
    if (may_hold && identity->written_by_hand.load(std::memory_order_acquire)) return false;
  }
  if (other_.written_by_hand.load(std::memory_order_acquire)) return false;
  // A forgotten function of a shorter prefix may have had a name that makes it one of these.
  const auto forgotten_lacks = [&](const Line& line) { return line.forgot && !contains(line.tag_kinds, kind); };
  for (const auto& [text, line] : lines_) {
    if ((text.empty() || is_under(text, prefix) || is_under(prefix, text)) && forgotten_lacks(*line)) return false;
  }
  return !forgotten_lacks(other_line_);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
