#include "refusing_proxy.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <utility>

namespace dsta::cache::testing_support {

namespace {

constexpr std::string_view kToNobody = "*3\r\n$7\r\nPUBLISH\r\n$6\r\nnobody\r\n$1\r\nx\r\n";
constexpr std::string_view kUnknown = "*1\r\n$9\r\nNOTCALLED\r\n";

/// Of a request in the form of an array of texts.
std::vector<std::string_view> words_of(std::string_view request) {
  std::vector<std::string_view> words;
  std::size_t at = request.find("\r\n");
  while (at != std::string_view::npos && at + 2 < request.size()) {
    at += 2;
    std::size_t size = 0;
    std::from_chars(request.data() + at + 1, request.data() + request.size(), size);
    const std::size_t begin = request.find("\r\n", at) + 2;
    words.push_back(request.substr(begin, size));
    at = begin + size;
  }
  return words;
}

/// Appends what has come. False at the end of the connection.
bool receive(const Fd& from, std::string& into) {
  char chunk[16384];
  const ssize_t got = ::recv(from.get(), chunk, sizeof chunk, 0);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  into.append(chunk, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  return got > 0;
}

bool send_some(const Fd& to, std::string& out) {
  if (out.empty()) return true;
  const ssize_t sent = ::send(to.get(), out.data(), out.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;
  out.erase(0, static_cast<std::size_t>(sent));
  return true;
}

}  // namespace

std::string upper(std::string_view word) {
  std::string text(word);
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

RefusingProxy::RefusingProxy(std::uint16_t server_port, Refuses refuses, By by)
    : server_port_(server_port),
      refuses_(std::move(refuses)),
      by_(by),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      listener_(listen_on(port_.port())) {
  if (!wake_) throw net_error("eventfd");
  thread_ = std::thread([this] { run(); });
}

RefusingProxy::~RefusingProxy() {
  stopping_ = true;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

void RefusingProxy::run() {
  std::list<Pair> pairs;
  std::vector<pollfd> sockets;
  while (!stopping_) {
    sockets.assign({{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}});
    for (const Pair& pair : pairs) {
      const auto events = [](const std::string& out) {
        return static_cast<short>(out.empty() ? POLLIN : POLLIN | POLLOUT);
      };
      sockets.push_back({pair.client.get(), events(pair.to_client), 0});
      sockets.push_back({pair.server.get(), events(pair.to_server), 0});
    }
    ::poll(sockets.data(), sockets.size(), -1);
    std::size_t i = 2;
    for (auto pair = pairs.begin(); pair != pairs.end(); i += 2) {
      pair = serve(*pair, sockets[i].revents, sockets[i + 1].revents) ? std::next(pair) : pairs.erase(pair);
    }
    if (sockets[1].revents == 0) continue;
    Fd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) continue;
    set_no_delay(client);
    try {
      Fd server = connect_tcp(server_port_, std::chrono::steady_clock::now() + std::chrono::seconds(5));
      set_no_delay(server);
      pairs.push_back({.client = std::move(client), .server = std::move(server)});
    } catch (const NetError&) {  // there is no server: the client's connection ends
    }
  }
}

bool RefusingProxy::serve(Pair& pair, short client_events, short server_events) {
  if ((client_events & ~POLLOUT) != 0 && !(receive(pair.client, pair.unread) && take_requests(pair))) return false;
  if ((server_events & ~POLLOUT) != 0 && !receive(pair.server, pair.to_client)) return false;
  return send_some(pair.server, pair.to_server) && send_some(pair.client, pair.to_client);
}

/// False: the connection is to end.
bool RefusingProxy::take_requests(Pair& pair) {
  while (!pair.unread.empty() && !pair.requests.broken()) {
    const auto length = pair.requests.scan(pair.unread);
    if (!length) break;
    const std::string_view request = std::string_view(pair.unread).substr(0, *length);
    const bool refused = refuses_(words_of(request));
    refused_ += refused;
    if (refused && by_ == By::end) return false;
    pair.to_server.append(!refused ? request : by_ == By::lie ? kToNobody : kUnknown);
    pair.unread.erase(0, *length);
  }
  return true;
}

}  // namespace dsta::cache::testing_support
