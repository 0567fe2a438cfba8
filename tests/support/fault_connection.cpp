#include "fault_connection.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "reply_damage.hpp"

namespace dsta::cache::testing_support {
namespace {

using Kind = Fault::Kind;

constexpr char kTlsHandshake = 0x16;
constexpr const char* kPing = "*1\r\n$4\r\nPING\r\n";

bool answered_by_pushes(std::string_view command) {
  static constexpr std::array<std::string_view, 6> kThese = {"SUBSCRIBE",    "UNSUBSCRIBE", "PSUBSCRIBE",
                                                             "PUNSUBSCRIBE", "SSUBSCRIBE",  "SUNSUBSCRIBE"};
  return std::find(kThese.begin(), kThese.end(), command) != kThese.end();
}

}  // namespace

FaultConnection::FaultConnection(Fd client, std::uint16_t server_port, std::uint64_t number, FaultPlan& plan,
                                 FaultCounters& counters)
    : plan_(plan),
      counters_(counters),
      number_(number),
      random_(plan.generator(number)),
      random_epoch_(plan.epoch()),
      client_(std::move(client)) {
  const Kind fate = plan_.at_connection(random_).kind;
  if (fate != Kind::pass) ++counters_.faults;
  if (fate == Kind::reset_on_accept || fate == Kind::refuse) {
    reset();
  } else if (fate != Kind::pass || plan_.standing() == Kind::half_open) {
    mute_ = true;
  } else {
    server_ = begin_connect(server_port);
  }
}

short FaultConnection::client_events() { return to_client_.ready(plan_.epoch()) ? POLLIN | POLLOUT : POLLIN; }

short FaultConnection::server_events() {
  if (!connected_) return POLLOUT;
  return to_server_.ready(plan_.epoch()) ? POLLIN | POLLOUT : POLLIN;
}

std::optional<Deadline> FaultConnection::next_due() const {
  std::optional<Deadline> next;
  const auto consider = [&](bool open, const Outbox& box) {
    const auto due = open ? box.next_due(plan_.epoch()) : std::nullopt;
    // What is due already waits for the socket, not for the time.
    if (due && *due > Outbox::Clock::now()) next = next ? std::min(*next, *due) : *due;
  };
  consider(has_client(), to_client_);
  consider(server_ && connected_, to_server_);
  return next;
}

FaultConnection::Decision FaultConnection::decide(std::string_view command) {
  if (random_epoch_ != plan_.epoch()) {
    random_ = plan_.generator(number_);
    random_epoch_ = plan_.epoch();
  }
  Decision decision{plan_.at_message(random_, command), plan_.epoch()};
  if (decision.fault.kind != Kind::pass) ++counters_.faults;
  return decision;
}

std::uint64_t FaultConnection::held_by(const Decision& decision, Way way) const {
  if (decision.fault.kind == Kind::hold && decision.fault.towards(way)) return decision.epoch;
  const Way standing = plan_.standing_way();
  return plan_.standing() == Kind::hold && (standing == way || standing == Way::both) ? plan_.epoch() : 0;
}

void FaultConnection::on_client() {
  bool was_reset = false;
  const bool open = receive(client_, from_client_, counters_.bytes_from_clients, was_reset);
  if (finished_ && !from_client_.empty()) return reset();
  if (from_client_.starts_with(kTlsHandshake)) raw_ = true;
  while (!from_client_.empty() && !mute_) {
    const auto length = raw_ || requests_.broken() ? from_client_.size() : requests_.scan(from_client_);
    if (!length) break;
    std::string request = from_client_.substr(0, *length);
    from_client_.erase(0, *length);
    take_request(std::move(request));
    if (!client_) return;
  }
  if (mute_) from_client_.clear();
  if (!open) client_is_gone();
}

void FaultConnection::take_request(std::string bytes) {
  ++counters_.requests;
  const std::string command = raw_ ? "" : command_name(bytes);
  Decision decision = decide(command);
  switch (decision.fault.kind) {
    case Kind::blackhole:
      return;
    case Kind::half_open:
      return lose_server();
    case Kind::reset_before:
      return reset();
    case Kind::error:
      // In its place one that does nothing, so that there is a reply to replace and the order stays.
      if (!decision.fault.executed && !raw_) bytes = kPing;
      break;
    default:
      break;
  }
  to_server_.add(std::move(bytes), decision.fault, Way::requests, held_by(decision, Way::requests));
  if (!raw_ && !answered_by_pushes(command)) awaiting_reply_.push_back(std::move(decision));
}

void FaultConnection::on_server() {
  if (!connected_) {
    try {
      finish_connect(server_);
      connected_ = true;
    } catch (const NetError&) {
      reset();
    }
    return;
  }
  bool was_reset = false;
  const bool open = receive(server_, from_server_, counters_.bytes_from_server, was_reset);
  if (!client_) from_server_.clear();
  while (!from_server_.empty()) {
    const auto length = raw_ || replies_.broken() ? from_server_.size() : replies_.scan(from_server_);
    if (!length) break;
    std::string reply = from_server_.substr(0, *length);
    from_server_.erase(0, *length);
    take_reply(std::move(reply));
    if (!server_) return;
  }
  if (!open) server_is_gone(was_reset ? Outbox::End::reset : Outbox::End::finish);
}

void FaultConnection::take_reply(std::string bytes) {
  ++counters_.replies;
  Decision decision;
  if (awaiting_reply_.empty() || bytes.starts_with('>')) {
    decision = decide("push");
  } else {
    decision = std::move(awaiting_reply_.front());
    awaiting_reply_.pop_front();
  }
  if (plan_.standing() == Kind::blackhole) return;
  const Fault& fault = decision.fault;
  switch (fault.kind) {
    case Kind::reset_after:
      return reset();
    case Kind::swallow:
    case Kind::blackhole:
      return;
    case Kind::truncate:
      bytes.resize(std::min(bytes.size(), fault.bytes));
      break;
    case Kind::garbage:
      bytes = with_garbage(std::move(bytes), fault.bytes, fault.at, random_);
      break;
    case Kind::wrong_length:
      bytes = with_wrong_length(bytes, fault.by);
      break;
    case Kind::duplicate:
      bytes.append(std::string(bytes));
      break;
    case Kind::error:
      bytes = '-' + fault.text + "\r\n";
      break;
    default:
      break;
  }
  to_client_.add(std::move(bytes), fault, Way::replies, held_by(decision, Way::replies));
  if (fault.kind == Kind::truncate) finish();
}

/// What it sent is still delivered; what comes for it is read and thrown away until the server closes too.
void FaultConnection::client_is_gone() {
  client_.reset();
  to_client_.clear();
  if (server_ && !finished_) to_server_.add_end(Outbox::End::finish, held_by({}, Way::requests));
  if (mute_ || finished_) server_.reset();
}

void FaultConnection::server_is_gone(Outbox::End end) {
  server_.reset();
  to_server_.clear();
  if (!client_) return;
  if (plan_.standing() == Kind::blackhole) return lose_server();
  const std::uint64_t held = held_by({}, Way::replies);
  to_client_.add(std::exchange(from_server_, {}), {}, Way::replies, held);
  to_client_.add_end(end, held);
}

void FaultConnection::finish() { server_is_gone(Outbox::End::finish); }

void FaultConnection::lose_server() {
  server_.reset();
  to_server_.clear();
  to_client_.clear();
  mute_ = true;
}

void FaultConnection::reset() {
  if (client_) reset_connection(client_);
  server_.reset();
  to_server_.clear();
  to_client_.clear();
}

void FaultConnection::flush() {
  if (client_) send_due(to_client_, client_, counters_.bytes_to_clients);
  if (server_ && connected_) send_due(to_server_, server_, counters_.bytes_to_server);
}

void FaultConnection::send_due(Outbox& box, const Fd& to, std::size_t& counter) {
  while (Outbox::Piece* piece = to ? box.ready(plan_.epoch()) : nullptr) {
    if (piece->end == Outbox::End::reset) return reset();
    if (piece->end == Outbox::End::finish) {
      ::shutdown(to.get(), SHUT_WR);
      finished_ = finished_ || &box == &to_client_;
      box.pop();
      continue;
    }
    const ssize_t sent = ::send(to.get(), piece->bytes.data(), piece->bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // The other end is gone; reading from it will say so.
    if (sent < 0) return box.clear();
    counter += static_cast<std::size_t>(sent);
    piece->bytes.erase(0, static_cast<std::size_t>(sent));
    if (!piece->bytes.empty()) return;
    box.pop();
  }
}

/// False at the end of the stream.
bool FaultConnection::receive(const Fd& from, std::string& buffer, std::size_t& counter, bool& was_reset) {
  char chunk[65536];
  const ssize_t got = ::recv(from.get(), chunk, sizeof chunk, 0);
  if (got < 0) {
    was_reset = errno != EAGAIN && errno != EINTR;
    return !was_reset;
  }
  buffer.append(chunk, static_cast<std::size_t>(got));
  counter += static_cast<std::size_t>(got);
  return got > 0;
}

}  // namespace dsta::cache::testing_support
