#include "l2/values/entry_reader.hpp"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>
#include <vector>

#include "l2/values/life_text.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer commands hold up everybody else at the server.
constexpr std::size_t kMostKeys = 256;

/// A day: longer than any refresh takes.
constexpr std::string_view kOrderLife = "86400000";

/// Names, each once. Few as a rule, and a tree would cost more than looking at them. They live elsewhere.
class NameSet {
 public:
  bool contains(std::string_view name) const { return std::ranges::binary_search(names_, name); }
  void add(std::string_view name) {
    const auto place = std::ranges::lower_bound(names_, name);
    if (place == names_.end() || *place != name) names_.insert(place, name);
  }
  void clear() { names_.clear(); }
  bool empty() const { return names_.empty(); }
  auto begin() const { return names_.begin(); }
  auto end() const { return names_.end(); }
  std::span<const std::string_view> all() const { return names_; }

 private:
  std::vector<std::string_view> names_;
};

/// 0 where it cannot be counted: then refreshes in several processes at once have no order.
std::uint32_t to_order(const Reply& reply) {
  return reply.is(Reply::Kind::integer) ? static_cast<std::uint32_t>(reply.integer) : 0;
}

}  // namespace

/// Counts a refresh of the entry.
void EntryReader::add_count(Request& request, std::string_view name, std::uint32_t by) const {
  const std::string key = keys_.order(name);
  request.add({"INCRBY", key, std::to_string(by)}).add({"PEXPIRE", key, kOrderLife});
}

/// A server that evicts may have lost the count: then it begins again above the value's order.
void EntryReader::count_above_values(std::span<EntryQuery> queries) {
  Request request;
  std::vector<EntryQuery*> behind;
  for (auto& query : queries) {
    if (!query.orders || query.order == 0 || query.found.kind != Found::Kind::value) continue;
    const EnvelopeView& there = query.found.view;
    if (!there.has_generation || there.order < query.order) continue;
    add_count(request, query.name, there.order - query.order + 1);
    behind.push_back(&query);
  }
  if (behind.empty()) return;
  const Answer answer = commands_.run("read", request, Purpose::erase);
  if (!answer) return;
  for (std::size_t i = 0; i < behind.size(); ++i) {
    behind[i]->order = std::max(behind[i]->order, to_order(answer.replies[2 * i]));
  }
}

bool EntryReader::read(std::span<EntryQuery> queries, std::span<const std::string> dependencies, Versions& versions,
                       bool plain, bool bypass_memory, AfterRead* after) {
  const bool use_memory = !bypass_memory && versions_.are_reported();
  NameSet wanted;
  const auto want = [&](std::string_view name) {
    if (versions.find(name)) return;
    if (use_memory) {
      if (const auto known = versions_.recall(name)) return versions.add(name, known);
    }
    wanted.add(name);
  };
  want({});
  for (const auto& dependency : dependencies) want(dependency);

  NameSet read;
  for (std::size_t at = 0; at < queries.size(); at += kMostKeys) {
    const auto part = queries.subspan(at, std::min(kMostKeys, queries.size() - at));
    const bool verified = plain || after;
    if (!fetch(part, wanted.all(), versions_.mark(), versions, verified ? Purpose::erase : Purpose::read, after)) {
      return false;
    }
    // The value of another key may have been moved there, or it is a reply out of step: asked once more so that it
    // shows which.
    const auto strange = [](const EntryQuery& query) { return query.found.kind == Found::Kind::other; };
    if (!verified && std::ranges::any_of(part, strange) &&
        !fetch(part, wanted.all(), versions_.mark(), versions, Purpose::erase)) {
      return false;
    }
    if (at == 0) read = std::exchange(wanted, {});
  }

  // What only the values themselves name; and versions that are remembered otherwise than the value or lease has them:
  // another process may know better.
  bool lost = false;
  const auto look_again = [&](std::string_view name, std::uint64_t noted) {
    const auto* known = versions.find(name);
    if (!known) {
      want(name);
      known = versions.find(name);
    }
    if (!known || (*known && (*known)->expired == noted)) return;
    if (!read.contains(name)) wanted.add(name);  // the name lives in the entry that was found
    lost = lost || (!*known && is_kept_for_ever(name));
  };
  for (const auto& query : queries) {
    const bool is_lease = query.found.kind == Found::Kind::lease;
    if (!is_lease && query.found.kind != Found::Kind::value) continue;
    const EpochList& epochs = is_lease ? query.found.lease.epochs : query.found.view.epochs;
    if (epochs.size() == 1) look_again({}, epochs[0]);
    for (const TagVersion& tag : is_lease ? query.found.lease.tags : query.found.view.tags) {
      look_again(tag.name, tag.version);
    }
  }
  // Versions alone name no key: only a verified reply is surely theirs.
  if (!wanted.empty() && !fetch({}, wanted.all(), versions_.mark(), versions, Purpose::erase)) return false;
  count_above_values(queries);
  for (const auto& name : wanted) lost = lost || (!*versions.find(name) && is_kept_for_ever(name));
  return !lost || find_lost_versions(queries, versions);
}

