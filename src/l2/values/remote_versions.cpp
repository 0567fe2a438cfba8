/// Versions at the server: making, keeping and remembering them, and what else a request does behind its reading.
#include "base/saturating_add.hpp"
#include "l2/values/remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Versions that one command reads, each with its copy: longer commands hold up everybody else at the server.
constexpr std::size_t kMostKept = 128;

std::string whole_milliseconds(Duration life) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(life).count());
}

}  // namespace

std::string Remote::own_time() const { return std::to_string(clock_.to_server(options_.clock->now())); }

std::vector<std::string> Remote::version_keys(std::string_view dependency) const {
  std::vector<std::string> keys{version_key(dependency), keys_.clock()};
  if (is_kept_for_ever(dependency)) keys.push_back(keys_.copy(keys[0]));
  return keys;
}

bool Remote::need_versions(std::span<const std::string> dependencies, Duration life, Versions& versions) {
  return need(dependencies, life, versions, !versions.there({}), nullptr);
}

bool Remote::need(std::span<const std::string> dependencies, Duration life, Versions& versions, bool with_epoch,
                  std::optional<VersionClock>* clock) {
  std::vector<Call> calls;
  if (with_epoch) calls.push_back(need_call({}, life));
  const std::size_t first = calls.size();
  for (const auto& name : dependencies) calls.push_back(need_call(name, life));
  if (calls.empty()) return true;
  // Behind the versions: it lists each raise that they have seen.
  if (clock) calls.push_back({nullptr, {"GET", keys_.clock()}, {}});
  const std::uint64_t mark = memory_->mark();
  const TimePoint asked = std::chrono::steady_clock::now();
  const Answer answer = run_calls("version", calls, Purpose::erase);
  if (!answer) return false;
  for (std::size_t i = 0; i < first + dependencies.size(); ++i) {
    const std::string_view name = i < first ? std::string_view() : std::string_view(dependencies[i - first]);
    if (!note_needed(name, answer.replies[i], mark, versions, asked, life)) return false;
  }
  if (clock) *clock = VersionClock::parse(answer.replies.back().text);
  return true;
}

Remote::Call Remote::need_call(std::string_view name, Duration life) const {
  const auto needed = is_kept_for_ever(name) ? Duration::zero() : std::max(life, Duration::zero());
  return {&kNeedVersion, version_keys(name), {whole_milliseconds(needed), own_time()}};
}

/// What a call of need_call() returned.
bool Remote::note_needed(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions,
                         TimePoint asked, Duration life) {
  if (reply.is(Reply::Kind::error)) {
    refused("version", reply);
    return false;
  }
  const bool for_ever = is_kept_for_ever(name) || life <= Duration::zero();
  return note_version(name, reply, mark, versions, for_ever ? TimePoint::max() : saturating_add(asked, life));
}

std::optional<VersionClock> Remote::read_clock() {
  const Answer answer = run("version", Request{"GET", keys_.clock()}, Purpose::erase);
  return answer ? VersionClock::parse(answer.replies[0].text) : std::nullopt;
}

std::uint64_t Remote::version_clock() {
  if (const auto clock = read_clock()) return clock->value();
  const std::string now = own_time();
  run("version", Request{"SET", keys_.clock(), now + " " + now + "-0", "NX"}, Purpose::erase);
  const auto clock = read_clock();
  return clock ? clock->value() : 0;
}

bool Remote::late_versions(std::span<const std::string> dependencies, Duration life, std::uint64_t before,
                           Versions& versions) {
  Versions late;
  std::optional<VersionClock> clock;
  if (!need(dependencies, life, late, false, &clock)) return false;
  for (const auto& name : dependencies) {
    if (versions.there(name)) continue;
    // A version that was made just now, since it was missing, is as high as the clock although nobody raised it.
    const auto* version = late.find(name);
    if (before == 0 || !clock || !version || !*version) return false;
    if (clock->may_have_raised(VersionClock::hash_of(name), before)) return false;
    versions.add(name, *version);
  }
  return true;
}

