#include <dsta/cache/health.hpp>

#include <fmt/format.h>

#include <atomic>

#include <dsta/cache/manager.hpp>

#include "base/time_budget.hpp"
#include "engine/engine.hpp"
#include "l2/client/reason.hpp"

namespace dsta::cache {
inline namespace v1 {

namespace {

void add_what_is_missing(CacheManager& cache, Health& health) {
  const L1Options& l1 = cache.core()->options().l1;
  health.coherence = cache.get_stats().coherence;
  if (health.coherence == CoherenceMode::announcements) {
    health.warning = fmt::format(
        "L1 hears of changes by processes of this library only, so it keeps a copy for at most {} (l1.untracked_ttl)",
        TimeSpan(l1.untracked_ttl.value_or({})).text());
  } else if (cache.core()->has_l2() && health.coherence == CoherenceMode::off && l1.enabled &&
             l1.coherence != CoherenceMode::off) {
    health.warning =
        "L1 keeps no copies of what L2 has: the server offers neither tracking nor announcements (the log says why)";
  }
  const std::string missing = detail::engine_of(*cache.core()).missing_commands();
  if (!missing.empty()) health.warning.append(health.warning.empty() ? "" : "; ").append(missing);
}

/// Stores a value, reads it and removes it. Thread-safe: the key is one that no manual call nor wrapper can make, and
/// one of its own per check.
class Probe {
 public:
  explicit Probe(detail::Core& core) : core_(core) {
    static std::atomic<std::uint64_t> probes{0};
    name_.append("\x01health:");
    name_.append_number(probes.fetch_add(1));
    terms_.ttl = std::chrono::seconds(10);
    if (core.has_l2()) terms_.level = Level::l2;  // the server itself is tested, not what is remembered of it
  }

  /// What went wrong, or nothing.
  std::string run() {
    // One for all of it, whatever number of requests that is.
    const detail::TimeBudget::Operation budget(core_.options().pool.socket_timeout.value_or(std::chrono::seconds(1)));
    detail::LastReason::set({});
    if (std::string error = store(); !error.empty()) return error;
    if (!is_found()) return named("a value just stored could not be read");
    detail::LastReason::set({});
    const detail::Reach reach{.l1 = !core_.has_l2(), .l2 = core_.has_l2()};
    return core_.erase(key(), reach) ? std::string() : named("a value just read could not be removed");
  }

 private:
  detail::KeyView key() { return {name_.view(), {}, name_.hash()}; }
  static std::string named(std::string text) {
    const std::string_view why = detail::LastReason::get();
    return why.empty() ? text : text.append(": ").append(why);
  }

  std::string store() {
    const auto stored = core_.put(detail::make_node<std::int64_t>(key(), written_), terms_, {}, nullptr);
    if (stored == detail::PutOutcome::stored) return {};
    if (stored.status == detail::PutOutcome::not_stored_closed) return std::string(stored.why);
    const std::string text = "a value could not be stored";
    return stored.why.empty() ? text : text + ": " + std::string(stored.why);
  }

  bool is_found() {
    detail::NodeRef node;
    if (core_.has_l2()) {
      detail::Fetched item{key()};
      const detail::TypeOps* types[] = {&detail::kTypeOps<std::int64_t>};
      core_.fetch(std::span(&item, 1), types, nullptr, terms_, {});
      node = std::move(item.node);
    } else {
      core_.read(key(), detail::kTypeOps<std::int64_t>, nullptr, node);
    }
    return node && node.as<std::int64_t>() == written_;
  }

  detail::Core& core_;
  detail::KeyBuffer name_;
  detail::EntryTerms terms_;
  const std::int64_t written_ = std::chrono::steady_clock::now().time_since_epoch().count();
};

}  // namespace

Health check_health(CacheManager& cache) {
  Health health;
  health.backend = "memory";
  const auto begun = std::chrono::steady_clock::now();
  try {
    detail::Core& core = *cache.core();
    if (core.has_l2()) health.backend = "redis";
    health.error = Probe(core).run();
  } catch (const std::exception& e) {  // a health check reports, whatever happens
    health.error = e.what();
  }
  try {
    const detail::Engine& engine = detail::engine_of(*cache.core());
    health.server = engine.server();
    health.topology = engine.topology();
  } catch (const std::exception&) {  // no memory, or no cache: the error says so
  }
  health.latency = std::chrono::steady_clock::now() - begun;
  try {
    add_what_is_missing(cache, health);
  } catch (const std::exception&) {  // no memory: the mode alone
  }
  health.healthy = health.error.empty();
  return health;
}

}  // namespace v1
}  // namespace dsta::cache
