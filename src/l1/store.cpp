/// The store as a whole: its shards, what it holds, emptying it.
#include "l1/store.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "l1/shard.hpp"
#include "l1/unlinked.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr std::size_t kShardBytes = std::size_t{4} << 20;
constexpr std::size_t kMostShards = 256;

std::size_t shard_count(const L1Options& options) {
  std::size_t count = std::clamp<std::size_t>(options.max_bytes / kShardBytes, 1, kMostShards);
  if (options.max_entries != 0) count = std::min(count, std::max<std::size_t>(1, options.max_entries / 64));
  return std::bit_floor(count);
}

}  // namespace

Store::Store(const L1Options& options, TimePoint now, const std::atomic<std::size_t>* beside) : beside_(beside) {
  const std::size_t count = shard_count(options);
  shards_ = std::make_unique<Shard[]>(count);
  mask_ = count - 1;
  for (Shard& home : shards()) {
    home.max_bytes = options.enabled ? options.max_bytes / count : 0;
    home.reserve = home.max_bytes / 64;
    home.all = shards_.get();
    home.beside = beside;
    home.parts = count;
    home.max_entries = (options.max_entries + count - 1) / count;
    const SpinGuard lock(home.lock);
    home.wheel = Wheel(now);
  }
}

std::span<Shard> Store::shards() const noexcept { return {shards_.get(), mask_ + 1}; }

Store::~Store() {
  clear(0);
  // Nobody reads any more. The entries' destructors are user code, so not one of them runs under a lock.
  for (Shard& home : shards()) {
    NodeStack left;
    const SpinGuard lock(home.lock);
    left.push_all(home.retired);
    left.push_all(home.unread);
  }
}

void Store::sweep(TimePoint now) {
  for (Shard& home : shards()) {
    Unlinked dead(home);
    const SpinGuard lock(home.lock);
    home.remove_if([&](const Node& node) { return evaluate(node, nullptr, now) == Freshness::miss; }, dead);
    if (!home.retired.empty() || !home.unread.empty()) dead.free_all();
  }
}

void Store::clear(std::uint64_t sequence) noexcept {
  for (Shard& home : shards()) {
    const SpinGuard lock(home.lock);
    home.cleared = std::max(home.cleared, sequence);
    home.mark_flights(&Flight::State::fenced);
    home.remove_all();
  }
}

void Store::free_removed() noexcept {
  for (Shard& home : shards()) {
    Unlinked dead(home);
    dead.free_all();
  }
}

Store::Contents Store::contents(TimePoint now) {
  Contents sum;
  for (Shard& home : shards()) {
    {
      Unlinked dead(home);
      const SpinGuard lock(home.lock);
      home.reclaim(now, std::size_t{1} << 20, dead);
      home.shrink(nullptr, dead);  // what stands beside the store may have grown since the last insertion
      // What was taken out and waits to be freed is no content.
      if (!home.retired.empty() || !home.unread.empty()) dead.free_all();
    }
    const SpinGuard lock(home.lock);
    sum.entries += home.table.size();
    sum.bytes += home.policy.weight() + home.overhead();
    sum.evictions += home.evictions;
    sum.expirations += home.expirations;
  }
  if (beside_) sum.bytes += beside_->load(std::memory_order_relaxed);
  return sum;
}

void Store::clear_counts() {
  for (Shard& home : shards()) {
    const SpinGuard lock(home.lock);
    home.evictions = home.expirations = 0;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
