#include "two_level/coherence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/detail/hash.hpp>
#include <dsta/cache/error.hpp>

#include "base/fork_count.hpp"
#include "base/glob.hpp"
#include "base/saturating_add.hpp"
#include "entry/dependency.hpp"
#include "l2/tracking/failure_log.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Holds what a fork waits for, and keeps the destructors of the values that are dropped from running here.
class DSTA_SCOPED_CAPABILITY Coherence::QuietWork {
 public:
  explicit QuietWork(Coherence& owner) DSTA_ACQUIRE(owner.quiet_)
      : owner_(owner), lock_(owner.quiet_), defer_(owner.dropped_) {}
  ~QuietWork() DSTA_RELEASE() {
    if (!owner_.dropped_.empty()) owner_.reaper_->wake();
  }
  QuietWork(const QuietWork&) = delete;
  QuietWork& operator=(const QuietWork&) = delete;

 private:
  Coherence& owner_;
  const MutexLock lock_;
  const DeferDestruction defer_;
};

Coherence::Coherence(Context& context, L2Store& l2_store, L1Trust& trust, ForeignLoads& foreign_loads,
                     L2Counters& counters)
    : context_(context),
      l2_store_(l2_store),
      trust_(trust),
      foreign_loads_(foreign_loads),
      counters_(counters),
      messages_(std::make_unique<LogQueue>(context.options.log)) {
  trust_.limit();
  if (!context.options.l1.enabled) {  // there will be no channel: what others invalidate is not reported
    trust_.set(TimePoint{});
    trust_.set_own_dropped(false);
  }
  begin_tasks();
}

void Coherence::begin_tasks() {
  auto serve_end = std::make_unique<PeriodicTask>([this] { return end_stale_service(); }, "dsta-serve-end");
  auto keeper = std::make_unique<PeriodicTask>([this] { return keep_versions(); }, "dsta-versions");
  auto reaper = std::make_unique<PeriodicTask>([this] { return destroy_dropped(); }, "dsta-reaper");
  // Once there are all of them.
  replace_in_child(serve_end_, std::move(serve_end));
  replace_in_child(version_keeper_, std::move(keeper));
  replace_in_child(reaper_, std::move(reaper));
}

ChannelOptions Coherence::channel_options() {
  return {.prefix = l2_store_.keys().head(),
          .ping_period = context_.options.l1.ping_period.value_or({}),
          .coherence = context_.options.l1.coherence,
          .process = l2_store_.announcer().process(),
          .untracked_ttl = context_.options.l1.untracked_ttl.value_or({}),
          .say = [this](LogLevel level, std::string message) { messages_->post(level, std::move(message)); }};
}

void Coherence::listen() {
  if (Cluster* const cluster = l2_store_.servers().cluster()) {
    auto group = std::make_unique<ChannelGroup>(*this, *cluster, l2_store_.keys(), channel_options());
    replace_in_child(group_, std::move(group));
    return group_->follow_map();
  }
  auto channel = std::make_unique<InvalidationChannel>(*this, l2_store_.servers().single(), channel_options());
  replace_in_child(channel_, std::move(channel));
  channel_->tend();
}

void Coherence::wait_briefly() { channel_ ? channel_->wait_briefly() : group_->wait_briefly(); }

void Coherence::follow_map() {
  if (group_) group_->follow_map();
}

void Coherence::slots_move(const SlotChange& change, const SlotMap& next) {
  if (group_) group_->expect(next);
  // The versions that invalidate tags and functions are among them.
  if (change.home) return on_unknown();
  const QuietWork quiet(*this);
  const KeySpace& names = l2_store_.keys();
  const bool fills = context_.store.fill_epoch().is_open();
  context_.store.fill_epoch().close();
  try {
    context_.store.erase_matching(
        [&](const Store::Known& known) { return known.shared && change.moved.test(slot_of(names.entry(known.name))); },
        context_.now());
  } catch (const std::bad_alloc&) {  // nor to look at each: all of them go
    drop(true);
  }
  if (fills) context_.store.fill_epoch().open();
  foreign_loads_.wake(ForeignLoads::kAllKeys);
}

void Coherence::met_stranger() {
  const QuietWork quiet(*this);
  const bool fills = context_.store.fill_epoch().is_open();
  context_.store.fill_epoch().close();
  if (fills) context_.store.fill_epoch().open();
}

