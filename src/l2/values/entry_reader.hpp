#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "l2/values/found.hpp"
#include "l2/values/server_commands.hpp"
#include "l2/values/version_store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

struct EntryQuery {
  std::string_view name;
  Found found = {};
  bool orders = false;      ///< a refresh that was asked for: it is to be numbered
  std::uint32_t order = 0;  ///< higher than that of every refresh of the entry that was numbered before
  /// Of a lease that the request which reads the entry also takes, if nothing stands there. Empty: it takes none.
  std::string_view lease = {};
  Done taken = {};  ///< what became of it, also where the read did not come through
  bool takes() const { return !lease.empty(); }
};

/// What the request that reads entries does after the reading, in this order.
struct AfterRead {
  std::span<const std::string> needed = {};  ///< versions to be made where they are missing, and kept for `life`
  Duration life{};
  bool wants_clock = false;
  Duration lease_life{};  ///< of the leases that the queries take

  bool made = false;        ///< all of `needed` are in the versions that were read
  std::uint64_t clock = 0;  ///< as VersionStore::clock has it
};

/// Reads entries from the server, with the versions that decide whether they are valid. Thread-safe.
class EntryReader {
 public:
  EntryReader(ServerCommands& commands, VersionStore& versions)
      : commands_(commands), keys_(commands.keys()), versions_(versions) {}

  /// Reads the entries, and into `versions` what is known or read of the versions of `dependencies` and of what the
  /// values found depend on. False: the server did not answer (for all of them).
  /// An entry shows itself that it is the key's; what is no entry does not, so where it may be wanted (`plain`), the
  /// request is verified. With `bypass_memory` remembered versions are not used: the report of a change may be on its
  /// way.
  /// `after` is done in the same round trip. With leases to be taken the request is not sent again where its outcome is
  /// unknown.
  bool read(std::span<EntryQuery> queries, std::span<const std::string> dependencies, Versions& versions,
            bool plain = false, bool bypass_memory = false, AfterRead* after = nullptr);
  /// PTTL; negative as the server says it.
  std::optional<std::int64_t> life_left(std::string_view name);

 private:
  bool fetch(std::span<EntryQuery> queries, std::span<const std::string_view> wanted, std::uint64_t mark,
             Versions& versions, Purpose purpose, AfterRead* after = nullptr, Lane lane = Lane::shared);
  bool note_awaited(std::span<const EntryQuery> queries, const Answer& answer);
  Answer run_apart(const Request& reading, const Request& rest, Purpose purpose, Lane lane);
  bool take_entries(std::span<EntryQuery> queries, std::span<const std::string_view> wanted, Reply& reply,
                    std::uint64_t mark, Versions& versions);
  void add_after(Request& request, std::span<const EntryQuery> queries, const AfterRead& after) const;
  /// `replies`: to that alone.
  void take_after(std::span<EntryQuery> queries, std::span<const Reply> replies, std::uint64_t mark, TimePoint asked,
                  Versions& versions, AfterRead& after, bool in_order);
  void add_count(Request& request, std::string_view name, std::uint32_t by) const;
  void count_above_values(std::span<EntryQuery> queries);
  bool find_lost_versions(std::span<const EntryQuery> queries, Versions& versions);

  ServerCommands& commands_;
  const KeySpace& keys_;
  VersionStore& versions_;
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
