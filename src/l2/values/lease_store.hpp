#pragma once
#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/lease_token.hpp"
#include "l2/values/server_commands.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What identifies a load at the server.
struct LoadClaim {
  LeaseToken generation{};
  std::int64_t order = 0;      ///< below that of every value: it replaces a lease only
  std::string_view mark = {};  ///< of what has no generation
};

/// What the holder of a claim does with a lease or value: see kReplaceIf.
enum class EntryAction : std::uint8_t { set, remove, leave, join, keep };

/// Takes leases for loads, stores under them, and gives them back. Thread-safe.
class LeaseStore {
 public:
  explicit LeaseStore(ServerCommands& commands) : commands_(commands), keys_(commands.keys()) {}

  /// A lease in the place of an entry that is not there.
  std::vector<Done> take(std::span<const std::string_view> names, std::span<const std::string> leases, Duration life);
  /// kReplaceIf on whole keys of the server. `no` without a reason: something else stood there.
  struct Replace {
    std::string key;
    LoadClaim claim;
    EntryAction action = EntryAction::set;
    Duration life{};
    std::string bytes = {};
  };
  std::vector<Done> replace(std::span<const Replace> replaces);
  /// Identifies the load that refreshes the value that has this checksum.
  struct RefreshTake {
    std::string name;
    std::uint64_t checksum;
    LeaseToken token;
  };
  std::vector<Done> take_for_refresh(const std::vector<RefreshTake>& takes, Duration life);
  /// A request for the lease of a raw value.
  struct RawTake {
    std::string_view name;
    LeaseToken token{};
    bool join = false;      ///< it is shared with its other holders
    std::string read = {};  ///< what was there: Found::mark(), kAbsent, or empty: whatever is there will do
  };
  static constexpr const char* kAbsent = "absent";
  struct RawTaken {
    /// `token` where it was taken now. Zeros: something else is there than was read. Nothing: not to be had.
    std::optional<LeaseToken> generation = {};
    Done done = {};  ///< where it was not to be had
  };
  std::vector<RawTaken> take_raw(std::span<const RawTake> takes, Duration life);
  /// kRawLease. `life`: of the entry, or for EntryAction::keep of the lease.
  struct RawReplace {
    std::string_view name;
    LoadClaim claim;
    EntryAction action = EntryAction::set;
    Duration life{};
    std::string bytes = {};
    /// Stored only while there is what was there before the load. Else also after that has run out: a value of the
    /// load's own, which nobody but loads like it writes.
    bool exactly = false;
  };
  std::vector<Done> replace_raw(std::span<const RawReplace> replaces);
  /// Gives a lease back by whatever the user may run, where EntryAction::leave may be refused. False: the server did
  /// not answer.
  bool give_back(std::string_view key, const LeaseToken& generation);
  /// Removes what take() has put in an entry's place (`mark`: see mark_of), unless something else stands there by now.
  /// In two steps: what is put there between them goes, too.
  void remove_mark(std::string_view name, std::string_view mark);
  /// What Found::mark() or mark_of() told of stands there still. False also where the server does not say.
  bool has_mark(std::string_view name, std::string_view mark);
  /// False for some time after the user was refused what storing under a lease takes: a load then takes none.
  bool may_lease() const;
  /// Another server took over.
  void forget_server() { no_leases_until_.store(TimePoint{}); }

 private:
  /// By SET NX.
  std::vector<Done> take(const Request& request, std::size_t count);
  template <class Replaces>
  std::vector<Done> run_replaces(const Replaces& replaces, std::vector<ServerCommands::Call>& calls);
  template <class Replaces>
  void run_replaces(const Replaces& replaces, std::vector<ServerCommands::Call>& calls,
                    const std::vector<std::size_t>& places, Lane lane, std::vector<Done>& done);
  /// False: that raw values are loaded could not be marked at the server.
  bool mark_raw();
  void note_refusal(EntryAction action, const Done& done);

  ServerCommands& commands_;
  const KeySpace& keys_;
  std::atomic<TimePoint> no_leases_until_{TimePoint{}};
  std::atomic<TimePoint> raw_marked_until_{TimePoint{}};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
