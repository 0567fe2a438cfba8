#pragma once
#include <array>
#include <atomic>
#include <map>
#include <string>
#include <string_view>

#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/options.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class Random;

/// Options from the widest scope to the narrowest, which wins; null: none of that scope. Their tags are joined.
using OptionLayers = std::array<const EntryOptions*, 3>;

/// Every default filled in. Throws ConfigError for what contradicts itself.
EntryTerms resolve(const OptionLayers& layers, Duration default_ttl);
inline EntryTerms resolve(const EntryOptions& options, Duration default_ttl) {
  return resolve(OptionLayers{&options}, default_ttl);
}

/// Throws ConfigError when options of a scope wider than a call say what only a call can: its prefix or its name.
/// `scope`: where they are given. `prefix`: that of the scope, which they may repeat.
void refuse_names(const EntryOptions& options, std::string_view scope, std::string_view prefix);

/// From the options of a call to the terms of its entry: the manager's defaults, over them the preset of the prefix,
/// over that what the call says itself. The one place where this is done, for every operation. Thread-safe.
///
/// A preset was resolved once before it is kept, so a mistake in it throws where it is set and not in the first call
/// under its prefix. Calls take the mutex only where there are any presets.
class Presets {
 public:
  /// `options` outlives this.
  explicit Presets(const ManagerOptions& options) : options_(options) {}

  void set(const std::string& prefix, const EntryOptions& preset);

  EntryTerms resolve(const EntryOptions& options) const;
  /// How long a counter that is made by these options lives: as an entry, but without end where no ttl is given.
  Duration counter_ttl(const EntryOptions& options, Random& random) const;
  /// Which levels a manual call with these options goes to, where there are two.
  Reach reach(const EntryOptions& options) const;

 private:
  EntryTerms resolve(const EntryOptions& options, Duration default_ttl) const;

  const ManagerOptions& options_;
  std::atomic<bool> any_{false};
  mutable Mutex mutex_;
  std::map<std::string, EntryOptions> presets_ DSTA_GUARDED_BY(mutex_);
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
