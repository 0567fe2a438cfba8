#include "l2/topology/slot_layout.hpp"

#include <charconv>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using ReplyKind = Reply::Kind;

std::optional<std::int64_t> number_in(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// As an integer, or as the text of one.
std::optional<std::int64_t> number_in(const Reply& reply) {
  if (reply.is(ReplyKind::integer)) return reply.integer;
  return reply.is(ReplyKind::text) ? number_in(std::string_view(reply.text)) : std::nullopt;
}

/// A node that does not know its host, or does not say it, means the one at which it was asked.
bool is_unknown(std::string_view host) { return host.empty() || host == "?"; }

std::optional<HostPort> place_of(std::string_view host, std::optional<std::int64_t> port, const AskedNode& asked) {
  if (!port || *port <= 0 || *port > 65535) return std::nullopt;
  HostPort place{.host = is_unknown(host) ? asked.place.host : std::string(host),
                 .port = static_cast<std::uint16_t>(*port)};
  HostPort checked;
  if (!read_host_port(place.host, std::to_string(place.port), checked)) return std::nullopt;
  return checked;
}

std::optional<SlotLayout::Range> range_of(const Reply& first, const Reply& last, const HostPort& master) {
  const auto from = number_in(first), to = number_in(last);
  if (!from || !to || *from < 0 || *to < *from || *to >= static_cast<std::int64_t>(kSlots)) return std::nullopt;
  return SlotLayout::Range{static_cast<Slot>(*from), static_cast<Slot>(*to), master};
}

/// The value behind `name` in a map, which RESP2 shows as an array.
const Reply* field(const Reply& map, std::string_view name) {
  for (std::size_t i = 0; i + 1 < map.elements.size(); i += 2) {
    if (map.elements[i].text == name) return &map.elements[i + 1];
  }
  return nullptr;
}

std::string_view text_of(const Reply* reply) { return reply ? std::string_view(reply->text) : std::string_view(); }

std::optional<HostPort> shard_place(const Reply& node, const AskedNode& asked) {
  const Reply* port = asked.tls ? field(node, "tls-port") : nullptr;
  if (!port) port = field(node, "port");
  if (!port) port = field(node, "tls-port");
  std::string_view host = text_of(field(node, "endpoint"));
  if (is_unknown(host)) host = text_of(field(node, "ip"));
  return port ? place_of(host, number_in(*port), asked) : std::nullopt;
}

/// A master that has failed may stand beside the one that took its place.
const Reply* master_of(const Reply& nodes) {
  const Reply* master = nullptr;
  for (const Reply& node : nodes.elements) {
    if (text_of(field(node, "role")) != "master") continue;
    if (!master || text_of(field(node, "health")) == "online") master = &node;
  }
  return master;
}

}  // namespace

std::optional<SlotLayout> read_shards(const Reply& reply, const AskedNode& asked) {
  if (!reply.is(ReplyKind::array)) return std::nullopt;
  SlotLayout layout;
  for (const Reply& shard : reply.elements) {
    const Reply* const slots = field(shard, "slots");
    const Reply* const nodes = field(shard, "nodes");
    if (!slots || !nodes || slots->elements.size() % 2 != 0) return std::nullopt;
    if (slots->elements.empty()) continue;
    const Reply* const master = master_of(*nodes);
    const auto place = master ? shard_place(*master, asked) : std::nullopt;
    if (!place) continue;  // these have nobody now
    for (std::size_t i = 0; i < slots->elements.size(); i += 2) {
      auto range = range_of(slots->elements[i], slots->elements[i + 1], *place);
      if (!range) return std::nullopt;
      layout.ranges.push_back(std::move(*range));
    }
  }
  return layout;
}

std::optional<SlotLayout> read_slots(const Reply& reply, const AskedNode& asked) {
  if (!reply.is(ReplyKind::array)) return std::nullopt;
  SlotLayout layout;
  for (const Reply& each : reply.elements) {
    // From, to, the master, its replicas.
    if (each.elements.size() < 3 || each.elements[2].elements.size() < 2) return std::nullopt;
    const auto& node = each.elements[2].elements;
    const auto place = place_of(node[0].text, number_in(node[1]), asked);
    if (!place) continue;
    auto range = range_of(each.elements[0], each.elements[1], *place);
    if (!range) return std::nullopt;
    layout.ranges.push_back(std::move(*range));
  }
  return layout;
}

Redirect read_redirect(const Reply& reply, const AskedNode& asked) {
  Redirect redirect;
  if (!reply.is(ReplyKind::error)) return redirect;
  const std::string_view code = reply.error_code();
  if (code == "TRYAGAIN") redirect.kind = Redirect::Kind::try_again;
  if (code == "CLUSTERDOWN") redirect.kind = Redirect::Kind::down;
  if (code != "MOVED" && code != "ASK") return redirect;
  // MOVED 3999 127.0.0.1:6381; the host may be an IPv6 address, or missing.
  const std::string_view words = std::string_view(reply.text).substr(std::min(reply.text.size(), code.size() + 1));
  const std::string_view slot = words.substr(0, words.find(' '));
  const std::string_view where = words.substr(std::min(words.size(), slot.size() + 1));
  const std::size_t colon = where.rfind(':');
  const auto number = number_in(slot);
  if (!number || *number < 0 || *number >= static_cast<std::int64_t>(kSlots) || colon == where.npos) return redirect;
  auto place = place_of(where.substr(0, colon), number_in(where.substr(colon + 1)), asked);
  if (!place) return redirect;
  redirect.kind = code == "ASK" ? Redirect::Kind::ask : Redirect::Kind::moved;
  redirect.slot = static_cast<Slot>(*number);
  redirect.place = std::move(*place);
  return redirect;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
