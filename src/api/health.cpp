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

}  // namespace

Health check_health(CacheManager& cache) {
  Health health;
  health.backend = "memory";
  const auto begun = std::chrono::steady_clock::now();
  try {
    detail::Core& core = *cache.core();
    // A key that no manual call nor wrapper can make, and one of its own per thread of control.
    static std::atomic<std::uint64_t> probes{0};
    detail::KeyBuffer name;
    name.append("\x01health:");
    name.append_number(probes.fetch_add(1));
    const detail::KeyView key{name.view(), {}, name.hash()};
    detail::EntryTerms terms;
    terms.ttl = std::chrono::seconds(10);
    const std::int64_t written = std::chrono::steady_clock::now().time_since_epoch().count();
    if (core.has_l2()) {
      health.backend = "redis";
      terms.level = Level::l2;  // the server itself is tested, not what is remembered of it
    }
    // One for all of it, whatever number of requests that is.
    const detail::TimeBudget::Operation budget(core.options().pool.socket_timeout.value_or(std::chrono::seconds(1)));
    const auto named = [](std::string text) {
      const std::string_view why = detail::LastReason::get();
      return why.empty() ? text : text.append(": ").append(why);
    };
    detail::LastReason::set({});
    const detail::Reach reach{.l1 = !core.has_l2(), .l2 = core.has_l2()};
    const auto stored = core.put(detail::make_node<std::int64_t>(key, written), terms, {}, nullptr);
    if (!(stored == detail::PutOutcome::stored)) {
      health.error = stored.status == detail::PutOutcome::not_stored_closed ? std::string(stored.why)
                     : stored.why.empty()                                   ? "a value could not be stored"
                                          : std::string("a value could not be stored: ").append(stored.why);
    } else {
      detail::NodeRef node;
      if (reach.l1) {
        core.read(key, detail::kTypeOps<std::int64_t>, nullptr, node);
      } else {
        detail::Fetched item{key};
        const detail::TypeOps* types[] = {&detail::kTypeOps<std::int64_t>};
        core.fetch(std::span(&item, 1), types, nullptr, terms, {});
        node = std::move(item.node);
      }
      const bool found = node && node.as<std::int64_t>() == written;
      if (found) detail::LastReason::set({});
      const bool removed = found && core.erase(key, reach);
      if (!found) {
        health.error = named("a value just stored could not be read");
      } else if (!removed) {
        health.error = named("a value just read could not be removed");
      }
    }
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
