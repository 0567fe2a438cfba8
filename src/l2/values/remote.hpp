#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <dsta/cache/clock.hpp>

#include "entry/key_pattern.hpp"
#include "l2/client/link.hpp"
#include "l2/values/envelope.hpp"
#include "l2/values/keyspace.hpp"
#include "l2/values/scripts.hpp"
#include "l2/values/server_clock.hpp"
#include "l2/values/versions.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a command came to. `unknown`: the server may have executed it.
struct Done {
  enum Status : std::uint8_t {
    yes,
    no,
    overtaken,  ///< by a load that began later and has stored already
    unknown,
  };
  Status status = no;
  std::string_view why = {};  ///< lives as long as the process; empty for `yes`
  SendOrder order = {};       ///< of the request that did it, where that was asked for: by put()
  bool refused = false;       ///< the server answered with an error
  bool forbidden = false;     ///< and that says that the user may not, or that there is no such command
  explicit operator bool() const { return status == yes; }
  /// It is done, or what it was about is not there: not refused, and not unknown.
  bool executed() const { return status != unknown && why.empty(); }
  /// The server has answered, whatever it was.
  bool answered() const { return executed() || refused; }
};

/// What is stored under a key.
struct Found {
  enum class Kind : std::uint8_t {
    nothing,
    value,  ///< `view`; whether it is valid is for `versions` and the clock to say
    lease,  ///< a load is running: `lease`
    other,  ///< bytes that are no entry of this key: `decode_error`
  };
  Found() = default;
  Found(Found&&) = default;  // the view's bytes are on the heap and stay where they are
  Found& operator=(Found&&) = default;

  Kind kind = Kind::nothing;
  std::string bytes;
  EnvelopeView view;
  LeaseView lease;
  DecodeError decode_error{};
  bool of_other_type = false;  ///< a list, a set…: nothing can be compared with it

  /// What kReplaceIf takes to recognise it again.
  std::string mark() const;
};

/// Versions by dependency, as one operation sees them; the epoch's name is "".
class Versions {
 public:
  /// Null: not looked at yet. An empty one: looked at, and it is missing.
  const std::optional<Version>* find(std::string_view name) const;
  /// Null: not looked at yet, or missing.
  const Version* there(std::string_view name) const;
  void add(std::string_view name, std::optional<Version> version);
  /// What an entry or a lease notes of it; 0, which never counts, when it is missing.
  std::uint64_t to_note(std::string_view name) const;

 private:
  std::map<std::string, std::optional<Version>, std::less<>> known_;
};

/// What identifies a load at the server.
struct LoadClaim {
  LeaseToken generation{};
  std::uint32_t order = 0;
  std::string_view mark = {};  ///< of what has no generation
};

struct RemoteQuery {
  std::string_view name;
  Found found = {};
  bool orders = false;      ///< a refresh that was asked for: it is to be numbered
  std::uint32_t order = 0;  ///< higher than that of every refresh of the entry that was numbered before
  /// Of a lease that the request which reads the entry also takes, if nothing stands there. Empty: it takes none.
  std::string_view lease = {};
  Done taken = {};  ///< what became of it, also where the read did not come through
  bool takes() const { return !lease.empty(); }
};

/// What the request that reads entries does behind the reading, in this order. See Remote::read.
struct Behind {
  std::span<const std::string> needed = {};  ///< versions to be made where they are missing, and kept for `life`
  Duration life{};
  bool wants_clock = false;
  Duration lease_life{};  ///< of the leases that the queries take

  bool made = false;        ///< all of `needed` are in the versions that were read
  std::uint64_t clock = 0;  ///< as version_clock() has it
};

/// What the holder of a claim does with a lease or value: see kReplaceIf.
enum class EntryAction : std::uint8_t { set, remove, leave, join, keep };

/// An entry to be removed among others.
struct Erasure {
  std::string_view name;
  bool look;  ///< `before` is asked for
  Done done = {};
  Found before = {};  ///< its head; of a value's payload nothing
};

/// L2 on one server, in bytes: entries, leases, versions, counters. It knows nothing of values' types nor of L1.
/// Thread-safe. Throws std::bad_alloc, and nothing for what the server or the network does.
class Remote {
 public:
  struct Options {
    LinkOptions link;
    std::string space;
    std::shared_ptr<Clock> clock;
    /// Counts and logs: the operation, and the server's error code or the fault.
    std::function<void(std::string_view operation, std::string_view kind)> failed;
  };
  explicit Remote(Options options);

  Link& link() { return link_; }
  const KeySpace& keys() const { return keys_; }
  const ServerClock& clock() const { return clock_; }
  VersionMemory& versions() { return *memory_; }
  NoticeMemory& notices() { return *notices_; }
  /// In the child of a fork, before anything else: what its parent's threads may have been using is left as it is.
  void forget_parent();

  /// True while every change of a version is reported: remembered versions are used then, else they are read with the
  /// value.
  std::function<bool()> versions_are_reported = [] { return false; };

