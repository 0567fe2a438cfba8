#pragma once
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "entry/key_pattern.hpp"
#include "l2/values/found.hpp"
#include "l2/values/server_commands.hpp"
#include "l2/values/version_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// An entry to be removed among others.
struct Erasure {
  std::string_view name;
  bool look;  ///< `before` is asked for
  Done done = {};
  Found before = {};  ///< its head; of a value's payload nothing
};

/// Removes entries by name and by pattern. Thread-safe.
class EntryRemover {
 public:
  EntryRemover(ServerCommands& commands, VersionStore& versions)
      : commands_(commands), keys_(commands.keys()), versions_(versions) {}

  /// Removes an entry; `before` is what it was.
  Done remove(std::string_view name, Found& before);
  Done remove_many(std::span<const std::string_view> names);
  /// Removes all of these by one request, and reads the version of the namespace with it.
  void remove_each(std::span<Erasure> erasures, Versions& versions);
  /// How many bytes of each entry remove_matching shows.
  static constexpr std::size_t kShown = 512;
  struct Removed {
    std::string_view name;
    std::string_view head;  ///< its first kShown bytes; empty when it was no string
  };
  /// SCAN and UNLINK of what the pattern concerns; `visit`, where there is one, is shown what was removed, some at a
  /// time.
  Done remove_matching(const KeyPattern& pattern, const std::function<void(std::span<const Removed>)>& visit);
  /// The same for what matches, is raw or depends on the namespace, and was there before the namespace's version was
  /// raised last: raw values, and the leases of their loads, whenever they came.
  Done remove_old(const KeyPattern& pattern);

 private:
  Done remove_large(std::string_view name, Found& before);
  /// To those that hear only announcements.
  Done announce(const KeyPattern& pattern);
  /// A load of a raw value that ends while SCAN goes by leaves neither its lease nor its entry to be found for sure:
  /// both are looked for once more.
  bool raw_in_use();
  Done remove_old_by_commands(std::span<const ServerCommands::Call> calls, const std::string& epoch);
  Done remove_old_pass(const KeyPattern& pattern, const std::string& epoch);
  using Batch = std::function<Done(std::span<const std::string_view> keys)>;
  /// SCAN over the keys of entries, and of raw leases, that match; `batch` is shown some at a time. Of a cluster, over
  /// all masters. `uploads`: large values on their way to the entries that it concerns are removed as well, as far as
  /// they can be: their writers send them again.
  Done scan(const std::string& match, const Batch& batch, const KeyPattern* uploads = nullptr);
  Done scan_at(const std::shared_ptr<Link>& part, const std::string& match, const Batch& batch,
               const KeyPattern* uploads);
  Done scan_cluster(Cluster& cluster, const std::string& match, const Batch& batch, const KeyPattern* uploads);
  bool moves_slots(Cluster& cluster);
  /// The first `size` bytes of each, as kHeads has them.
  Done heads(std::span<const std::string_view> keys, std::size_t size, std::vector<Reply>& heads);
  /// Takes from `keys` the values that depend on another function.
  Done leave_others(std::string_view function, std::vector<std::string_view>& keys);
  Done leave_others(std::string_view function, std::span<const std::string_view> keys, std::size_t look,
                    std::vector<std::string_view>& meant, std::vector<std::string_view>& unseen);

  ServerCommands& commands_;
  const KeySpace& keys_;
  VersionStore& versions_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
