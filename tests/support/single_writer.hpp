#pragma once
#include <atomic>
#include <cstdint>
#include <mutex>
#include <set>

namespace dsta::cache::testing_support {

/// What may be read of a key that one thread writes, by anybody. Thread-safe; `begin`, `acknowledge` and `doubt` are
/// for the writer.
///
/// Every write and every removal has a number. Once one is acknowledged, what came before it is never seen again,
/// except writes whose outcome was unknown: they may still be on their way. A miss is always possible.
class SingleWriter {
 public:
  /// The number of a write or removal that begins.
  std::uint64_t begin() { return ++begun_; }
  void acknowledge(std::uint64_t number) { floor_ = number; }
  void doubt(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    doubtful_.insert(number);
  }

  /// To be taken before a read.
  std::uint64_t floor() const { return floor_; }
  /// Whether a read that began at this floor may have seen the write `number`.
  bool may_be_seen(std::uint64_t number, std::uint64_t floor_before) const {
    if (number == 0 || number > begun_) return false;
    if (number >= floor_before) return true;
    const std::lock_guard lock(mutex_);
    return doubtful_.contains(number);
  }

 private:
  std::atomic<std::uint64_t> begun_ = 0;
  std::atomic<std::uint64_t> floor_ = 0;
  mutable std::mutex mutex_;
  std::set<std::uint64_t> doubtful_;  // under mutex_
};

/// A source that one thread changes, behind a cached function. Thread-safe.
///
/// Once a change and the invalidation after it are done, no call that begins later returns an older version.
class VersionedSource {
 public:
  std::uint64_t read() const { return version_; }
  std::uint64_t change() { return ++version_; }
  /// The invalidation after the change to `version` has returned.
  void invalidated(std::uint64_t version) { floor_ = version; }
  std::uint64_t floor() const { return floor_; }

 private:
  std::atomic<std::uint64_t> version_ = 1;
  std::atomic<std::uint64_t> floor_ = 1;
};

/// A counter that is only counted up, by one. Thread-safe.
class CountedUp {
 public:
  void begin() { ++begun_; }
  void acknowledge() { ++acknowledged_; }
  std::int64_t floor() const { return acknowledged_; }
  bool may_be_seen(std::int64_t value, std::int64_t floor_before) const {
    return value >= floor_before && value <= begun_;
  }

 private:
  std::atomic<std::int64_t> begun_ = 0;
  std::atomic<std::int64_t> acknowledged_ = 0;
};

}  // namespace dsta::cache::testing_support
