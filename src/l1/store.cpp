#include "l1/store.hpp"

#include <algorithm>
#include <bit>

#include "l1/hit.hpp"
#include "l1/shard.hpp"

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

/// True when a caller that comes now may take what this flight brings.
bool joinable(const Flight& flight, const Flight& mine, std::uint64_t store_cleared) {
  const bool without_claim = flight.unclaimed || (flight.revoked && !flight.leased.load(std::memory_order_acquire));
  const bool closed = flight.closed || (flight.loading && (without_claim || flight.closes_at_load));
  return flight.kind == FlightKind::load && !flight.fenced && !closed && !flight.superseded &&
         flight.type->same(*mine.type) && flight.identity == mine.identity && flight.name == mine.name &&
         flight.full == mine.full && flight.sequence >= store_cleared &&
         flight.sequence >= mine.identity->cleared.load(std::memory_order_acquire) &&
         flight.sequence >= flight.tags.invalidated();
}

}  // namespace

Store::Store(const L1Options& options, TimePoint now, const std::atomic<std::size_t>* beside) : beside_(beside) {
  const std::size_t count = shard_count(options);
  shards_ = std::make_unique<Shard[]>(count);
  mask_ = count - 1;
  for (std::size_t i = 0; i < count; ++i) {
    shards_[i].wheel = Wheel(now);
    shards_[i].max_bytes = options.enabled ? options.max_bytes / count : 0;
    shards_[i].beside = beside;
    shards_[i].parts = count;
    shards_[i].max_entries = (options.max_entries + count - 1) / count;
  }
}

Store::~Store() {
  clear(0);
  // Nobody reads any more. The entries' destructors are user code, so not one of them runs under a lock.
  for (std::size_t i = 0; i <= mask_; ++i) {
    NodeStack left = std::exchange(shards_[i].retired, NodeStack());
    left.push_all(shards_[i].unread);
  }
}

Freshness Store::find_aged(const KeyView& key, const TypeOps& type, const Identity* reader, TimePoint now,
                           NodeRef& out) noexcept {
  Shard& home = shard(key.hash);
  const std::lock_guard lock(home.lock);
  Node* node = home.find(key);
  if (!node || !node->type->serves(type)) return Freshness::miss;
  Freshness freshness = evaluate(*node, reader, now);
  if (freshness == Freshness::miss) return freshness;
  out = home.use(*node, now);
  if (backs_off(*node, now)) return without_refresh(freshness);
  home.flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
    if (flight->fenced || flight->kind != FlightKind::load || flight->full != key.full) return;
    freshness = without_refresh(freshness);
  });
  return freshness;
}

NodeRef Store::peek(const KeyView& key, TimePoint now) noexcept {
  Shard& home = shard(key.hash);
  const std::lock_guard lock(home.lock);
  Node* node = home.find(key);
  if (!node || evaluate(*node, nullptr, now) == Freshness::miss) return {};
  return NodeRef::to(*node);
}

NodeRef Store::previous(const Flight& flight, TimePoint now) noexcept {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  Node* node = home.find(flight.key());
  if (!node || !node->type->serves(*flight.type) || evaluate(*node, flight.identity, now) == Freshness::miss) return {};
  return NodeRef::to(*node);
}

bool Store::put(NodeRef node, TimePoint now) {
  const KeyView key{node->name(), node->full(), node->hash, node->full_size == 0};
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const std::lock_guard lock(home.lock);
  home.fence(key);
  return home.insert(home.find(key), std::move(node), now, dead);
}

Store::Exchanged Store::exchange(const NodeRef& expected, NodeRef node, TimePoint now) {
  const KeyView key{node->name(), node->full(), node->hash, node->full_size == 0};
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const std::lock_guard lock(home.lock);
  Node* held = home.find(key);
  if ((held && is_fresh(*held, now) ? held : nullptr) != expected.get()) return Exchanged::changed;
  home.fence(key);
  return home.insert(held, std::move(node), now, dead) ? Exchanged::stored : Exchanged::refused;
}

