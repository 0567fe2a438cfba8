#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net.hpp"
#include "resp_scanner.hpp"

namespace dsta::cache::testing_support {

/// The bytes of a request.
std::string encode_request(const std::vector<std::string>& words);
/// A reply for reading in a test: "OK", "-ERR …", "12", "(nil)"; the items of an array one a line.
std::string reply_text(std::string_view reply);

/// A blocking client that waits no longer than `patience` for anything. Throws NetError. One thread.
class WireClient {
 public:
  using Patience = std::chrono::milliseconds;
  static constexpr Patience kPatience{5000};

  static WireClient tcp(std::uint16_t port, Patience patience = kPatience) {
    return {connect_tcp(port, std::chrono::steady_clock::now() + patience), patience};
  }
  static WireClient unix_socket(const std::string& path, Patience patience = kPatience) {
    return {connect_unix(path, std::chrono::steady_clock::now() + patience), patience};
  }

  std::string call(const std::vector<std::string>& words) {
    send(encode_request(words));
    return reply_text(read_reply());
  }
  void send(std::string_view bytes);
  /// One whole reply as it came; throws `timeout`, `closed`, `reset` or `protocol`.
  std::string read_reply();
  /// What has come and is no whole reply yet.
  const std::string& unread() const { return buffer_; }
  void set_patience(Patience patience) { patience_ = patience; }

 private:
  WireClient(Fd socket, Patience patience) : socket_(std::move(socket)), patience_(patience) {}

  Fd socket_;
  Patience patience_;
  std::string buffer_;
  RespScanner scanner_;
};

}  // namespace dsta::cache::testing_support
