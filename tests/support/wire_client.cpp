#include "wire_client.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

namespace dsta::cache::testing_support {
namespace {

using Clock = std::chrono::steady_clock;

void append_text(std::string_view& rest, std::string& text) {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  const char type = line.empty() ? ' ' : line.front();
  const std::string_view body = line.substr(line.empty() ? 0 : 1);
  const std::string_view aggregates = "*~>%|";
  const bool aggregate = aggregates.find(type) != std::string_view::npos;
  if (type == '_' || ((aggregate || type == '$') && body == "-1")) {
    text += "(nil)";
  } else if (type == '$' || type == '=' || type == '!') {
    const std::size_t size = std::stoull(std::string(body));
    if (type == '!') text += '-';
    text += rest.substr(0, size);
    rest.remove_prefix(size + 2);
  } else if (aggregate) {
    std::size_t items = std::stoull(std::string(body));
    if (type == '%' || type == '|') items *= 2;
    for (std::size_t i = 0; i < items; ++i) {
      if (i > 0) text += '\n';
      append_text(rest, text);
    }
    if (type == '|') append_text(rest, text += '\n');
  } else {
    text += type == '-' ? line : body;
  }
}

}  // namespace

std::string encode_request(const std::vector<std::string>& words) {
  std::string bytes = '*' + std::to_string(words.size()) + "\r\n";
  for (const std::string& word : words) bytes += '$' + std::to_string(word.size()) + "\r\n" + word + "\r\n";
  return bytes;
}

std::string reply_text(std::string_view reply) {
  std::string text;
  append_text(reply, text);
  return text;
}

void WireClient::send(std::string_view bytes) {
  const auto deadline = Clock::now() + patience_;
  while (!bytes.empty()) {
    if (!await(socket_, POLLOUT, deadline)) throw NetError(NetError::Kind::timeout, "send: no room in time");
    const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) throw net_error("send");
    if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string WireClient::read_reply() {
  const auto deadline = Clock::now() + patience_;
  for (;;) {
    if (const auto length = scanner_.scan(buffer_)) {
      std::string reply = buffer_.substr(0, *length);
      buffer_.erase(0, *length);
      const std::string_view types = "+-:$*_#,(!=%~|>";
      if (types.find(reply.front()) == std::string_view::npos) throw NetError(NetError::Kind::protocol, "no reply");
      return reply;
    }
    if (scanner_.broken()) throw NetError(NetError::Kind::protocol, "the reply is no RESP");
    if (!await(socket_, POLLIN, deadline)) throw NetError(NetError::Kind::timeout, "no reply in time");
    char chunk[16384];
    const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, 0);
    if (got == 0) throw NetError(NetError::Kind::closed, "the peer closed the connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR) throw net_error("recv");
    if (got > 0) buffer_.append(chunk, static_cast<std::size_t>(got));
  }
}

}  // namespace dsta::cache::testing_support