bool Store::erase(const KeyView& key, TimePoint now) {
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const std::lock_guard lock(home.lock);
  home.fence(key);
  bool counted = false;
  while (Node* node = home.find(key)) {
    counted = evaluate(*node, nullptr, now) != Freshness::miss || counted;
    home.remove(node, dead);
  }
  return counted;
}

std::size_t Store::erase_matching(const std::function<bool(const Known&)>& is_meant, TimePoint now,
                                  std::size_t* local) {
  /// Takes the watcher away however it ends.
  struct Watch {
    explicit Watch(Shard& shard) : home(shard) {}
    ~Watch() {
      const std::lock_guard lock(home.lock);
      stop();
    }
    void begin() { home.watchers.push_back(&watcher); }
    void stop() noexcept { std::erase(home.watchers, &watcher); }
    Shard& home;
    Watcher watcher;
  };
  std::size_t erased = 0;
  std::vector<NodeRef> nodes;
  const auto entry_is_meant = [&](const Node& node) {
    return is_meant({node.name(), node.full(), node.identity, node.shared});
  };
  for (std::size_t i = 0; i <= mask_; ++i) {
    Shard& home = shards_[i];
    nodes.clear();
    Watch watch(home);
    {
      const std::lock_guard lock(home.lock);
      nodes.reserve(home.table.size());
      home.table.each([&](Node& node) { nodes.push_back(NodeRef::to(node)); });
      watch.begin();
    }
    // Matching is done outside the lock: readers of the shard do not wait for it.
    std::erase_if(nodes, [&](const NodeRef& node) { return !entry_is_meant(*node); });
    Unlinked dead(home);
    const std::lock_guard lock(home.lock);
    watch.stop();
    nodes.reserve(nodes.size() + watch.watcher.added().size());
    for (NodeRef& node : watch.watcher.added()) {
      if (entry_is_meant(*node)) nodes.push_back(std::move(node));
    }
    // Fencing and removing in one step: a load that is told to be too late finds nothing older left behind.
    home.flights.each([&](const std::shared_ptr<Flight>& flight) {
      if (!flight->fenced && is_meant({flight->name, flight->full, flight->identity, true})) flight->fenced = true;
    });
    const auto remove = [&](Node* held) {
      if (evaluate(*held, nullptr, now) != Freshness::miss) {
        ++erased;
        if (local && !held->shared) ++*local;
      }
      home.remove(held, dead);
    };
    if (watch.watcher.missed()) {
      home.table.each([&](Node& node) {
        if (entry_is_meant(node)) remove(&node);
      });
      continue;
    }
    for (const NodeRef& node : nodes) {
      // Or what replaced it meanwhile: a counter that counted on holds what was to be removed.
      Node* held = home.find({node->name(), node->full(), node->hash, node->full_size == 0});
      if (held) remove(held);
    }
  }
  return erased;
}

void Store::sweep(TimePoint now) {
  for (std::size_t i = 0; i <= mask_; ++i) {
    Shard& home = shards_[i];
    Unlinked dead(home);
    const std::lock_guard lock(home.lock);
    home.table.each([&](Node& node) {
      if (evaluate(node, nullptr, now) == Freshness::miss) home.remove(&node, dead);
    });
  }
}

void Store::clear(std::uint64_t sequence) {
  for (std::size_t i = 0; i <= mask_; ++i) {
    Shard& home = shards_[i];
    Unlinked dead(home);
    const std::lock_guard lock(home.lock);
    home.cleared = std::max(home.cleared, sequence);
    home.flights.each([](const std::shared_ptr<Flight>& flight) { flight->fenced = true; });
    home.table.each([&](Node& node) { home.remove(&node, dead); });
    dead.free_all();
  }
}