void Remote::keep_versions() {
  std::vector<std::string> names = memory_->kept_for_ever();
  for (std::size_t at = 0; at < names.size(); at += kMostKept) {
    const std::span part = std::span(names).subspan(at, std::min(kMostKept, names.size() - at));
    std::vector<std::string> keys{"MGET"};
    for (const auto& name : part) {
      keys.push_back(version_key(name));
      keys.push_back(keys_.copy(keys.back()));
    }
    Request request;
    request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
    const Answer answer = run("version", request, Purpose::read);
    if (!answer || answer.replies[0].elements.size() != keys.size() - 1) return;
    const auto& found = answer.replies[0].elements;
    if (std::ranges::none_of(found, [](const Reply& reply) { return reply.is(Reply::Kind::nil); })) continue;
    std::vector<std::string> dependencies;
    for (const auto& name : part) {
      if (!name.empty()) dependencies.push_back(name);
    }
    Versions versions;
    need_versions(dependencies, Duration::zero(), versions);
  }
}

bool Remote::guess_versions(std::span<const std::string> dependencies, Duration life, Versions& versions) {
  // Half of it, or each write would have to ask for a little more.
  const TimePoint until =
      life <= Duration::zero() ? TimePoint::max() : saturating_add(std::chrono::steady_clock::now(), life / 2);
  return recall_versions(dependencies, until, versions) || need_versions(dependencies, life, versions);
}

bool Remote::recall_versions(std::span<const std::string> dependencies, TimePoint until, Versions& versions) const {
  bool all = true;
  const auto take = [&](std::string_view name) {
    const auto known = memory_->find(name, is_kept_for_ever(name) ? TimePoint::max() : until);
    if (known) versions.add(name, known);
    all = all && known;
  };
  take({});
  for (const auto& name : dependencies) take(name);
  return all;
}

bool Remote::is_kept(std::string_view dependency, const Version& version, TimePoint until) const {
  return memory_->find(dependency, until) == version;
}

void Remote::add_behind(Request& request, std::span<const RemoteQuery> queries, const Behind& behind) const {
  const bool whole = whole_scripts_.load(std::memory_order_relaxed);
  for (const auto& name : behind.needed) add_to(request, need_call(name, behind.life), whole);
  if (behind.wants_clock) request.add({"GET", keys_.clock()});
  const std::string limit = whole_milliseconds(behind.lease_life);
  for (const auto& query : queries) {
    if (query.takes()) request.add({"SET", keys_.entry(query.name), query.lease, "NX", "PX", limit});
  }
}

void Remote::take_behind(std::span<RemoteQuery> queries, std::span<const Reply> replies, std::uint64_t mark,
                         TimePoint asked, Versions& versions, Behind& behind) {
  auto reply = replies.begin();
  if (!behind.needed.empty()) behind.made = true;
  for (const auto& name : behind.needed) {
    // A server that has not seen the script yet, or refuses it: whoever needs the version asks by need_versions.
    const bool refused = reply->is(Reply::Kind::error);
    behind.made = !refused && note_needed(name, *reply, mark, versions, asked, behind.life) && behind.made;
    ++reply;
  }
  if (behind.wants_clock) {
    if (const auto clock = VersionClock::parse((reply++)->text)) behind.clock = clock->value();
  }
  for (auto& query : queries) {
    if (!query.takes()) continue;
    if (!reply->is(Reply::Kind::error)) {
      query.taken = {reply->is_ok() ? Done::yes : Done::no};
    } else if (query.found.kind == Found::Kind::nothing) {
      query.taken = refused("lease", *reply);
    } else {  // nobody misses it
      query.taken = {Done::no, "the server refused it"};
    }
    ++reply;
  }
  // Once, of a read that takes several requests.
  behind.needed = {};
  behind.wants_clock = false;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