  /// Reads the entries, and into `versions` what is known or read of the versions of `dependencies` and of what the
  /// values found depend on. False: the server did not answer (for all of them).
  /// An entry shows itself that it is the key's; what is no entry does not, so where it may be wanted (`plain`), the
  /// request is verified. With `bypass_memory` remembered versions are not used: the report of a change may be on its
  /// way.
  /// `behind` is done in the same round trip. With leases to be taken the request is not sent again where its outcome
  /// is unknown.
  bool read(std::span<RemoteQuery> queries, std::span<const std::string> dependencies, Versions& versions,
            bool plain = false, bool bypass_memory = false, Behind* behind = nullptr);
  /// The versions that were seen last, of all of these and the namespace, where the server was asked to keep them until
  /// `until` at least. False: of one there is none.
  bool recall_versions(std::span<const std::string> dependencies, TimePoint until, Versions& versions) const;
  /// The version is the one that the server was asked to keep until then.
  bool is_kept(std::string_view dependency, const Version& version, TimePoint until) const;
  /// What the versions are now, made where they are missing, and kept for at least `life` from now (zero: for ever);
  /// that of the namespace with them unless it is in `versions`. False: not to be had.
  bool need_versions(std::span<const std::string> dependencies, Duration life, Versions& versions);
  /// The clock by which versions are raised: none that is raised from now on is as low as this. 0: not to be had.
  std::uint64_t version_clock();
  std::optional<VersionClock> read_clock();
  /// Adds the versions of what a value turned out to depend on, and has all of them kept for `life`. False: one that
  /// was not known was raised after the clock showed `before`, or it cannot be known.
  bool late_versions(std::span<const std::string> dependencies, Duration life, std::uint64_t before,
                     Versions& versions);
  /// Reads the versions that are kept for ever and remembered, so that a server which evicts what was not used for long
  /// keeps them; makes again from their copies what it did evict.
  void keep_versions();
  /// The last versions seen, asked for only where none was or the server may not keep it for half of `life`.
  bool guess_versions(std::span<const std::string> dependencies, Duration life, Versions& versions);

  /// `life`: physical, zero for ever.
  struct Put {
    std::string_view name;
    std::string bytes;
    Duration life{};
  };
  /// Stores all of them; `versions`, where given, are then those that `dependencies` had behind the writes.
  std::vector<Done> put(std::span<const Put> puts, std::span<const std::string> dependencies, Versions* versions);

  /// A lease in the place of an entry that is not there.
  std::vector<Done> take_leases(std::span<const std::string_view> names, std::span<const std::string> leases,
                                Duration life);
  /// kReplaceIf on whole keys of the server. `no` without a reason: something else stood there.
  using Action = EntryAction;
  struct Replace {
    std::string key;
    LoadClaim claim;
    Action action = Action::set;
    Duration life{};
    std::string bytes = {};
  };
  std::vector<Done> replace(std::span<const Replace> replaces);
  /// Identifies the load that refreshes.
  struct RefreshTake {
    std::string name;
    LeaseToken token;
  };
  std::vector<Done> take_refresh_leases(const std::vector<RefreshTake>& takes, Duration life);
  /// A request for the lease of a raw value.
  struct RawTake {
    std::string_view name;
    LeaseToken token{};
    bool join = false;    ///< it is shared with its other holders
    bool absent = false;  ///< there was no entry when it was read
  };
  /// The leases' generations: `token` where it was taken now. Zeros: an `absent` entry is there. Nothing: not to be
  /// had.
  std::vector<std::optional<LeaseToken>> take_raw_leases(std::span<const RawTake> takes, Duration life);
  /// kRawLease. `life`: of the entry, or for Action::keep of the lease.
  struct RawReplace {
    std::string_view name;
    LoadClaim claim;
    Action action = Action::set;
    Duration life{};
    std::string bytes = {};
  };
  std::vector<Done> replace_raw(std::span<const RawReplace> replaces);
  /// Gives a lease back by whatever the user may run, where Action::leave may be refused. False: the server did not
  /// answer.
  bool give_back(std::string_view key, const LeaseToken& generation);
  /// False for some time after the user was refused what storing under a lease takes: a load then takes none.
  bool may_lease() const;

  /// Removes an entry; `before` is what it was.
  Done remove(std::string_view name, Found& before);
  Done remove_many(std::span<const std::string_view> names);
  /// Removes all of these by one request, and reads the version of the namespace with it. See remote_erase.cpp.
  void remove_each(std::span<Erasure> erasures, Versions& versions);
  /// SCAN and UNLINK of what the pattern concerns; `visit`, where there is one, is shown what was removed, some at a
  /// time.
  struct Removed {
    std::string_view name;
    std::string_view head;  ///< its first kShown bytes; empty when it was no string
  };
  Done remove_matching(const KeyPattern& pattern, const std::function<void(std::span<const Removed>)>& visit);
  /// The same for what matches, is raw or depends on the namespace, and was there before the namespace's version was
  /// raised last: raw values, and the leases of their loads, whenever they came.
  Done remove_old(const KeyPattern& pattern);
  /// Raises a version and gives notice of it.
  Done raise(std::string_view dependency, bool hard);
  Done raise_epoch() { return raise({}, true); }

