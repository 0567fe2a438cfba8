/// Reading entries and versions from the server.
#include <algorithm>
#include <charconv>

#include "l2/values/remote.hpp"

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

std::string Found::mark() const {
  // An entry ends with its checksum, which tells it from any other. Nothing less than all of it tells other bytes
  // apart.
  constexpr std::size_t kMostWhole = 1024;
  if (looks_like_envelope(bytes)) return "~" + bytes.substr(bytes.size() - std::min<std::size_t>(8, bytes.size()));
  if (bytes.size() <= kMostWhole) return "=" + bytes;
  return "~" + bytes.substr(bytes.size() - kMostWhole);
}

const std::optional<Version>* Versions::find(std::string_view name) const {
  const auto known = known_.find(name);
  return known == known_.end() ? nullptr : &known->second;
}

const Version* Versions::there(std::string_view name) const {
  const auto* known = find(name);
  return known && *known ? &**known : nullptr;
}

std::uint64_t Versions::to_note(std::string_view name) const {
  const Version* const version = there(name);
  return version ? version->expired : 0;
}

void Versions::add(std::string_view name, std::optional<Version> version) {
  known_.insert_or_assign(std::string(name), version);
}

std::string Remote::version_key(std::string_view dependency) const {
  return dependency.empty() ? keys_.epoch() : keys_.version(dependency);
}

bool Remote::note_version(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions,
                          TimePoint kept_until) {
  if (!reply.is(Reply::Kind::text) && !reply.is(Reply::Kind::nil)) return false;
  const auto version = reply.is(Reply::Kind::text) ? parse_version(reply.text) : std::nullopt;
  versions.add(name, version);
  if (version) memory_->note(name, *version, mark, kept_until);
  return true;
}

void Remote::take_found(std::string_view key, Reply& reply, Found& found) {
  found = Found();
  if (reply.is(Reply::Kind::nil)) return;
  found.kind = Found::Kind::other;
  if (reply.is(Reply::Kind::error)) {
    found.decode_error = DecodeError::not_an_envelope;
    found.of_other_type = true;
    return;
  }
  found.bytes = std::move(reply.text);
  const auto decoded = decode(found.bytes, key);
  if (const auto* view = std::get_if<EnvelopeView>(&decoded)) {
    found.kind = Found::Kind::value;
    found.view = *view;
    return;
  }
  found.decode_error = std::get<DecodeError>(decoded);
  if (found.decode_error == DecodeError::other_kind) {
    const auto lease = decode_lease(found.bytes);
    if (const auto* held = std::get_if<LeaseView>(&lease)) {
      found.kind = Found::Kind::lease;
      found.lease = *held;
    }
  }
}

/// Counts a refresh of the entry.
void Remote::add_count(Request& request, std::string_view name, std::uint32_t by) const {
  const std::string key = keys_.order(name);
  request.add({"INCRBY", key, std::to_string(by)}).add({"PEXPIRE", key, kOrderLife});
}

/// A server that evicts may have lost the count: then it begins again above the value's order.
void Remote::count_above_values(std::span<RemoteQuery> queries) {
  Request request;
  std::vector<RemoteQuery*> behind;
  for (auto& query : queries) {
    if (!query.orders || query.order == 0 || query.found.kind != Found::Kind::value) continue;
    const EnvelopeView& there = query.found.view;
    if (!there.has_generation || there.order < query.order) continue;
    add_count(request, query.name, there.order - query.order + 1);
    behind.push_back(&query);
  }
  if (behind.empty()) return;
  const Answer answer = run("read", request, Purpose::erase);
  if (!answer) return;
  for (std::size_t i = 0; i < behind.size(); ++i) {
    behind[i]->order = std::max(behind[i]->order, to_order(answer.replies[2 * i]));
  }
}