/// The server has evicted a version that is kept for ever, and something that was found depends on it.
bool EntryReader::find_lost_versions(std::span<const EntryQuery> queries, Versions& versions) {
  std::set<std::string, std::less<>> functions;
  for (const auto& query : queries) {
    const bool is_lease = query.found.kind == Found::Kind::lease;
    for (const TagVersion& tag : is_lease ? query.found.lease.tags : query.found.view.tags) {
      if (is_kept_for_ever(tag.name)) functions.emplace(tag.name);
    }
  }
  const std::vector<std::string> names(functions.begin(), functions.end());
  versions_.need(names, Duration::zero(), versions);  // if it cannot, they are missing
  return true;
}

bool EntryReader::fetch(std::span<EntryQuery> queries, std::span<const std::string_view> wanted, std::uint64_t mark,
                        Versions& versions, Purpose purpose, AfterRead* after, Lane lane) {
  const bool single = queries.size() == 1 && wanted.empty();
  std::size_t bytes = 0;
  for (const auto& query : queries) bytes += keys_.head().size() + query.name.size();
  Request request;
  std::string key;
  request.begin(1 + queries.size() + wanted.size(), bytes).argument(single ? "GET" : "MGET");
  for (const auto& query : queries) {
    request.argument(keys_.entry(query.name, key));
    if (commands_.large_keys().any() && commands_.large_keys().know(key)) lane = Lane::large_read;
  }
  for (const auto& name : wanted) request.argument(versions_.key_of(name));
  // What changes something does not travel with large values.
  Request apart;
  Request& rest = lane == Lane::shared ? request : apart;
  for (const auto& query : queries) {
    if (!query.orders) continue;
    add_count(rest, query.name, 1);
    purpose = Purpose::erase;
  }
  const std::size_t of_reading = lane == Lane::shared ? request.commands() : 1 + apart.commands();
  const TimePoint asked = after ? std::chrono::steady_clock::now() : TimePoint();
  if (after) {
    add_after(rest, queries, *after);
    // Executed twice, the second would find the lease of the first and take it for another process's.
    if (std::ranges::any_of(queries, &EntryQuery::takes)) purpose = Purpose::write;
  }
  Answer answer =
      apart.commands() == 0 ? commands_.run("read", request, purpose, lane) : run_apart(request, apart, purpose, lane);
  if (!answer) {
    // Once more, on a connection where it holds up nobody.
    const bool again = note_awaited(queries, answer) && lane == Lane::shared && purpose != Purpose::write &&
                       commands_.repeats_beside(answer);
    if (again) return fetch(queries, wanted, mark, versions, purpose, after, Lane::large_read);
    for (auto& query : queries) query.taken = ServerCommands::to_done(answer);
    return false;
  }
  Reply& reply = answer.replies[0];
  const bool refused_reading = reply.is(Reply::Kind::error) && reply.error_code() != "WRONGTYPE";
  const bool taken = !refused_reading && take_entries(queries, wanted, reply, mark, versions);
  if (after)
    take_after(queries, std::span(answer.replies).subspan(of_reading), mark, asked, versions, *after,
               !answer.redirected);
  if (refused_reading) commands_.refused("read", reply);
  std::size_t counted = 1;
  for (auto& query : queries) {
    if (query.orders) query.order = to_order(answer.replies[std::exchange(counted, counted + 2)]);
  }
  return taken;
}

