#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <dsta/cache/clock.hpp>

#include "l2/topology/servers.hpp"
#include "l2/values/announcer.hpp"
#include "l2/values/done.hpp"
#include "l2/values/ended_connections.hpp"
#include "l2/values/keyspace.hpp"
#include "l2/values/large_keys.hpp"
#include "l2/values/missing_commands.hpp"
#include "l2/values/scripts.hpp"
#include "l2/values/server_clock.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What every operation at the server goes through: it sends commands and calls of scripts, keeps the server's clock
/// known, and says what the answers come to. Thread-safe. Throws std::bad_alloc, and nothing for what the server or the
/// network does.
class ServerCommands {
 public:
  struct Options {
    LinkOptions link;
    std::optional<Cluster::Options> cluster = {};  ///< the keys are those of a cluster; `link` is to whatever node
    std::string space;
    CoherenceMode coherence = CoherenceMode::automatic;  ///< as asked for
    std::shared_ptr<Clock> clock;
    /// Counts and logs: the operation, and the server's error code or the fault.
    std::function<void(std::string_view operation, std::string_view kind)> failed;
  };
  explicit ServerCommands(Options options);

  Servers& servers() { return servers_; }
  const KeySpace& keys() const { return keys_; }
  const ServerClock& clock() const { return clock_; }
  Announcer& announcer() { return announcer_; }
  /// To be announced behind a request that is about to be made. What is to be known of the server is asked for before:
  /// also the first change of a process is heard by those who listen.
  Changes changes() {
    if (clock_.due()) know_time();
    return Changes(announcer_);
  }
  MissingCommands& missing() { return missing_; }
  LargeKeys& large_keys() { return large_keys_; }
  /// Large values are uploaded apart: there are connections for them, and the server renames, as far as is known.
  bool uploads() const;
  static constexpr std::string_view kRenameCommand = "RENAME", kLifeCommands = "PEXPIRE or PERSIST";
  /// `command`: one of these two.
  void uploads_refused(std::string_view command, std::string_view why);
  /// A large value was put in its place.
  void uploads_allowed();
  /// Its reply was seen to be large: it may be repeated on a connection for large values.
  bool repeats_beside(const Answer& failed) const {
    return failed.saw_large() && servers_.options().retry && failed.fault != Fault::timeout;
  }
  EndedConnections& ended() { return ended_; }
  /// What the server lacks and what that costs, or nothing.
  std::string missing_text();
  /// The server runs scripts, as far as is known. Where it does not, that is asked again with its time.
  bool has_scripts() const { return has_scripts_.load(std::memory_order_relaxed) && !ended_.by(EndingCommand::eval); }
  /// The reply to a script that was sent with its text, or by name to a server that knows no names.
  void note_script_reply(const Reply& reply);
  Duration operation_timeout() const { return options_.link.operation_timeout; }
  /// The server's time as this process knows it, for scripts whose server may not run TIME.
  std::string own_time() const;
  /// In the child of a fork.
  void forget_parent() {
    clock_.forked();
    announcer_.forked();
    missing_.forked();
    ended_.forked();
  }
  /// Another server took over: it may offer what the former did not.
  void forget_server();

  Answer run(std::string_view operation, const Request& request, Purpose purpose, Lane lane = Lane::shared);
  /// At one of Servers::parts().
  Answer run_at(const std::shared_ptr<Link>& part, std::string_view operation, const Request& request, Purpose purpose);
  /// The same, and behind it the announcement of what it changes, whose reply is taken away. If only that was refused,
  /// for now, the outcome is unknown: others must hear of the change once more.
  Answer run(std::string_view operation, Request& request, Purpose purpose, const Changes& changes);
  /// Null as script: a plain command, which may be run twice; its words are `keys`.
  struct Call {
    const Script* script;
    std::vector<std::string> keys;
    std::vector<std::string> arguments;
  };
  /// Runs calls of scripts; those that the server has not seen yet once more, with their text, and the plain commands
  /// after them once more, too.
  Answer run_calls(std::string_view operation, std::span<const Call> calls, Purpose purpose, Lane lane = Lane::shared);
  Answer run_calls(std::string_view operation, std::vector<Call>& calls, Purpose purpose, const Changes& changes,
                   Lane lane = Lane::shared);
  /// As run_calls sends it first.
  void add(Request& request, const Call& call) const { add(request, call, sends_whole_scripts()); }
  /// The user may not call scripts by name: they are sent with their texts.
  bool sends_whole_scripts() const {
    return whole_scripts_.load(std::memory_order_relaxed) || ended_.by(EndingCommand::evalsha);
  }
  /// The reply to a script that was called by name says that it must be sent with its text.
  static bool wants_text(const Reply& reply);

  /// What an answer that is none, or a reply that is an error, comes to. The second counts and logs it.
  static Done to_done(const Answer& answer);
  Done refused(std::string_view operation, const Reply& reply);
  /// What this thread's last request came to: it was not answered, or not as it must be.
  static Done not_to_be_had();

 private:
  static void add(Request& request, const Call& call, bool whole);
  void know_time();
  void learn_time(const Answer& answer, TimePoint asked, std::uint64_t source);
  void note_failure(std::string_view operation, const Request& request, const Answer& answer);
  void note_announced(Answer& answer, const Changes& changes);
  void take_announced(Answer& answer, const Changes& changes);

  const Options options_;
  const KeySpace keys_;
  Servers servers_;
  ServerClock clock_;
  Announcer announcer_;
  MissingCommands missing_;
  EndedConnections ended_;
  LargeKeys large_keys_;
  std::atomic<TimePoint> no_uploads_until_{TimePoint{}};
  std::atomic<std::uint64_t> home_{1};      ///< in a cluster: counts the servers whose time was the fleet's
  std::atomic<bool> has_scripts_{true};     ///< false: EVAL was refused
  std::atomic<bool> whole_scripts_{false};  ///< EVALSHA was refused
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
