#include "l2/topology/master_finder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>

#include "l2/client/handshake.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

void add_master_request(Request& request, std::string_view master) {
  request.add({"SENTINEL", "GET-MASTER-ADDR-BY-NAME", master});
}

SentinelAnswer read_master(const Reply& reply) {
  if (reply.is(Reply::Kind::nil)) return {.why = "it knows no master of that name"};
  HostPort place;
  const auto& parts = reply.elements;
  const bool is_pair = reply.is(Reply::Kind::array) && parts.size() == 2;
  if (is_pair && read_host_port(parts[0].text, parts[1].text, place)) return {.master = std::move(place)};
  return {.why = "its answer is not the address of a master"};
}

MasterFinder::MasterFinder(Options options)
    : options_(std::move(options)), name_(fmt::format("master {}", options_.master)) {}

LinkOptions MasterFinder::link_to(std::size_t sentinel) const {
  LinkOptions link = options_.link;
  const HostPort& place = options_.sentinels[sentinel];
  link.address = {.host = place.host, .port = place.port, .socket_path = {}};
  return link;
}

SentinelAnswer MasterFinder::ask(std::size_t sentinel, TimePoint deadline) const {
  Request question;
  add_master_request(question, options_.master);
  OneAnswer answer = ask_once(link_to(sentinel), question, deadline);
  if (answer.replies.empty()) return {.why = std::move(answer.why)};
  const Reply& reply = answer.replies.back();
  return reply.is(Reply::Kind::error) ? SentinelAnswer{.why = std::string(reply.why)} : read_master(reply);
}

std::optional<HostPort> MasterFinder::named_by_most(TimePoint deadline) const {
  std::vector<HostPort> named;
  for (std::size_t sentinel = 0; sentinel < count(); ++sentinel) {
    const TimePoint now = Clock::now();
    const TimePoint share = now + (deadline - now) / static_cast<int>(count() - sentinel);
    if (auto answer = ask(sentinel, share); answer.master) named.push_back(std::move(*answer.master));
  }
  for (const HostPort& each : named) {
    if (2 * static_cast<std::size_t>(std::ranges::count(named, each)) > named.size()) return each;
  }
  return std::nullopt;
}

void MasterFinder::found_wrong(std::size_t source) noexcept {
  first_.compare_exchange_strong(source, (source + 1) % count(), std::memory_order_relaxed);
}

std::optional<ServerFinder::Found> MasterFinder::find(std::size_t source, TimePoint deadline, std::string& error) {
  std::string tried;
  for (std::size_t n = 0; n < count(); ++n) {
    const std::size_t sentinel = (source + n) % count();
    const TimePoint now = Clock::now();
    if (now >= deadline) break;
    const bool last = n + 1 == count();
    const SentinelAnswer answer = ask(sentinel, last ? deadline : now + (deadline - now) / 2);
    if (answer.master) {
      if (n != 0) ask_first(sentinel);
      return Found{.address = reachable(*answer.master), .source = sentinel};
    }
    tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", name_of(sentinel), answer.why);
  }
  error = tried.empty() ? "no time was left to ask a sentinel" : fmt::format("no sentinel named it: {}", tried);
  return std::nullopt;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
