#pragma once
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <dsta/cache/duration.hpp>

#include "l2/envelope.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The leases that this process holds while it loads, to be renewed before they run out. Thread-safe.
class HeldLeases {
 public:
  /// How long a lease lasts without being renewed: after a crash of its holder others wait at most so long.
  static constexpr std::chrono::seconds kLife{3};
  static constexpr std::chrono::seconds kRenewal{1};

  void add(const LeaseToken& token, std::string key, TimePoint now) {
    const std::lock_guard lock(mutex_);
    leases_[token] = {std::move(key), now + kRenewal};
  }
  void remove(const LeaseToken& token) {
    const std::lock_guard lock(mutex_);
    leases_.erase(token);
  }

  struct Due {
    LeaseToken token;
    std::string key;
  };
  /// Those to be renewed now; `next` is when the next are.
  std::vector<Due> due(TimePoint now, TimePoint& next) {
    std::vector<Due> due;
    const std::lock_guard lock(mutex_);
    for (auto& [token, lease] : leases_) {
      if (lease.renewal <= now) {
        due.push_back({token, lease.key});
        lease.renewal = now + kRenewal;
      }
      next = std::min(next, lease.renewal);
    }
    return due;
  }

 private:
  struct Lease {
    std::string key;
    TimePoint renewal;
  };
  std::mutex mutex_;
  std::map<LeaseToken, Lease> leases_;  // under mutex_
};

/// Leases of this process that may stand although nobody loads any more, since the server did not answer when they were
/// to be given back. Bounded: a forgotten one runs out by itself. Thread-safe.
class OrphanedLeases {
 public:
  void add(const LeaseToken& token) {
    const std::lock_guard lock(mutex_);
    if (tokens_.size() >= kMost) tokens_.clear();
    tokens_.insert(token);
  }
  bool has(const LeaseToken& token) const {
    const std::lock_guard lock(mutex_);
    return tokens_.contains(token);
  }

 private:
  static constexpr std::size_t kMost = 4096;
  mutable std::mutex mutex_;
  std::set<LeaseToken> tokens_;  // under mutex_
};

/// A new token, unlike any other in the world.
LeaseToken new_lease_token();

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
