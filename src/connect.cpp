/// Tying a manager to its shared level, and tying it anew in the child of a fork.
#include <fmt/format.h>
#include <pthread.h>

#include <array>

#include <dsta/cache/detail/core.hpp>

#include "background.hpp"
#include "coherence.hpp"
#include "l1/store.hpp"
#include "l2/dial.hpp"
#include "l2/fork_count.hpp"
#include "l2/url.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// The managers whose in-process level depends on a channel: a child of a fork has their entries and not their threads.
/// Read in the child before anything else runs, so without locks. One that finds no place keeps no in-process level.
class Forkable {
 public:
  static bool add(Core* core) {
    static const int watched = ::pthread_atfork(nullptr, nullptr, [] {
      for (auto& place : places) {
        if (Core* const here = place.load()) here->forked();
      }
    });
    static_cast<void>(watched);
    for (auto& place : places) {
      Core* none = nullptr;
      if (place.compare_exchange_strong(none, core)) return true;
    }
    return false;
  }
  static void remove(const Core* core) {
    for (auto& place : places) {
      if (place.load() == core) place.store(nullptr);
    }
  }

 private:
  static inline std::array<std::atomic<Core*>, 256> places{};
};

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
    const bool by_server = !kind.empty() && kind[0] >= 'A' && kind[0] <= 'Z';
    if (by_server && shared_->first_of(kind)) {
      log(LogLevel::warning, fmt::format("{} at the shared level: the server answered {}; this is said once, and "
                                         "counted as l2_errors",
                                         operation, kind));
    }
  };
  forks_ = fork_count();
  shared_ = std::make_unique<Shared>(std::move(remote), [this] { return keep_up(); });
  shared_->remote.versions_are_told = [this] { return coherence_ && coherence_->told(); };
  if (!options_.l1.enabled || !Forkable::add(this)) return;
  listen();
  coherence_->wait_briefly(shared_->remote.link());
}

void Core::listen() {
  coherence_ = std::make_unique<Coherence>(*this, shared_->remote.link(),
                                           ChannelOptions{.prefix = shared_->remote.keys().head(),
                                                          .ping_period = options_.l1.ping_period.value_or({})});
}

void Core::disconnect() noexcept {
  Forkable::remove(this);
  if (coherence_) coherence_->stop();
  shared_->upkeep->stop();
}

void Core::forked() noexcept {
  bypass_.store(true);
  store_->distrust();
}

void Core::revive() {
  std::uint32_t seen = forks_.load();
  if (seen == fork_count() || !forks_.compare_exchange_strong(seen, fork_count())) return;
  // What belongs to threads that are not here can be neither used nor destroyed: it is left as it is.
  static_cast<void>(shared_->upkeep.release());
  shared_->upkeep = std::make_unique<Upkeep>([this] { return keep_up(); });
  new std::shared_ptr<Background>(background_);
  background_ = std::make_shared<Background>(options_.clock, options_.executor);
  if (!coherence_) return;
  static_cast<void>(coherence_.release());
  listen();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
