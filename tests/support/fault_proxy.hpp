#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fault.hpp"
#include "fault_connection.hpp"
#include "fault_plan.hpp"
#include "net.hpp"

namespace dsta::cache::testing_support {

/// A loopback port before a server's that does to the traffic what a network might. Thread-safe.
///
///     FaultProxy proxy(server.port());
///     proxy.set(Fault::reset_after().on("SET").times(1));
///     proxy.schedule(seed, {{Fault::pass(), 97}, {Fault::reset_before(), 2}, {Fault::delay(20ms), 1}});
///     proxy.clear();
///
/// A fault happens to the requests that come from then on, and their replies. `hold`, `blackhole` and `half_open`, when
/// they are set without `on`, `after` or `times`, also apply to what is on its way.
///
/// Idea: one thread owns the sockets and does what the others ask of it; a call returns when it is done.
class FaultProxy {
 public:
  using Clock = std::chrono::steady_clock;

  explicit FaultProxy(std::uint16_t server_port);
  ~FaultProxy();

  std::uint16_t port() const { return port_.port(); }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port()); }

  void set(Fault fault);
  /// Each connection and each request draws one. A fault of a connection that a request draws is none, and vice versa.
  void schedule(std::uint64_t seed, std::vector<WeightedFault> faults);
  /// Lets everything pass, and everything held go on.
  void clear() { set(Fault::pass()); }
  /// Where the server is from now on, for new connections.
  void set_server(std::uint16_t server_port);

  /// Ends all connections there are, with a RST or in order; the clients may connect again.
  void reset_connections();
  void finish_connections();

  /// Clients connected now.
  std::size_t connections() const;
  /// When each connection was accepted, since the beginning.
  std::vector<Clock::time_point> accepted() const;
  FaultCounters counters() const;

 private:
  void ask(std::function<void()> task) const;
  void run();
  void run_tasks();
  void step();
  void accept_all();
  void adopt(Fault::Kind standing);
  void fill_backlog();
  void empty_backlog();

  const ReservedPort port_;
  Fd wake_;

  mutable std::mutex mutex_;
  mutable std::deque<std::function<void()>> tasks_;  // under mutex_
  bool stopping_ = false;                            // under mutex_

  // The thread's own.
  std::uint16_t server_port_;
  Fd listener_;
  bool accepting_ = true;
  std::vector<Fd> fillers_;
  std::vector<std::uint16_t> filler_ports_;
  FaultPlan plan_;
  FaultCounters counters_;
  std::list<FaultConnection> connections_;
  std::vector<Clock::time_point> accepted_;

  std::thread thread_;
};

}  // namespace dsta::cache::testing_support
