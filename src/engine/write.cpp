/// Writes, counters, removals and invalidations: in L1, and in L2 where there is one.
#include <fmt/format.h>

#include <utility>

#include <dsta/cache/error.hpp>
#include <dsta/cache/key.hpp>

#include "base/time_budget.hpp"
#include "engine/engine.hpp"
#include "entry/dependency.hpp"
#include "entry/entry.hpp"
#include "entry/expiry.hpp"
#include "entry/integer_errors.hpp"
#include "entry/key_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

PutOutcome Core::put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags,
                     const Identity* identity) {
  Engine& engine = engine_of(*this);
  if (engine.context_.closed()) return {PutOutcome::not_stored_closed, engine.context_.why_closed()};
  if (node->full().size() > kMaxKeyBytes) return PutOutcome::not_stored_key;
  node->sequence = engine.context_.sequence();
  node->identity = identity;
  node->shared = engine.levels_.used_by(terms) && node->type->shareable;
  if (!set_expiry(*node, terms, {.ttl = terms.ttl, .tags = engine.context_.tags.find(tags)}, engine.context_.now(),
                  engine.context_.random)) {
    erase({node->name(), node->full(), node->hash}, {.l2 = node->shared});
    return PutOutcome::not_stored_ttl;
  }
  if (node->shared) {
    std::vector<NodeRef> one;
    one.push_back(std::move(node));
    return engine.l2_.write(one, terms, tags)[0];
  }
  const bool stored = engine.context_.store.put(std::move(node), engine.context_.now());
  if (engine.lost_to_a_fault()) [[unlikely]]
    return {PutOutcome::not_stored_closed, engine.context_.why_closed()};
  return stored ? PutOutcome::stored : PutOutcome::not_stored_weight;
}

/// After something was stored: a fault that has come on since may have emptied the store before that.
bool Engine::lost_to_a_fault() {
  if (!context_.faulty()) [[likely]]
    return false;
  flush_all();
  return true;
}

std::vector<PutOutcome> Core::put(std::vector<NodeRef> nodes, const EntryTerms& terms) {
  Engine& engine = engine_of(*this);
  std::vector<PutOutcome> outcomes;
  if (nodes.empty()) return outcomes;
  const bool together = engine.levels_.used_by(terms) && nodes[0]->type->shareable && terms.ttl > Duration::zero() &&
                        !engine.context_.closed();
  if (!together) {
    for (NodeRef& node : nodes) outcomes.push_back(put(std::move(node), terms, terms.tags, nullptr));
    return outcomes;
  }
  for (NodeRef& node : nodes) {
    node->sequence = engine.context_.sequence();
    node->shared = true;
    set_expiry(*node, terms, {.ttl = terms.ttl, .tags = engine.context_.tags.find(terms.tags)}, engine.context_.now(),
               engine.context_.random);
  }
  return engine.l2_.write(nodes, terms, terms.tags);
}

bool Core::erase(const KeyView& key, const Reach& reach) {
  Engine& engine = engine_of(*this);
  return reach.l2 && engine.levels_.reachable() ? engine.l2_.remove(key, reach.raw)
                                                : engine.context_.store.erase(key, engine.context_.now());
}

std::size_t Core::erase_matching(const std::shared_ptr<const KeyPattern>& pattern) {
  Engine& engine = engine_of(*this);
  if (engine.levels_.reachable()) return engine.l2_.remove_matching(pattern);
  return engine.context_.store.erase_matching(
      [&](const Store::Known& known) {
        return pattern->concerns(known.name, known.full) && !pattern->leaves(known.identity);
      },
      engine.context_.now());
}

std::optional<Duration> Engine::time_left(const KeyView& key, const Reach& reach) {
  const TimePoint time = context_.now();
  const L1View view(trust_);
  const NodeRef node = reach.l1 ? context_.store.peek(key, time) : NodeRef();
  // What L1 keeps for less long than L2 does says nothing of the time that is left there.
  if (!node || view.hides(*node) || (node->shared && context_.store.limits_shared())) {
    return reach.l2 ? l2_.time_left(key, reach.raw) : std::nullopt;
  }
  if (!is_fresh(*node, time)) return Duration::zero();
  return node->fresh_until == TimePoint::max() ? forever : Duration(node->fresh_until - std::max(time, node->created));
}

std::exception_ptr no_integer(const KeyView& key) {
  return std::make_exception_ptr(
      ValueError(fmt::format("increment: the value stored under '{}' is not a 64-bit integer: del() it first, or use "
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
  return increment_l1(key, delta, ttl);
}

std::optional<std::int64_t> Engine::increment_l1(const KeyView& key, std::int64_t delta, Duration ttl) {
  for (;;) {
    const TimePoint time = context_.now();
    const L1View view(trust_);
    NodeRef held = context_.store.peek(key, time);
    if (held && !is_fresh(*held, time)) held.reset();
    const NodeRef replaced = held;  // also what may not be served
    if (held && view.hides(*held)) held.reset();
    std::int64_t sum = 0;
    if (held && !held->type->as_integer(held->value(), sum)) std::rethrow_exception(no_integer(key));
    if (__builtin_add_overflow(sum, delta, &sum)) std::rethrow_exception(leaves_range(key));
    NodeRef node = make_node<std::int64_t>(key, sum);
    node->counter = true;
    node->sequence = context_.sequence();
    EntryTerms terms;
    TagSet tags;
    if (replaced && replaced->extra) {  // a hidden one starts again, and still is what its tags name
      terms.idle_ttl = replaced->extra->idle_ttl;
      tags = replaced->extra->tags.again();
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
    switch (context_.store.exchange(replaced, std::move(node), time)) {
      case Store::Exchanged::stored:
        return lost_to_a_fault() ? std::nullopt : std::optional(sum);
      case Store::Exchanged::refused:
        return std::nullopt;
      case Store::Exchanged::changed:
        break;
    }
  }
}

// With an L2 each is done here twice: at once, and again for what was read from there meanwhile.

void Engine::invalidate_tag(std::string_view tag, bool hard) {
  context_.tags.invalidate(tag, context_.next_point(), hard);
  if (!levels_.reachable()) return;
  l2_.invalidate(TagName(tag).view(), hard);
  context_.tags.invalidate(tag, context_.next_point(), hard);
}

void Core::clear(Identity& identity) {
  Engine& engine = engine_of(*this);
  const TimeBudget::Operation budget(engine.context_.time_limit());
  const bool shared = engine.levels_.reachable();
  // What needs memory comes first: then it is done as a whole, or not at all.
  std::string dependency;
  L2Cache::RawPatterns raw_values;
  const bool raw = shared && identity.raw.load(std::memory_order_relaxed);
  if (raw && identity.text().empty()) {
    throw ConfigError(
        "cache_clear of a raw function without prefix and name: its values at the server cannot be told from others: "
        "give it a prefix, or invalidate each");
  }
  if (shared) dependency = function_dependency(identity.text());
  if (raw) raw_values = L2Cache::raw_values_of(identity);
  raise(identity.cleared, engine.context_.next_point());
  if (shared) {
    engine.l2_.invalidate(dependency, true);
    raise(identity.cleared, engine.context_.next_point());
    // What was kept before the function was known here knows it by this name only.
    engine.context_.tags.invalidate(dependency, engine.context_.next_point(), true);
    if (raw) engine.l2_.clear_raw(raw_values);
  }
  engine.sweep_behind();
}

void Engine::flush_all() {
  context_.store.clear(context_.next_point());
  if (levels_.reachable()) {
    l2_.flush();
    context_.store.clear(context_.next_point());
  }
  sweep_behind();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
