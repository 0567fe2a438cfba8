#pragma once
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

#include "envelope.hpp"
#include "keyspace.hpp"
#include "link.hpp"
#include "scripts.hpp"
#include "server_clock.hpp"
#include "versions.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What a command came to. `unknown`: the server may have executed it.
struct Done {
  enum Status : std::uint8_t { yes, no, unknown };
  Status status = no;
  std::string_view why = {};  ///< a literal; empty for `yes`
  SendOrder order = {};       ///< of the request that did it, where that was asked for: by put()
  explicit operator bool() const { return status == yes; }
};

/// What stands under a key.
struct Found {
  enum class Kind : std::uint8_t {
    nothing,
    value,  ///< `view`; whether it counts is for `versions` and the clock to say
    lease,  ///< somebody loads it: `token`
    other,  ///< bytes that are no entry of this key: `refusal`
  };
  Found() = default;
  Found(Found&&) = default;  // the view's bytes are on the heap and stay where they are
  Found& operator=(Found&&) = default;

  Kind kind = Kind::nothing;
  std::string bytes;
  EnvelopeView view;
  LeaseToken token{};
  Refusal refusal{};
  bool of_other_type = false;  ///< a list, a set…: nothing can be compared with it

  /// What kReplaceIf takes to recognise it again.
  std::string_view mark() const;
};

/// Versions by dependency, as one operation sees them; the epoch's name is "".
class Versions {
 public:
  /// Null: not looked at yet. An empty one: looked at, and it is missing.
  const std::optional<Version>* find(std::string_view name) const;
  void add(std::string_view name, std::optional<Version> version);

 private:
  std::map<std::string, std::optional<Version>, std::less<>> known_;
};

struct RemoteQuery {
  std::string_view name;
  Found found = {};
};

/// The shared level on one server, in bytes: entries, leases, versions, counters. It knows nothing of values' types nor
/// of the in-process level. Thread-safe. Throws nothing for what the server or the network does.
class Remote {
 public:
  struct Options {
    LinkOptions link;
    std::string space;
    std::shared_ptr<Clock> clock;
    /// Counts and logs: what was asked for, and the server's error code or the fault.
    std::function<void(std::string_view operation, std::string_view kind)> failed;
  };
  explicit Remote(Options options);

  Link& link() { return link_; }
  const KeySpace& keys() const { return keys_; }
  const ServerClock& clock() const { return clock_; }
  /// The server's clock, asked now.
  std::optional<std::int64_t> server_time();
  VersionMemory& versions() { return *memory_; }
  NoticeMemory& notices() { return *notices_; }
  /// In the child of a fork, before anything else: what its parent's threads may have been at is left as it is.
  void forget_parent();

  /// Remembered versions are the truth as long as this says so; else they are read with the value.
  std::function<bool()> versions_are_told = [] { return false; };

  /// Reads the entries, and into `versions` what is known or read of the versions of `dependencies` and of what the
  /// values found depend on. False: the server did not answer (for all of them).
  /// An entry shows itself that it is the key's; what is no entry does not, so where it may be wanted (`plain`), the
  /// request is verified. With `anew` nothing remembered will do: word of a change may be on its way.
  bool read(std::span<RemoteQuery> queries, std::span<const std::string> dependencies, Versions& versions,
            bool plain = false, bool anew = false);
  /// What the versions are now, made where they are missing, and kept for at least `life` from now (zero: for ever).
  /// `as_of`: the version of what was missing, by the server's clock; 0: its time now. False: not to be had.
  bool need_versions(std::span<const std::string> dependencies, Duration life, Versions& versions,
                     std::int64_t as_of = 0);
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
  std::vector<Done> take_leases(std::span<const std::string_view> names, std::span<const LeaseToken> tokens,
                                Duration life);
  /// kReplaceIf on whole keys of the server. `no` without a reason: something else stood there.
  enum class Action : std::uint8_t { set, drop, keep };
  struct Replace {
    std::string key;
    std::string_view if_mark;
    Action action = Action::set;
    Duration life{};
    std::string bytes = {};
  };
  std::vector<Done> replace(std::span<const Replace> replaces);
  /// Whoever loads or refreshes is told by this one.
  bool take_refresh_lease(std::string_view name, const LeaseToken& token, Duration life);

  /// Removes an entry; `before` is what it was.
  Done remove(std::string_view name, Found& before);
  Done remove_many(std::span<const std::string_view> names);
  /// SCAN and UNLINK of what matches the glob over joined keys; `visit` is shown what was removed, some at a time.
  struct Removed {
    std::string_view name;
    std::string_view head;  ///< its first kShown bytes; empty when it was no string
  };
  Done remove_matching(std::string_view pattern, const std::function<void(std::span<const Removed>)>& visit);
  /// The same for everything in the namespace that was there before its version was raised last.
  Done remove_old();
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
  /// SCAN over the keys of entries that match; `batch` is shown some at a time.
  Done scan(std::string_view pattern, const std::function<Done(std::span<const std::string_view> keys)>& batch);
  Answer run(std::string_view operation, const Request& request, Purpose purpose);
  /// Runs calls of scripts; those that the server has not seen yet once more, with their text.
  struct Call {
    const Script* script;
    std::string key;
    std::vector<std::string> arguments;
  };
  Answer run_calls(std::string_view operation, std::span<const Call> calls, Purpose purpose);
  void know_time();
  bool fetch(std::span<RemoteQuery> queries, const std::set<std::string, std::less<>>& wanted, std::uint64_t mark,
             Versions& versions, Purpose purpose);
  Found to_found(std::string_view name, Reply& reply) const;
  bool note_version(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions,
                    TimePoint kept_until = TimePoint{});
  static Done to_done(const Answer& answer);
  Done refused(std::string_view operation, const Reply& reply);

  const Options options_;
  const KeySpace keys_;
  Link link_;
  ServerClock clock_;
  std::unique_ptr<VersionMemory> memory_ = std::make_unique<VersionMemory>();
  std::unique_ptr<NoticeMemory> notices_ = std::make_unique<NoticeMemory>();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
