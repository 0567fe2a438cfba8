/// Who serves which slot: asking the nodes, hearing it from a MOVED, and putting another map in use.
#include <algorithm>
#include <chrono>
#include <utility>

#include "base/saturating_add.hpp"
#include "base/time_budget.hpp"
#include "l2/client/link_state.hpp"
#include "l2/client/reason.hpp"
#include "l2/topology/cluster_state.hpp"
#include "l2/topology/node_finder.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kNoNode = "no node of the cluster says who serves its slots";
constexpr std::string_view kNoCluster = "the server is not part of a cluster: leave out cluster=true";

bool is_unknown_subcommand(const Reply& reply) {
  return reply.error_code() == "ERR" &&
         (reply.text.find("ubcommand") != std::string::npos || reply.text.find("syntax") != std::string::npos);
}

std::string_view why_no_layout(const Reply& reply) {
  const auto says = [&](std::string_view words) { return reply.text.find(words) != std::string::npos; };
  if (says("cluster support disabled") || says("unknown command")) return kNoCluster;
  return reply.why.empty() ? std::string_view("its answer is no map of slots") : reply.why;
}

Request question(bool shards) {
  Request request;
  return request.add({"CLUSTER", shards ? "SHARDS" : "SLOTS"}).add({"CLUSTER", "INFO"});
}

/// Odd for as long as it lives.
class CountedTwice {
 public:
  CountedTwice(std::atomic<std::uint64_t>& count, bool counts) : count_(counts ? &count : nullptr) {
    if (count_) count_->fetch_add(1);
  }
  ~CountedTwice() {
    if (count_) count_->fetch_add(1);
  }
  CountedTwice(const CountedTwice&) = delete;
  CountedTwice& operator=(const CountedTwice&) = delete;

 private:
  std::atomic<std::uint64_t>* const count_;
};

std::string summary(const SlotMap& map) {
  std::string text;
  for (const ClusterNode& node : map.nodes)
    text.append(text.empty() ? "" : ", ").append(host_port_text(node.announced));
  if (text.empty()) text = "none";
  if (const std::size_t holes = map.holes(); holes != 0) text += fmt::format("; {} slots have no master", holes);
  return text;
}

}  // namespace

std::shared_ptr<Link> Cluster::State::link_to(const HostPort& announced, std::optional<Slot> slot) {
  const std::string name = host_port_text(announced);
  const MutexLock lock(mutex);
  if (closed) return nullptr;
  if (const auto known = links.find(name); known != links.end()) return known->second;
  LinkOptions made = options.link;
  made.address = options.addresses.reachable(announced);
  made.finder = std::make_shared<NodeFinder>(made.address);
  made.on_new_server = options.on_new_server;
  if (slot) made.probe_key = options.probe_key(*slot);
  return links[name] = std::make_shared<Link>(std::move(made));
}

// --- asking

Cluster::State::MapAnswer Cluster::State::read(const std::vector<Reply>& replies, const AskedNode& asked) {
  const Reply& reply = replies[0];
  MapAnswer answer;
  if (is_unknown_subcommand(reply)) {
    lacks_shards.store(true, std::memory_order_relaxed);
    answer.why = "it does not know CLUSTER SHARDS";
    return answer;
  }
  if (reply.is(Reply::Kind::error)) {
    answer.why = why_no_layout(reply);
    if (answer.why == kNoCluster) answer.short_why = kNoCluster;
    return answer;
  }
  answer.layout = lacks_shards.load(std::memory_order_relaxed) ? read_slots(reply, asked) : read_shards(reply, asked);
  if (!answer.layout) answer.why = "its answer is no map of slots";
  if (answer.layout && answer.layout->ranges.empty()) {
    answer.layout.reset();
    answer.why = "it knows no master that serves slots";
  }
  answer.is_down = replies[1].text.find("cluster_state:fail") != std::string::npos;
  return answer;
}

/// Once more where the node turns out not to know CLUSTER SHARDS.
Cluster::State::MapAnswer Cluster::State::ask(const AskedNode& asked,
                                              const std::function<OneAnswer(const Request&)>& send) {
  MapAnswer said;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const bool before = lacks_shards.load(std::memory_order_relaxed);
    OneAnswer answer = send(question(!before));
    if (answer.replies.empty()) return {.why = std::move(answer.why), .short_why = answer.refusal};
    said = read(answer.replies, asked);
    if (said.layout || lacks_shards.load(std::memory_order_relaxed) == before) break;
  }
  return said;
}

