#include <dsta/cache/detail/core.hpp>

#include <fmt/format.h>

#include <cmath>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/key.hpp>

#include "base/background.hpp"
#include "base/fork_count.hpp"
#include "entry/entry.hpp"
#include "entry/identities.hpp"
#include "entry/integer_errors.hpp"
#include "entry/key_pattern.hpp"
#include "entry/tags.hpp"
#include "l1/store.hpp"
#include "load/admission.hpp"
#include "two_level/coherence.hpp"
#include "two_level/shared.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// How long close() waits, beyond their load_timeout, for loads that run in the background.
constexpr std::chrono::milliseconds kPatience{900};

/// A part of a duration, or a multiple; what does not fit becomes the longest there is.
Duration share(Duration whole, double factor) {
  const double part = static_cast<double>(whole.count()) * factor;
  return part < 0x1p63 ? Duration(static_cast<Duration::rep>(part)) : Duration::max();
}

}  // namespace

std::string_view etag_of(const Node& node) noexcept {
  return node.extra ? std::string_view(node.extra->etag) : std::string_view();
}

void release_extra(NodeExtra* extra) noexcept { delete extra; }

StoredKey::StoredKey(std::string_view full) {
  static_assert(kReadableKeyBytes % 8 == 0, "a shortened key needs no padding");
  const std::string hash = stable_hash_hex(full);
  shortened_.append(full.substr(0, kReadableKeyBytes - hash.size() - 1)).append("#").append(hash);
  view_ = {shortened_, full, hash_bytes(shortened_)};
}

std::shared_ptr<Core> Core::make(ManagerOptions options) {
  return std::shared_ptr<Core>(new Core(checked(std::move(options))));
}

Core::Core(ManagerOptions options)
    : options_(std::move(options)),
      reads_system_clock_(options_.clock == system_clock()),
      store_(std::make_unique<Store>(options_.l1, now(), &beside_.bytes)),
      tags_(std::make_unique<TagTable>(beside_.bytes)),
      identities_(std::make_unique<IdentityTable>(beside_.bytes, !options_.url.empty())),
      background_(std::make_shared<Background>(options_.clock, options_.executor)),
      random_(kHashSeed.value) {
  connect();
}

Core::~Core() {
  close();
  coherence_.reset();  // it watches the link
  store_.reset();      // entries refer to tags
}

void Core::close() noexcept {
  if (shared_ && forks_.load() != fork_count()) revive();
  if (closed_.exchange(true)) return;
  store_->clear(sequence_.fetch_add(1) + 1);
  std::vector<std::shared_ptr<void>> kept;
  {
    const std::lock_guard lock(kept_mutex_);
    kept.swap(kept_);
  }
  kept.clear();
  {
    const std::lock_guard lock(limits_mutex_);
    for (const auto& [prefix, admission] : limits_) admission->open();
  }
  // An hour stands for "as long as it takes" without overflowing.
  const Duration longest = std::min<Duration>(longest_load_.load(), std::chrono::hours(1));
  background_->close(std::chrono::ceil<std::chrono::milliseconds>(longest) + kPatience);
  if (shared_) disconnect();
}

// --- reading

std::optional<Duration> Core::time_left(const KeyView& key, const Reach& reach) {
  const TimePoint time = now();
  const L1View view = l1_view();
  const NodeRef node = reach.l1 ? store_->peek(key, time) : NodeRef();
  if (!node || view.hides(*node)) return reach.l2 ? shared_time_left(key, reach.raw) : std::nullopt;
  if (!is_fresh(*node, time)) return Duration::zero();
  return node->fresh_until == TimePoint::max() ? forever : Duration(node->fresh_until - std::max(time, node->created));
}

// --- writing

