#include "l2/client/url_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <iterator>
#include <numeric>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "base/percent.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// An option as it stands in the URL: a name that is known, and its value, decoded.
struct Given {
  std::string_view name;
  const std::string& value;
};

// A value is never repeated: the '?' before it may have been part of a password.
[[noreturn]] void refuse(const Given& given, std::string_view expected) {
  throw ConfigError(fmt::format("URL option {}: expected {}", given.name, expected));
}

using Unit = std::pair<std::string_view, double>;

/// A number with one of `units`. A bare number is refused unless a unit of "" is among them.
template <std::size_t N>
double quantity(const Given& given, const Unit (&units)[N]) {
  const std::string_view text = given.value;
  double number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(stop - text.data()));
  std::string known;
  for (const auto& [symbol, factor] : units) {
    if (error == std::errc{} && unit == symbol && number >= 0 && number * factor < 9e18) return number * factor;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", symbol.empty() ? "none" : symbol);
  }
  refuse(given, fmt::format("a number with a unit ({})", known));
}

std::size_t bytes(const Given& given) {
  static constexpr Unit kUnits[] = {{"", 1}, {"B", 1}, {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}};
  return static_cast<std::size_t>(quantity(given, kUnits));
}

Duration duration(const Given& given) {
  static constexpr Unit kUnits[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 6e10}, {"h", 3.6e12}};
  return Duration(static_cast<Duration::rep>(quantity(given, kUnits)));
}

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || stop != text.data() + text.size()) return std::nullopt;
  return number;
}

std::size_t count(const Given& given) {
  if (const auto number = whole_number<std::size_t>(given.value)) return *number;
  refuse(given, "a whole number");
}

bool yes(const Given& given) {
  if (given.value == "true") return true;
  if (given.value == "false") return false;
  refuse(given, "true or false");
}

OnDisconnect on_disconnect(const Given& given) {
  if (given.value == "flush") return OnDisconnect::flush;
  if (given.value == "bypass") return OnDisconnect::bypass;
  if (given.value == "serve") return OnDisconnect::serve;
  refuse(given, "flush, bypass or serve");
}

CoherenceMode coherence(const Given& given) {
  for (const CoherenceMode mode :
       {CoherenceMode::automatic, CoherenceMode::tracking, CoherenceMode::announcements, CoherenceMode::off}) {
    if (given.value == to_string(mode)) return mode;
  }
  refuse(given, "automatic, tracking, announcements or off");
}

/// announced=reachable, more of them behind commas.
std::vector<std::pair<std::string, std::string>> address_map(const Given& given) {
  std::vector<std::pair<std::string, std::string>> entries;
  for (std::string_view text = given.value; !text.empty();) {
    const std::string_view one = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    if (equals == one.npos) refuse(given, "announced=reachable, more of them behind commas");
    entries.emplace_back(one.substr(0, equals), one.substr(equals + 1));
  }
  return entries;
}

/// Where an option is known: one bit a transport, one for sentinels, and one for a cluster.
using Places = unsigned;
constexpr Places at(Endpoint::Transport transport) { return 1U << static_cast<unsigned>(transport); }
constexpr Places kTls = at(Endpoint::Transport::tls);
constexpr Places kServer = kTls | at(Endpoint::Transport::tcp) | at(Endpoint::Transport::unix_socket);
constexpr Places kAll = kServer | at(Endpoint::Transport::memory);
constexpr Places kSentinels = 1U << 8, kCluster = 1U << 9;
Places places_of(const Endpoint& endpoint, std::string_view query) {
  constexpr std::string_view kOption = "cluster=true";
  Places places = at(endpoint.transport) | (endpoint.sentinels.empty() ? 0U : kSentinels);
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view option = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), option.size() + 1));
    if (option == kOption) places |= kCluster;
  }
  return places;
}

struct Rule {
  std::string_view name;
  Places places;
  void (*apply)(const Given&, ManagerOptions&, Endpoint&);
};

