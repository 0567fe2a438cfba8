#include "two_level/two_level.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <mutex>
#include <vector>

#include "base/background.hpp"
#include "base/fork_count.hpp"
#include "l1/store.hpp"
#include "l2/client/link_options.hpp"
#include "l2/client/url.hpp"
#include "two_level/context.hpp"
#include "two_level/lease_renewal.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// The managers with an L2: a child of a fork has their entries and not their threads. No fork happens while
/// one of those threads is at what the child will use, so that the child finds no lock taken by a thread that it does
/// not have.
class Forkable {
 public:
  static void add(Coherence* one) {
    static const int watched = ::pthread_atfork(prepare, in_parent, in_child);
    static_cast<void>(watched);
    const std::lock_guard lock(mutex());
    all().push_back(one);
  }
  static void remove(Coherence* one) {
    const std::lock_guard lock(mutex());
    std::erase(all(), one);
  }

 private:
  static void prepare() {
    mutex().lock();
    for (Coherence* const one : all()) one->quiet().lock();
  }
  static void in_parent() {
    for (Coherence* const one : all()) one->quiet().unlock();
    mutex().unlock();
  }
  static void in_child() {
    for (Coherence* const one : all()) one->forked();
    in_parent();
  }
  // Never destroyed: programs fork until they end.
  static std::mutex& mutex() {
    static auto* const one = new std::mutex;
    return *one;
  }
  static std::vector<Coherence*>& all() {
    static auto* const every = new std::vector<Coherence*>;
    return *every;
  }
};

/// How long close() waits for a slow sink.
constexpr std::chrono::milliseconds kLogPatience{500};

}  // namespace

void TwoLevel::connect(std::function<TimePoint()> confirm) {
  const Endpoint endpoint = apply_url(context_.options);
  if (endpoint.transport == Endpoint::Transport::memory) return;
  Remote::Options remote;
  remote.link = link_options(endpoint, context_.options);
  remote.space = context_.options.space;
  remote.clock = context_.options.clock;
  remote.failed = [this](std::string_view operation, std::string_view kind) {
    shared_->errors.fetch_add(1, std::memory_order_relaxed);
    // The link itself says when the server is lost and found again.
    const bool by_server = kind.find(' ') != std::string_view::npos;  // else it names a fault
    if (by_server && shared_->first_of(kind)) {
      context_.log(LogLevel::warning,
                   fmt::format("L2 error in {}: {} (logged once; counted as l2_errors)", operation, kind));
    }
  };
  confirm_ = std::move(confirm);
  forks_ = fork_count();
  shared_ = std::make_unique<Shared>(std::move(remote), context_.options.log);
  coherence_ = std::make_unique<Coherence>(context_, *shared_, trust_);
  begin_tasks();
  shared_->remote.versions_are_reported = [this] { return coherence_->up(); };
  Forkable::add(coherence_.get());
  if (!context_.options.l1.enabled) return;
  try {
    coherence_->listen();
  } catch (...) {
    Forkable::remove(coherence_.get());
    throw;
  }
  coherence_->wait_briefly();
}

void TwoLevel::begin_tasks() {
  shared_->confirmations = std::make_unique<PeriodicTask>(confirm_, "dsta-confirm");
  shared_->renewals =
      std::make_unique<PeriodicTask>([this] { return renew_leases(*shared_, coherence_->quiet()); }, "dsta-leases");
}

bool TwoLevel::used_by(const EntryTerms& terms) {
  notice_fork();
  tend();
  return shared_ && terms.level != Level::l1;
}

bool TwoLevel::reachable() {
  const bool reachable = shared_ && !context_.closed();
  if (reachable) notice_fork();
  tend();
  return reachable;
}

void TwoLevel::notice_fork() {
  if (shared_ && !context_.closed() && forks_.load(std::memory_order_acquire) != fork_count()) revive();
}

void TwoLevel::tend() {
  context_.background->tend();
  if (!shared_ || context_.closed()) return;
  for (auto* task : shared_->periodic_tasks()) (*task)->tend();
  coherence_->tend();
  shared_->messages->tend();
}

void TwoLevel::disconnect() noexcept {
  Forkable::remove(coherence_.get());
  coherence_->stop();
  give_back_leases(*shared_, coherence_->quiet(), context_.time_limit());
  shared_->remote.link().close();  // so that nothing that is under way waits for the server
  coherence_->join();
  for (auto* task : shared_->periodic_tasks()) (*task)->stop();
  coherence_->stop_tasks();
  shared_->messages->close(kLogPatience);
}

void TwoLevel::revive() {
  const std::lock_guard lock(reviving_);
  if (forks_.load() == fork_count()) return;
  shared_->remote.forget_parent();
  // What the parent is loading does not come here, nor are its leases to be renewed here.
  context_.store.fence_loads();
  new std::shared_ptr<Leases>(std::move(shared_->leases));
  shared_->leases = shared_->new_leases();
  // What belongs to threads that are not here can be neither used nor destroyed: it is left as it is.
  for (auto* task : shared_->periodic_tasks()) static_cast<void>(task->release());
  begin_tasks();
  static_cast<void>(shared_->messages.release());
  shared_->messages = std::make_unique<LogQueue>(context_.options.log);
  new std::shared_ptr<Background>(context_.background);
  context_.background = std::make_shared<Background>(context_.options.clock, context_.options.executor);
  coherence_->revive();
  forks_.store(fork_count());  // until then others wait for this
  if (shared_->pending.any()) shared_->confirmations->wake();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
