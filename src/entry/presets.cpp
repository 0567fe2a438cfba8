#include "entry/presets.hpp"

#include <chrono>
#include <optional>
#include <utility>

#include "entry/expiry.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

void Presets::set(const std::string& prefix, const EntryOptions& preset) {
  detail::resolve(preset, {});
  refuse_names(preset, "the preset of prefix '" + prefix + "'", prefix);
  EntryOptions copy = preset;
  const MutexLock lock(mutex_);
  presets_.insert_or_assign(prefix, std::move(copy));
  any_.store(true, std::memory_order_release);
}

EntryTerms Presets::resolve(const EntryOptions& options, Duration default_ttl) const {
  if (!any_.load(std::memory_order_acquire)) return detail::resolve({&options_.defaults, &options}, default_ttl);
  const MutexLock lock(mutex_);
  const auto preset = presets_.find(options.prefix);
  return detail::resolve({&options_.defaults, preset == presets_.end() ? nullptr : &preset->second, &options},
                         default_ttl);
}

EntryTerms Presets::resolve(const EntryOptions& options) const {
  return resolve(options, options_.default_ttl.value_or(std::chrono::seconds(300)));
}

Duration Presets::counter_ttl(const EntryOptions& options, Random& random) const {
  const EntryTerms terms = resolve(options, forever);
  return jittered(terms.ttl, terms.jitter, random);
}

Reach Presets::reach(const EntryOptions& options) const {
  // The two options that count, by the same rule as resolve() and without the others: reads come here.
  std::optional<Level> level = options_.defaults.level;
  std::optional<bool> raw = options_.defaults.raw;
  const auto lay = [&](const EntryOptions& over) {
    if (over.level) level = over.level;
    if (over.raw) raw = over.raw;
  };
  if (any_.load(std::memory_order_acquire)) {
    const MutexLock lock(mutex_);
    if (const auto preset = presets_.find(options.prefix); preset != presets_.end()) lay(preset->second);
  }
  lay(options);
  Reach reach;
  reach.raw = raw.value_or(false) && level != Level::l1;
  reach.l1 = level != Level::l2 && !reach.raw;
  reach.l2 = level != Level::l1;
  return reach;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
