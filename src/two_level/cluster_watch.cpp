#include "two_level/cluster_watch.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "base/fork_count.hpp"
#include "base/saturating_add.hpp"
#include "base/time_budget.hpp"
#include "l2/client/server_role.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {
using Clock = std::chrono::steady_clock;
/// From one look at the map to the next where it is found to be out of date; doubled each time that nothing had
/// changed, up to a ping period.
constexpr std::chrono::milliseconds kLeastPause{50};
}  // namespace

ClusterWatch::ClusterWatch(Context& context, Cluster& cluster, Coherence& coherence, Confirmations& confirmations)
    : context_(context), cluster_(cluster), coherence_(coherence), confirmations_(confirmations), pause_(kLeastPause) {
  replace_thread();
}

void ClusterWatch::replace_thread() {
  replace_in_child(task_, std::make_unique<PeriodicTask>([this] { return step(); }, "dsta-cluster"));
}

void ClusterWatch::hurry() noexcept {
  task_->wake(saturating_add(last_.load(std::memory_order_relaxed), pause_.load(std::memory_order_relaxed)));
}

TimePoint ClusterWatch::step() {
  const TimePoint begun = Clock::now();
  const Duration period = context_.options.l1.ping_period.value_or({});
  const TimePoint next = saturating_add(begun, period);
  const bool hurried = begun - last_.load(std::memory_order_relaxed) < period;
  const std::uint64_t changes = cluster_.changes();
  last_.store(begun, std::memory_order_relaxed);
  const Duration patience = std::max<Duration>(cluster_.options().link.connect_timeout, period);
  const bool known = cluster_.refresh(saturating_add(begun, patience));
  last_.store(Clock::now(), std::memory_order_relaxed);
  const bool vain = hurried && cluster_.changes() == changes;
  pause_ = vain ? std::min<Duration>(2 * pause_.load(), period) : Duration(kLeastPause);
  if (!known) return next;
  coherence_.follow_map();
  if (check_masters()) confirmations_.alive(begun);
  return next;
}

bool ClusterWatch::check_masters() {
  const auto map = cluster_.map();
  if (!map) return false;
  bool all = true;
  for (const ClusterNode& node : map->nodes) {
    Link& link = *node.link;
    const ServerPlace place = link.server();
    Request request;
    ServerRole::add_request(request);
    request.add({"CLUSTER", "INFO"});
    const TimeBudget::Cap cap(saturating_add(Clock::now(), context_.options.l1.ping_period.value_or({})));
    const Answer answer = link.up() ? link.run(request, Purpose::erase) : Answer{.fault = Fault::no_connection};
    all = all && answer;
    if (!answer || place.number == 0 || link.server().number != place.number) continue;
    const ServerRole role = ServerRole::read(std::span(answer.replies).first(ServerRole::kCommands));
    if (role.kind == ServerRole::Kind::other) {
      link.server_moved("the node is no master any more");
    } else if (!role.run.empty() && role.run != place.run) {
      link.server_moved("the node has another history now");
    } else if (answer.replies.back().text.find("cluster_state:fail") != std::string::npos) {
      // It may be cut off from the others, who have replaced it: its channel proves nothing.
      if (coherence_.up()) link.server_moved("the node holds the cluster for down");
    } else {
      continue;
    }
    all = false;
  }
  return all;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
