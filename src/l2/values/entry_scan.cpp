/// SCAN, over one server or all masters of a cluster.
#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>

#include "base/time_budget.hpp"
#include "l2/values/entry_remover.hpp"
#include "l2/values/without_command.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// How a sweep goes on for seconds and leaves the others at the server their turn. One part of it is about 64 keys,
/// which takes the server less than a round trip does, and then it rests as long as that took, so that at most half of
/// the server's time goes to it. Where a part takes long all the same, most of that is the way to the server: parts are
/// larger there, and the rests with them.
class Pace {
 public:
  /// Of one command that removes or shows.
  std::size_t keys() const { return keys_; }
  /// What one SCAN looks at: more where little of it matches.
  std::size_t scanned() const { return std::min(keys_ * spread_, kMostScanned); }

  void begin() { begun_ = std::chrono::steady_clock::now(); }
  /// After a part that has found so many.
  void found(std::size_t count) {
    if (count < keys_ / 4) spread_ = std::min<std::size_t>(2 * spread_, 8);
    if (count > keys_) spread_ = std::max<std::size_t>(spread_ / 2, 1);
  }
  void rest() {
    const Duration took = std::chrono::steady_clock::now() - begun_;
    std::this_thread::sleep_for(std::min<Duration>(took, kRest * static_cast<std::int64_t>(keys_ / kLeast)));
    if (took > kLong) keys_ = std::min(2 * keys_, kMost);
    if (took < kLong / 2) keys_ = std::max(keys_ / 2, kLeast);
  }

 private:
  static constexpr std::size_t kLeast = 64, kMost = 512, kMostScanned = 1024;
  static constexpr std::chrono::microseconds kLong{1000}, kRest{200};

  std::size_t keys_ = kLeast, spread_ = 1;
  TimePoint begun_{};
};

}  // namespace

/// A key that is moved from a master that comes later to one that was swept already is found by neither. One more sweep
/// finds it, as it stays there.
Done EntryRemover::scan(const std::string& match, const Batch& batch) {
  Cluster* const cluster = commands_.servers().cluster();
  if (!cluster) [[likely]]
    return scan_at(nullptr, match, batch);
  const std::uint64_t before = cluster->changes();
  const Done done = scan_cluster(*cluster, match, batch);
  if (!done || (!moves_slots(*cluster) && cluster->changes() == before)) return done;
  return scan_cluster(*cluster, match, batch);
}

Done EntryRemover::scan_cluster(Cluster& cluster, const std::string& match, const Batch& batch) {
  const auto parts = commands_.servers().parts();
  if (parts.empty()) {  // says why
    const Answer answer = commands_.run("scan", Request{"PING"}, Purpose::erase);
    return answer ? Done{Done::no, "the cluster was not reached yet"} : ServerCommands::to_done(answer);
  }
  Done all{Done::yes};
  for (const auto& part : parts) {
    if (const Done done = scan_at(part, match, batch); !done && all) all = done;
  }
  const auto map = cluster.map();
  if (all && map && map->holes() != 0) return {Done::no, "slots of the cluster have no master"};
  return all;
}

/// Slots are on their way from one master to another.
bool EntryRemover::moves_slots(Cluster& cluster) {
  cluster.refresh(std::min(TimeBudget::end(), std::chrono::steady_clock::now() + commands_.operation_timeout()));
  for (const auto& part : commands_.servers().parts()) {
    const Answer answer = commands_.run_at(part, "scan", Request{"CLUSTER", "NODES"}, Purpose::erase);
    if (!answer || answer.replies[0].text.find('[') != std::string::npos) return true;
  }
  return false;
}

Done EntryRemover::scan_at(const std::shared_ptr<Link>& part, const std::string& match, const Batch& batch) {
  constexpr auto kScan = EndingCommand::scan;
  if (commands_.ended().by(kScan) && !commands_.ended().no_more_by(kScan)) {
    return {.status = Done::no, .why = "the server offers no SCAN", .refused = true, .forbidden = true};
  }
  TimeBudget::Sweep sweep(commands_.operation_timeout());
  Pace pace;
  std::string cursor = "0";
  do {
    pace.begin();
    const std::string count = std::to_string(pace.scanned());
    const Answer scanned =
        commands_.run_at(part, "scan", Request{"SCAN", cursor, "MATCH", match, "COUNT", count}, Purpose::erase);
    if (!scanned) return ServerCommands::to_done(scanned);
    const Reply& reply = scanned.replies[0];
    if (reply.means_never()) {
      commands_.missing().add("SCAN", kWithoutScan, reply.why);
    }
    if (reply.is(Reply::Kind::error)) return commands_.refused("scan", reply);
    commands_.missing().remove("SCAN");
    if (reply.elements.size() != 2 || !reply.elements[0].is(Reply::Kind::text)) return {Done::no, "no SCAN reply"};
    cursor = reply.elements[0].text;
    std::vector<std::string_view> keys;
    std::deque<std::string> beside_leases;
    for (const Reply& key : reply.elements[1].elements) {
      const KeySpace::Kind kind = keys_.parse(key.text).kind;
      if (kind != KeySpace::Kind::entry && kind != KeySpace::Kind::raw_lease) continue;
      keys.push_back(key.text);
      // Its load may store between the two. The lease goes first, so nothing is stored behind the entry's back.
      if (kind == KeySpace::Kind::raw_lease) {
        keys.push_back(beside_leases.emplace_back(keys_.entry(keys_.parse(key.text).name)));
      }
    }
    for (std::size_t at = 0; at < keys.size(); at += pace.keys()) {
      const auto some = std::span(keys).subspan(at, std::min(pace.keys(), keys.size() - at));
      if (const Done done = batch(some); !done) return done;
      sweep.part_done();
    }
    pace.found(keys.size());
    sweep.part_done();
    if (cursor != "0") pace.rest();
  } while (cursor != "0");
  return {Done::yes};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
