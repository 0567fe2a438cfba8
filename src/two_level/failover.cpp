#include "two_level/failover.hpp"

#include <chrono>
#include <utility>

#include "base/fork_count.hpp"
#include "base/saturating_add.hpp"
#include "l2/client/server_role.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Failover::Failover(Context& context, L2Store& l2_store, Confirmations& confirmations,
                   std::shared_ptr<MasterFinder> finder)
    : context_(context), l2_store_(l2_store), confirmations_(confirmations), finder_(std::move(finder)) {
  replace_threads();
}

void Failover::replace_threads() {
  auto watch = std::make_unique<SentinelWatch>(
      finder_, SentinelWatch::Options{.ping_period = context_.options.l1.ping_period.value_or({}),
                                      .log = context_.options.log,
                                      .is_current = [this](const Address& master) { return is_current(master); },
                                      .announced = [this](const Address& master) { announced(master); }});
  auto check = std::make_unique<PeriodicTask>([this] { return check_master(); }, "dsta-master");
  replace_in_child(watch_, std::move(watch));
  replace_in_child(check_, std::move(check));
}

void Failover::start() {
  watch_->tend();
  check_->wake();
}

bool Failover::is_current(const Address& master) const {
  const Address now = l2_store_.servers().single().looked_at();
  return now.host.empty() || (now.host == master.host && now.port == master.port);
}

void Failover::announced(const Address& master) {
  Link& link = l2_store_.servers().single();
  // Where it is the same and out of reach, it is tried once more at once.
  if (!is_current(master) || !link.up()) link.server_moved("the master has changed");
}

TimePoint Failover::check_master() {
  const TimePoint asked = std::chrono::steady_clock::now();
  const TimePoint next = saturating_add(asked, context_.options.l1.ping_period.value_or({}));
  Link& link = l2_store_.servers().single();
  const ServerPlace place = link.server();
  if (place.number == 0 || !link.up()) return next;
  Request request;
  ServerRole::add_request(request);
  const Answer answer = link.run(request, Purpose::read);
  // By another server than was meant: that one has said it to the handshake.
  if (!answer || link.server().number != place.number) return next;
  const ServerRole role = ServerRole::read(answer.replies);
  if (role.kind == ServerRole::Kind::other) {
    link.server_moved("the server is no master any more");
  } else if (!role.run.empty() && role.run != place.run) {
    link.server_moved("the server has another history now");  // a replica for a moment, with the data of another
  } else if (role.kind == ServerRole::Kind::master) {
    confirmations_.alive(asked);
  }
  return next;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
