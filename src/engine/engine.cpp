
#include <fmt/format.h>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/key.hpp>

#include "base/background.hpp"
#include "base/random.hpp"
#include "engine/manager_options.hpp"
#include "entry/entry.hpp"
#include "entry/expiry.hpp"
#include "entry/identities.hpp"
#include "entry/integer_errors.hpp"
#include "entry/key_pattern.hpp"
#include "entry/presets.hpp"
#include "entry/stats.hpp"
#include "entry/tags.hpp"
#include "l1/store.hpp"
#include "load/lease_coordinator.hpp"
#include "load/load_limits.hpp"
#include "two_level/engine.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// How long close() waits, beyond their load_timeout, for loads that run in the background.
constexpr std::chrono::milliseconds kPatience{900};

}  // namespace

std::shared_ptr<Engine> Engine::make(ManagerOptions options) {
  return std::shared_ptr<Engine>(new Engine(checked(std::move(options))));
}

Engine::Engine(ManagerOptions options)
    : context_(std::move(options), *this),
      presets_(context_.options),
      limits_(std::make_unique<LoadLimits>()),
      leases_(std::make_unique<LeaseCoordinator>(context_, levels_, l2_)) {
  levels_.connect([this] { return l2_.confirm_pending(); });
}

Engine::~Engine() { close(); }

void Engine::close() noexcept {
  levels_.notice_fork();
  if (context_.is_closed.exchange(true)) return;
  context_.store.clear(context_.next_point());
  std::vector<std::shared_ptr<void>> kept;
  {
    const std::lock_guard lock(kept_mutex_);
    kept.swap(kept_);
  }
  kept.clear();
  limits_->open();
  // An hour stands for "as long as it takes" without overflowing.
  const Duration longest = std::min<Duration>(longest_load_.load(), std::chrono::hours(1));
  context_.background->close(std::chrono::ceil<std::chrono::milliseconds>(longest) + kPatience);
  if (levels_.has_l2()) levels_.disconnect();
}

// --- reading

Reach Engine::reach(const EntryOptions& options) { return levels_.reachable() ? presets_.reach(options) : Reach(); }

std::optional<Duration> Engine::time_left(const KeyView& key, const Reach& reach) {
  const TimePoint time = context_.now();
  const L1View view(trust_);
  const NodeRef node = reach.l1 ? context_.store.peek(key, time) : NodeRef();
  if (!node || view.hides(*node)) return reach.l2 ? l2_.time_left(key, reach.raw) : std::nullopt;
  if (!is_fresh(*node, time)) return Duration::zero();
  return node->fresh_until == TimePoint::max() ? forever : Duration(node->fresh_until - std::max(time, node->created));
}

// --- writing

PutOutcome Engine::put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags,
                       const Identity* identity) {
  if (context_.closed()) return PutOutcome::not_stored_closed;
  if (node->full_size > kMaxKeyBytes) return PutOutcome::not_stored_key;
  node->sequence = context_.sequence();
  node->identity = identity;
  node->shared = levels_.used_by(terms) && node->type->shareable;
  if (!set_expiry(*node, terms, {.ttl = terms.ttl, .tags = context_.tags.find(tags)}, context_.now(),
                  context_.random)) {
    erase({node->name(), node->full(), node->hash}, {.l2 = node->shared});
    return PutOutcome::not_stored_ttl;
  }
  if (node->shared) {
    std::vector<NodeRef> one;
    one.push_back(std::move(node));
    return l2_.write(one, terms, tags)[0];
  }
  return context_.store.put(std::move(node), context_.now()) ? PutOutcome::stored : PutOutcome::not_stored_weight;
}

std::vector<PutOutcome> Engine::put(std::vector<NodeRef> nodes, const EntryTerms& terms) {
  std::vector<PutOutcome> outcomes;
  if (nodes.empty()) return outcomes;
  const bool together =
      levels_.used_by(terms) && nodes[0]->type->shareable && terms.ttl > Duration::zero() && !context_.closed();
  if (!together) {
    for (NodeRef& node : nodes) outcomes.push_back(put(std::move(node), terms, terms.tags, nullptr));
    return outcomes;
  }
  for (NodeRef& node : nodes) {
    node->sequence = context_.sequence();
    node->shared = true;
    set_expiry(*node, terms, {.ttl = terms.ttl, .tags = context_.tags.find(terms.tags)}, context_.now(),
               context_.random);
  }
  return l2_.write(nodes, terms, terms.tags);
}

