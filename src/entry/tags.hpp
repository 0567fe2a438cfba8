#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "entry/dependency.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Moves a point of the sequence forward only: two invalidations may arrive in either order.
inline void raise(std::atomic<std::uint64_t>& value, std::uint64_t to) {
  std::uint64_t seen = value.load(std::memory_order_relaxed);
  while (seen < to && !value.compare_exchange_weak(seen, to, std::memory_order_acq_rel)) {
  }
}

class TagStripe;

/// A tag is two points of the manager's invalidation sequence. An entry or a load that began before `removed` does not
/// count any more; one that began before `expired` is past its ttl. So invalidating costs the same however many
/// entries carry the tag, and writes made after it are valid whatever the clock says.
struct Tag {
  std::atomic<std::uint64_t> removed{0};
  std::atomic<std::uint64_t> expired{0};
  std::atomic<std::uint32_t> references{0};
  bool idle = false;  ///< on the list of those that nothing refers to; the stripe's mutex guards this and the links
  Tag* older = nullptr;
  Tag* newer = nullptr;
  TagStripe* home = nullptr;
  std::string_view name = {};  ///< the table's

  /// What the record takes, its name and its place in the table included.
  std::size_t weight() const;
  void release() noexcept;
};

/// Counted references to the tags of one entry or load.
class TagSet {
 public:
  TagSet() = default;
  TagSet(const TagSet&) = delete;
  TagSet(TagSet&& other) noexcept : tags_(std::exchange(other.tags_, {})) {}
  TagSet& operator=(TagSet&& other) noexcept {
    std::swap(tags_, other.tags_);
    return *this;
  }
  ~TagSet() {
    for (Tag* tag : tags_) tag->release();
  }

  void reserve(std::size_t tags) { tags_.reserve(tags); }
  /// Takes over a reference that the caller holds; there is room for it.
  void adopt(Tag& counted) noexcept { tags_.push_back(&counted); }

  /// The same tags, counted once more.
  TagSet again() const {
    TagSet more;
    more.tags_ = tags_;
    for (Tag* tag : tags_) tag->references.fetch_add(1, std::memory_order_relaxed);
    return more;
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
  std::size_t size() const { return tags_.size(); }
  bool includes(const TagSet& other) const {
    return std::all_of(other.tags_.begin(), other.tags_.end(),
                       [&](const Tag* tag) { return std::find(tags_.begin(), tags_.end(), tag) != tags_.end(); });
  }
  bool includes(const std::vector<std::string>& names) const {
    return std::all_of(names.begin(), names.end(), [&](const std::string& name) {
      const TagName wanted(name);
      return std::any_of(tags_.begin(), tags_.end(), [&](const Tag* tag) { return tag->name == wanted.view(); });
    });
  }
  /// Appends them.
  void names(std::vector<std::string>& out) const {
    for (const Tag* tag : tags_) out.emplace_back(tag->name);
  }
  std::size_t bytes() const { return tags_.capacity() * sizeof(Tag*); }
  /// Of the records that go when the entry goes, as far as can be seen while it is made: beside it its load refers to
  /// them.
  std::size_t own_bytes() const {
    std::size_t bytes = 0;
    for (const Tag* tag : tags_) bytes += tag->references.load(std::memory_order_relaxed) <= 2 ? tag->weight() : 0;
    return bytes;
  }
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

/// A part of the table with a lock of its own. Thread-safe.
class alignas(64) TagStripe {
 public:
  void charge_to(std::atomic<std::size_t>& charged) { charged_ = &charged; }
  /// With one more reference.
  Tag& find(std::string_view name);
  void invalidate(std::string_view name, std::uint64_t point, bool hard) noexcept;
  /// The last reference goes.
  void release(Tag& tag) noexcept;

 private:
  friend struct Tag;
  /// Of records that nothing refers to; they do not count against the budget.
  static constexpr std::size_t kMostIdle = std::size_t{64} << 10;
  /// So many buckets do not count either.
  static constexpr std::size_t kFreeBuckets = 2048;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Tags = std::unordered_map<std::string, Tag, Hash, std::equal_to<>>;

  Tag& record(std::string_view name) DSTA_REQUIRES(mutex_);
  void charge_buckets() noexcept DSTA_REQUIRES(mutex_);
  void rest(Tag& tag) noexcept DSTA_REQUIRES(mutex_);
  void unlink(Tag& tag) noexcept DSTA_REQUIRES(mutex_);
  void forget(Tag& tag) noexcept DSTA_REQUIRES(mutex_);

  Mutex mutex_;
  std::atomic<std::size_t>* charged_ = nullptr;
  Tags tags_ DSTA_GUARDED_BY(mutex_);
  std::size_t charged_buckets_ DSTA_GUARDED_BY(mutex_) = 0;
  Tag* oldest_idle_ DSTA_GUARDED_BY(mutex_) = nullptr;
  Tag* newest_idle_ DSTA_GUARDED_BY(mutex_) = nullptr;
  std::size_t idle_bytes_ DSTA_GUARDED_BY(mutex_) = 0;
  // The latest points that a forgotten tag had.
  std::uint64_t forgotten_removed_ DSTA_GUARDED_BY(mutex_) = 0;
  std::uint64_t forgotten_expired_ DSTA_GUARDED_BY(mutex_) = 0;
};

/// All tags of a manager by name. Thread-safe. Must outlive every TagSet.
///
/// A tag's record is kept while an entry or a load refers to it, and then counts against the budget. One that nothing
/// refers to is dropped at once, unless it was invalidated: then it rests until many were, and the oldest are
/// forgotten. A tag that is asked for again after that starts from the latest point that any forgotten one had, so no
/// invalidation is forgotten; at worst a load under way is fenced that need not be. Resting is what makes that rare.
class TagTable {
 public:
  /// `charged` is where the bytes are counted that the budget is to pay.
  explicit TagTable(std::atomic<std::size_t>& charged) {
    for (TagStripe& stripe : stripes_) stripe.charge_to(charged);
  }
  TagSet find(const std::vector<std::string>& names) {
    TagSet found;
    found.reserve(names.size());
    for (const auto& tag : names) {
      const TagName name(tag);
      found.adopt(stripe(name.view()).find(name.view()));
    }
    return found;
  }
  /// `point` is a new value of the invalidation sequence.
  void invalidate(std::string_view tag, std::uint64_t point, bool hard) noexcept {
    const TagName name(tag);
    stripe(name.view()).invalidate(name.view(), point, hard);
  }

 private:
  static constexpr std::size_t kStripes = 16;
  // By other bits than those that pick the bucket.
  TagStripe& stripe(std::string_view name) { return stripes_[(std::hash<std::string_view>{}(name) >> 32) % kStripes]; }

  TagStripe stripes_[kStripes];
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
