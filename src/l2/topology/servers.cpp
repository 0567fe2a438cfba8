#include "l2/topology/servers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "l2/client/connection.hpp"
#include "l2/client/handshake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::vector<std::shared_ptr<Link>> Servers::all() {
  std::vector<std::shared_ptr<Link>> links;
  if (const auto map = cluster_->map()) {
    for (const ClusterNode& node : map->nodes) links.push_back(node.link);
  }
  return links;
}

std::vector<std::shared_ptr<Link>> Servers::parts() { return cluster_ ? all() : std::vector<std::shared_ptr<Link>>(1); }

void Servers::close_idle() {
  if (!cluster_) return link_.close_idle();
  for (const auto& link : all()) link->close_idle();
}

void Servers::close() noexcept { cluster_ ? cluster_->close() : link_.close(); }

void Servers::close_as_corrupt(std::string_view why) {
  if (!cluster_) return link_.close_as_corrupt(why);
  for (const auto& link : all()) link->close_as_corrupt(why);
}

Link::Probed Servers::probe(const Request& request) {
  if (!cluster_) return link_.probe(request);
  const auto home = cluster_->home();
  return home ? home->probe(request) : Link::Probed::unknown;
}

EchoWay& Servers::echo_way() { return cluster_ ? of_cluster_ : link_.echo_way(); }

bool Servers::up() {
  if (!cluster_) return link_.up();
  if (!cluster_->map()) return !cluster_->failed();
  return std::ranges::any_of(all(), [](const auto& link) { return link->up(); });
}

bool Servers::takes_writes() {
  if (!cluster_) return link_.takes_writes();
  return std::ranges::all_of(all(), [](const auto& link) { return !link->up() || link->takes_writes(); });
}

LinkCounters Servers::counters() {
  if (!cluster_) return link_.counters();
  LinkCounters sum{.server_changes = cluster_->changes()};
  for (const auto& link : all()) {
    const LinkCounters one = link->counters();
    sum.attempts += one.attempts;
    sum.server_changes += one.server_changes;
    sum.breaker_changes += one.breaker_changes;
    sum.made += one.made;
    sum.open += one.open;
    sum.open_large += one.open_large;
  }
  return sum;
}

std::shared_ptr<Connection> Servers::current() {
  if (!cluster_) return link_.current();
  const auto home = cluster_->home();
  return home ? home->current() : nullptr;
}

std::string Servers::trouble() {
  const auto map = cluster_ ? cluster_->map() : nullptr;
  if (!map) return {};
  std::string text;
  const auto add = [&](std::string what) { text.append(text.empty() ? "" : "; ").append(what); };
  for (const ClusterNode& node : map->nodes) {
    if (!node.link->up()) add(fmt::format("{} is out of reach", server_name(node.link->options())));
  }
  if (const std::size_t holes = map->holes(); holes != 0) add(fmt::format("{} slots have no master", holes));
  return text;
}

std::string Servers::text() {
  if (!cluster_) {
    const Address address = link_.server().address;  // of sentinels' none until one was reached
    return address.host.empty() ? address.socket_path : host_port_text({.host = address.host, .port = address.port});
  }
  const auto map = cluster_->map();
  if (!map) return {};
  std::string text;
  for (const ClusterNode& node : map->nodes) {
    const Address& address = node.link->options().address;
    text +=
        fmt::format("{}{}{}", text.empty() ? "" : ", ", host_port_text({.host = address.host, .port = address.port}),
                    node.link->up() ? "" : " (out of reach)");
  }
  if (const std::size_t holes = map->holes(); holes != 0) text += fmt::format("; {} slots have no master", holes);
  return text;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
