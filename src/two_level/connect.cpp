/// Tying a manager to its shared level, and tying it again in the child of a fork.
#include <fmt/format.h>
#include <pthread.h>

#include <mutex>
#include <vector>

#include <dsta/cache/detail/core.hpp>

#include "base/background.hpp"
#include "base/fork_count.hpp"
#include "l1/store.hpp"
#include "l2/client/link_options.hpp"
#include "l2/client/url.hpp"
#include "two_level/coherence.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// The managers with a shared level: a child of a fork has their entries and not their threads. No fork happens while
/// one of those threads is at what the child will use, so that the child finds no lock taken by a thread that it does
/// not have.
class Forkable {
 public:
  static void add(Core* core) {
    static const int watched = ::pthread_atfork(prepare, in_parent, in_child);
    static_cast<void>(watched);
    const std::lock_guard lock(mutex());
    cores().push_back(core);
  }
  static void remove(Core* core) {
    const std::lock_guard lock(mutex());
    std::erase(cores(), core);
  }

 private:
  static void prepare() {
    mutex().lock();
    for (Core* const core : cores()) core->hold_threads();
  }
  static void in_parent() {
    for (Core* const core : cores()) core->release_threads();
    mutex().unlock();
  }
  static void in_child() {
    for (Core* const core : cores()) core->forked();
    in_parent();
  }
  // Never destroyed: programs fork until they end.
  static std::mutex& mutex() {
    static auto* const one = new std::mutex;
    return *one;
  }
  static std::vector<Core*>& cores() {
    static auto* const all = new std::vector<Core*>;
    return *all;
  }
};

/// How long close() waits for a slow sink.
constexpr std::chrono::milliseconds kLogPatience{500};

}  // namespace

void Core::connect() {
  const Endpoint endpoint = apply_url(options_);
  if (endpoint.transport == Endpoint::Transport::memory) return;
  Remote::Options remote;
  remote.link = link_options(endpoint, options_);
  remote.space = options_.space;
  remote.clock = options_.clock;
  remote.failed = [this](std::string_view operation, std::string_view kind) {
    shared_->errors.fetch_add(1, std::memory_order_relaxed);
    // The link itself says when the server is lost and found again.
    const bool by_server = kind.find(' ') != std::string_view::npos;  // else it names a fault
    if (by_server && shared_->first_of(kind)) {
      log(LogLevel::warning, fmt::format("L2 error in {}: {} (logged once; counted as l2_errors)", operation, kind));
    }
  };
  forks_ = fork_count();
  shared_ = std::make_unique<Shared>(std::move(remote), options_.log);
  begin_periodic_tasks();
  shared_->remote.versions_are_told = [this] { return coherence_ && coherence_->told(); };
  Forkable::add(this);
  if (!options_.l1.enabled) return;
  try {
    listen();
  } catch (...) {
    Forkable::remove(this);
    throw;
  }
  coherence_->wait_briefly(shared_->remote.link());
}

void Core::begin_periodic_tasks() {
  shared_->confirmations = std::make_unique<PeriodicTask>([this] { return confirm_pending(); }, "dsta-confirm");
  shared_->renewals = std::make_unique<PeriodicTask>([this] { return renew_leases(); }, "dsta-leases");
  shared_->serve_end = std::make_unique<PeriodicTask>([this] { return end_stale_service(); }, "dsta-serve-end");
  shared_->version_keeper = std::make_unique<PeriodicTask>([this] { return keep_versions(); }, "dsta-versions");
  shared_->reaper = std::make_unique<PeriodicTask>([this] { return destroy_dropped(); }, "dsta-reaper");
}

void Core::listen() {
  coherence_ = std::make_unique<Coherence>(*this, shared_->remote.link(),
                                           ChannelOptions{.prefix = shared_->remote.keys().head(),
                                                          .ping_period = options_.l1.ping_period.value_or({}),
                                                          .say = [this](LogLevel level, std::string message) {
                                                            shared_->messages->post(level, std::move(message));
                                                          }});
  coherence_->tend();
}

void Core::tend() {
  background_->tend();
  if (!shared_ || closed()) return;
  for (auto* upkeep : shared_->periodic_tasks()) (*upkeep)->tend();
  if (coherence_) coherence_->tend();
  shared_->messages->tend();
}

void Core::disconnect() noexcept {
  Forkable::remove(this);
  if (coherence_) coherence_->stop();
  give_back_leases();
  shared_->remote.link().close();  // so that nothing that is under way waits for the server
  if (coherence_) coherence_->join();
  for (auto* upkeep : shared_->periodic_tasks()) (*upkeep)->stop();
  shared_->messages->close(kLogPatience);
}

void Core::forked() noexcept {
  own_dropped_.store(false);
  trusted_until_.store(TimePoint{});
  store_->distrust();
}

void Core::hold_threads() noexcept { quiet_.lock(); }
void Core::release_threads() noexcept { quiet_.unlock(); }

void Core::revive() {
  const std::lock_guard lock(reviving_);
  if (forks_.load() == fork_count()) return;
  shared_->remote.forget_parent();
  // What the parent is loading does not come here, nor are its leases to be renewed here.
  store_->fence_loads();
  store_->close(true);
  own_dropped_.store(true, std::memory_order_release);
  new std::shared_ptr<Leases>(std::move(shared_->leases));
  shared_->leases = shared_->new_leases();
  // What belongs to threads that are not here can be neither used nor destroyed: it is left as it is.
  for (auto* upkeep : shared_->periodic_tasks()) {
    static_cast<void>(upkeep->release());
  }
  begin_periodic_tasks();
  static_cast<void>(shared_->messages.release());
  shared_->messages = std::make_unique<LogQueue>(options_.log);
  new std::shared_ptr<Background>(background_);
  background_ = std::make_shared<Background>(options_.clock, options_.executor);
  if (coherence_) {
    static_cast<void>(coherence_.release());
    listen();
  }
  forks_.store(fork_count());  // until then others wait for this
  if (shared_->pending.any()) shared_->confirmations->wake();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
