#pragma once
#include <optional>
#include <string_view>

#include "l2/client/url.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Reads `name=value&name=value`, the part of a URL after its '?', into `options` and `endpoint.database`.
/// `endpoint.transport` says which options there are; `has_database`: the URL's path has named one already.
void apply_url_options(std::string_view query, bool has_database, ManagerOptions& options, Endpoint& endpoint);

/// A database's number: digits, up to what an int holds.
std::optional<int> database_number(std::string_view text);

/// Refuses what no connection can be made from, wherever it was set; fills in times that were unset.
void check_connection(PoolOptions& pool, const TlsOptions& tls);
void check_sentinel(SentinelOptions& sentinel);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
