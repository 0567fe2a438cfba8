#pragma once
/// What decides whether an entry of L2 is still valid: the version of the namespace (its epoch), of the
/// wrapped function, and of each tag. An entry notes the versions that were seen before its value was read from the
/// source; invalidating raises a version, whatever number of entries depend on it.
///
/// Versions are microseconds of the server's clock, at least one more than the one before: a version key that was
/// evicted and made again never equals an older one. A version that is missing makes every entry that depends on it a
/// miss.
#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An entry that noted `expired` is as good as new; from `removed` on it is past its ttl; below it is gone.
struct Version {
  std::uint64_t removed = 0;
  std::uint64_t expired = 0;

  enum class Verdict { current, expired, gone };
  Verdict evaluate(std::uint64_t noted) const {
    if (noted == expired) return Verdict::current;
    return noted >= removed && noted < expired ? Verdict::expired : Verdict::gone;
  }
  bool operator==(const Version&) const = default;
};

/// As stored: two decimal numbers with a blank between them.
std::optional<Version> parse_version(std::string_view text);

/// The clock of a space's versions, as stored: its value, then the last raises, newest first, each the version and the
/// hash of what was raised: `300 300-2b7e 200-51cd 100-0`. The oldest is the clock's making, with hash 0, until 32
/// others have come.
class VersionClock {
 public:
  static std::optional<VersionClock> parse(std::string_view text);
  static std::string hash_of(std::string_view dependency);

  std::uint64_t value() const { return value_; }
  /// Whether what has this hash was raised after the clock showed `before`; true also when that cannot be known.
  bool may_have_raised(std::string_view hash, std::uint64_t before) const;

 private:
  struct Raise {
    std::uint64_t version;
    std::string hash;
  };
  std::uint64_t value_ = 0;
  std::vector<Raise> raises_;
};

/// The last notices that were given or received, so that each is heeded once: a notice's key expires, which is reported
/// like a change. Thread-safe.
class NoticeMemory {
 public:
  /// False: known already.
  bool add(std::string_view token);

 private:
  static constexpr std::size_t kMost = 4096;
  Mutex mutex_;
  std::set<std::string, std::less<>> known_ DSTA_GUARDED_BY(mutex_);
  std::deque<std::string> order_ DSTA_GUARDED_BY(mutex_);
};

/// The versions that were seen last, by the names of what they are of (the epoch is ""). Thread-safe.
///
/// While the invalidation channel is up they are the truth but for the time a message takes. Else they are a guess that
/// writers check afterwards.
class VersionMemory {
 public:
  /// With `until`: only if the server keeps it until then, as far as is known.
  std::optional<Version> find(std::string_view name, TimePoint until = TimePoint{}) const;
  /// Taken before a request that reads versions.
  std::uint64_t mark() const { return changes_.load(std::memory_order_acquire); }
  /// Not kept when anything was forgotten since `mark`: the reply may be the older of the two. `kept_until`: for how
  /// long the server was asked to keep it.
  void note(std::string_view name, Version version, std::uint64_t mark, TimePoint kept_until = TimePoint{});
  void forget(std::string_view name);
  void forget_all();
  /// The names of the versions that the server is to keep for ever.
  std::vector<std::string> kept_for_ever() const;

 private:
  static constexpr std::size_t kMost = 100'000;
  static constexpr std::size_t kMostBytes = std::size_t{8} << 20;  ///< of names
  void make_room() DSTA_REQUIRES(mutex_);

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  struct Known {
    Version version;
    TimePoint kept_until;
  };
  mutable Mutex mutex_;
  std::unordered_map<std::string, Known, Hash, std::equal_to<>> versions_ DSTA_GUARDED_BY(mutex_);
  std::size_t bytes_ DSTA_GUARDED_BY(mutex_) = 0;
  std::atomic<std::uint64_t> changes_{0};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