Store::Joined Store::join(std::shared_ptr<Flight> mine, Wants wants, TimePoint now) {
  const KeyView key = mine->key();
  Joined joined;
  Shard& home = shard(key.hash);
  const std::lock_guard lock(home.lock);
  if (wants == Wants::refresh) {
    home.flights.each(key, [](const std::shared_ptr<Flight>& flight) { flight->superseded = true; });
  } else {
    Node* const node = wants == Wants::any ? home.find(key) : nullptr;
    if (node && node->type->serves(*mine->type)) {
      joined.freshness = evaluate(*node, mine->identity, now);
      if (joined.freshness != Freshness::miss) joined.entry = home.use(*node, now);
      if (backs_off(*node, now)) joined.freshness = without_refresh(joined.freshness);
    }
    if (joined.freshness == Freshness::fresh || joined.freshness == Freshness::serving) return joined;
    home.flights.each(key, [&](const std::shared_ptr<Flight>& flight) {
      if (joinable(*flight, *mine, home.cleared)) joined.flight = flight;
    });
    if (joined.flight) {
      joined.loading = joined.flight->loading;
      joined.told = joined.loading && joined.flight->revoked;
      return joined;
    }
  }
  mine->trust = trust();
  home.flights.add(mine);
  joined.flight = std::move(mine);
  joined.lead = true;
  return joined;
}

Store::Published Store::land(Flight& flight, Landing landing, TimePoint now) {
  std::shared_ptr<Flight> detached;
  Shard& home = shard(flight.hash);
  Unlinked dead(home);
  const std::lock_guard lock(home.lock);
  detached = home.flights.remove(flight);
  if (flight.fenced || flight.sequence < home.cleared) return Published::fenced;
  Node* held = home.find(flight.key());
  if (landing.replace_by || landing.remove) home.fence_superseded(flight);
  if (landing.replace_by && !keeps(flight, *landing.replace_by)) {
    landing.replace_by.reset();
    landing.remove = held && held->shared;
  }
  if (landing.replace_by) {
    const bool stored = home.insert(held, std::move(landing.replace_by), now, dead);
    return stored ? Published::stored : Published::refused;
  }
  if (held && landing.remove) {
    home.remove(held, dead);
  } else if (held && landing.retry_after != TimePoint{} && held->created <= landing.retry_of) {
    held->retry_after.store(landing.retry_after, std::memory_order_relaxed);
  }
  return Published::nothing;
}

// --- with a shared level behind

bool Store::keeps(const Flight& flight, const Node& node) const {
  if (node.shared) return !flight.revoked && flight.trust % 2 == 1 && flight.trust == trust();
  // Loaded by this process for itself: the channel did not go down or come back meanwhile.
  return !heeds_others(node) || flight.kind == FlightKind::write || flight.trust == trust();
}

void Store::distrust() noexcept {
  // Another even number each time, so that whatever is under way is seen to be older than this.
  std::uint64_t seen = trust_.load();
  while (!trust_.compare_exchange_weak(seen, seen + 2 - seen % 2)) {
  }
}

void Store::close(bool drops_shared) {
  // Whoever looked at it under a shard's lock before this has inserted by the time that the shard is emptied.
  distrust();
  drop(0, [&](const Node& node) { return node.shared ? drops_shared : heeds_others(node); });
}

void Store::drop_shared(std::uint64_t sequence) {
  drop(sequence, [](const Node& node) { return node.shared; });
}

template <class Goes>
void Store::drop(std::uint64_t sequence, Goes goes) {
  for (std::size_t i = 0; i <= mask_; ++i) {
    Shard& home = shards_[i];
    Unlinked dead(home);
    const std::lock_guard lock(home.lock);
    home.cleared = std::max(home.cleared, sequence);
    home.flights.each([](const std::shared_ptr<Flight>& flight) { flight->revoked = true; });
    home.table.each([&](Node& node) {
      if (goes(node)) home.remove(&node, dead);
    });
  }
}

void Store::open() {
  std::uint64_t seen = trust_.load();
  while (seen % 2 == 0 && !trust_.compare_exchange_weak(seen, seen + 1)) {
  }
}

void Store::begin(const std::shared_ptr<Flight>& flight) {
  Shard& home = shard(flight->hash);
  const std::lock_guard lock(home.lock);
  if (flight->kind == FlightKind::write) home.fence_reads(flight->key());
  flight->superseded = flight->kind == FlightKind::fill;
  flight->trust = trust();
  home.flights.add(flight);
}

