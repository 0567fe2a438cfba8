#include "l2/values/versions.hpp"

#include <algorithm>
#include <charconv>

#include <dsta/cache/detail/hash.hpp>

#include "base/decimal.hpp"
#include "l2/values/keyspace.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::optional<Version> parse_version(std::string_view text) {
  Version version;
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* const middle = parse_digits(begin, end, version.removed);
  if (!middle || middle == begin || middle == end || *middle != ' ') return std::nullopt;
  const char* const stop = parse_digits(middle + 1, end, version.expired);
  if (stop != end || stop == middle + 1 || version.removed > version.expired || version.removed == 0) {
    return std::nullopt;
  }
  return version;
}

std::optional<VersionClock> VersionClock::parse(std::string_view text) {
  VersionClock clock;
  const char* const end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, clock.value_);
  if (error != std::errc{} || clock.value_ == 0) return std::nullopt;
  while (at != end) {
    Raise raise{};
    if (*at != ' ') return std::nullopt;
    const auto [dash, failed] = std::from_chars(at + 1, end, raise.version);
    if (failed != std::errc{} || dash == end || *dash != '-') return std::nullopt;
    at = std::find(dash + 1, end, ' ');
    raise.hash.assign(dash + 1, at);
    clock.raises_.push_back(std::move(raise));
  }
  return clock;
}

std::string VersionClock::hash_of(std::string_view dependency) { return stable_hash_hex(dependency).substr(0, 16); }

bool VersionClock::may_have_raised(std::string_view hash, std::uint64_t before) const {
  // A clock that the server has lost begins again by its time, which may have been set back.
  if (value_ < before || raises_.empty() || raises_.back().version > before) return value_ != before;
  return std::ranges::any_of(raises_, [&](const Raise& raise) { return raise.version > before && raise.hash == hash; });
}

bool NoticeMemory::add(std::string_view token) {
  const MutexLock lock(mutex_);
  if (!known_.emplace(token).second) return false;
  order_.emplace_back(token);
  if (order_.size() > kMost) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  return true;
}

std::optional<Version> VersionMemory::find(std::string_view name, TimePoint until) const {
  const MutexLock lock(mutex_);
  const auto it = versions_.find(name);
  if (it == versions_.end() || it->second.kept_until < until) return std::nullopt;
  return it->second.version;
}

void VersionMemory::note(std::string_view name, Version version, std::uint64_t mark, TimePoint kept_until) {
  const MutexLock lock(mutex_);
  if (changes_.load(std::memory_order_relaxed) != mark) return;
  if (versions_.size() >= kMost || bytes_ >= kMostBytes) make_room();
  const auto [it, added] = versions_.try_emplace(std::string(name), Known{version, kept_until});
  if (added) {
    bytes_ += name.size();
    return;
  }
  // Of the same version nothing that was asked for is lost.
  if (it->second.version == version) kept_until = std::max(kept_until, it->second.kept_until);
  it->second = {version, kept_until};
}

/// Those that are kept for ever stay while there are few: a server that evicts keeps what is read now and then.
void VersionMemory::make_room() {
  std::erase_if(versions_, [](const auto& known) { return !is_kept_for_ever(known.first); });
  bytes_ = 0;
  for (const auto& [name, known] : versions_) bytes_ += name.size();
  if (versions_.size() < kMost / 2 && bytes_ < kMostBytes / 2) return;
  versions_.clear();
  bytes_ = 0;
}

void VersionMemory::forget(std::string_view name) {
  const MutexLock lock(mutex_);
  changes_.fetch_add(1, std::memory_order_release);
  const auto it = versions_.find(name);
  if (it == versions_.end()) return;
  versions_.erase(it);
  bytes_ -= name.size();
}

void VersionMemory::forget_all() {
  const MutexLock lock(mutex_);
  changes_.fetch_add(1, std::memory_order_release);
  versions_.clear();
  bytes_ = 0;
}

std::vector<std::string> VersionMemory::kept_for_ever() const {
  std::vector<std::string> names;
  const MutexLock lock(mutex_);
  for (const auto& [name, known] : versions_) {
    if (is_kept_for_ever(name)) names.push_back(name);
  }
  return names;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
