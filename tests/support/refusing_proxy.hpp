#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "net.hpp"
#include "resp_scanner.hpp"

namespace dsta::cache::testing_support {

/// A loopback port before a real server that does not know some commands, as a proxy or a hosted service may not.
/// Thread-safe.
///
/// What it does not know is passed on as a command that no server knows, so that its error comes in its place among the
/// replies; or it ends the connection, as twemproxy does; or says yes and sends a message to nobody.
class RefusingProxy {
 public:
  enum class By { error, end, lie };
  /// `refuses` is shown the words of a command, as they were sent.
  using Refuses = std::function<bool(const std::vector<std::string_view>& words)>;

  RefusingProxy(std::uint16_t server_port, Refuses refuses, By by = By::error);
  ~RefusingProxy();
  RefusingProxy(const RefusingProxy&) = delete;
  RefusingProxy& operator=(const RefusingProxy&) = delete;

  std::uint16_t port() const { return port_.port(); }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port()); }
  /// Commands that were refused so far.
  int refused() const { return refused_; }

 private:
  struct Pair {
    Fd client, server;
    std::string unread = {}, to_server = {}, to_client = {};
    RespScanner requests = {};
  };

  void run();
  bool serve(Pair& pair, short client_events, short server_events);
  bool take_requests(Pair& pair);

  const std::uint16_t server_port_;
  const Refuses refuses_;
  const By by_;
  const ReservedPort port_;
  Fd wake_, listener_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> refused_{0};
  std::thread thread_;
};

/// Of a command's words the first, in upper case: "CLIENT", and where it has subcommands "CLIENT TRACKING".
std::string upper(std::string_view word);

}  // namespace dsta::cache::testing_support
