#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "l2/values/seen_versions.hpp"
#include "l2/values/server_commands.hpp"
#include "l2/values/versions.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// The versions of the namespace, of functions and of tags at the server: makes, reads, raises and remembers them.
/// Thread-safe.
class VersionStore {
 public:
  explicit VersionStore(ServerCommands& commands) : commands_(commands), keys_(commands.keys()) {}

  /// True while every change of a version is reported: remembered versions are used then, else they are read with the
  /// value.
  std::function<bool()> are_reported = [] { return false; };

  /// The versions that were seen last, of all of these and the namespace, where the server was asked to keep them until
  /// `until` at least. False: of one there is none.
  bool recall(std::span<const std::string> dependencies, TimePoint until, Versions& versions) const;
  std::optional<Version> recall(std::string_view dependency) const { return memory_->find(dependency); }
  /// The version is the one that the server was asked to keep until then.
  bool is_kept(std::string_view dependency, const Version& version, TimePoint until) const;
  /// What the versions are now, made where they are missing, and kept for at least `life` from now (zero: for ever);
  /// that of the namespace with them unless it is in `versions`. False: not to be had.
  bool need(std::span<const std::string> dependencies, Duration life, Versions& versions);
  /// The last versions seen, asked for only where none was or the server may not keep it for half of `life`.
  bool guess(std::span<const std::string> dependencies, Duration life, Versions& versions);
  /// What loaded values turned out to depend on, seen after their loads.
  struct Late {
    Versions versions;
    std::optional<VersionClock> clock;
  };
  /// For how long the server is to keep a version at least, from now; zero: for ever.
  struct Needed {
    std::string_view dependency;
    Duration life;
  };
  /// What these versions are now, made where they are missing; with the clock where one is to be added. Nothing: not to
  /// be had.
  std::optional<Late> ask_late(std::span<const Needed> needed, bool with_clock);
  /// Adds a value's own of them. False: one that was not known was raised after the clock showed `before`, or it cannot
  /// be known.
  static bool add_late(std::span<const std::string> dependencies, const Late& late, std::uint64_t before,
                       Versions& versions);
  /// Reads the versions that are kept for ever and remembered, so that a server which evicts what was not used for long
  /// keeps them; makes again from their copies what it did evict.
  void keep_alive();
  /// Raises a version and gives notice of it.
  Done raise(std::string_view dependency, bool hard);
  Done raise_epoch() { return raise({}, true); }

  /// The clock by which versions are raised: none that is raised from now on is as low as this. 0: not to be had.
  std::uint64_t clock();
  std::optional<VersionClock> read_clock();

  /// Notices of these versions arrived: they are read again. `heed` is false for a notice that was heeded before, or is
  /// an own one.
  void forget(std::string_view dependency) { memory_->forget(dependency); }
  void forget_all() { memory_->forget_all(); }
  bool heed(std::string_view notice) { return notices_->add(notice); }
  /// In the child of a fork, before anything else: what its parent's threads may have been using is left as it is.
  void forget_parent();

  // For requests of others that read or make versions, too.

  std::string key_of(std::string_view dependency) const;
  /// Taken before such a request.
  std::uint64_t mark() const { return memory_->mark(); }
  /// The reply to a GET of the version's key. False: it is none.
  bool note(std::string_view dependency, const Reply& reply, std::uint64_t mark, Versions& versions,
            TimePoint kept_until = TimePoint{});
  ServerCommands::Call need_call(std::string_view dependency, Duration life) const;
  /// The reply to a need_call() that was made at `asked`.
  bool note_needed(std::string_view dependency, const Reply& reply, std::uint64_t mark, Versions& versions,
                   TimePoint asked, Duration life);

 private:
  /// Those of a script over a version.
  std::vector<std::string> keys_of(std::string_view dependency) const;
  // Where the server runs no scripts: see version_commands.cpp.
  bool need_by_commands(std::span<const Needed> needed, Versions& versions, std::optional<VersionClock>* clock);
  Changes add_notice(Request& request, std::string_view dependency);
  bool looks_for_listener(const Changes& changes) const;
  Done heard(std::string_view dependency, const Answer& raised, bool looked);
  Done raise_by_commands(std::string_view dependency, bool hard);
  /// With `clock`: reads that too, after the versions.
  bool need(std::span<const Needed> needed, Versions& versions, std::optional<VersionClock>* clock);

  /// Of a version that is made when it is raised: longer than any load that is running.
  static constexpr std::chrono::hours kMadeVersionLife{1};

  ServerCommands& commands_;
  const KeySpace& keys_;
  std::unique_ptr<VersionMemory> memory_ = std::make_unique<VersionMemory>();
  std::unique_ptr<NoticeMemory> notices_ = std::make_unique<NoticeMemory>();
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
