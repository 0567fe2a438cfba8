#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "fault_plan.hpp"
#include "net.hpp"
#include "outbox.hpp"
#include "resp_scanner.hpp"

namespace dsta::cache::testing_support {

struct FaultCounters {
  std::size_t requests = 0;  // whole ones that came from clients
  std::size_t replies = 0;   // whole ones that came from the server, pushes too
  std::size_t faults = 0;    // requests, pushes and connections that met one
  std::size_t bytes_from_clients = 0;
  std::size_t bytes_to_server = 0;
  std::size_t bytes_from_server = 0;
  std::size_t bytes_to_clients = 0;
};

/// One client's connection through the proxy, and the server's end of it. One thread.
///
/// Idea: whole requests go to the server, whole replies come back, in the same order; so the fault a request was given
/// waits in a queue for its reply. SUBSCRIBE and its kin have no place in it, their confirmations are pushes. What is
/// no RESP (TLS) goes through as it comes, and each piece meets a fault of its own.
class FaultConnection {
 public:
  FaultConnection(Fd client, std::uint16_t server_port, std::uint64_t number, FaultPlan& plan, FaultCounters& counters);

  /// -1 when that end is closed; poll skips it.
  int client_fd() const { return client_.get(); }
  int server_fd() const { return server_.get(); }
  short client_events();
  short server_events();
  std::optional<Deadline> next_due() const;

  /// Called when poll reports anything for the socket.
  void on_client();
  void on_server();
  /// Sends what is due.
  void flush();
  /// Closes the server's end; the client is told nothing, ever.
  void lose_server();
  void reset();
  void finish();

  bool over() const { return !client_ && !server_; }
  bool has_client() const { return static_cast<bool>(client_); }

 private:
  using Way = Fault::Way;
  struct Decision {
    Fault fault;
    std::uint64_t epoch = 0;
  };

  Decision decide(std::string_view command);
  std::uint64_t held_by(const Decision& decision, Way way) const;
  void take_request(std::string bytes);
  void take_reply(std::string bytes);
  void client_is_gone();
  void server_is_gone(Outbox::End end);
  bool receive(const Fd& from, std::string& buffer, std::size_t& counter, bool& reset);
  void send_due(Outbox& box, const Fd& to, std::size_t& counter);

  FaultPlan& plan_;
  FaultCounters& counters_;
  const std::uint64_t number_;
  FaultPlan::Generator random_;
  std::uint64_t random_epoch_;
  Fd client_, server_;
  bool connected_ = false;  // to the server
  bool mute_ = false;       // what the client sends is lost, for good
  bool finished_ = false;   // the client was told of the end
  bool raw_ = false;
  std::string from_client_, from_server_;
  RespScanner requests_, replies_;
  Outbox to_server_, to_client_;
  std::deque<Decision> awaiting_reply_;
};

}  // namespace dsta::cache::testing_support