/// What did not come whole was large, so the next read of it holds up nobody. False: it is not known which that was.
bool EntryReader::note_awaited(std::span<const EntryQuery> queries, const Answer& answer) {
  if (answer.awaited_large == 0) return false;
  const bool alone = answer.awaited_large == 1 || !answer.saw_large();
  const std::size_t i = alone ? 0 : answer.awaited_large - 2;
  if (i >= queries.size() || (alone && queries.size() != 1)) return false;
  commands_.large_keys().note(keys_.entry(queries[i].name), kLargeValue);
  return true;
}

/// Two requests, one after the other, whose replies are as those to one.
Answer EntryReader::run_apart(const Request& reading, const Request& rest, Purpose purpose, Lane lane) {
  Answer read = commands_.run("read", reading, Purpose::erase, lane);
  if (!read) {
    read.maybe_executed = false;  // nothing of the rest was sent
    return read;
  }
  Answer answer = commands_.run("read", rest, purpose);
  if (answer) answer.replies.insert(answer.replies.begin(), std::move(read.replies[0]));
  return answer;
}

/// The reply to GET, where one entry was asked for and nothing else, or to MGET.
bool EntryReader::take_entries(std::span<EntryQuery> queries, std::span<const std::string_view> wanted, Reply& reply,
                               std::uint64_t mark, Versions& versions) {
  std::string key;
  if (queries.size() == 1 && wanted.empty()) {
    if (reply.is(Reply::Kind::array) || reply.is(Reply::Kind::integer) || reply.is(Reply::Kind::status)) {
      commands_.servers().close_as_corrupt("a reply was another's");
      return false;
    }
    commands_.large_keys().note(keys_.entry(queries[0].name, key), reply.text.size());
    queries[0].found = found_in(key, reply);
    return true;
  }
  if (!reply.is(Reply::Kind::array) || reply.elements.size() != queries.size() + wanted.size()) {
    commands_.servers().close_as_corrupt("a reply was another's");
    return false;
  }
  for (std::size_t i = 0; i < queries.size(); ++i) {
    commands_.large_keys().note(keys_.entry(queries[i].name, key), reply.elements[i].text.size());
    queries[i].found = found_in(key, reply.elements[i]);
  }
  auto version = reply.elements.begin() + static_cast<std::ptrdiff_t>(queries.size());
  for (const auto& name : wanted) {
    if (!versions_.note(name, *version++, mark, versions)) return false;
  }
  return true;
}

void EntryReader::add_after(Request& request, std::span<const EntryQuery> queries, const AfterRead& after) const {
  for (const auto& name : after.needed) commands_.add(request, versions_.need_call(name, after.life));
  if (after.wants_clock) request.add({"GET", keys_.clock()});
  const std::string limit = milliseconds(after.lease_life);
  for (const auto& query : queries) {
    if (query.takes()) request.add({"SET", keys_.entry(query.name), query.lease, "NX", "PX", limit});
  }
}

void EntryReader::take_after(std::span<EntryQuery> queries, std::span<const Reply> replies, std::uint64_t mark,
                             TimePoint asked, Versions& versions, AfterRead& after, bool in_order) {
  auto reply = replies.begin();
  if (!after.needed.empty()) after.made = true;
  for (const auto& name : after.needed) {
    // A server that has not seen the script yet, or refuses it: whoever needs the version asks by VersionStore::need.
    const bool refused = reply->is(Reply::Kind::error);
    after.made = !refused && versions_.note_needed(name, *reply, mark, versions, asked, after.life) && after.made;
    ++reply;
  }
  if (after.wants_clock) {
    const auto clock = VersionClock::parse((reply++)->text);
    if (clock && in_order) after.clock = clock->value();  // else it may be older than the versions
  }
  for (auto& query : queries) {
    if (!query.takes()) continue;
    if (!reply->is(Reply::Kind::error)) {
      query.taken = {reply->is_ok() ? Done::yes : Done::no};
    } else if (query.found.kind == Found::Kind::nothing) {
      query.taken = commands_.refused("lease", *reply);
    } else {  // nobody misses it
      query.taken = {Done::no, "the server refused it"};
    }
    ++reply;
  }
  // Once, of a read that takes several requests.
  after.needed = {};
  after.wants_clock = false;
}

std::optional<std::int64_t> EntryReader::life_left(std::string_view name) {
  const Answer answer = commands_.run("read", Request{"PTTL", keys_.entry(name)}, Purpose::erase);
  if (!answer || !answer.replies[0].is(Reply::Kind::integer)) return std::nullopt;
  return answer.replies[0].integer;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