bool Core::set_expiry(Node& node, const EntryTerms& terms, Expiry how) const {
  Duration ttl = how.ttl;
  if (ttl <= Duration::zero()) return false;
  const TimePoint time = now();
  ttl = jittered(ttl, terms.jitter);
  node.created = time;
  node.fresh_until = saturating_add(time, ttl);
  node.stale_until = saturating_add(node.fresh_until, terms.stale_for);
  node.refresh_at = node.fresh_until;
  if (ttl != forever) {
    if (terms.refresh_ahead > 0) node.refresh_at = saturating_add(time, share(ttl, terms.refresh_ahead));
    if (terms.xfetch > 0) {
      // Vattani, Chierichetti & Lowenstein, "Optimal Probabilistic Cache Stampede Prevention" (VLDB 2015). The random
      // gap is drawn once for the entry instead of at every read, which leaves the hit path alone. Half of the ttl is
      // kept, or a value that takes longer to load than it lives would be loaded all the time.
      const Duration gap = share(how.load_cost, terms.xfetch * -std::log(1 - random_fraction()));
      node.refresh_at = std::min(node.refresh_at, node.fresh_until - std::min(gap, ttl / 2));
    }
  }
  attach_metadata(node, std::move(how.tags), std::move(how.etag), terms.idle_ttl);
  return true;
}

void Core::attach_metadata(Node& node, TagSet tags, std::string etag, Duration idle_ttl) const {
  if (tags.empty() && etag.empty() && idle_ttl <= Duration::zero()) return;
  auto extra = std::make_unique<NodeExtra>();
  node.weight += allocation(sizeof(NodeExtra)) + allocation(tags.bytes()) + heap_size(etag);
  extra->tag_bytes = tags.own_bytes();
  extra->tags = std::move(tags);
  extra->etag = std::move(etag);
  extra->idle_ttl = idle_ttl;
  extra->last_read.store(node.created, std::memory_order_relaxed);
  node.extra = extra.release();
}

PutOutcome Core::put(NodeRef node, const EntryTerms& terms, const std::vector<std::string>& tags,
                     const Identity* identity) {
  if (closed()) return PutOutcome::not_stored_closed;
  if (node->full_size > kMaxKeyBytes) return PutOutcome::not_stored_key;
  node->sequence = sequence();
  node->identity = identity;
  node->shared = shares(terms) && node->type->shareable;
  if (!set_expiry(*node, terms, {.ttl = terms.ttl, .tags = tags_->find(tags)})) {
    erase({node->name(), node->full(), node->hash}, {.l2 = node->shared});
    return PutOutcome::not_stored_ttl;
  }
  if (node->shared) {
    std::vector<NodeRef> one;
    one.push_back(std::move(node));
    return put_shared(one, terms, tags)[0];
  }
  return store_->put(std::move(node), now()) ? PutOutcome::stored : PutOutcome::not_stored_weight;
}

std::vector<PutOutcome> Core::put(std::vector<NodeRef> nodes, const EntryTerms& terms) {
  std::vector<PutOutcome> outcomes;
  if (nodes.empty()) return outcomes;
  const bool together = shares(terms) && nodes[0]->type->shareable && terms.ttl > Duration::zero() && !closed();
  if (!together) {
    for (NodeRef& node : nodes) outcomes.push_back(put(std::move(node), terms, terms.tags, nullptr));
    return outcomes;
  }
  for (NodeRef& node : nodes) {
    node->sequence = sequence();
    node->shared = true;
    set_expiry(*node, terms, {.ttl = terms.ttl, .tags = tags_->find(terms.tags)});
  }
  return put_shared(nodes, terms, terms.tags);
}

bool Core::erase(const KeyView& key, const Reach& reach) {
  return reach.l2 && shared_ && !closed() ? erase_shared(key, reach.raw) : store_->erase(key, now());
}

