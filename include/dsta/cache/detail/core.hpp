#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/detail/identity.hpp>
#include <dsta/cache/detail/load.hpp>
#include <dsta/cache/detail/node.hpp>
#include <dsta/cache/detail/probes.hpp>
#include <dsta/cache/log.hpp>
#include <dsta/cache/options.hpp>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

class KeyPattern;

/// The compiled heart of a manager, as the templates of the installed headers see it. Thread-safe.
/// After close() it stores and serves nothing: reads miss and loads run without the cache.
///
/// Every Core is an Engine (src/engine/engine.hpp), which has the state; the calls cast down. So what is behind them
/// may change without this header, and a hit loads no pointer more than it must: a pointer to the state, in each Core,
/// would cost one load that waits for another.
class Core : public Probes {
 public:
  // Reads. The hot path: no lock, and no allocation and no exception but the copier's.
  Freshness read(const KeyView& key, const TypeOps& type, const Identity* reader, NodeRef& out) noexcept;
  /// The same, and counts a hit of `reader`; true only when the entry is fresh.
  bool hit_node(const KeyView& key, const TypeOps& type, Identity& reader, NodeRef& out) noexcept;
  /// Copies the value by `copier` and counts a hit of `reader`; true only when the entry is fresh. Throws
  /// std::bad_alloc if `copier` does.
  bool hit_by(const KeyView& key, const TypeOps& type, Identity& reader, Copier* copier, void* out);
  /// The same for a manual call. `miss` only where no level has a value of this type; all else but `fresh` takes a
  /// closer look. Counts nothing but a hit.
  Freshness hit_manual(const KeyView& key, const TypeOps& type, const EntryOptions& options, Copier* copier, void* out);
  /// The same for a key of 1 to kMaxKeyBytes bytes without prefix and name: it is looked up as the caller's text,
  /// uncopied.
  Freshness hit_text(std::string_view key, const TypeOps& type, const EntryOptions& options, Copier* copier, void* out);

  /// There is an L2.
  bool has_l2() const noexcept;
  /// Which levels a manual call with these options goes to.
  Reach reach(const EntryOptions& options);
  /// Reads all items from L2 at once, as values of one of the `types` (the first that fits), and keeps in L1 what may
  /// be kept there. `dependencies` are read in the same round trip.
  void fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Identity* reader,
             const EntryTerms& terms, std::span<const std::string> dependencies);
  /// The same for manual calls, and counts what was found.
  void fetch(std::span<Fetched> items, std::span<const TypeOps* const> types, const Reach& reach);

  /// A value by cache, by joining a load under way, or by loading. Throws what the loader throws.
  NodeRef load(const KeyView& key, const std::shared_ptr<Loader>& loader, LoadMode mode);
  /// The same for many keys, all different, each by itself: those that nobody loads yet are loaded by one call. Throws
  /// nothing of the loader's: each item has its own outcome.
  void load_batch(std::vector<BatchItem>& items, const std::shared_ptr<BatchLoader>& loader);

  PutOutcome put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags, const Identity* identity);
  /// Many at once, by one round trip. The tags are those of the terms.
  std::vector<PutOutcome> put(std::vector<NodeRef> nodes, const EntryTerms& terms);
  bool erase(const KeyView& key, const Reach& reach = {.l2 = true});
  /// Removes and fences what the pattern concerns; returns how many entries that was.
  std::size_t erase_matching(const std::shared_ptr<const KeyPattern>& pattern);
  /// Invalidates all that the function has stored.
  void clear(Identity& identity);

  Identity& register_function(const std::string& prefix, const std::string& name, const FunctionMark& mark);
  void release_function(Identity& identity) noexcept;
  /// Bit N of `plain`: tags spell the function's argument N plainly.
  void note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain);
  /// Where manual calls under the prefix are counted.
  Identity& manual(std::string_view prefix);
  /// The same for a call that is about to store.
  Identity& manual_writer(std::string_view prefix);

  EntryTerms resolve(const EntryOptions& options) const;
  void preset(const std::string& prefix, const EntryOptions& options);
  void limit_loads(const std::string& prefix, const LoadLimit& limit);
  const ManagerOptions& options() const;

  /// Runs `task` on the executor; false when it is full or the manager closed.
  bool post(std::function<void()> task);
  /// Runs `job` every `interval` on the executor until the returned token dies.
  std::shared_ptr<void> every(Duration interval, std::function<void()> job);
  TimePoint now() const noexcept;
  /// Not after close(): the user's sink may be gone.
  void log(LogLevel level, std::string_view message) const;
  /// Not while a testing::ServerFault is on: work goes on in an outage.
  bool closed() const noexcept;
  /// For tests, without an L2: while it is on, all calls do what they do when no level can be used. What was stored
  /// before is gone. Throws ConfigError when there is an L2.
  void set_fault(bool on);
  /// Keeps this alive, for a value that is handed out. The threads have reference counts of their own for this, since
  /// one that all of them change costs more than the rest of a hit.
  std::shared_ptr<Core> pin() noexcept;

 protected:
  Core() = default;
  ~Core() = default;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