  struct Counted {
    Done done;
    std::int64_t value = 0;
    enum class Refused : std::uint8_t { no, no_integer, other_type, overflow } refused = Refused::no;
  };
  /// INCRBY; `life` zero: for ever, else it begins when the counter is made.
  Counted increment(std::string_view name, std::int64_t by, Duration life);
  Done put_raw(std::string_view name, std::string_view bytes, Duration life);
  /// PTTL; negative as the server says it.
  std::optional<std::int64_t> life_left(std::string_view name);

  /// How many bytes of each entry remove_matching shows.
  static constexpr std::size_t kShown = 512;

 private:
  std::string version_key(std::string_view dependency) const;
  /// Those of a script over a version.
  std::vector<std::string> version_keys(std::string_view dependency) const;
  std::string own_time() const;
  /// A load of a raw value that settles while SCAN goes by leaves neither its lease nor its entry to be found for sure:
  /// both are looked for once more.
  bool raw_in_use();
  /// False: that raw values are loaded could not be marked at the server.
  bool mark_raw();
  Done remove_old_pass(const KeyPattern& pattern, const std::string& epoch);
  /// SCAN over the keys of entries, and of raw leases, that match; `batch` is shown some at a time.
  Done scan(const std::string& match, const std::function<Done(std::span<const std::string_view> keys)>& batch);
  /// The first `size` bytes of each, as kHeads has them.
  Done heads(std::span<const std::string_view> keys, std::size_t size, std::vector<Reply>& heads);
  /// Takes from `keys` the values that depend on another function.
  Done leave_others(std::string_view function, std::vector<std::string_view>& keys);
  Done leave_others(std::string_view function, std::span<const std::string_view> keys, std::size_t look,
                    std::vector<std::string_view>& meant, std::vector<std::string_view>& unseen);
  Answer run(std::string_view operation, const Request& request, Purpose purpose);
  /// Runs calls of scripts; those that the server has not seen yet once more, with their text, and the plain commands
  /// once more behind them.
  struct Call {
    const Script* script;  ///< null: a plain command, which may be run twice; its words are `keys`
    std::vector<std::string> keys;
    std::vector<std::string> arguments;
  };
  static void add_to(Request& request, const Call& call, bool whole);
  Answer run_calls(std::string_view operation, std::span<const Call> calls, Purpose purpose);
  template <class Replaces>
  std::vector<Done> run_replaces(const Replaces& replaces, std::span<const Call> calls);
  void know_time();
  bool fetch(std::span<RemoteQuery> queries, std::span<const std::string_view> wanted, std::uint64_t mark,
             Versions& versions, Purpose purpose, Behind* behind = nullptr);
  void add_behind(Request& request, std::span<const RemoteQuery> queries, const Behind& behind) const;
  /// `replies`: to that alone.
  void take_behind(std::span<RemoteQuery> queries, std::span<const Reply> replies, std::uint64_t mark, TimePoint asked,
                   Versions& versions, Behind& behind);
  void add_count(Request& request, std::string_view name, std::uint32_t by) const;
  void count_above_values(std::span<RemoteQuery> queries);
  bool find_lost_versions(std::span<const RemoteQuery> queries, Versions& versions);
  /// `key`: the entry's, as the server has it.
  static void take_found(std::string_view key, Reply& reply, Found& found);
  bool note_version(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions,
                    TimePoint kept_until = TimePoint{});
  /// With `clock`: reads that too, behind the versions.
  bool need(std::span<const std::string> dependencies, Duration life, Versions& versions, bool with_epoch,
            std::optional<VersionClock>* clock);
  Call need_call(std::string_view name, Duration life) const;
  bool note_needed(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions, TimePoint asked,
                   Duration life);
  void note_refusal(Action action, const Done& done);
  static bool is_refused(const Reply& reply, std::string_view command);
  static Done to_done(const Answer& answer);
  static Done not_to_be_had();
  /// Of kReplaceIf and kRawLease.
  std::vector<Done> to_done(std::string_view operation, const Answer& answer, std::size_t count);
  std::vector<Done> take(std::string_view operation, const Request& request, std::size_t count);
  Done refused(std::string_view operation, const Reply& reply);

  bool take_entries(std::span<RemoteQuery> queries, std::span<const std::string_view> wanted, Reply& reply,
                    std::uint64_t mark, Versions& versions);

  const Options options_;
  const KeySpace keys_;
  Link link_;
  ServerClock clock_;
  std::unique_ptr<VersionMemory> memory_ = std::make_unique<VersionMemory>();
  std::unique_ptr<NoticeMemory> notices_ = std::make_unique<NoticeMemory>();
  /// The user may not call scripts by name: they are sent with their texts.
  std::atomic<bool> whole_scripts_{false};
  std::atomic<TimePoint> no_leases_until_{TimePoint{}};
  std::atomic<TimePoint> raw_marked_until_{TimePoint{}};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
