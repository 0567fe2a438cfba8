#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "l2/topology/servers.hpp"
#include "l2/values/announcer.hpp"
#include "l2/values/keyspace.hpp"
#include "l2/values/missing_commands.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Commands over which a proxy may end the connection instead of refusing them, and which are then done without.
enum class EndingCommand : std::uint8_t { eval, evalsha, getrange, multi, scan, rename };
constexpr std::size_t kEndingCommands = 6;

/// Some proxies do not refuse a command that they do not know, but end the connection over it. This counts the
/// connections that ended with a request of such a command, finds out by probes which command it was, and asks again
/// later: the proxy, or what it is allowed, may be another one by then. Probes have a connection of their own, and one
/// thread makes them. Thread-safe.
class EndedConnections {
 public:
  EndedConnections(Servers& servers, const KeySpace& keys, Announcer& announcer, MissingCommands& missing)
      : servers_(servers), keys_(keys), announcer_(announcer), missing_(missing) {}

  /// The command is known to end the connection: it must not be sent.
  bool by(EndingCommand which) const { return ends_[index(which)].load(std::memory_order_relaxed); }
  bool by_time() const { return time_ends_.load(std::memory_order_relaxed); }
  /// True: it was known to, and does not any more. For what is waited for; asks at most every two seconds.
  bool no_more_by(EndingCommand which);

  /// The connection ended over the request, or over what others sent.
  void note(const Request& request);
  /// The same for one with the announcement of `changes`, and that such a one was answered.
  void note_announcing(const Changes& changes);
  void announced() { lost_announcing_.store(0, std::memory_order_relaxed); }
  /// The same for the question for the server's time.
  void note_asking() { lost_asking_.fetch_add(1, std::memory_order_relaxed); }
  void asked() { lost_asking_.store(0, std::memory_order_relaxed); }

  /// Before the server's time is asked for: probes what may end that connection, or asks again what did. False: it
  /// must not be asked for now.
  bool look();

  /// Another server took over.
  void forget_server();
  /// In the child of a fork: the thread that probed is not there.
  void forked() { probing_ = false; }

 private:
  using SteadyTime = std::chrono::steady_clock::time_point;
  static constexpr std::size_t index(EndingCommand which) { return static_cast<std::size_t>(which); }

  bool probe_questions();
  bool ends_connection(const Request& request, bool& known);
  bool may_probe() const;
  Request question(EndingCommand which) const;
  bool probe(EndingCommand which);
  void ask_all_again();
  bool ask_again(EndingCommand which);

  Servers& servers_;
  const KeySpace& keys_;
  Announcer& announcer_;
  MissingCommands& missing_;
  std::array<std::atomic<bool>, kEndingCommands> ends_{};
  std::array<std::atomic<int>, kEndingCommands> lost_with_{};  ///< commands of ended connections since it was probed
  std::atomic<bool> time_ends_{false};
  std::atomic<int> lost_announcing_{0};
  std::atomic<int> lost_asking_{0};   ///< in a row
  std::atomic<bool> probing_{false};  ///< a thread is at it
  std::atomic<SteadyTime> probe_next_{SteadyTime{}}, ask_again_{SteadyTime{}}, waited_for_next_{SteadyTime{}};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
