#pragma once
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include <dsta/cache/clock.hpp>
#include <dsta/cache/detail/coarse_clock.hpp>
#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/detail/probes.hpp>
#include <dsta/cache/options.hpp>

#include "base/background.hpp"
#include "base/random.hpp"
#include "entry/identities.hpp"
#include "entry/tags.hpp"
#include "l1/store.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// What all owners of a manager share: its options and time, what is in this process, the invalidation sequence.
/// Outlives them. Thread-safe.
///
/// Invariant: the sequence grows with every invalidation of more than one key. An entry or a load is ordered against
/// them by the value that it saw at its start.
struct Context {
  Context(ManagerOptions options_, const Probes& probes_)
      : options(std::move(options_)),
        reads_system_clock(options.clock == system_clock()),
        probes(probes_),
        tags(beside.bytes),
        identities(beside.bytes, !options.url.empty()),
        store(options.l1, now(), &beside.bytes),
        background(std::make_shared<Background>(options.clock, options.executor)) {}

  TimePoint now() const noexcept { return reads_system_clock ? coarse_now() : options.clock->now(); }
  /// Of one operation with the server.
  Duration time_limit() const { return options.pool.socket_timeout.value_or({}); }
  /// The same for a call whose load has a limit: half of that is the loader's. Not so little that requests are refused
  /// for lack of time.
  Duration time_limit(Duration load_timeout) const {
    const Duration whole = time_limit();
    return load_timeout <= Duration::zero() ? whole : std::min(whole, std::max(load_timeout / 2, whole / 6));
  }
  std::uint64_t sequence() const noexcept { return point.load(); }
  /// The point of an invalidation that begins now.
  std::uint64_t next_point() noexcept { return point.fetch_add(1) + 1; }
  /// Nothing is stored: after close(), or while a test wants it so.
  bool closed() const noexcept { return is_closed.load(std::memory_order_acquire) || faulty(); }
  bool faulty() const noexcept { return is_faulty.load(std::memory_order_acquire); }
  /// For people, where closed().
  std::string_view why_closed() const noexcept {
    return is_closed.load(std::memory_order_acquire) ? "the manager is closed" : "a testing::ServerFault is active";
  }
  /// Not after close(): the user's sink may be gone.
  void log(LogLevel level, std::string_view message) const {
    if (!is_closed.load(std::memory_order_acquire)) options.log.write(level, message);
  }

  ManagerOptions options;
  const bool reads_system_clock;
  const Probes& probes;
  /// What stands beside the store and is paid by its budget: records of tags, and of functions without a wrapper. On a
  /// cache line of its own.
  struct alignas(64) Beside {
    std::atomic<std::size_t> bytes{0};
  } beside;
  TagTable tags;
  IdentityTable identities;
  /// After the two, to which its entries refer. Hits read it: its cache line holds nothing that is written often.
  alignas(64) Store store;
  std::shared_ptr<Background> background;
  std::atomic<bool> is_closed{false};
  std::atomic<bool> is_faulty{false};  ///< see Core::set_fault
  alignas(64) std::atomic<std::uint64_t> point{1};
  Random random{kHashSeed.value};
};

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
