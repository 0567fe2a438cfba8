#include <utility>
#include <vector>

#include "l1/shard.hpp"
#include "l1/store.hpp"
#include "l1/unlinked.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Watches a shard for entries under new keys, from `begin` on until `stop` or its end. One thread.
class Watch {
 public:
  explicit Watch(Shard& shard) : shard_(shard) {}
  ~Watch() {
    const SpinGuard lock(shard_.lock);
    stop();
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  /// Under the shard's lock, as is `stop`.
  void begin() {
    shard_.lock.assert_held();
    shard_.watchers.push_back(&watcher_);
  }
  void stop() noexcept {
    shard_.lock.assert_held();
    std::erase(shard_.watchers, &watcher_);
  }
  Watcher& seen() { return watcher_; }

 private:
  Shard& shard_;
  Watcher watcher_;
};

/// Removes the entries that are meant from one shard after the other, and fences the loads that are. One thread.
///
/// Matching takes long, so it is done without the lock, on a copy of what a shard holds:
///  1. under the lock: take a reference to each entry, and begin to watch for new keys;
///  2. without it: match;
///  3. under it: match the entries under new keys, fence the flights that are meant, remove.
/// A load that lands between 1 and 3 puts its value in the place of an entry of the copy, or under a new key: step 3
/// removes by key, and looks at the new ones. A load that lands after 3 is fenced. So nothing older is left behind.
class MatchingRemoval {
 public:
  MatchingRemoval(const std::function<bool(const Store::Known&)>& is_meant, TimePoint now)
      : is_meant_(is_meant), now_(now) {}

  void run(Shard& home) {
    found_.clear();
    Watch watch(home);
    copy(home, watch);
    std::erase_if(found_, [&](const NodeRef& node) { return !entry_is_meant(*node); });
    Unlinked dead(home);
    const SpinGuard lock(home.lock);
    watch.stop();
    add_new(watch.seen());
    home.flights.each([&](const std::shared_ptr<Flight>& flight) {
      bool& fenced = flight->state.fenced;
      fenced = fenced || is_meant_({flight->name, flight->full, flight->identity, true});
    });
    if (watch.seen().missed()) {
      remove_all(home, dead);
    } else {
      remove_found(home, dead);
    }
  }

  /// How many of the removed entries counted, and how many of those were not at L2.
  std::size_t erased() const { return erased_; }
  std::size_t local() const { return local_; }

 private:
  bool entry_is_meant(const Node& node) const {
    return is_meant_({node.name(), node.full(), node.identity, node.shared});
  }

  void copy(Shard& home, Watch& watch) {
    const SpinGuard lock(home.lock);
    found_.reserve(home.table.size());
    home.table.each([&](Node& node) { found_.push_back(NodeRef::to(node)); });
    watch.begin();
  }
  void add_new(Watcher& seen) {
    found_.reserve(found_.size() + seen.added().size());
    for (NodeRef& node : seen.added()) {
      if (entry_is_meant(*node)) found_.push_back(std::move(node));
    }
  }
  void remove_found(Shard& home, Unlinked& dead) DSTA_REQUIRES(home.lock) {
    for (const NodeRef& node : found_) {
      // Or what replaced it meanwhile: a counter that counted on holds what was to be removed.
      // Not by name: two entries may have one.
      Node* held = home.find({node->name(), node->full(), node->hash, false});
      if (held) remove(home, held, dead);
    }
  }
  void remove_all(Shard& home, Unlinked& dead) DSTA_REQUIRES(home.lock) {
    home.table.each([&](Node& node) {
      home.lock.assert_held();
      if (entry_is_meant(node)) remove(home, &node, dead);
    });
  }
  void remove(Shard& home, Node* held, Unlinked& dead) DSTA_REQUIRES(home.lock) {
    if (evaluate(*held, nullptr, now_) != Freshness::miss) {
      ++erased_;
      if (!held->shared) ++local_;
    }
    home.remove(held, dead);
  }

  const std::function<bool(const Store::Known&)>& is_meant_;
  const TimePoint now_;
  std::vector<NodeRef> found_;
  std::size_t erased_ = 0, local_ = 0;
};

}  // namespace

std::size_t Store::erase_matching(const std::function<bool(const Known&)>& is_meant, TimePoint now,
                                  std::size_t* local) {
  MatchingRemoval removal(is_meant, now);
  for (Shard& home : shards()) removal.run(home);
  if (local) *local += removal.local();
  return removal.erased();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
