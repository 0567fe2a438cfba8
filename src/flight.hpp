#pragma once
#include <atomic>
#include <condition_variable>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <dsta/cache/detail/core.hpp>

#include "tags.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// A load that waits for a background thread. Whoever begins it first runs it: the thread it was queued for, or a
/// caller that must not wait for that thread. Thread-safe.
class Errand {
 public:
  virtual ~Errand() = default;
  /// Runs it unless somebody has begun.
  virtual void run() = 0;
};

/// One load of one key: the callers that want its value share it. Thread-safe.
///
/// Life: created by the caller that leads, attached to the key's shard (where later callers find it and invalidations
/// fence it), landed with a value or an error, detached. What it brings is stored only if nothing fenced it.
struct Flight {
  Flight(const KeyView& key, const Loader& loader, std::uint64_t now)
      : name(key.name), full(key.full), hash(key.hash), type(loader.type), identity(loader.identity), sequence(now) {}

  KeyView key() const { return {name, full, hash}; }

  const std::string name, full;
  const std::uint64_t hash;
  const TypeOps* const type;
  const Identity* const identity;
  /// The invalidation sequence when the load began: whatever was invalidated later, this value does not count for.
  const std::uint64_t sequence;
  TagSet tags;

  // Under the shard's lock.
  bool fenced = false;
  std::shared_ptr<Flight> next;

  /// The thread that runs the loader; 0 before it starts and after it ends.
  std::atomic<std::uint64_t> leader{0};

  std::mutex mutex;
  std::condition_variable landing;
  // Under `mutex`.
  std::weak_ptr<Errand> errand;
  bool landed = false;
  NodeRef value;
  std::exception_ptr error;
  /// Callers that came at this point of the invalidation sequence or later must not take the value: it names a tag that
  /// was invalidated then.
  std::uint64_t void_from = std::numeric_limits<std::uint64_t>::max();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
