#pragma once
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "scripted_server.hpp"

namespace dsta::cache::testing_support {

/// A sentinel that answers as the test sets it. Thread-safe.
class ScriptedSentinel {
 public:
  /// To the question where the master is: as it is sent.
  explicit ScriptedSentinel(std::string answer)
      : answer_(std::move(answer)), server_([this](std::string_view request) { return reply(request); }) {}

  /// The reply that names an address.
  static std::string address(const std::string& host, const std::string& port) {
    return "*2\r\n" + bulk(host) + bulk(port);
  }
  static std::string address(std::uint16_t port) { return address("127.0.0.1", std::to_string(port)); }

  std::uint16_t port() const { return server_.port(); }
  std::string place() const { return "127.0.0.1:" + std::to_string(port()); }
  void answer(std::string reply) {
    const std::lock_guard lock(mutex_);
    answer_ = std::move(reply);
  }
  /// Sent with the next pong to whoever has subscribed.
  void announce(const std::string& message) {
    const std::lock_guard lock(mutex_);
    announcement_ = "*3\r\n" + bulk("message") + bulk("+switch-master") + bulk(message);
  }
  /// Nothing is answered any more.
  void fall_silent() {
    const std::lock_guard lock(mutex_);
    silent_ = true;
  }
  std::string received() const { return server_.received(); }
  std::size_t connections() const { return server_.connections(); }

 private:
  static std::string bulk(const std::string& text) {
    return "$" + std::to_string(text.size()) + "\r\n" + text + "\r\n";
  }
  ScriptedServer::Reply reply(std::string_view request) {
    const std::lock_guard lock(mutex_);
    const auto names = [&](std::string_view word) { return request.find(word) != std::string_view::npos; };
    if (silent_) return keep("");
    if (names("GET-MASTER-ADDR-BY-NAME")) return keep(answer_);
    if (names("\r\nCLIENT\r\n")) return keep(":7\r\n");
    if (names("SUBSCRIBE")) return keep("*3\r\n" + bulk("subscribe") + bulk("+switch-master") + ":1\r\n");
    if (names("\r\nPING\r\n")) {
      const std::size_t at = request.rfind("\r\n", request.size() - 3) + 2;
      return keep("*2\r\n" + bulk("pong") + bulk(std::string(request.substr(at, request.size() - at - 2))) +
                  std::exchange(announcement_, {}));
    }
    return keep("+OK\r\n");
  }
  ScriptedServer::Reply keep(std::string bytes) { return {sent_.emplace_back(std::move(bytes))}; }

  std::mutex mutex_;
  std::string answer_, announcement_;
  bool silent_ = false;
  std::deque<std::string> sent_;  ///< replies must outlive the server
  ScriptedServer server_;
};

}  // namespace dsta::cache::testing_support