bool Engine::erase(const KeyView& key, const Reach& reach) {
  return reach.l2 && levels_.has_l2() && !context_.closed() ? l2_.remove(key, reach.raw)
                                                            : context_.store.erase(key, context_.now());
}

std::size_t Engine::erase_matching(const std::shared_ptr<const KeyPattern>& pattern) {
  if (levels_.reachable()) return l2_.remove_matching(pattern);
  return context_.store.erase_matching(
      [&](const Store::Known& known) {
        return pattern->concerns(known.name, known.full) && !pattern->leaves(known.identity);
      },
      context_.now());
}

std::exception_ptr no_integer(const KeyView& key) {
  return std::make_exception_ptr(
      ValueError(fmt::format("increment: what is stored under '{}' is not a 64-bit integer: del() it first, or use "
                             "another key",
                             key.name)));
}

std::exception_ptr leaves_range(const KeyView& key) {
  return std::make_exception_ptr(ValueError(fmt::format(
      "increment: the counter '{}' would leave the range of 64-bit integers and was not changed", key.name)));
}

std::optional<std::int64_t> Engine::increment(const KeyView& key, std::int64_t delta, Duration ttl,
                                              const Reach& reach) {
  if (context_.closed() || ttl <= Duration::zero()) return std::nullopt;
  if (reach.l2) return l2_.increment(key, delta, ttl);
  for (;;) {
    const TimePoint time = context_.now();
    NodeRef held = context_.store.peek(key, time);
    if (held && !is_fresh(*held, time)) held.reset();
    std::int64_t sum = 0;
    if (held && !held->type->as_integer(held->value(), sum)) std::rethrow_exception(no_integer(key));
    if (__builtin_add_overflow(sum, delta, &sum)) std::rethrow_exception(leaves_range(key));
    NodeRef node = make_node<std::int64_t>(key, sum);
    node->counter = true;
    node->sequence = context_.sequence();
    EntryTerms terms;
    TagSet tags;
    if (held && held->extra) {
      terms.idle_ttl = held->extra->idle_ttl;
      tags = held->extra->tags.again();
    }
    if (!set_expiry(*node, terms, {.ttl = ttl, .tags = std::move(tags)}, context_.now(), context_.random))
      return std::nullopt;
    if (held) {
      // The sum holds what was counted before, so whatever invalidates that invalidates it: also an invalidation that
      // has its point of the sequence already and has not reached the tag yet.
      node->sequence = held->sequence;
      node->identity = held->identity;
      node->refresh_at = node->fresh_until = node->stale_until = held->fresh_until;
    }
    switch (context_.store.exchange(held, std::move(node), time)) {
      case Store::Exchanged::stored:
        return sum;
      case Store::Exchanged::refused:
        return std::nullopt;
      case Store::Exchanged::changed:
        break;
    }
  }
}

// --- invalidating

// With a shared level each is done here twice: at once, and again for what was read from there meanwhile.

void Engine::invalidate_tag(std::string_view tag, bool hard) {
  context_.tags.invalidate(tag, context_.next_point(), hard);
  if (!levels_.reachable()) return;
  l2_.invalidate(tag, hard);
  context_.tags.invalidate(tag, context_.next_point(), hard);
}

void Engine::clear(Identity& identity) {
  const bool shared = levels_.reachable();
  // What needs memory comes first: then it is done as a whole, or not at all.
  std::string dependency;
  L2Cache::RawPatterns raw_values;
  const bool raw = shared && identity.raw.load(std::memory_order_relaxed);
  if (shared) dependency = function_dependency(identity.text());
  if (raw) raw_values = L2Cache::raw_values_of(identity);
  raise(identity.cleared, context_.next_point());
  if (shared) {
    l2_.invalidate(dependency, true);
    raise(identity.cleared, context_.next_point());
    // What was kept before the function was known here knows it by this name only.
    context_.tags.invalidate(dependency, context_.next_point(), true);
    if (raw) l2_.clear_raw(raw_values);
  }
  sweep_behind();
}