Cluster::State::MapAnswer Cluster::State::ask_master(Link& link, const AskedNode& asked, TimePoint deadline) {
  const TimeBudget::Cap cap(deadline);
  return ask(asked, [&](const Request& question) -> OneAnswer {
    Answer answer = link.run(question, Purpose::erase);
    if (!answer) return {.why = std::string(answer.why)};
    return {.replies = std::move(answer.replies)};
  });
}

Cluster::State::MapAnswer Cluster::State::ask_seed(const AskedNode& asked, TimePoint deadline) {
  LinkOptions to = options.link;
  to.address = {.host = asked.place.host, .port = asked.place.port, .socket_path = {}};
  return ask(asked, [&](const Request& question) { return ask_once(to, question, deadline); });
}

/// The masters that are known, another one first each time, then those of the URL. One that holds the cluster for down
/// may be cut off from the others.
Cluster::State::MapAnswer Cluster::State::ask_all(TimePoint deadline) {
  const auto from = known();
  std::size_t first = 0;
  {
    const MutexLock lock(mutex);
    first = turn++;
  }
  const std::size_t count = from ? from->nodes.size() : 0, all = count + options.seeds.size();
  MapAnswer of_last, of_down;
  std::string tried;
  for (std::size_t n = 0; n < all; ++n) {
    const TimePoint now = Clock::now();
    if (now >= deadline) break;
    const TimePoint share = n + 1 == all ? deadline : now + (deadline - now) / 2;
    AskedNode who{.place = {}, .tls = options.tls};
    if (n < count) {
      Link& link = *from->nodes[(first + n) % count].link;
      who.place = {.host = link.options().address.host, .port = link.options().address.port};
      of_last = ask_master(link, who, share);
    } else {
      who.place = options.seeds[n - count];
      of_last = ask_seed(who, share);
    }
    if (of_last.layout && !of_last.is_down) return of_last;
    if (of_last.layout) of_down = std::move(of_last);
    if (!of_last.why.empty() && tried.size() < 256) {
      tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", host_port_text(who.place), of_last.why);
    }
  }
  if (of_down.layout) return of_down;
  MapAnswer none;
  none.short_why = of_last.short_why;
  none.why = fmt::format("{} ({})", kNoNode, tried.empty() ? "no time was left to ask one" : tried);
  return none;
}

bool Cluster::State::refresh(TimePoint deadline) {
  {
    MutexLock lock(mutex);
    if (refreshing) {
      while (refreshing && changed.wait_until(lock.native(), deadline) != std::cv_status::timeout) {
      }
      return map != nullptr;
    }
    if (closed) return false;
    refreshing = true;
  }
  const TimePoint asked = Clock::now();
  MapAnswer answer;
  std::string said;
  LogLevel level = LogLevel::info;
  try {
    const Interruptible interruptible(interrupt.descriptor());
    answer = ask_all(deadline);
    if (answer.layout) {
      const MutexLock changing(change);
      auto next = std::make_shared<SlotMap>();
      for (const SlotLayout::Range& range : answer.layout->ranges) {
        const ClusterNode* node = next->find(range.master);
        if (!node) {
          auto link = link_to(range.master, range.first);
          if (!link) break;
          next->nodes.push_back({range.master, std::move(link)});
          node = &next->nodes.back();
        }
        const auto index = static_cast<std::uint16_t>(node - next->nodes.data());
        std::fill(next->owners.begin() + range.first, next->owners.begin() + range.last + 1, index);
      }
      const auto before = known();
      const bool differs = !before || difference(*before, *next).moved.any();
      if (differs) said = fmt::format("the masters of the cluster are {}", summary(*next));
      if (before && differs) level = LogLevel::warning;
      install(std::move(next));
    }
  } catch (const std::exception&) {  // no memory or no descriptor
    answer.layout.reset();
    answer.why = "no memory or no descriptor";
  }
  bool good = false, first_failure = false;
  {
    const MutexLock lock(mutex);
    refreshing = false;
    good = answer.layout.has_value() && !closed;
    first_failure = !good && failed == TimePoint{};
    failed = good ? TimePoint{} : Clock::now();
    short_why = answer.short_why;
    why = good ? (answer.is_down ? "the nodes hold the cluster for down" : "") : answer.why;
    if (good && !answer.is_down) confirmed = asked;
    changed.notify_all();
    if (closed) return false;
  }
  if (!said.empty()) say(options.link.log, level, "{}", said);
  if (first_failure) say(options.link.log, LogLevel::warning, "{}", answer.why);
  return good;
}

