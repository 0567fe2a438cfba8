#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.hpp"
#include "entry/key_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

enum class PendingKind : std::uint8_t {
  key,
  pattern,    ///< a glob
  rule,       ///< another pattern of keys
  remove,     ///< of a dependency: its entries are gone
  expire,     ///< of a dependency: its entries are past their ttl
  epoch,      ///< everything that depends on the namespace
  flush_all,  ///< and everything else under it
  rest,       ///< what flush_all leaves when the epoch is raised: counters and raw values. It concerns nothing else
};

/// Invalidations that L2 has not confirmed: each stands here until it was applied there. Until then what it concerns
/// is not read from L2. One intent per key, pattern or dependency. Thread-safe.
///
/// Bounded: beyond kMost, or kMostBytes of names, all become one, to invalidate the namespace. (Counters and raw
/// values, which do not depend on it, stay.)
///
/// Some room is kept for when there is no memory: only when that is used up, too, or a name is longer than kSpareName,
/// the namespace is invalidated in place of what was wanted.
class Pending {
 public:
  using Kind = PendingKind;
  struct Intent {
    Kind kind;
    std::string name;
    std::uint64_t number;
    KeyPatternPtr pattern = {};  ///< of `pattern` and `rule`
  };

  static constexpr std::size_t kMost = 32'768;  ///< more than a Journal has
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;
  static constexpr std::size_t kSpares = 16, kSpareName = 512;

  Pending() { refill(); }

  /// `kind` is neither `pattern` nor `rule`.
  void add(Kind kind, std::string_view name = {}) noexcept { add(kind, name, {}); }
  void add(const KeyPatternPtr& pattern) noexcept;
  /// Whether there are any: one load, for the paths that ask all the time.
  bool any() const noexcept { return any_.load(std::memory_order_acquire); }
  std::size_t size() const;
  /// Half of what there is room for is free.
  bool has_room() const;
  /// What has happened so far, to be taken before a read. What was read before an invalidation was confirmed may be
  /// what it was about, although nothing that is asked here afterwards says so any more.
  struct Mark {
    std::uint64_t confirmed = 0;
    std::uint64_t servers = 0;  ///< see new_server()
  };
  Mark mark() const noexcept {
    return {confirmed_.load(std::memory_order_acquire), servers_.load(std::memory_order_acquire)};
  }
  bool confirmed_since(const Mark& mark) const noexcept {
    return confirmed_.load(std::memory_order_acquire) != mark.confirmed;
  }
  /// Another server has taken the place of the one that confirmed others: what is to be repeated there is pending now.
  /// Called before anything is read from it.
  void new_server() noexcept { servers_.fetch_add(1, std::memory_order_acq_rel); }
  bool new_server_since(const Mark& mark) const noexcept {
    return servers_.load(std::memory_order_acquire) != mark.servers;
  }
  /// What stands under the key may be out of date, whatever it is.
  bool concerns_key(std::string_view name) const;
  /// A value without an envelope (raw, counter) may be out of date: `rest` is pending. Entries are checked by their
  /// epoch.
  bool concerns_plain() const;
  bool concerns_dependency(std::string_view name) const;

  /// All of them, to be applied.
  std::vector<Intent> all() const;
  /// It was applied. Stays if it was added again since all() returned it.
  void confirm(const Intent& intent);

 private:
  struct Held {
    std::uint64_t number;
    KeyPatternPtr pattern;
  };
  using Id = std::pair<Kind, std::string>;
  /// An Id that needs no memory, to look for.
  using IdView = std::pair<Kind, std::string_view>;
  struct Before {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
      return IdView(a.first, a.second) < IdView(b.first, b.second);
    }
  };
  using Intents = std::map<Id, Held, Before>;

  void add(Kind kind, std::string_view name, KeyPatternPtr pattern) noexcept;
  /// Null: no memory, nor room.
  Held* add_one(Kind kind, std::string_view name) noexcept DSTA_REQUIRES(mutex_);
  void add_unnamed() noexcept DSTA_REQUIRES(mutex_) { unnamed_ = ++added_; }
  void make_room() noexcept DSTA_REQUIRES(mutex_);
  void refill() noexcept DSTA_REQUIRES(mutex_);
  bool has(Kind kind, std::string_view name) const DSTA_REQUIRES(mutex_) {
    return intents_.contains(IdView(kind, name));
  }

  mutable Mutex mutex_;
  Intents intents_ DSTA_GUARDED_BY(mutex_);
  /// Each with room for a name of kSpareName bytes.
  std::vector<Intents::node_type> spares_ DSTA_GUARDED_BY(mutex_);
  std::size_t bytes_ DSTA_GUARDED_BY(mutex_) = 0;  ///< of names
  std::uint64_t added_ DSTA_GUARDED_BY(mutex_) = 0;
  /// Not 0: there was no memory for an intent of its own, and the namespace is to be invalidated in its place.
  std::uint64_t unnamed_ DSTA_GUARDED_BY(mutex_) = 0;
  std::atomic<bool> any_{false};
  std::atomic<std::uint64_t> confirmed_{0}, servers_{0};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