constexpr Rule kRules[] = {
    {"max_bytes", kAll, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.max_bytes = bytes(g); }},
    {"max_entries", kAll, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.max_entries = count(g); }},
    {"default_ttl", kAll, [](const Given& g, ManagerOptions& o, Endpoint&) { o.default_ttl = duration(g); }},
    {"space", kAll, [](const Given& g, ManagerOptions& o, Endpoint&) { o.space = g.value; }},
    {"l1", kServer, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.enabled = yes(g); }},
    {"on_disconnect", kServer,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.on_disconnect = on_disconnect(g); }},
    {"max_stale_age", kServer, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.max_stale_age = duration(g); }},
    {"ping_period", kServer, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.ping_period = duration(g); }},
    {"coherence", kServer, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.coherence = coherence(g); }},
    {"untracked_ttl", kServer, [](const Given& g, ManagerOptions& o, Endpoint&) { o.l1.untracked_ttl = duration(g); }},
    {"max_connections", kServer,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.pool.max_connections = count(g); }},
    {"connect_timeout", kServer,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.pool.connect_timeout = duration(g); }},
    {"socket_timeout", kServer,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.pool.socket_timeout = duration(g); }},
    {"retry_on_timeout", kServer,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.pool.retry_on_timeout = yes(g); }},
    {"max_reply_bytes", kServer,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.pool.max_reply_bytes = bytes(g); }},
    {"db", kServer,
     [](const Given& g, ManagerOptions&, Endpoint& e) {
       const auto number = database_number(g.value);
       if (!number) refuse(g, "a database's number, 0 or more");
       e.database = *number;
     }},
    {"cluster", kServer,
     [](const Given& g, ManagerOptions&, Endpoint& e) {
       if (yes(g)) e.cluster = {{.host = e.host, .port = e.port}};
     }},
    {"ca_file", kTls, [](const Given& g, ManagerOptions& o, Endpoint&) { o.tls.ca_file = g.value; }},
    {"cert_file", kTls, [](const Given& g, ManagerOptions& o, Endpoint&) { o.tls.cert_file = g.value; }},
    {"key_file", kTls, [](const Given& g, ManagerOptions& o, Endpoint&) { o.tls.key_file = g.value; }},
    {"server_name", kTls, [](const Given& g, ManagerOptions& o, Endpoint&) { o.tls.server_name = g.value; }},
    {"verify", kTls, [](const Given& g, ManagerOptions& o, Endpoint&) { o.tls.verify = yes(g); }},
    {"sentinel_username", kSentinels,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.sentinel.username = g.value; }},
    {"sentinel_password", kSentinels,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.sentinel.password = g.value; }},
    {"address_map", kSentinels | kCluster,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.sentinel.address_map = address_map(g); }},
    {"failover_window", kSentinels | kCluster,
     [](const Given& g, ManagerOptions& o, Endpoint&) { o.sentinel.failover_window = duration(g); }},
};

std::string_view schemes_of(Places places) {
  if (places == kTls) return "rediss:// and valkeys://";
  if (places == (kSentinels | kCluster)) return "redis-sentinel:// (and its like) and cluster=true";
  return places == kSentinels ? "redis-sentinel:// and its like" : "a server's";
}

/// How many bytes to insert, delete or replace to get from `a` to `b` (Levenshtein).
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

/// The name in quotes, or nothing when it cannot be a misspelt name and might be a piece of something secret.
std::string quoted(std::string_view name) {
  constexpr std::string_view kNameBytes = "abcdefghijklmnopqrstuvwxyz_";
  constexpr std::size_t kLongest = 24;
  if (name.empty() || name.size() > kLongest || name.find_first_not_of(kNameBytes) != name.npos) return "";
  return fmt::format(" '{}'", name);
}

[[noreturn]] void refuse_unknown(std::string_view name, Places place) {
  const std::string shown = quoted(name);
  std::string known;
  std::string_view nearest;
  std::size_t least = 4;  // farther than three edits is another word
  for (const Rule& rule : kRules) {
    if (!(rule.places & place)) continue;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", rule.name);
    if (shown.empty()) continue;
    const std::size_t distance = edits(name, rule.name);
    if (distance < std::min(least, rule.name.size())) least = distance, nearest = rule.name;
  }
  throw ConfigError(fmt::format("unknown URL option{}: {}known are {}", shown,
                                nearest.empty() ? "" : fmt::format("did you mean {}? ", nearest), known));
}

}  // namespace