void Coherence::tend() {
  for (auto* task : {&serve_end_, &version_keeper_, &reaper_}) (*task)->tend();
  if (channel_) channel_->tend();
  if (group_) group_->tend();
  messages_->tend();
}

void Coherence::stop() noexcept {
  if (channel_) channel_->stop();
  if (group_) group_->stop();
}

void Coherence::join() noexcept {
  if (channel_) channel_->join();
  if (group_) group_->join();
}

void Coherence::close() noexcept {
  constexpr std::chrono::milliseconds kLogPatience{500};
  for (auto* task : {&serve_end_, &version_keeper_, &reaper_}) (*task)->stop();
  messages_->close(kLogPatience);
}

void Coherence::forked() noexcept {
  trust_.set_own_dropped(false);
  trust_.set(TimePoint{});
  context_.store.fill_epoch().close();
}

void Coherence::revive() {
  replace_in_child(messages_, std::make_unique<LogQueue>(context_.options.log));
  begin_tasks();
  {
    const QuietWork quiet(*this);  // a destructor of the user's may ask the cache, whose threads wait for this
    drop(true);
  }
  if (wants_channel()) listen();
}

bool Coherence::wants_channel() const {
  return context_.options.l1.enabled && context_.options.l1.coherence != CoherenceMode::off;
}

bool Coherence::fills(const EntryTerms& terms) const {
  return context_.options.l1.enabled && terms.level == Level::both && !terms.raw &&
         context_.store.fill_epoch().is_open() && trust_.holds();
}

// --- what the channel reports

void Coherence::on_keys(std::span<const std::string_view> keys) {
  const QuietWork quiet(*this);
  const KeySpace& names = l2_store_.keys();
  VersionStore& versions = l2_store_.versions();
  ForeignLoads::Keys changed = 0;
  for (const std::string_view key : keys) {
    const auto [kind, name, token] = names.parse(key);
    switch (kind) {
      case KeySpace::Kind::entry:
        if (const auto* const see = context_.probes.before_report.load(std::memory_order_acquire)) (*see)();
        context_.store.revoke({name, {}, hash_bytes(name), true});
        changed |= ForeignLoads::key(hash_bytes(name));
        break;
      case KeySpace::Kind::notice:
        changed = ForeignLoads::kAllKeys;  // a lease that was taken before it counts for nobody
        if (!versions.heed(token)) break;
        if (name.empty()) {
          drop_l2();
        } else {
          invalidate_dependency(name);
        }
        break;
      case KeySpace::Kind::version:  // made, kept for longer, or evicted: nothing was invalidated
        versions.forget(name);
        break;
      case KeySpace::Kind::epoch:
        versions.forget({});
        break;
      case KeySpace::Kind::raw_lease:
        changed |= ForeignLoads::key(hash_bytes(name));
        break;
      case KeySpace::Kind::listener:
        l2_store_.announcer().heard_of_listener();
        break;
      case KeySpace::Kind::own:
      case KeySpace::Kind::foreign:
        break;
    }
  }
  if (changed != 0) foreign_loads_.wake(changed);
}

void Coherence::invalidate_dependency(std::string_view name) {
  l2_store_.versions().forget(name);
  // Removed or only expired: L2 knows, and the next reader asks it.
  context_.tags.invalidate(name, context_.next_point(), true);
  if (name.starts_with(kFunctionMark)) context_.identities.clear(name.substr(1), context_.next_point());
}

void Coherence::on_flush() {
  const QuietWork quiet(*this);
  drop_l2();
}

void Coherence::on_globs(std::span<const std::string_view> texts) {
  std::vector<Glob> globs;
  try {
    for (const std::string_view text : texts) globs.emplace_back(text);
  } catch (const PatternError&) {  // a later release may write others
    return on_unknown();
  }
  const QuietWork quiet(*this);
  const auto goes = [&](const Store::Known& known) {
    return known.shared && std::ranges::any_of(globs, [&](const Glob& glob) { return glob.matches(known.name); });
  };
  context_.store.erase_matching(goes, context_.now());
  foreign_loads_.wake(ForeignLoads::kAllKeys);
}

/// Anything may have been changed, tags and functions, too.
void Coherence::on_unknown() {
  const QuietWork quiet(*this);
  const bool fills = context_.store.fill_epoch().is_open();
  l2_store_.versions().forget_all();
  context_.store.close_fills(true);
  if (fills) context_.store.fill_epoch().open();
  foreign_loads_.wake(ForeignLoads::kAllKeys);
}

