/// Tying a manager to its shared level.
#include <fmt/format.h>

#include <dsta/cache/detail/core.hpp>

#include "coherence.hpp"
#include "l2/dial.hpp"
#include "l2/url.hpp"
#include "shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

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
  shared_ = std::make_unique<Shared>(std::move(remote), [this] { return keep_up(); });
  if (!options_.l1.enabled) return;
  coherence_ = std::make_unique<Coherence>(*this, shared_->remote.link(),
                                           ChannelOptions{.prefix = shared_->remote.keys().head(),
                                                          .ping_period = options_.l1.ping_period.value_or({})});
  shared_->remote.versions_are_told = [this] { return coherence_ && coherence_->told(); };
  coherence_->wait_briefly(shared_->remote.link());
}

void Core::disconnect() noexcept {
  if (coherence_) coherence_->stop();
  shared_->upkeep.stop();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
