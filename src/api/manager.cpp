#include <dsta/cache/manager.hpp>

#include <fmt/format.h>

#include <cstdlib>
#include <deque>
#include <utility>

#include <dsta/cache/key_text.hpp>

#include "engine/engine.hpp"
#include "entry/key_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {

using detail::Count;

namespace detail {

namespace {

[[noreturn, gnu::cold]] void refuse_empty(std::string_view prefix) {
  throw KeyError(fmt::format("the key under prefix '{}' is empty: give at least one character", prefix));
}
[[noreturn, gnu::cold]] void refuse_long(std::string_view prefix, std::size_t bytes) {
  throw KeyError(fmt::format("the key under prefix '{}' has {} bytes, more than the {} allowed: use a hash of it",
                             prefix, bytes, kMaxKeyBytes));
}

}  // namespace

ManualKey::ManualKey(std::string_view key, const EntryOptions& options) {
  if (key.empty()) refuse_empty(options.prefix);
  if (!options.prefix.empty()) add_part(options.prefix);
  if (!options.name.empty()) add_part(options.name);
  const std::size_t bytes = buffer_.size() + key.size();
  if (bytes > kMaxKeyBytes) refuse_long(options.prefix, bytes);
  buffer_.append(key);
  view_ = {buffer_.view(), {}, buffer_.hash(), true};
}

void ManualKey::add_part(std::string_view part) {
  buffer_.append(part);
  buffer_.push(':');
}

SetResult to_set_result(PutOutcome outcome, Counters& counters) {
  switch (outcome.status) {
    case PutOutcome::stored:
      counters.add(Count::sets);
      return SetResult::stored;
    case PutOutcome::not_stored_ttl:
      return {SetResult::not_stored, "the ttl is zero or negative"};
    case PutOutcome::not_stored_weight:
      counters.add(Count::rejected);
      return {SetResult::not_stored, "the value is heavier than a shard's share of the budget"};
    case PutOutcome::not_stored_key:
      counters.add(Count::rejected);
      return {SetResult::not_stored, "the key is too long"};
    case PutOutcome::not_stored_server:
    case PutOutcome::not_stored_closed:
      break;
    case PutOutcome::unknown:
      return {SetResult::unknown, outcome.why};
  }
  return {SetResult::not_stored, outcome.why};
}

}  // namespace detail

Decorator::Decorator(std::shared_ptr<detail::Core> core, EntryOptions options)
    : core_(std::move(core)), options_(std::move(options)) {}

CacheManager::CacheManager() : CacheManager(ManagerOptions{}) {}

CacheManager::CacheManager(ManagerOptions options) : core_(detail::Engine::make(std::move(options))) {}

CacheManager::CacheManager(std::string_view url)
    : CacheManager([&] {
        ManagerOptions options;
        options.url = url;
        return options;
      }()) {}

CacheManager CacheManager::from_env(ManagerOptions options) {
  for (const char* variable : {"DSTA_CACHE_URL", "REDIS_URL"}) {
    const char* url = std::getenv(variable);
    if (url && *url) {
      options.url = url;
      break;
    }
  }
  return CacheManager(std::move(options));
}

CacheManager::~CacheManager() {
  if (core_) engine_of(*core_).close();
}

CacheManager& CacheManager::operator=(CacheManager&& other) noexcept {
  if (this != &other) {
    if (core_) engine_of(*core_).close();
    core_ = std::move(other.core_);
  }
  return *this;
}

Decorator CacheManager::cached(EntryOptions options) { return Decorator(core_, std::move(options)); }

Decorator CacheManager::cached(OptionalDuration ttl, std::string_view prefix, std::string_view name) {
  EntryOptions options;
  options.ttl = ttl;
  options.prefix = prefix;
  options.name = name;
  return cached(std::move(options));
}

bool CacheManager::exists(std::string_view key, const EntryOptions& options) const {
  return get_ttl(key, options).has_value();
}

std::optional<TimeSpan> CacheManager::get_ttl(std::string_view key, const EntryOptions& options) const {
  return engine_of(*core_).time_left(detail::ManualKey(key, options).view(), core_->reach(options));
}

bool CacheManager::del(std::string_view key, const EntryOptions& options) {
  const bool erased = core_->erase(detail::ManualKey(key, options).view(), core_->reach(options));
  if (erased) core_->manual(options.prefix).counters.add(Count::deletes);
  return erased;
}

std::size_t CacheManager::del_many(const std::vector<std::string>& keys, const EntryOptions& options) {
  std::deque<detail::ManualKey> stored;
  std::vector<detail::KeyView> views;
  views.reserve(keys.size());
  for (const std::string& key : keys) views.push_back(stored.emplace_back(key, options).view());
  const std::size_t erased = engine_of(*core_).erase_many(views, core_->reach(options));
  core_->manual(options.prefix).counters.add(Count::deletes, erased);
  return erased;
}

std::size_t CacheManager::delete_pattern(std::string_view pattern, const EntryOptions& options) {
  std::string joined;
  for (const std::string* part : {&options.prefix, &options.name}) {
    if (!part->empty() && !pattern.empty()) joined += glob_escape(*part) + ":";
  }
  joined += pattern;
  const std::size_t erased = core_->erase_matching(detail::glob_pattern(joined));
  auto& counters = core_->manual(options.prefix).counters;
  counters.add(Count::deletes, erased);
  counters.add(Count::invalidations);
  return erased;
}

std::optional<std::int64_t> CacheManager::increment(std::string_view key, std::int64_t amount,
                                                    const EntryOptions& options) {
  detail::Counters& counters = core_->manual_writer(options.prefix).counters;
  const auto value = engine_of(*core_).increment(detail::ManualKey(key, options).view(), amount,
                                                 engine_of(*core_).counter_ttl(options), core_->reach(options));
  counters.add(value ? Count::sets : Count::rejected);
  return value;
}

void CacheManager::flush_all() {
  engine_of(*core_).flush_all();
  core_->manual({}).counters.add(Count::invalidations);
}

void CacheManager::invalidate_tag(std::string_view tag, TagMode mode) {
  if (!detail::is_tag(tag)) {
    throw KeyError(
        "invalidate_tag: a tag must not be empty or begin with the byte 0x01: name the tag, or use flush_all");
  }
  engine_of(*core_).invalidate_tag(tag, mode == TagMode::remove);
  core_->manual({}).counters.add(Count::invalidations);
}

CacheStats CacheManager::get_stats() const { return engine_of(*core_).stats(); }

std::map<std::string, CacheStats> CacheManager::get_stats_by_prefix() const {
  return engine_of(*core_).stats_by_prefix();
}

void CacheManager::clear_stats() { engine_of(*core_).clear_stats(); }

void CacheManager::set_preset(const std::string& prefix, const EntryOptions& options) {
  core_->preset(prefix, options);
}

void CacheManager::limit_loads(const std::string& prefix, const LoadLimit& limit) { core_->limit_loads(prefix, limit); }

const ManagerOptions& CacheManager::options() const { return core_->options(); }

}  // namespace v1
}  // namespace dsta::cache
