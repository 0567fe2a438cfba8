/// Functions: registered when they are wrapped, and told apart.
#include "entry/identities.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include <dsta/cache/error.hpp>

#include "entry/identity_function.hpp"
#include "entry/tags.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::string place(const FunctionMark& mark) { return fmt::format("{}:{}", mark.where.file, mark.where.line); }

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

IdentityTable::IdentityTable(std::atomic<std::size_t>& charged, bool elsewhere)
    : charged_(charged), elsewhere_(elsewhere) {}
IdentityTable::~IdentityTable() = default;

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
  const MutexLock lock(mutex_);
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
  add_reference(function);
  if (function.wrappers++ == 0) charged_.fetch_sub(std::exchange(function.bytes, 0), std::memory_order_relaxed);
  function.mark = std::move(copy);
  function.taken_over = function.taken_over || !same;
  return {function, function.taken_over};
}

void IdentityTable::took_over(Identity& identity) noexcept {
  const MutexLock lock(mutex_);
  static_cast<Function&>(identity).taken_over = false;
}

IdentityRef IdentityTable::find(std::string_view text) {
  const MutexLock lock(mutex_);
  const auto found = functions_.find(text);
  if (found == functions_.end()) return {};
  Function& function = *found->second;
  if (function.idle) unlink(function);
  return &function;
}

void IdentityTable::clear(std::string_view text, std::uint64_t point) {
  const MutexLock lock(mutex_);
  const auto found = functions_.find(text);
  if (found != functions_.end()) raise(found->second->cleared, point);
}

void IdentityTable::release(Identity& identity) noexcept {
  auto& function = static_cast<Function&>(identity);
  const MutexLock lock(mutex_);
  if (--function.wrappers == 0) {
    function.counters.rest();
    function.bytes = function.weight();
    charged_.fetch_add(function.bytes, std::memory_order_relaxed);
  }
  drop_reference(function);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
