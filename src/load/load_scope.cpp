#include "load/load_scope.hpp"

#include <unordered_map>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constinit thread_local LoadScope* innermost = nullptr;

struct WaitGraph {
  Mutex mutex;
  /// By the number of the waiting thread.
  std::unordered_map<std::uint64_t, std::shared_ptr<Flight>> waits DSTA_GUARDED_BY(mutex);
};

/// One for the process, since a loader of one manager may ask another manager. Never destroyed: threads may wait at
/// exit.
WaitGraph& wait_graph() {
  static auto* graph = new WaitGraph;
  return *graph;
}

}  // namespace

std::uint64_t this_thread_number() noexcept {
  static std::atomic<std::uint64_t> last{0};
  constinit thread_local std::uint64_t number = 0;
  if (number == 0) number = last.fetch_add(1, std::memory_order_relaxed) + 1;
  return number;
}

LoadScope::LoadScope(std::span<const std::shared_ptr<Flight>> flights, Admission* place)
    : flights_(flights), place_(place), outer_(innermost) {
  innermost = this;
  for (const auto& flight : flights_) flight->leader.store(this_thread_number(), std::memory_order_release);
}

LoadScope::~LoadScope() {
  innermost = outer_;
  // They are about to land: nobody waits for this thread any more.
  for (const auto& flight : flights_) flight->leader.store(0, std::memory_order_release);
  if (place_) place_->leave();
}

bool LoadScope::active() noexcept { return innermost != nullptr; }

bool LoadScope::loading(const KeyView& key, const LoadSpec& spec) noexcept {
  for (const LoadScope* scope = innermost; scope; scope = scope->outer_) {
    for (const auto& flight : scope->flights_) {
      // A call with arguments of other types may have this key and is another call; plain types say nothing of
      // arguments.
      const bool other_call = flight->type->plain && !flight->type->same(*spec.type);
      if (flight->hash == key.hash && flight->identity == spec.identity && !other_call && flight->name == key.name &&
          flight->full == key.full) {
        return true;
      }
    }
  }
  return false;
}

bool LoadScope::holds_lease(const LeaseToken& generation) noexcept {
  if (generation == LeaseToken{}) return false;
  for (const LoadScope* scope = innermost; scope; scope = scope->outer_) {
    for (const auto& flight : scope->flights_) {
      if (flight->generation == generation) return true;
    }
  }
  return false;
}

bool LoadScope::holds_place(const Admission& admission) noexcept {
  for (const LoadScope* scope = innermost; scope; scope = scope->outer_) {
    if (scope->place_ == &admission) return true;
  }
  return false;
}

PlacesLent::PlacesLent() : innermost_(innermost), end_(innermost) {
  for (; end_ && !end_->lent_; end_ = end_->outer_) {
    end_->lent_ = true;
    if (end_->place_) end_->place_->leave();
  }
}

PlacesLent::~PlacesLent() {
  for (LoadScope* scope = innermost_; scope != end_; scope = scope->outer_) {
    scope->lent_ = false;
    if (scope->place_) scope->place_->enter_again();
  }
}

WaitScope::WaitScope(const std::shared_ptr<Flight>& flight) {
  if (!flight || !LoadScope::active()) return;
  const std::uint64_t me = this_thread_number();
  WaitGraph& graph = wait_graph();
  const MutexLock lock(graph.mutex);
  std::uint64_t thread = flight->leader.load(std::memory_order_acquire);
  while (thread != 0) {
    if (thread == me) {
      throw RecursiveLoadError("a loader under prefix '" + flight->identity->prefix +
                               "' waits for a load that waits for it: two cached functions call each other for the "
                               "same arguments");
    }
    const auto next = graph.waits.find(thread);
    if (next == graph.waits.end()) break;
    thread = next->second->leader.load(std::memory_order_acquire);
  }
  graph.waits.emplace(me, flight);
  registered_ = true;
}

WaitScope::~WaitScope() {
  if (!registered_) return;
  WaitGraph& graph = wait_graph();
  const MutexLock lock(graph.mutex);
  graph.waits.erase(this_thread_number());
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