std::string_view Cluster::State::reason() const {
  if (!short_why.empty()) return short_why;
  const std::string_view kept = keep_reason(why);
  return kept == why ? kept : kNoNode;  // there are too many to be kept
}

std::shared_ptr<const SlotMap> Cluster::State::known_by(TimePoint deadline) {
  constexpr std::chrono::milliseconds kPause{500};
  {
    const MutexLock lock(mutex);
    if (map || closed) return map;
    if (!refreshing && failed != TimePoint{} && Clock::now() - failed < kPause) return nullptr;
  }
  refresh(std::min(deadline, by(options.link.connect_timeout)));
  return known();
}

// --- putting it in use

SlotChange Cluster::State::difference(const SlotMap& before, const SlotMap& after) const {
  SlotChange change_to;
  // Of each pair of masters once.
  std::vector<std::uint16_t> was(after.nodes.size(), SlotMap::kNobody);
  std::vector<bool> is_new(after.nodes.size());
  for (std::size_t i = 0; i < after.nodes.size(); ++i) {
    const ClusterNode* const known = before.find(after.nodes[i].announced);
    if (known) was[i] = static_cast<std::uint16_t>(known - before.nodes.data());
    is_new[i] = !known || known->is_hearsay;
  }
  for (std::size_t slot = 0; slot < kSlots; ++slot) {
    const std::uint16_t now = after.owners[slot], then = before.owners[slot];
    if (now == SlotMap::kNobody ? then == SlotMap::kNobody : then != SlotMap::kNobody && was[now] == then) continue;
    change_to.moved.set(slot);
    if (now != SlotMap::kNobody && is_new[now]) change_to.may_have_missed = true;
  }
  change_to.home = change_to.moved.test(options.home);
  return change_to;
}

/// With `change`.
void Cluster::State::install(std::shared_ptr<SlotMap> next) {
  const auto before = known();
  const SlotChange to = before ? difference(*before, *next) : SlotChange{};
  {
    // Even again also where there is no memory: then the map of before stays in use.
    const CountedTwice counted(failovers, to.may_have_missed);
    if (to.moved.any()) {
      options.on_change(to, *next);
      changes.fetch_add(1, std::memory_order_relaxed);
    }
    drop_unused_links(*next);
    const MutexLock lock(mutex);
    map = std::move(next);
  }
  if (!before || to.moved.any()) options.on_map();
}

void Cluster::State::drop_unused_links(const SlotMap& kept) {
  std::vector<std::shared_ptr<Link>> dropped;  // ended without the mutex
  const MutexLock lock(mutex);
  for (auto each = links.begin(); each != links.end();) {
    const auto used = [&](const ClusterNode& node) { return node.link == each->second; };
    if (std::ranges::any_of(kept.nodes, used)) {
      ++each;
    } else {
      dropped.push_back(std::move(each->second));
      each = links.erase(each);
    }
  }
}

void Cluster::State::learn(std::span<const MovedSlot> moved, std::span<const MovedSlot> before) {
  std::string said;
  {
    const MutexLock changing(change);
    const auto from = known();
    if (!from) return;
    auto next = std::make_shared<SlotMap>(*from);
    bool differs = false;
    for (const auto& [slot, to] : moved) {
      const ClusterNode* const now = next->of(slot);
      if ((now && now->announced == to) || std::ranges::find(before, slot, &MovedSlot::slot) != before.end()) continue;
      const ClusterNode* node = next->find(to);
      if (!node) {
        auto link = link_to(to, slot);
        if (!link) return;
        next->nodes.push_back({to, std::move(link), true});
        node = &next->nodes.back();
        said += fmt::format("{}{}", said.empty() ? "" : ", ", host_port_text(to));
      }
      next->owners[slot] = static_cast<std::uint16_t>(node - next->nodes.data());
      differs = true;
    }
    if (differs) install(std::move(next));
  }
  if (!said.empty()) say(options.link.log, LogLevel::warning, "masters of the cluster now: {}", said);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
