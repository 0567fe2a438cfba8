#include <dsta/cache/invalidator.hpp>

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

#include <dsta/cache/manager.hpp>

#include "base/time_budget.hpp"
#include "engine/engine.hpp"
#include "entry/part_pattern.hpp"

namespace dsta::cache {
inline namespace v1 {

std::size_t CacheInvalidator::invalidate_symbol_data(std::string_view symbol) {
  return invalidate("symbol", symbol, {"api", "db", "indicator"});
}

std::size_t CacheInvalidator::invalidate_exchange_data(std::string_view exchange) {
  return invalidate("exchange", exchange, {"api", "db", "indicator"});
}

std::size_t CacheInvalidator::invalidate_user_session(std::string_view user_id) {
  return invalidate("user", user_id, {"session"});
}

std::size_t CacheInvalidator::invalidate(std::string_view kind, std::string_view name,
                                         std::initializer_list<std::string_view> prefixes) {
  if (name.empty()) throw KeyError(fmt::format("the {} to invalidate is empty", kind));
  detail::Core& core = *cache_.core();
  const detail::TimeBudget::Operation budget(core.options().pool.socket_timeout.value_or(Duration::zero()));
  cache_.invalidate_tag(fmt::format("{}:{}", kind, name));
  if (options_.tags_only) return 0;
  std::vector<std::string> searched;
  for (const std::string_view prefix : prefixes) {
    // What this process wraps says nothing of what others have stored at a server.
    if (core.has_l2() || !engine_of(core).all_carry(prefix, kind)) searched.emplace_back(prefix);
  }
  if (searched.empty()) return 0;
  const std::size_t removed = core.erase_matching(detail::part_pattern(std::move(searched), name));
  detail::Counters& counters = core.manual({}).counters;
  counters.add(detail::Count::deletes, removed);
  counters.add(detail::Count::invalidations);
  return removed;
}

std::size_t CacheInvalidator::invalidate_pattern(std::string_view pattern) { return cache_.delete_pattern(pattern); }

}  // namespace v1
}  // namespace dsta::cache