std::optional<int> database_number(std::string_view text) {
  if (text.starts_with('-')) return std::nullopt;
  return whole_number<int>(text);
}

void apply_url_options(std::string_view query, bool has_database, ManagerOptions& options, Endpoint& endpoint) {
  const Places place = places_of(endpoint, query);
  std::array<bool, std::size(kRules)> seen{};
  while (!query.empty()) {
    const std::string_view option = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), option.size() + 1));
    if (option.empty()) continue;
    const std::string_view name = option.substr(0, option.find('='));
    const Rule* const rule = std::ranges::find(kRules, name, &Rule::name);
    const bool known = rule != std::end(kRules);
    if (name.size() == option.size()) {
      throw ConfigError(fmt::format("URL option{} has no value", known ? fmt::format(" '{}'", name) : quoted(name)));
    }
    if (!known) refuse_unknown(name, place);
    if (!(rule->places & place)) {
      throw ConfigError(fmt::format("URL option '{}' is for {} URLs only", name, schemes_of(rule->places)));
    }
    if (std::exchange(seen[static_cast<std::size_t>(rule - kRules)], true)) {
      throw ConfigError(fmt::format("URL option '{}' is given twice", name));
    }
    if (name == "db" && has_database) {
      throw ConfigError("the URL gives the database twice: in its path and as the option db");
    }
    const auto value = percent_decoded(option.substr(name.size() + 1));
    if (!value) throw ConfigError(fmt::format("URL option {}: a '%' needs two hexadecimal digits after it", name));
    rule->apply({name, *value}, options, endpoint);
  }
}

void check_connection(PoolOptions& pool, const TlsOptions& tls) {
  constexpr std::size_t kMaxConnections = 10'000, kMinReplyBytes = 1024;
  constexpr Duration kMaxTimeout = std::chrono::hours(24);
  if (pool.max_connections < 1 || pool.max_connections > kMaxConnections) {
    throw ConfigError(fmt::format("max_connections: give 1 to {}", kMaxConnections));
  }
  const auto check_timeout = [&](OptionalDuration& timeout, OptionalDuration fallback, const char* name) {
    if (!timeout.has_value()) timeout = fallback;
    const Duration time = timeout.value_or({});
    if (time <= Duration::zero() || time > kMaxTimeout) {
      throw ConfigError(fmt::format("{}: give more than 0 and at most 24 h", name));
    }
  };
  check_timeout(pool.connect_timeout, PoolOptions{}.connect_timeout, "connect_timeout");
  check_timeout(pool.socket_timeout, PoolOptions{}.socket_timeout, "socket_timeout");
  if (pool.max_reply_bytes < kMinReplyBytes) throw ConfigError("max_reply_bytes: give at least 1 KiB");
  if (tls.cert_file.empty() != tls.key_file.empty()) {
    throw ConfigError("cert_file and key_file go together: a client certificate needs its key");
  }
  const std::pair<const char*, const std::string&> texts[] = {{"ca_file", tls.ca_file},
                                                              {"cert_file", tls.cert_file},
                                                              {"key_file", tls.key_file},
                                                              {"server_name", tls.server_name}};
  for (const auto& [name, text] : texts) {
    if (text.find('\0') != text.npos) throw ConfigError(fmt::format("{} contains a zero byte", name));
  }
}

void check_sentinel(SentinelOptions& sentinel) {
  constexpr Duration kMaxWindow = std::chrono::hours(1);
  if (!sentinel.failover_window.has_value()) sentinel.failover_window = SentinelOptions{}.failover_window;
  const Duration window = sentinel.failover_window.value_or({});
  if (window < Duration::zero() || window > kMaxWindow) throw ConfigError("failover_window: give 0 to 1 h");
  if (!sentinel.username.empty() && sentinel.password.empty()) {
    throw ConfigError("sentinel_username needs sentinel_password: sentinels take no user without one");
  }
  const AddressMap checked(sentinel.address_map);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
