#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "child_process.hpp"
#include "net.hpp"

namespace dsta::cache::testing_support {

/// Certificate files of a server that speaks TLS (and nothing else) on its port.
struct RedisTls {
  std::string certificate, key, authority;
  /// Clients must show a certificate of the same authority.
  bool ask_clients = false;
};

struct RedisOptions {
  /// Of the default user; empty: none is asked for.
  std::string password = {};
  /// Lines of the ACL, as "alice on >secret ~app:* +@all" or "default off".
  std::vector<std::string> users = {};
  std::optional<RedisTls> tls = {};
  /// More lines of the configuration file, as "maxmemory 1mb".
  std::vector<std::string> config = {};
};

/// A real server on a loopback port of its own, without persistence, in a directory of its own; it ends with this
/// object or with the test. One thread, `port()` and `url()` any.
///
/// `command` comes in by the unix socket as the user "harness", who may do everything whatever the default user may:
/// it is one client more in CLIENT LIST, and reaches the server past any proxy.
class RedisServer {
 public:
  /// Tells whether there is a server to run; a test without one skips itself.
  static bool available();
  /// The program; empty when there is none.
  static std::string program();

  /// Returns when the server answers. Throws std::runtime_error with the end of its log when it does not start.
  explicit RedisServer(RedisOptions options = {});
  ~RedisServer();

  std::uint16_t port() const { return port_.port(); }
  /// With the default user's password: `redis://:secret@127.0.0.1:6379`, `rediss://` with TLS.
  std::string url() const;
  const std::string& unix_path() const { return unix_path_; }

  /// Lets it close its connections in order.
  void stop();
  /// Ends it as a crash does.
  void kill();
  /// More lines of the configuration, in place of those that it was made with, from the next start on.
  void configure(std::vector<std::string> config) { options_.config = std::move(config); }
  /// Starts it again, empty, on the same port.
  void start();
  bool running() const { return process_ && process_->running(); }
  /// Stopped, it keeps its connections, accepts new ones (the kernel does) and answers nothing.
  void pause();
  void resume();

  /// The reply as text, see reply_text. Throws NetError.
  std::string command(const std::vector<std::string>& words,
                      std::chrono::milliseconds patience = std::chrono::seconds(10)) const;

 private:
  bool answers_soon();
  void write_config() const;
  std::string log_end() const;

  RedisOptions options_;
  ReservedPort port_;
  std::string directory_;
  std::string unix_path_;
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace dsta::cache::testing_support