void Store::rearm(Flight& flight, bool keep) {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  // Who comes now has come after the change.
  if (flight.revoked && flight.loading) flight.superseded = true;
  flight.revoked = false;
  flight.trust = keep ? trust() : 0;
}

void Store::begin_loading(Flight& flight) {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  flight.revoked = false;
  flight.loading = true;
}

std::shared_ptr<Flight> Store::begin_unclaimed(Flight& flight) {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  std::shared_ptr<Flight> running;
  home.flights.each(flight.key(), [&](const std::shared_ptr<Flight>& other) {
    if (other->unclaimed && other->loading && !other->fenced && !other->revoked && !other->superseded) running = other;
  });
  if (running) return running;
  flight.revoked = false;
  flight.loading = flight.unclaimed = true;
  return nullptr;
}

void Store::begin_unclaimed_beside(Flight& flight) {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  flight.revoked = false;
  flight.loading = flight.unclaimed = true;
}

void Store::close(Flight& flight) {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  flight.closed = true;
}

void Store::fence_loads() {
  for (std::size_t i = 0; i <= mask_; ++i) {
    Shard& home = shards_[i];
    const std::lock_guard lock(home.lock);
    home.flights.each([](const std::shared_ptr<Flight>& flight) { flight->fenced = true; });
  }
}

void Store::supersede(Flight& flight) {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  flight.superseded = true;
}

bool Store::fenced(const Flight& flight) const {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  return flight.fenced || flight.sequence < home.cleared;
}

bool Store::revoked(const Flight& flight) const {
  Shard& home = shard(flight.hash);
  const std::lock_guard lock(home.lock);
  return flight.revoked;
}

void Store::end_write(Flight& flight, NodeRef node, SendOrder order, TimePoint now) {
  std::shared_ptr<Flight> detached;
  Shard& home = shard(flight.hash);
  Unlinked dead(home);
  const std::lock_guard lock(home.lock);
  detached = home.flights.remove(flight);
  Node* held = home.find(flight.key());
  const bool alone = !flight.rival.sent();
  const bool counts = node && !flight.fenced && flight.sequence >= home.cleared && keeps(flight, *node);
  if (counts && (alone || order > flight.rival)) {
    home.fence_reads(flight.key());
    home.tell_rivals(flight.key(), order);
    home.insert(held, std::move(node), now, dead);
    return;
  }
  if (counts && order < flight.rival) return;  // what that one left there, or what came after it, is newer
  // Nobody knows which of those under way the shared level has last.
  home.fence(flight.key());
  if (held) home.remove(held, dead);
}

void Store::revoke(const KeyView& key) {
  Shard& home = shard(key.hash);
  Unlinked dead(home);
  const std::lock_guard lock(home.lock);
  home.flights.each(key, [](const std::shared_ptr<Flight>& flight) { flight->revoked = true; });
  // By name: of two long keys with one name the server knows only one as well.
  while (Node* held = home.find(key)) {
    if (!held->shared) break;
    home.remove(held, dead);
  }
}

Store::Contents Store::contents(TimePoint now) {
  Contents sum;
  for (std::size_t i = 0; i <= mask_; ++i) {
    Shard& home = shards_[i];
    {
      Unlinked dead(home);
      const std::lock_guard lock(home.lock);
      home.reclaim(now, std::size_t{1} << 20, dead);
      home.shrink(nullptr, dead);  // what stands beside the store may have grown since the last insertion
      // What was taken out and waits to be freed is no content.
      if (!home.retired.empty() || !home.unread.empty()) dead.free_all();
    }
    const std::lock_guard lock(home.lock);
    sum.entries += home.table.size();
    sum.bytes += home.policy.weight() + home.overhead();
    sum.evictions += home.evictions;
    sum.expirations += home.expirations;
  }
  if (beside_) sum.bytes += beside_->load(std::memory_order_relaxed);
  return sum;
}

void Store::clear_counts() {
  for (std::size_t i = 0; i <= mask_; ++i) {
    const std::lock_guard lock(shards_[i].lock);
    shards_[i].evictions = shards_[i].expirations = 0;
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
