#include "scripted_server.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <vector>

namespace dsta::cache::testing_support {

ScriptedServer::ScriptedServer(Script script)
    : script_(std::move(script)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), listener_(listen_on(port_.port())) {
  if (!wake_) throw net_error("eventfd");
  thread_ = std::thread([this] { run(); });
}

ScriptedServer::~ScriptedServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

std::string ScriptedServer::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

std::size_t ScriptedServer::connections() const {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

void ScriptedServer::run() {
  std::vector<pollfd> sockets;
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    sockets.assign({{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
    for (const Client& each : clients_) {
      const int events = each.replies.empty() ? POLLIN : POLLIN | POLLOUT;
      sockets.push_back({each.socket.get(), static_cast<short>(events), 0});
    }
    lock.unlock();
    ::poll(sockets.data(), sockets.size(), -1);
    lock.lock();
    std::size_t i = 2;
    for (auto each = clients_.begin(); each != clients_.end();) {
      const int happened = sockets[i++].revents;
      const bool open = (happened & ~POLLOUT) == 0 || read(*each);
      each = open && write(*each) ? std::next(each) : clients_.erase(each);
    }
    if (sockets[1].revents != 0) accept_one();
  }
}

void ScriptedServer::accept_one() {
  Fd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return;
  set_no_delay(socket);
  clients_.push_back({.socket = std::move(socket), .unread = {}});
}

/// False at the end of the connection.
bool ScriptedServer::read(Client& client) {
  char chunk[16384];
  const ssize_t got = ::recv(client.socket.get(), chunk, sizeof chunk, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (got == 0) return false;
  received_.append(chunk, static_cast<std::size_t>(got));
  client.unread.append(chunk, static_cast<std::size_t>(got));
  while (!client.unread.empty() && !client.requests.broken()) {
    const auto length = client.requests.scan(client.unread);
    if (!length) break;
    client.replies.push_back(script_(std::string_view(client.unread).substr(0, *length)));
    client.unread.erase(0, *length);
  }
  return true;
}

bool ScriptedServer::write(Client& client) {
  // An endless reply is given a few pieces a turn, so that the others are served.
  for (int pieces = 0; pieces < 16 && !client.replies.empty(); ++pieces) {
    const Reply& reply = client.replies.front();
    const std::string_view rest = reply.bytes.substr(client.sent);
    const ssize_t sent = ::send(client.socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<std::size_t>(sent);
    if (client.sent < reply.bytes.size()) return true;
    client.sent = 0;
    if (!reply.endless) client.replies.pop_front();
  }
  return true;
}

}  // namespace dsta::cache::testing_support
