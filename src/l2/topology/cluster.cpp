#include "l2/topology/cluster.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/time_budget.hpp"
#include "l2/client/link_state.hpp"
#include "l2/topology/cluster_run.hpp"
#include "l2/topology/cluster_state.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

Cluster::Cluster(Options options) : options_(std::move(options)), state_(new State(options_, changes_)) {}

Cluster::~Cluster() {
  State* const own = state_.load();
  if (own->forks != fork_count()) return;  // the parent's: see below
  own->close();
  delete own;
}

Cluster::State& Cluster::state() {
  State* own = state_.load(std::memory_order_acquire);
  if (own->forks == fork_count()) [[likely]]
    return *own;
  // The parent's is left as it is, for ever: its locks may be taken by threads that are not here.
  auto fresh = std::make_unique<State>(options_, changes_);
  if (state_.compare_exchange_strong(own, fresh.get())) return *fresh.release();
  return *own;
}

Answer Cluster::run(const Request& request, Purpose purpose, Lane lane) {
  State& own = state();
  const TimePoint deadline = std::min(by(options_.link.operation_timeout), TimeBudget::end());
  const TimeBudget::Cap cap(deadline);
  const std::uint64_t before = own.failovers.load();
  Answer answer = Run(own, request, purpose, lane, deadline).go();
  const bool steady = before % 2 == 0 && own.failovers.load() == before;
  if (steady || purpose == Purpose::read || !request.writes()) [[likely]]
    return answer;
  // It may have been made at a master that was replaced, by one that does not know of it.
  answer = {.fault = Fault::lost, .maybe_executed = true, .why = "a master of the cluster was replaced meanwhile"};
  return answer;
}

bool Cluster::refresh(TimePoint deadline) { return state().refresh(deadline); }

std::shared_ptr<const SlotMap> Cluster::map() { return state().known(); }

TimePoint Cluster::confirmed() {
  State& own = state();
  const MutexLock lock(own.mutex);
  return own.confirmed;
}

bool Cluster::failed() {
  State& own = state();
  const MutexLock lock(own.mutex);
  return own.failed != TimePoint{};
}

std::string Cluster::why() {
  State& own = state();
  const MutexLock lock(own.mutex);
  return own.why;
}

std::shared_ptr<Link> Cluster::home() {
  const auto map = state().known();
  const ClusterNode* const node = map ? map->of(options_.home) : nullptr;
  return node ? node->link : nullptr;
}

void Cluster::close() noexcept { state().close(); }

void Cluster::State::close() {
  std::vector<std::shared_ptr<Link>> all;
  {
    const MutexLock lock(mutex);
    closed = true;
    for (const auto& [name, link] : links) all.push_back(link);
    changed.notify_all();
  }
  interrupt.ring();
  for (const auto& link : all) link->close();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
