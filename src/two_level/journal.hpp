#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"
#include "entry/key_pattern.hpp"
#include "two_level/pending.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The invalidations of the last `window`, to be repeated at another master: replication is asynchronous, so that one
/// may have missed what its predecessor has confirmed. Thread-safe. Times are handed in.
///
/// Invariant: an invalidation stands here before it is sent. So whoever finds another master finds it here, also when
/// the former one confirms it later.
///
/// The window ends when the master was last known to be alive, not now, since a failover may take longer than it: what
/// is older goes when alive() is called, and not before.
///
/// Bounded: beyond kMost, or kMostBytes of names, what is here becomes one, to invalidate the namespace. (Counters and
/// raw values, which do not depend on it, stay, unless there was a flush_all.) The same where there is no memory for
/// one.
class Journal {
 public:
  using Kind = PendingKind;
  static constexpr std::size_t kMost = 30'000;
  static constexpr std::size_t kMostBytes = std::size_t{3} << 20;

  /// Zero: nothing is kept.
  explicit Journal(Duration window) : window_(window) {}

  /// `kind` is neither `pattern` nor `rule`.
  void add(Kind kind, std::string_view name, TimePoint now) noexcept { add(kind, name, {}, now); }
  void add(const KeyPatternPtr& pattern, TimePoint now) noexcept;
  /// The master has answered a request that was sent at `then`.
  void alive(TimePoint then) noexcept;
  /// Makes all of it pending.
  void repeat(Pending& pending) const noexcept;
  std::size_t size() const;

 private:
  struct Entry {
    Kind kind;
    std::string name;
    KeyPatternPtr pattern;  ///< of `pattern` and `rule`
    TimePoint at;
  };
  using Entries = std::list<Entry>;  ///< the oldest first
  using Id = std::pair<Kind, std::string_view>;
  struct HashId {
    std::size_t operator()(const Id& id) const {
      return std::hash<std::string_view>()(id.second) * 31 + static_cast<std::size_t>(id.first);
    }
  };

  void add(Kind kind, std::string_view name, KeyPatternPtr pattern, TimePoint now) noexcept;
  void add_one(Kind kind, std::string_view name, KeyPatternPtr pattern, TimePoint now) DSTA_REQUIRES(mutex_);
  void collapse(Entries& gone, TimePoint now) noexcept DSTA_REQUIRES(mutex_);

  const Duration window_;
  mutable Mutex mutex_;
  Entries entries_ DSTA_GUARDED_BY(mutex_);
  std::unordered_map<Id, Entries::iterator, HashId> index_ DSTA_GUARDED_BY(mutex_);  ///< names are the entries'
  std::size_t bytes_ DSTA_GUARDED_BY(mutex_) = 0;                                    ///< of names
  /// When there was more than could be kept.
  std::optional<TimePoint> collapsed_ DSTA_GUARDED_BY(mutex_);
  bool flushed_ DSTA_GUARDED_BY(mutex_) = false;  ///< counters and raw values, too, as there was a flush_all among it
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
