#include "l2/client/link_started.hpp"

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/time_budget.hpp"
#include "l2/client/link_judge.hpp"
#include "l2/client/link_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
using Clock = std::chrono::steady_clock;
}  // namespace

struct Link::Started::Parts {
  Parts(Link& its, const Request& sent, Purpose its_purpose, Lane its_lane)
      : link(its), request(sent), purpose(its_purpose), lane(its_lane), checkout(state, sent) {}
  Duration least_time() const { return link.options_.operation_timeout / 8; }

  Link& link;
  const Request& request;
  const Purpose purpose;
  const Lane lane;
  const TimePoint deadline = std::min(by(link.options_.operation_timeout), TimeBudget::end());
  State& state = link.state();
  Answer answer = {};
  State::Checkout checkout;
  std::optional<EchoCheck> check = {};
  std::optional<PendingRequest> pending = {};
  bool ended = false;
};

Link::Started::Started(Link& link, const Request& request, Purpose purpose, Lane lane)
    : parts_(std::make_unique<Parts>(link, request, purpose, lane)) {
  Parts& own = *parts_;
  if (own.deadline - Clock::now() < own.least_time()) {
    own.answer.fault = Fault::timeout;
    own.answer.why = own.state.why_no_time_is_left();
    own.ended = true;
    return;
  }
  own.state.check_out(own.checkout, lane, 0, own.deadline);
  if (own.checkout.connection) return;
  own.answer.fault = Fault::no_connection;
  own.answer.why = own.checkout.why;
  own.ended = true;
}

Link::Started::~Started() {
  // Only where there was no memory on the way.
  Parts& own = *parts_;
  if (!own.ended && own.pending) own.checkout.connection->wait(*own.pending, own.deadline, own.deadline);
}

void Link::Started::send() {
  Parts& own = *parts_;
  if (own.ended) return;
  Connection& connection = *own.checkout.connection;
  if (own.purpose != Purpose::read) own.check.emplace(connection.echo_way().by());
  own.pending.emplace(own.request.commands() + (own.check ? own.check->request().commands() : 0));
  const std::string_view behind = own.check ? own.check->request().bytes() : std::string_view();
  connection.start(*own.pending, {own.request.bytes(), behind}, own.deadline);
}

bool Link::Started::wait(TimePoint until) {
  Parts& own = *parts_;
  if (!own.ended) {
    own.ended = own.checkout.connection->wait(*own.pending, std::min(until, own.deadline), own.deadline);
  }
  return own.ended;
}

Answer Link::Started::answer() {
  Parts& own = *parts_;
  if (!own.pending) return std::move(own.answer);
  const bool sent = take_replies(*own.checkout.connection, own.request, own.check, *own.pending, own.answer);
  if (own.answer) {
    own.state.record(own.checkout, own.answer.replies);
    return std::move(own.answer);
  }
  own.state.record(own.checkout, own.answer);
  const bool may_again = own.state.may_repeat(own.checkout, own.purpose, sent, own.answer);
  if (!may_again || own.deadline - Clock::now() < own.least_time()) return std::move(own.answer);
  Answer again = own.link.run(own.request, own.purpose, own.lane);
  again.maybe_executed = again.maybe_executed || own.answer.maybe_executed;
  return again;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
