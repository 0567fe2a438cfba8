#include "l2/tracking/subscriber.hpp"

#include <poll.h>

#include <algorithm>
#include <span>

#include "l2/client/handshake.hpp"
#include "l2/client/reason.hpp"
#include "l2/client/server_role.hpp"
#include "l2/net/buffer_limits.hpp"
#include "l2/resp/parse_replies.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Reads in one call of `receive`.
constexpr int kReads = 16;

}  // namespace

std::unique_ptr<Subscriber> Subscriber::open(const LinkOptions& options, const Address& server, const Wanted& wanted,
                                             TimePoint deadline, Failure& failure) {
  failure = {};
  auto stream = connect_stream(options, server, deadline, failure.why);
  if (!stream) return nullptr;
  std::unique_ptr<Subscriber> made(new Subscriber(std::move(stream), options.limits));
  if (made->log_in(options, wanted, deadline, failure)) return made;
  failure.why = made->why_;
  return nullptr;
}

bool Subscriber::log_in(const LinkOptions& options, const Wanted& wanted, TimePoint deadline, Failure& failure) {
  Request request = handshake_request(options);
  const std::size_t roles = request.commands();  // where they stand
  if (options.finder) ServerRole::add_request(request);
  const std::size_t first = request.commands();
  if (wanted.id) request.add({"CLIENT", "ID"});
  for (const std::string& channel : wanted.channels) request.add({"SUBSCRIBE", channel});
  send(request.bytes());
  std::vector<Reply> replies;
  bool more = true;
  while (replies.size() < request.commands()) {
    if (!more && !wait_ready(descriptor(), (events() & POLLOUT) != 0, deadline)) {
      why_ = "no answer in time";
      return false;
    }
    if (!receive(replies, more)) {
      note_end(replies, first, failure);
      return false;
    }
  }
  return take_login(request, replies, {roles, first}, wanted, failure);
}

/// Over what it was asked, if all that comes before was answered; else it serves nobody, and may say why: it has as
/// many clients as it takes.
void Subscriber::note_end(const std::vector<Reply>& replies, std::size_t first, Failure& failure) {
  const auto error = std::ranges::find_if(replies, [](const Reply& reply) { return reply.is(Reply::Kind::error); });
  failure.refused = error != replies.end();
  failure.ended = !failure.refused && replies.size() >= first;
  if (failure.refused) why_ = std::string(reason_of({}, *error));
}

bool Subscriber::take_login(const Request& request, std::vector<Reply>& replies, Places at, const Wanted& wanted,
                            Failure& failure) {
  const std::size_t roles = at.roles, first = at.first;
  name_errors(request, replies);
  const auto is_role = [&](std::size_t i) { return i >= roles && i < first; };
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!replies[i].is(Reply::Kind::error) || is_role(i)) continue;
    why_ = replies[i].why;
    failure.refused = true;
    failure.unsupported = i >= first && replies[i].means_never();
    return false;
  }
  if (roles < first &&
      ServerRole::read(std::span(replies).subspan(roles, first - roles)).kind != ServerRole::Kind::master) {
    why_ = kNotMaster;
    return false;
  }
  const auto is_subscribed = [](const Reply& reply) {
    return reply.elements.size() == 3 && reply.elements[0].text == "subscribe";
  };
  auto reply = replies.begin() + static_cast<std::ptrdiff_t>(first);
  bool expected = true;
  if (wanted.id) {
    expected = reply->is(Reply::Kind::integer);
    id_ = (reply++)->integer;
  }
  for (std::size_t i = 0; i < wanted.channels.size(); ++i) expected = is_subscribed(*reply++) && expected;
  if (!expected) why_ = "the server's replies are not those to CLIENT ID and SUBSCRIBE";
  return expected;
}

short Subscriber::events() const {
  const bool writes = !outgoing_.empty() || reading_needs_write_;
  return static_cast<short>(writes ? POLLIN | POLLOUT : POLLIN);
}

bool Subscriber::ended(Step step) {
  if (step.kind == Step::Kind::closed) why_ = "the server closed the connection";
  if (step.kind == Step::Kind::failed) why_ = "the connection was reset";
  return step.kind == Step::Kind::closed || step.kind == Step::Kind::failed;
}

bool Subscriber::write() {
  while (!outgoing_.empty()) {
    const Step step = stream_->write(outgoing_.data(), outgoing_.size());
    if (ended(step)) return false;
    if (step.kind != Step::Kind::moved) break;
    outgoing_.erase(0, step.bytes);
  }
  return true;
}

bool Subscriber::receive(std::vector<Reply>& messages, bool& more) {
  if (!write()) return false;
  more = true;
  for (int reads = 0; reads < kReads; ++reads) {
    if (begin_ == end_) begin_ = end_ = 0;
    if (buffer_.size() - end_ < kReadAtLeast) {
      buffer_.erase(0, begin_);
      end_ -= begin_;
      begin_ = 0;
      // It grows with what has come, never with what was announced.
      buffer_.resize(std::max(end_ + kReadAtLeast, std::min(2 * end_, end_ + (std::size_t{1} << 20))));
    }
    const Step step = stream_->read(buffer_.data() + end_, buffer_.size() - end_);
    reading_needs_write_ = step.kind == Step::Kind::wait_write;
    if (step.kind == Step::Kind::moved) {
      end_ += step.bytes;
      if (!parse(messages)) return false;
      continue;
    }
    more = false;
    if (begin_ == end_ && buffer_.size() > kKeptBuffer) {
      buffer_ = std::string();
      begin_ = end_ = 0;
    }
    return !ended(step);
  }
  return true;
}

bool Subscriber::parse(std::vector<Reply>& messages) {
  std::string_view why;
  if (parse_replies({buffer_.data() + begin_, end_ - begin_}, guard_, parser_, messages, begin_, why)) return true;
  why_ = why;
  return false;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
