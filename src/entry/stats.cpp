#include <dsta/cache/stats.hpp>

#include <fmt/format.h>

#include <dsta/cache/detail/identity.hpp>

#include "entry/stats.hpp"

namespace dsta::cache {
inline namespace v1 {

namespace {

double rate(std::uint64_t hits, std::uint64_t misses) {
  const std::uint64_t total = hits + misses;
  return total == 0 ? 0.0 : static_cast<double>(hits) / static_cast<double>(total);
}

/// The path of a socket may hold anything.
std::string json_text(const std::string& text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      quoted += c;
    }
  }
  return quoted;
}

}  // namespace

namespace detail {

CacheStats to_stats(const Totals& totals) {
  const auto of = [&](Count what) { return totals[static_cast<std::size_t>(what)]; };
  CacheStats stats;
  stats.hits = of(Count::hits);
  stats.misses = of(Count::misses);
  stats.sets = of(Count::sets);
  stats.deletes = of(Count::deletes);
  stats.total_requests = stats.hits + stats.misses;
  stats.hit_rate = rate(stats.hits, stats.misses);
  stats.loads = of(Count::loads);
  stats.load_failures = of(Count::load_failures);
  stats.load_seconds = static_cast<double>(of(Count::load_nanoseconds)) * 1e-9;
  stats.coalesced = of(Count::coalesced);
  stats.stale_served = of(Count::stale_served);
  stats.early_refreshes = of(Count::early_refreshes);
  stats.fenced = of(Count::fenced);
  stats.negative_hits = of(Count::negative_hits);
  stats.rejected = of(Count::rejected);
  stats.codec_errors = of(Count::codec_errors);
  stats.shed = of(Count::shed);
  stats.invalidations = of(Count::invalidations);
  return stats;
}

}  // namespace detail

std::string CacheStats::hit_rate_text() const { return fmt::format("{:.2f}%", hit_rate * 100); }

std::string CacheStats::to_json() const {
  return fmt::format(
      R"({{"hits":{},"misses":{},"sets":{},"deletes":{},"total_requests":{},"hit_rate":{:.6f},"loads":{},)"
      R"("load_failures":{},"load_seconds":{:.6f},"coalesced":{},"stale_served":{},"early_refreshes":{},"fenced":{},)"
      R"("negative_hits":{},"rejected":{},"codec_errors":{},"shed":{},"invalidations":{},"evictions":{},)"
      R"("expirations":{},"entries":{},"bytes":{},"l2_hits":{},"l2_errors":{},"unknown_writes":{},)"
      R"("l1_suspensions":{},"pending_invalidations":{},"coherence":"{}","master_changes":{},)"
      R"("connections":{},"large_connections":{},"connections_made":{},)"
      R"("server":"{}","topology":"{}"}})",
      hits, misses, sets, deletes, total_requests, hit_rate, loads, load_failures, load_seconds, coalesced,
      stale_served, early_refreshes, fenced, negative_hits, rejected, codec_errors, shed, invalidations, evictions,
      expirations, entries, bytes, l2_hits, l2_errors, unknown_writes, l1_suspensions, pending_invalidations,
      to_string(coherence), master_changes, connections, large_connections, connections_made, json_text(server),
      json_text(topology));
}

FunctionInfo function_info(const detail::Identity& identity) {
  detail::Totals totals{};
  identity.counters.add_to(totals);
  const CacheStats stats = detail::to_stats(totals);
  return {.prefix = identity.prefix,
          .name = identity.name,
          .hits = stats.hits,
          .misses = stats.misses,
          .sets = stats.sets,
          .loads = stats.loads,
          .load_failures = stats.load_failures,
          .coalesced = stats.coalesced,
          .stale_served = stats.stale_served,
          .fenced = stats.fenced,
          .load_seconds = stats.load_seconds,
          .hit_rate = stats.hit_rate};
}

}  // namespace v1
}  // namespace dsta::cache
