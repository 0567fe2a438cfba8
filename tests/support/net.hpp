#pragma once
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

/// Loopback sockets for tests. All are non-blocking and closed on exec.
namespace dsta::cache::testing_support {

using Deadline = std::chrono::steady_clock::time_point;

/// Owns a file descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  ~Fd() { reset(); }

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset();

 private:
  int fd_ = -1;
};

/// What became of a connection: a test tells a refusal from a silence by it.
class NetError : public std::runtime_error {
 public:
  enum class Kind { refused, reset, closed, timeout, protocol, other };
  NetError(Kind of, const std::string& what) : std::runtime_error(what), kind(of) {}
  Kind kind;
};

/// The failure of the last system call, told from `errno`.
NetError net_error(const std::string& doing);

/// A TCP port of 127.0.0.1 kept for as long as this lives, listened on or not: the kernel gives it to nobody else, and
/// connecting to it while nobody listens is refused. (Connecting to a free port of the ephemeral range can reach
/// itself.) A socket with SO_REUSEADDR can bind it; servers set that.
class ReservedPort {
 public:
  ReservedPort();
  std::uint16_t port() const { return port_; }

 private:
  Fd guard_;
  std::uint16_t port_ = 0;
};

Fd listen_on(std::uint16_t port, int backlog = 128);
/// Begins to connect; `errno` of a refusal comes from `finish_connect`.
Fd begin_connect(std::uint16_t port);
/// Throws unless the connection is established. Call it when the socket is writable.
void finish_connect(const Fd& socket);
Fd connect_tcp(std::uint16_t port, Deadline deadline);
Fd connect_unix(const std::string& path, Deadline deadline);
std::uint16_t peer_port(const Fd& socket);
std::uint16_t local_port(const Fd& socket);
/// Small pieces go as they are written.
void set_no_delay(const Fd& socket);
/// False when the deadline passes first.
bool await(const Fd& socket, short poll_events, Deadline deadline);
/// Closes with a RST, so that the peer's next call fails.
void reset_connection(Fd& socket);

}  // namespace dsta::cache::testing_support