bool Remote::read(std::span<RemoteQuery> queries, std::span<const std::string> dependencies, Versions& versions,
                  bool plain, bool bypass_memory, Behind* behind) {
  const bool use_memory = !bypass_memory && versions_are_reported();
  NameSet wanted;
  const auto want = [&](std::string_view name) {
    if (versions.find(name)) return;
    if (use_memory) {
      if (const auto known = memory_->find(name)) return versions.add(name, known);
    }
    wanted.add(name);
  };
  want({});
  for (const auto& dependency : dependencies) want(dependency);

  NameSet read;
  for (std::size_t at = 0; at < queries.size(); at += kMostKeys) {
    const auto part = queries.subspan(at, std::min(kMostKeys, queries.size() - at));
    const bool verified = plain || behind;
    if (!fetch(part, wanted.all(), memory_->mark(), versions, verified ? Purpose::erase : Purpose::read, behind)) {
      return false;
    }
    // The value of another key may have been moved there, or it is a reply out of step: asked once more so that it
    // shows which.
    const auto strange = [](const RemoteQuery& query) { return query.found.kind == Found::Kind::other; };
    if (!verified && std::ranges::any_of(part, strange) &&
        !fetch(part, wanted.all(), memory_->mark(), versions, Purpose::erase)) {
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
  if (!wanted.empty() && !fetch({}, wanted.all(), memory_->mark(), versions, Purpose::read)) return false;
  count_above_values(queries);
  for (const auto& name : wanted) lost = lost || (!*versions.find(name) && is_kept_for_ever(name));
  return !lost || find_lost_versions(queries, versions);
}

/// The server has evicted a version that is kept for ever, and something that was found depends on it.
bool Remote::find_lost_versions(std::span<const RemoteQuery> queries, Versions& versions) {
  std::set<std::string, std::less<>> functions;
  for (const auto& query : queries) {
    const bool is_lease = query.found.kind == Found::Kind::lease;
    for (const TagVersion& tag : is_lease ? query.found.lease.tags : query.found.view.tags) {
      if (is_kept_for_ever(tag.name)) functions.emplace(tag.name);
    }
  }
  const std::vector<std::string> names(functions.begin(), functions.end());
  need_versions(names, Duration::zero(), versions);  // if it cannot, they are missing
  return true;
}

bool Remote::fetch(std::span<RemoteQuery> queries, std::span<const std::string_view> wanted, std::uint64_t mark,
                   Versions& versions, Purpose purpose, Behind* behind) {
  const bool single = queries.size() == 1 && wanted.empty();
  std::size_t bytes = 0;
  for (const auto& query : queries) bytes += keys_.head().size() + query.name.size();
  Request request;
  std::string key;
  request.begin(1 + queries.size() + wanted.size(), bytes).argument(single ? "GET" : "MGET");
  for (const auto& query : queries) request.argument(keys_.entry(query.name, key));
  for (const auto& name : wanted) request.argument(version_key(name));
  for (const auto& query : queries) {
    if (!query.orders) continue;
    add_count(request, query.name, 1);
    purpose = Purpose::erase;
  }
  const std::size_t of_reading = request.commands();
  const TimePoint asked = behind ? std::chrono::steady_clock::now() : TimePoint();
  if (behind) {
    add_behind(request, queries, *behind);
    // Executed twice, the second would find the lease of the first and take it for another process's.
    if (std::ranges::any_of(queries, &RemoteQuery::takes)) purpose = Purpose::write;
  }
  Answer answer = run("read", request, purpose);
  if (!answer) {
    for (auto& query : queries) query.taken = to_done(answer);
    return false;
  }
  Reply& reply = answer.replies[0];
  const bool refused_reading = reply.is(Reply::Kind::error) && reply.error_code() != "WRONGTYPE";
  const bool taken = !refused_reading && take_entries(queries, wanted, reply, mark, versions);
  if (behind) take_behind(queries, std::span(answer.replies).subspan(of_reading), mark, asked, versions, *behind);
  if (refused_reading) refused("read", reply);
  std::size_t counted = 1;
  for (auto& query : queries) {
    if (query.orders) query.order = to_order(answer.replies[std::exchange(counted, counted + 2)]);
  }
  return taken;
}

/// The reply to GET, where one entry was asked for and nothing else, or to MGET.
bool Remote::take_entries(std::span<RemoteQuery> queries, std::span<const std::string_view> wanted, Reply& reply,
                          std::uint64_t mark, Versions& versions) {
  std::string key;
  if (queries.size() == 1 && wanted.empty()) {
    if (reply.is(Reply::Kind::array) || reply.is(Reply::Kind::integer) || reply.is(Reply::Kind::status)) {
      link_.close_as_corrupt("a reply was another's");
      return false;
    }
    take_found(keys_.entry(queries[0].name, key), reply, queries[0].found);
    return true;
  }
  if (!reply.is(Reply::Kind::array) || reply.elements.size() != queries.size() + wanted.size()) {
    link_.close_as_corrupt("a reply was another's");
    return false;
  }
  for (std::size_t i = 0; i < queries.size(); ++i) {
    take_found(keys_.entry(queries[i].name, key), reply.elements[i], queries[i].found);
  }
  auto version = reply.elements.begin() + static_cast<std::ptrdiff_t>(queries.size());
  for (const auto& name : wanted) {
    if (!note_version(name, *version++, mark, versions)) return false;
  }
  return true;
}

std::optional<std::int64_t> Remote::life_left(std::string_view name) {
  const Answer answer = run("read", Request{"PTTL", keys_.entry(name)}, Purpose::erase);
  if (!answer || !answer.replies[0].is(Reply::Kind::integer)) return std::nullopt;
  return answer.replies[0].integer;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
