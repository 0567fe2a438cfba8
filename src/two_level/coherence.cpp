#include "two_level/coherence.hpp"

#include <fmt/format.h>

#include <utility>

#include <dsta/cache/detail/hash.hpp>

#include "base/saturating_add.hpp"
#include "entry/identities.hpp"
#include "entry/tags.hpp"
#include "l1/store.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Holds what a fork waits for, and keeps the destructors of the values that are dropped from running here.
class Core::QuietWork {
 public:
  explicit QuietWork(Core& core) : core_(core), lock_(core.quiet_), defer_(core.shared_->dropped) {}
  ~QuietWork() {
    if (!core_.shared_->dropped.empty()) core_.shared_->reaper->wake();
  }
  QuietWork(const QuietWork&) = delete;
  QuietWork& operator=(const QuietWork&) = delete;

 private:
  Core& core_;
  const std::lock_guard<std::mutex> lock_;
  const DeferDestruction defer_;
};

TimePoint Core::destroy_dropped() {
  NodeStack dropped;
  {
    const std::lock_guard quiet(quiet_);
    dropped = std::exchange(shared_->dropped, NodeStack());
  }
  return TimePoint::max();
}

TimePoint Core::keep_versions() {
  const Duration period = options_.l1.ping_period.value_or({});
  if (!coherence_ || !coherence_->told()) return TimePoint::max();
  if (shared_->remote.link().up()) shared_->remote.keep_versions();
  return saturating_add(std::chrono::steady_clock::now(), period);
}

void Coherence::begin() {
  constexpr std::chrono::milliseconds kPause{500};
  std::unique_lock lock(mutex_, std::try_to_lock);
  const TimePoint now = std::chrono::steady_clock::now();
  if (!lock || made_ || stopped_ || now < next_try_) return;
  next_try_ = now + kPause;
  try {
    made_ = std::make_unique<Channel>(options_, data_, *this);
    channel_.store(made_.get(), std::memory_order_release);
    wake_.notify_all();
  } catch (const std::exception& e) {
    if (std::exchange(complained_, true)) return;
    lock.unlock();
    try {
      core_.log(
          LogLevel::warning,
          fmt::format("no invalidation channel: {}. L1 keeps no values of L2 until there is one; the next calls try "
                      "again",
                      e.what()));
    } catch (const std::exception&) {  // no memory to say so
    }
  }
}

void Coherence::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  if (made_) made_->stop();
}

void Coherence::join() noexcept {
  if (made_) made_->join();
}

void Core::heard(std::span<const std::string_view> keys) {
  const QuietWork quiet(*this);
  const KeySpace& names = shared_->remote.keys();
  VersionMemory& versions = shared_->remote.versions();
  for (const std::string_view key : keys) {
    const auto [kind, name, token] = names.parse(key);
    switch (kind) {
      case KeySpace::Kind::entry:
        if (const auto* const see = heard_probe.load(std::memory_order_acquire)) (*see)();
        store_->revoke({name, {}, hash_bytes(name), true});
        break;
      case KeySpace::Kind::notice:
        if (!shared_->remote.notices().add(token)) break;
        if (name.empty()) {
          drop_all_shared();
          break;
        }
        versions.forget(name);
        // Removed or only expired: the shared level knows, and is asked by the next reader.
        tags_->invalidate(name, sequence_.fetch_add(1) + 1, true);
        if (name.starts_with(kFunctionMark)) {
          identities_->clear(name.substr(1), sequence_.fetch_add(1) + 1);
        }
        break;
      case KeySpace::Kind::version:  // made, kept for longer, or evicted: nothing was invalidated
        versions.forget(name);
        break;
      case KeySpace::Kind::epoch:
        versions.forget({});
        break;
      case KeySpace::Kind::raw_lease:
      case KeySpace::Kind::own:
      case KeySpace::Kind::foreign:
        break;
    }
  }
  shared_->tell_waiting();
}

void Core::heard_flush() {
  const QuietWork quiet(*this);
  drop_all_shared();
}

void Core::drop_all_shared() {
  shared_->remote.versions().forget_all();
  store_->drop_shared(sequence_.fetch_add(1) + 1);
}

void Core::forget_versions() {
  const std::lock_guard quiet(quiet_);
  shared_->remote.versions().forget_all();
}

void Core::hearing(TimePoint heard) {
  const QuietWork quiet(*this);
  shared_->serve_until = TimePoint::max();
  store_->close(true);
  store_->open();
  trusted_until_.store(saturating_add(heard, 2 * options_.l1.ping_period.value_or({})), std::memory_order_release);
  own_dropped_.store(false, std::memory_order_release);
  shared_->version_keeper->wake();
}

void Core::heard_until(TimePoint time) {
  const std::lock_guard quiet(quiet_);
  trusted_until_.store(saturating_add(time, 2 * options_.l1.ping_period.value_or({})), std::memory_order_release);
}

TimePoint Core::end_stale_service() {
  const QuietWork quiet(*this);
  if (shared_->serve_until > std::chrono::steady_clock::now()) return shared_->serve_until;
  store_->close(true);
  own_dropped_.store(true, std::memory_order_release);
  shared_->serve_until = TimePoint::max();
  return TimePoint::max();
}

void Core::not_hearing(std::string_view why, TimePoint last_heard) {
  shared_->channel_losses.fetch_add(1, std::memory_order_relaxed);
  cease_to_trust(last_heard);
  try {
    shared_->messages->post(
        LogLevel::warning,
        fmt::format("the invalidation channel is down ({}): L1 {} until it is up", why,
                    options_.l1.on_disconnect == OnDisconnect::flush    ? "is empty"
                    : options_.l1.on_disconnect == OnDisconnect::bypass ? "is bypassed"
                                                                        : "is served for a limited time"));
  } catch (const std::exception&) {  // no memory to say so
  }
}

void Core::cease_to_trust(TimePoint last_heard) {
  const QuietWork quiet(*this);
  shared_->remote.versions().forget_all();
  switch (options_.l1.on_disconnect) {
    case OnDisconnect::flush:
      store_->close(true);
      own_dropped_.store(true, std::memory_order_release);
      break;
    case OnDisconnect::bypass:
      trusted_until_.store(TimePoint{}, std::memory_order_release);
      store_->close(false);
      own_dropped_.store(true, std::memory_order_release);
      break;
    case OnDisconnect::serve:
      shared_->serve_until = saturating_add(last_heard, options_.l1.max_stale_age.value_or({}));
      trusted_until_.store(shared_->serve_until, std::memory_order_release);
      if (shared_->serve_end->wake(shared_->serve_until)) break;
      store_->close(true);
      own_dropped_.store(true, std::memory_order_release);
      break;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
