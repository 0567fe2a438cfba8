/// Start and end, statistics, what runs in the background.
#include "engine/engine.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/background.hpp"
#include "base/fork_count.hpp"
#include "engine/manager_options.hpp"
#include "entry/stats.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// How long close() waits, beyond their load_timeout, for loads that run in the background.
constexpr std::chrono::milliseconds kPatience{900};

}  // namespace

std::shared_ptr<Engine> Engine::make(ManagerOptions options) {
  std::shared_ptr<Engine> engine(new Engine(checked(std::move(options))));
  engine->runner_.owned_by(engine);
  engine->pins_ = std::make_unique<Pins<Core>>(engine);
  return engine;
}

Engine::Engine(ManagerOptions options) : context_(std::move(options), *this) { levels_.connect(); }

Engine::~Engine() { close(); }

void Engine::close() noexcept {
  try {
    levels_.notice_fork();
  } catch (const std::exception&) {  // no memory: what the child would have made to close it is not there
  }
  if (context_.is_closed.exchange(true)) return;
  if (pins_) pins_->release();  // whoever calls this holds the engine
  context_.store.clear(context_.next_point());
  context_.store.free_removed();  // wrappers may keep this for long
  std::vector<std::shared_ptr<void>> kept;
  {
    const MutexLock lock(kept_mutex_);
    kept.swap(kept_);
  }
  kept.clear();
  // An hour stands for "as long as it takes" without overflowing.
  const Duration longest = std::min<Duration>(runner_.stop_limiting(), std::chrono::hours(1));
  context_.background->close(std::chrono::ceil<std::chrono::milliseconds>(longest) + kPatience);
  if (levels_.has_l2()) levels_.disconnect();
}

bool Engine::all_carry(std::string_view prefix, std::string_view kind) const {
  return context_.identities.all_carry(prefix, kind);
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
    levels_.notice_fork();  // a parent's locks must not be waited for
    counters_.write_to(stats);
    stats.coherence = levels_.coherence().mode();
    stats.pending_invalidations = levels_.confirmations().pending().size();
    levels_.write_link_counters(stats);
    stats.server = levels_.server();
    stats.topology = levels_.topology();
  }
  return stats;
}

std::string Engine::missing_commands() const {
  return levels_.has_l2() ? levels_.l2_store().missing_text() : std::string();
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
  const MutexLock lock(clear_mutex_);
  stats_cleared_.fetch_add(1, std::memory_order_acq_rel);
  context_.identities.each([](const std::string&, Counters& counters) { counters.clear(); });
  context_.store.clear_counts();
  counters_.clear();
  stats_cleared_.fetch_add(1, std::memory_order_acq_rel);
}

void Engine::keep(std::shared_ptr<void> token) {
  const MutexLock lock(kept_mutex_);
  kept_.push_back(std::move(token));
}

void Engine::sweep_behind() noexcept {
  /// An executor may as well drop it without having run it.
  struct Sweep {
    explicit Sweep(std::weak_ptr<Engine> of) : engine(std::move(of)) {}
    Sweep(const Sweep&) = delete;
    Sweep& operator=(const Sweep&) = delete;
    ~Sweep() {
      if (const auto held = begun ? nullptr : engine.lock()) held->sweep_posted_ = 0;
    }
    void run() {
      const auto held = engine.lock();
      if (!held) return;
      begun = true;
      held->sweep_posted_ = 0;
      held->context_.store.sweep(held->now());
    }
    const std::weak_ptr<Engine> engine;
    bool begun = false;
  };
  const std::uint32_t here = 1 + fork_count();
  if (sweep_posted_.exchange(here) == here) return;
  try {
    if (context_.background->post([sweep = std::make_shared<Sweep>(weak_from_this())] { sweep->run(); })) return;
  } catch (const std::exception&) {  // no memory: entries that no longer count are found by other ways, too
  }
  sweep_posted_ = 0;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