std::size_t Core::erase_matching(const std::shared_ptr<const KeyPattern>& pattern) {
  if (reaches_shared()) return erase_matching_shared(pattern);
  return store_->erase_matching(
      [&](const Store::Known& known) {
        return pattern->concerns(known.name, known.full) && !pattern->leaves(known.identity);
      },
      now());
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

std::optional<std::int64_t> Core::increment(const KeyView& key, std::int64_t delta, Duration ttl, const Reach& reach) {
  if (closed() || ttl <= Duration::zero()) return std::nullopt;
  if (reach.l2) return increment_shared(key, delta, ttl);
  for (;;) {
    const TimePoint time = now();
    const L1View view = l1_view();
    NodeRef held = store_->peek(key, time);
    if (held && (view.hides(*held) || !is_fresh(*held, time))) held.reset();
    std::int64_t sum = 0;
    if (held && !held->type->as_integer(held->value(), sum)) std::rethrow_exception(no_integer(key));
    if (__builtin_add_overflow(sum, delta, &sum)) std::rethrow_exception(leaves_range(key));
    NodeRef node = make_node<std::int64_t>(key, sum);
    node->counter = true;
    node->sequence = sequence();
    EntryTerms terms;
    TagSet tags;
    if (held && held->extra) {
      terms.idle_ttl = held->extra->idle_ttl;
      tags = held->extra->tags.again();
    }
    if (!set_expiry(*node, terms, {.ttl = ttl, .tags = std::move(tags)})) return std::nullopt;
    if (held) {
      // The sum holds what was counted before, so whatever invalidates that invalidates it: also an invalidation that
      // has its point of the sequence already and has not reached the tag yet.
      node->sequence = held->sequence;
      node->identity = held->identity;
      node->refresh_at = node->fresh_until = node->stale_until = held->fresh_until;
    }
    switch (store_->exchange(held, std::move(node), time)) {
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

void Core::invalidate_tag(std::string_view tag, bool hard) {
  tags_->invalidate(tag, sequence_.fetch_add(1) + 1, hard);
  if (!reaches_shared()) return;
  invalidate_shared(tag, hard);
  tags_->invalidate(tag, sequence_.fetch_add(1) + 1, hard);
}

void Core::clear(Identity& identity) {
  const bool shared = reaches_shared();
  // What needs memory comes first: then it is done as a whole, or not at all.
  std::string dependency;
  std::array<std::shared_ptr<const KeyPattern>, 2> raw_values;
  const bool raw = shared && identity.raw.load(std::memory_order_relaxed);
  if (shared) dependency = function_dependency(identity.text());
  if (raw) raw_values = raw_values_of(identity);
  raise(identity.cleared, sequence_.fetch_add(1) + 1);
  if (shared) {
    invalidate_shared(dependency, true);
    raise(identity.cleared, sequence_.fetch_add(1) + 1);
    // What was kept before the function was known here knows it by this name only.
    tags_->invalidate(dependency, sequence_.fetch_add(1) + 1, true);
    if (raw) clear_raw(raw_values);
  }
  sweep_behind();
}

void Core::flush_all() {
  store_->clear(sequence_.fetch_add(1) + 1);
  if (!reaches_shared()) return;
  flush_shared();
  store_->clear(sequence_.fetch_add(1) + 1);
}

void Core::sweep_behind() noexcept {
  try {
    background_->post([weak = weak_from_this()] {
      if (const auto core = weak.lock()) core->store_->sweep(core->now());
    });
  } catch (const std::exception&) {  // no memory: entries that no longer count are found by other ways, too
  }
}

// --- identities and statistics

Identity& Core::register_function(const std::string& prefix, const std::string& name, const FunctionMark& mark) {
  const auto [identity, replaced] = identities_->add(prefix, name, mark);
  if (!replaced) return identity;
  try {
    log(LogLevel::info, fmt::format("prefix '{}' name '{}' now caches another function: the values of the previous "
                                    "one are dropped",
                                    prefix, name));
    clear(identity);
    identities_->took_over(identity);
  } catch (...) {  // handed on: there will be no wrapper, and the next one clears what this one could not
    identities_->release(identity);
    throw;
  }
  return identity;
}

void Core::release_function(Identity& identity) noexcept { identities_->release(identity); }

void Core::note_tags(const Identity& identity, const std::vector<std::string>& tags, unsigned plain) {
  identities_->note_tags(identity, tags, plain);
}

bool Core::all_carry(std::string_view prefix, std::string_view kind) const {
  return identities_->all_carry(prefix, kind);
}

Identity& Core::manual(std::string_view prefix) { return identities_->manual(prefix); }

Identity& Core::manual_writer(std::string_view prefix) {
  Identity& identity = identities_->manual(prefix);
  if (!identity.written_by_hand.load(std::memory_order_relaxed)) identity.written_by_hand.store(true);
  return identity;
}

CacheStats Core::stats() const {
  Totals totals{};
  identities_->each([&](const std::string&, const Counters& counters) { counters.add_to(totals); });
  CacheStats stats = to_stats(totals);
  const auto contents = store_->contents(now());
  stats.entries = contents.entries;
  stats.bytes = contents.bytes;
  stats.evictions = contents.evictions;
  stats.expirations = contents.expirations;
  if (shared_) {
    stats.l2_hits = shared_->hits.load(std::memory_order_relaxed);
    stats.l2_errors = shared_->errors.load(std::memory_order_relaxed);
    stats.unknown_writes = shared_->unknown.load(std::memory_order_relaxed);
    stats.l1_suspensions = shared_->channel_losses.load(std::memory_order_relaxed);
    stats.pending_invalidations = shared_->pending.size();
  }
  return stats;
}

std::map<std::string, CacheStats> Core::stats_by_prefix() const {
  std::map<std::string, Totals> sums;
  identities_->each([&](const std::string& prefix, const Counters& counters) { counters.add_to(sums[prefix]); });
  std::map<std::string, CacheStats> stats;
  for (const auto& [prefix, totals] : sums) {
    if (totals != Totals{}) stats.emplace(prefix, to_stats(totals));
  }
  return stats;
}

void Core::clear_stats() {
  identities_->each([](const std::string&, Counters& counters) { counters.clear(); });
  store_->clear_counts();
  if (shared_) shared_->hits = shared_->errors = shared_->unknown = shared_->channel_losses = 0;
}

// --- background

bool Core::post(std::function<void()> task) { return background_->post(std::move(task)); }

std::shared_ptr<void> Core::every(Duration interval, std::function<void()> job) {
  if (interval <= Duration::zero()) throw ConfigError("every: the interval must be longer than zero");
  return background_->every(interval, std::move(job));
}

void Core::keep(std::shared_ptr<void> token) {
  const std::lock_guard lock(kept_mutex_);
  kept_.push_back(std::move(token));
}

// --- options

EntryOptions Core::cascade(const EntryOptions& options) const {
  if (!has_presets_.load(std::memory_order_acquire)) return merge(options_.defaults, options);
  const std::lock_guard lock(presets_mutex_);
  const auto preset = presets_.find(options.prefix);
  if (preset == presets_.end()) return merge(options_.defaults, options);
  return merge(merge(options_.defaults, preset->second), options);
}

EntryTerms Core::resolve(const EntryOptions& options) const {
  return detail::resolve(cascade(options), options_.default_ttl.value_or(std::chrono::seconds(300)));
}

Duration Core::counter_ttl(const EntryOptions& options) const {
  const EntryTerms terms = detail::resolve(cascade(options), forever);
  return jittered(terms.ttl, terms.jitter);
}

Duration Core::jittered(Duration ttl, double jitter) const {
  if (jitter <= 0 || ttl <= Duration::zero() || ttl == forever) return ttl;
  return std::max(ttl - share(ttl, jitter * random_fraction()), Duration(1));
}

void Core::preset(const std::string& prefix, const EntryOptions& options) {
  detail::resolve(options, {});  // a mistake is found here, not in the first call under the prefix
  EntryOptions copy = options;
  const std::lock_guard lock(presets_mutex_);
  presets_.insert_or_assign(prefix, std::move(copy));
  has_presets_.store(true, std::memory_order_release);
}

std::uint64_t Core::sequence() const noexcept { return sequence_.load(); }

std::uint64_t Core::next_random() const noexcept {
  // splitmix64 (Steele, Lea & Flood, OOPSLA 2014): a counter through a mixer, so threads share it without a lock.
  std::uint64_t z = random_.fetch_add(0x9e3779b97f4a7c15, std::memory_order_relaxed);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
  z = (z ^ z >> 27) * 0x94d049bb133111eb;
  return z ^ z >> 31;
}

double Core::random_fraction() const noexcept { return static_cast<double>(next_random() >> 11) * 0x1p-53; }

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
