#include "l2/client/link_started.hpp"

#include <algorithm>
#include <chrono>

#include "base/time_budget.hpp"
#include "l2/client/link_judge.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
using Clock = std::chrono::steady_clock;
}  // namespace

Link::Started::Started(Link& link, const Request& request, Purpose purpose, Lane lane)
    : link_(link),
      request_(request),
      purpose_(purpose),
      lane_(lane),
      deadline_(std::min(by(link.options_.operation_timeout), TimeBudget::end())),
      state_(link.state()),
      checkout_(state_, request) {
  if (deadline_ - Clock::now() < link.options_.operation_timeout / 8) {
    answer_.fault = Fault::timeout;
    answer_.why = state_.why_no_time_is_left();
    ended_ = true;
    return;
  }
  if (lane == Lane::shared || !state_.check_out_large(checkout_, lane, deadline_)) {
    state_.check_out(checkout_, 0, deadline_);
  }
  if (checkout_.connection) return;
  answer_.fault = Fault::no_connection;
  answer_.why = checkout_.why;
  ended_ = true;
}

Link::Started::~Started() {
  // Only where there was no memory on the way.
  if (!ended_ && pending_) checkout_.connection->wait(*pending_, deadline_, deadline_);
}

void Link::Started::send() {
  if (ended_) return;
  Connection& connection = *checkout_.connection;
  if (purpose_ != Purpose::read) check_.emplace(connection.echo_way().by());
  pending_.emplace(request_.commands() + (check_ ? check_->request().commands() : 0));
  connection.start(*pending_, {request_.bytes(), check_ ? check_->request().bytes() : std::string_view()}, deadline_);
}

bool Link::Started::wait(TimePoint until) {
  if (!ended_) ended_ = checkout_.connection->wait(*pending_, std::min(until, deadline_), deadline_);
  return ended_;
}

Answer Link::Started::answer() {
  if (!pending_) return std::move(answer_);
  const bool sent = take_replies(*checkout_.connection, request_, check_, *pending_, answer_);
  if (answer_) {
    state_.record(checkout_, answer_.replies);
    return std::move(answer_);
  }
  state_.record(checkout_, answer_.fault, answer_.why);
  const bool may_again = link_.options_.retry && !(purpose_ == Purpose::write && sent);
  if (!may_again || deadline_ - Clock::now() < link_.options_.operation_timeout / 8) return std::move(answer_);
  Answer again = link_.run(request_, purpose_, lane_);
  again.maybe_executed = again.maybe_executed || answer_.maybe_executed;
  return again;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
