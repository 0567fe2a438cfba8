#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "net.hpp"
#include "resp_scanner.hpp"

namespace dsta::cache::testing_support {

/// A listener that answers what no real server would. Thread-safe.
class ScriptedServer {
 public:
  struct Reply {
    std::string_view bytes;  ///< must outlive the server
    bool endless = false;    ///< again and again, as fast as they are taken
  };
  /// What to answer to a request, which is given as it came.
  using Script = std::function<Reply(std::string_view request)>;

  explicit ScriptedServer(Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::uint16_t port() const { return port_.port(); }
  /// All that clients have sent so far.
  std::string received() const;
  /// Clients connected now.
  std::size_t connections() const;

 private:
  struct Client {
    Fd socket;
    std::string unread;
    RespScanner requests = {};
    std::deque<Reply> replies = {};
    std::size_t sent = 0;  ///< of the first reply
  };

  void run();
  void accept_one();
  bool read(Client& client);
  bool write(Client& client);

  const ReservedPort port_;
  const Script script_;
  Fd wake_;
  Fd listener_;

  mutable std::mutex mutex_;
  // Under mutex_.
  bool stopping_ = false;
  std::string received_;
  std::list<Client> clients_;

  std::thread thread_;
};

}  // namespace dsta::cache::testing_support