void Engine::flush_all() {
  context_.store.clear(context_.next_point());
  if (!levels_.reachable()) return;
  l2_.flush();
  context_.store.clear(context_.next_point());
}

void Engine::sweep_behind() noexcept {
  try {
    context_.background->post([weak = weak_from_this()] {
      if (const auto core = weak.lock()) core->context_.store.sweep(core->now());
    });
  } catch (const std::exception&) {  // no memory: entries that no longer count are found by other ways, too
  }
}

// --- identities and statistics

Identity& Engine::register_function(const std::string& prefix, const std::string& name, const FunctionMark& mark) {
  const auto [identity, replaced] = context_.identities.add(prefix, name, mark);
  if (!replaced) return identity;
  try {
    context_.log(LogLevel::info,
                 fmt::format("prefix '{}' name '{}' now caches another function: the values of the previous "
                             "one are dropped",
                             prefix, name));
    clear(identity);
    context_.identities.took_over(identity);
  } catch (...) {  // handed on: there will be no wrapper, and the next one clears what this one could not
    context_.identities.release(identity);
    throw;
  }
  return identity;
}

void Engine::release_function(Identity& identity) noexcept { context_.identities.release(identity); }

void Engine::note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain) {
  context_.identities.note_tags(identity, tags, plain);
}

bool Engine::all_carry(std::string_view prefix, std::string_view kind) const {
  return context_.identities.all_carry(prefix, kind);
}

Identity& Engine::manual(std::string_view prefix) { return context_.identities.manual(prefix); }

Identity& Engine::manual_writer(std::string_view prefix) {
  Identity& identity = context_.identities.manual(prefix);
  if (!identity.written_by_hand.load(std::memory_order_relaxed)) identity.written_by_hand.store(true);
  return identity;
}

CacheStats Engine::stats() {
  Totals totals{};
  context_.identities.each([&](const std::string&, const Counters& counters) { counters.add_to(totals); });
  CacheStats stats = to_stats(totals);
  const auto contents = context_.store.contents(context_.now());
  stats.entries = contents.entries;
  stats.bytes = contents.bytes;
  stats.evictions = contents.evictions;
  stats.expirations = contents.expirations;
  if (levels_.has_l2()) {
    stats.l2_hits = levels_.shared().hits.load(std::memory_order_relaxed);
    stats.l2_errors = levels_.shared().errors.load(std::memory_order_relaxed);
    stats.unknown_writes = levels_.shared().unknown.load(std::memory_order_relaxed);
    stats.l1_suspensions = levels_.shared().channel_losses.load(std::memory_order_relaxed);
    stats.pending_invalidations = levels_.shared().pending.size();
  }
  return stats;
}

std::map<std::string, CacheStats> Engine::stats_by_prefix() const {
  std::map<std::string, Totals> sums;
  context_.identities.each([&](const std::string& prefix, const Counters& counters) { counters.add_to(sums[prefix]); });
  std::map<std::string, CacheStats> stats;
  for (const auto& [prefix, totals] : sums) {
    if (totals != Totals{}) stats.emplace(prefix, to_stats(totals));
  }
  return stats;
}

void Engine::clear_stats() {
  context_.identities.each([](const std::string&, Counters& counters) { counters.clear(); });
  context_.store.clear_counts();
  if (levels_.has_l2())
    levels_.shared().hits = levels_.shared().errors = levels_.shared().unknown = levels_.shared().channel_losses = 0;
}

// --- background

bool Engine::post(std::function<void()> task) { return context_.background->post(std::move(task)); }

std::shared_ptr<void> Engine::every(Duration interval, std::function<void()> job) {
  if (interval <= Duration::zero()) throw ConfigError("every: the interval must be longer than zero");
  return context_.background->every(interval, std::move(job));
}

void Engine::keep(std::shared_ptr<void> token) {
  const std::lock_guard lock(kept_mutex_);
  kept_.push_back(std::move(token));
}

// --- options

EntryTerms Engine::resolve(const EntryOptions& options) const { return presets_.resolve(options); }

Duration Engine::counter_ttl(const EntryOptions& options) { return presets_.counter_ttl(options, context_.random); }

void Engine::preset(const std::string& prefix, const EntryOptions& options) { presets_.set(prefix, options); }

void Engine::limit_loads(const std::string& prefix, const LoadLimit& limit) { limits_->set(prefix, limit); }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
