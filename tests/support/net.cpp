#include "net.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace dsta::cache::testing_support {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

Fd make_socket(int family) {
  Fd made(::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made) throw net_error("socket");
  return made;
}

template <class Address>
const sockaddr* generic(const Address& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

void set_option(const Fd& socket, int level, int option) {
  const int on = 1;
  ::setsockopt(socket.get(), level, option, &on, sizeof on);
}

std::uint16_t port_by(int (*name_of)(int, sockaddr*, socklen_t*), const Fd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (name_of(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

void finish_by(const Fd& socket, Deadline deadline) {
  if (!await(socket, POLLOUT, deadline)) throw NetError(NetError::Kind::timeout, "connect: no answer in time");
  finish_connect(socket);
}

}  // namespace

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

NetError net_error(const std::string& doing) {
  const int error = errno;
  auto kind = NetError::Kind::other;
  if (error == ECONNREFUSED || error == ENOENT) kind = NetError::Kind::refused;
  if (error == ECONNRESET || error == EPIPE) kind = NetError::Kind::reset;
  return {kind, doing + ": " + std::strerror(error)};
}

ReservedPort::ReservedPort() : guard_(make_socket(AF_INET)) {
  // Bound without SO_REUSEADDR, so that the port is nobody's; with it afterwards, so that a server can share it.
  const sockaddr_in address = loopback(0);
  if (::bind(guard_.get(), generic(address), sizeof address) != 0) throw net_error("bind");
  port_ = local_port(guard_);
  set_option(guard_, SOL_SOCKET, SO_REUSEADDR);
}

Fd listen_on(std::uint16_t port, int backlog) {
  Fd listener = make_socket(AF_INET);
  set_option(listener, SOL_SOCKET, SO_REUSEADDR);
  const sockaddr_in address = loopback(port);
  if (::bind(listener.get(), generic(address), sizeof address) != 0) throw net_error("bind");
  if (::listen(listener.get(), backlog) != 0) throw net_error("listen");
  return listener;
}

Fd begin_connect(std::uint16_t port) {
  Fd socket = make_socket(AF_INET);
  set_no_delay(socket);
  const sockaddr_in address = loopback(port);
  // A refusal at once shows again in finish_connect: the socket is not connected.
  if (::connect(socket.get(), generic(address), sizeof address) != 0 && errno != EINPROGRESS && errno != ECONNREFUSED) {
    throw net_error("connect");
  }
  return socket;
}

void finish_connect(const Fd& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0 && peer_port(socket) == 0) error = ECONNREFUSED;
  errno = error;
  if (error != 0) throw net_error("connect");
}

Fd connect_tcp(std::uint16_t port, Deadline deadline) {
  Fd socket = begin_connect(port);
  finish_by(socket, deadline);
  return socket;
}

Fd connect_unix(const std::string& path, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw NetError(NetError::Kind::other, "too long for a socket: " + path);
  path.copy(address.sun_path, path.size());
  // The kernel answers at once: connected, nobody there, or no room to wait in.
  for (;;) {
    Fd socket = make_socket(AF_UNIX);
    if (::connect(socket.get(), generic(address), sizeof address) == 0) return socket;
    if (errno != EAGAIN) throw net_error("connect " + path);
    if (std::chrono::steady_clock::now() >= deadline) throw NetError(NetError::Kind::timeout, "connect " + path);
    ::poll(nullptr, 0, 5);
  }
}

void set_no_delay(const Fd& socket) { set_option(socket, IPPROTO_TCP, TCP_NODELAY); }

std::uint16_t peer_port(const Fd& socket) { return port_by(::getpeername, socket); }
std::uint16_t local_port(const Fd& socket) { return port_by(::getsockname, socket); }

bool await(const Fd& socket, short poll_events, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd one{socket.get(), poll_events, 0};
    const int ready = ::poll(&one, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) throw net_error("poll");
    if (std::chrono::steady_clock::now() >= deadline) return false;
  }
}

void reset_connection(Fd& socket) {
  const linger at_once{1, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  socket.reset();
}

}  // namespace dsta::cache::testing_support