/// Drops from L1 what other processes can invalidate, without what L2 has too if that may stay unread (not `with_l2`).
void Coherence::drop(bool with_l2) {
  context_.store.close_fills(with_l2);
  trust_.set_own_dropped(context_.options.l1.enabled);
}

void Coherence::drop_l2() {
  l2_store_.versions().forget_all();
  context_.store.drop_l2(context_.next_point());
}

void Coherence::before_up(CoherenceMode mode) {
  const MutexLock quiet(quiet_);
  l2_store_.versions().forget_all();
  const bool tracked = mode == CoherenceMode::tracking;
  context_.store.limit_shared(tracked ? forever : context_.options.l1.untracked_ttl.value_or({}));
  if (!tracked) l2_store_.announcer().always_from_now();
}

void Coherence::on_up(TimePoint known_good) {
  const QuietWork quiet(*this);
  serve_until_ = TimePoint::max();
  context_.store.close_fills(true);
  context_.store.fill_epoch().open();
  trust_.set_own_dropped(false);  // first: until the other they are hidden
  trust_from(known_good);
  version_keeper_->wake();
}

void Coherence::on_proof(TimePoint known_good) {
  const MutexLock quiet(quiet_);
  trust_from(known_good);
}

void Coherence::trust_from(TimePoint known_good) {
  trust_.set(saturating_add(known_good, 2 * context_.options.l1.ping_period.value_or({})));
}

void Coherence::on_down(std::string_view why, TimePoint last_known_good) {
  counters_.add_channel_loss();
  stop_trusting(last_known_good);
  const OnDisconnect then = context_.options.l1.on_disconnect;
  try {
    messages_->post(LogLevel::warning, fmt::format("the invalidation channel is down ({}): L1 {} until it is up", why,
                                                   then == OnDisconnect::flush    ? "is empty"
                                                   : then == OnDisconnect::bypass ? "is bypassed"
                                                                                  : "is served for a limited time"));
  } catch (const std::exception&) {  // no memory to say so
  }
}

void Coherence::stop_trusting(TimePoint last_known_good) {
  const QuietWork quiet(*this);
  l2_store_.versions().forget_all();
  switch (context_.options.l1.on_disconnect) {
    case OnDisconnect::flush:
      drop(true);
      break;
    case OnDisconnect::bypass:
      trust_.set(TimePoint{});
      drop(false);
      break;
    case OnDisconnect::serve:
      serve_until_ = saturating_add(last_known_good, context_.options.l1.max_stale_age.value_or({}));
      trust_.set(serve_until_);
      if (!serve_end_->wake(serve_until_)) drop(true);
      break;
  }
}

void Coherence::no_channel(std::string_view why) noexcept {
  try {
    // Not by this thread: the user's sink may ask the cache, whose threads may wait for this one.
    messages_->post(LogLevel::warning, no_channel_message("", why, "the next calls try again"));
  } catch (const std::exception&) {  // no memory to say so
  }
}

// --- periodic tasks

TimePoint Coherence::end_stale_service() {
  const QuietWork quiet(*this);
  if (serve_until_ > std::chrono::steady_clock::now()) return serve_until_;
  drop(true);
  serve_until_ = TimePoint::max();
  return TimePoint::max();
}

TimePoint Coherence::keep_versions() {
  if (!up()) return TimePoint::max();
  if (l2_store_.servers().up()) l2_store_.versions().keep_alive();
  return saturating_add(std::chrono::steady_clock::now(), context_.options.l1.ping_period.value_or({}));
}

TimePoint Coherence::destroy_dropped() {
  constexpr int kAtOnce = 256;
  for (bool more = true; more;) {
    NodeStack bare;
    {
      const MutexLock quiet(quiet_);
      for (int n = 0; n < kAtOnce && !dropped_.empty(); ++n) {
        Node* const node = dropped_.pop();
        // What is the library's goes here: its locks must not be held when the process forks. No user code runs.
        if (node->references.load(std::memory_order_acquire) == 1) {
          release_extra(std::exchange(node->extra, nullptr));
          node->identity = {};
        }
        bare.push(node);
      }
      more = !dropped_.empty();
    }
  }
  return TimePoint::max();
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
