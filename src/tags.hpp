#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <dsta/cache/detail/node.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Moves a point of the sequence forward only: two invalidations may arrive in either order.
inline void raise(std::atomic<std::uint64_t>& value, std::uint64_t to) {
  std::uint64_t seen = value.load(std::memory_order_relaxed);
  while (seen < to && !value.compare_exchange_weak(seen, to, std::memory_order_acq_rel)) {
  }
}

/// A tag is two points of the manager's invalidation sequence. An entry or a load that began before `removed` does not
/// count any more; one that began before `expired` is past its ttl. So invalidating costs the same however many
/// entries carry the tag, and writes made after it are valid whatever the clock says.
struct Tag {
  std::atomic<std::uint64_t> removed{0};
  std::atomic<std::uint64_t> expired{0};
  std::atomic<std::uint32_t> references{0};
  std::string_view name = {};  ///< the table's
};

/// Counted references to the tags of one entry or load.
class TagSet {
 public:
  TagSet() = default;
  explicit TagSet(std::vector<Tag*> counted) : tags_(std::move(counted)) {}
  TagSet(const TagSet&) = delete;
  TagSet(TagSet&& other) noexcept : tags_(std::exchange(other.tags_, {})) {}
  TagSet& operator=(TagSet&& other) noexcept {
    std::swap(tags_, other.tags_);
    return *this;
  }
  ~TagSet() {
    for (Tag* tag : tags_) tag->references.fetch_sub(1, std::memory_order_release);
  }

  /// The same tags, counted once more.
  TagSet again() const {
    for (Tag* tag : tags_) tag->references.fetch_add(1, std::memory_order_relaxed);
    return TagSet(tags_);
  }

  /// Those of `other` too that are not here yet.
  void join(const TagSet& other) {
    for (Tag* tag : other.tags_) {
      if (std::find(tags_.begin(), tags_.end(), tag) != tags_.end()) continue;
      tags_.push_back(tag);
      tag->references.fetch_add(1, std::memory_order_relaxed);
    }
  }

  bool empty() const { return tags_.empty(); }
  /// Appends them.
  void names(std::vector<std::string>& out) const {
    for (const Tag* tag : tags_) out.emplace_back(tag->name);
  }
  std::size_t bytes() const { return tags_.capacity() * sizeof(Tag*); }
  /// The last hard invalidation of any of them.
  std::uint64_t removed() const { return latest(&Tag::removed); }
  /// The last invalidation of any of them, of either kind.
  std::uint64_t invalidated() const { return std::max(removed(), expired()); }
  /// The last soft invalidation of any of them.
  std::uint64_t expired() const { return latest(&Tag::expired); }

 private:
  std::uint64_t latest(std::atomic<std::uint64_t> Tag::*point) const {
    std::uint64_t last = 0;
    for (const Tag* tag : tags_) last = std::max(last, (tag->*point).load(std::memory_order_acquire));
    return last;
  }
  std::vector<Tag*> tags_;
};

/// All tags of a manager by name. Thread-safe. Must outlive every TagSet.
///
/// Records that nobody refers to are dropped when there are many. A tag that is asked for again after that starts from
/// the latest point that any dropped record had, so no invalidation is forgotten; at worst a load under way is fenced
/// that need not be.
class TagTable {
 public:
  TagSet find(const std::vector<std::string>& names);
  /// `point` is a new value of the invalidation sequence.
  void invalidate(std::string_view name, std::uint64_t point, bool hard);

 private:
  static constexpr std::size_t kStripes = 16;
  static constexpr std::size_t kSweepAbove = 4096;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::unordered_map<std::string, std::unique_ptr<Tag>, Hash, std::equal_to<>> tags;
    std::uint64_t dropped_removed = 0;
    std::uint64_t dropped_expired = 0;
    std::size_t sweep_above = kSweepAbove;
  };

  Stripe& stripe(std::string_view name) { return stripes_[Hash{}(name) % kStripes]; }
  static Tag& record(Stripe& stripe, std::string_view name);

  Stripe stripes_[kStripes];
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
