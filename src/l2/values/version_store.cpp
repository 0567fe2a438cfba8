#include "l2/values/version_store.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/fork_count.hpp"
#include "base/nonce.hpp"
#include "base/saturating_add.hpp"
#include "l2/values/life_text.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Versions that one command reads, each with its copy: longer commands hold up everybody else at the server.
constexpr std::size_t kMostKept = 128;

}  // namespace

std::string VersionStore::key_of(std::string_view dependency) const {
  return dependency.empty() ? keys_.epoch() : keys_.version(dependency);
}

bool VersionStore::note(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions,
                        TimePoint kept_until) {
  if (!reply.is(Reply::Kind::text) && !reply.is(Reply::Kind::nil)) return false;
  const auto version = reply.is(Reply::Kind::text) ? parse_version(reply.text) : std::nullopt;
  versions.add(name, version);
  if (version) memory_->note(name, *version, mark, kept_until);
  return true;
}

std::vector<std::string> VersionStore::keys_of(std::string_view dependency) const {
  std::vector<std::string> keys{key_of(dependency), keys_.clock()};
  if (is_kept_for_ever(dependency)) keys.push_back(keys_.copy(keys[0]));
  return keys;
}

bool VersionStore::need(std::span<const std::string> dependencies, Duration life, Versions& versions) {
  std::vector<Needed> needed;
  if (!versions.there({})) needed.push_back({{}, life});
  for (const auto& name : dependencies) needed.push_back({name, life});
  return need(needed, versions, nullptr);
}

bool VersionStore::need(std::span<const Needed> needed, Versions& versions, std::optional<VersionClock>* clock) {
  if (needed.empty()) return true;
  if (!commands_.has_scripts()) return need_by_commands(needed, versions, clock);
  std::vector<ServerCommands::Call> calls;
  for (const auto& [name, life] : needed) calls.push_back(need_call(name, life));
  // Behind the versions: it lists each raise that they have seen.
  if (clock) calls.push_back({nullptr, {"GET", keys_.clock()}, {}});
  const std::uint64_t mark = memory_->mark();
  const TimePoint asked = std::chrono::steady_clock::now();
  const Answer answer = commands_.run_calls("version", calls, Purpose::erase);
  if (!answer) return false;
  if (!commands_.has_scripts()) return need_by_commands(needed, versions, clock);  // as was found out just now
  for (std::size_t i = 0; i < needed.size(); ++i) {
    if (!note_needed(needed[i].dependency, answer.replies[i], mark, versions, asked, needed[i].life)) return false;
  }
  // In a cluster it may have been read before the versions: behind them alone does it list each raise they have seen.
  if (clock) *clock = answer.redirected ? read_clock() : VersionClock::parse(answer.replies.back().text);
  return true;
}

ServerCommands::Call VersionStore::need_call(std::string_view name, Duration life) const {
  const auto needed = is_kept_for_ever(name) ? Duration::zero() : std::max(life, Duration::zero());
  return {&kNeedVersion, keys_of(name), {life_or_zero(needed), commands_.own_time()}};
}

/// What a call of need_call() returned.
bool VersionStore::note_needed(std::string_view name, const Reply& reply, std::uint64_t mark, Versions& versions,
                               TimePoint asked, Duration life) {
  if (reply.is(Reply::Kind::error)) {
    commands_.refused("version", reply);
    return false;
  }
  const bool for_ever = is_kept_for_ever(name) || life <= Duration::zero();
  return note(name, reply, mark, versions, for_ever ? TimePoint::max() : saturating_add(asked, life));
}

std::optional<VersionClock> VersionStore::read_clock() {
  const Answer answer = commands_.run("version", Request{"GET", keys_.clock()}, Purpose::erase);
  return answer ? VersionClock::parse(answer.replies[0].text) : std::nullopt;
}

std::uint64_t VersionStore::clock() {
  if (const auto clock = read_clock()) return clock->value();
  const std::string now = commands_.own_time();
  commands_.run("version", Request{"SET", keys_.clock(), now + " " + now + "-0", "NX"}, Purpose::erase);
  const auto clock = read_clock();
  return clock ? clock->value() : 0;
}

std::optional<VersionStore::Late> VersionStore::ask_late(std::span<const Needed> needed, bool with_clock) {
  Late late;
  if (!need(needed, late.versions, with_clock ? &late.clock : nullptr)) return std::nullopt;
  return late;
}

bool VersionStore::add_late(std::span<const std::string> dependencies, const Late& late, std::uint64_t before,
                            Versions& versions) {
  for (const auto& name : dependencies) {
    if (versions.there(name)) continue;
    // A version that was made just now, since it was missing, is as high as the clock although nobody raised it.
    const auto* version = late.versions.find(name);
    if (before == 0 || !late.clock || !version || !*version) return false;
    if (late.clock->may_have_raised(VersionClock::hash_of(name), before)) return false;
    versions.add(name, *version);
  }
  return true;
}

void VersionStore::keep_alive() {
  std::vector<std::string> names = memory_->kept_for_ever();
  for (std::size_t at = 0; at < names.size(); at += kMostKept) {
    const std::span part = std::span(names).subspan(at, std::min(kMostKept, names.size() - at));
    std::vector<std::string> keys{"MGET"};
    for (const auto& name : part) {
      keys.push_back(key_of(name));
      keys.push_back(keys_.copy(keys.back()));
    }
    Request request;
    request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
    const Answer answer = commands_.run("version", request, Purpose::read);
    if (!answer || answer.replies[0].elements.size() != keys.size() - 1) return;
    const auto& found = answer.replies[0].elements;
    if (std::ranges::none_of(found, [](const Reply& reply) { return reply.is(Reply::Kind::nil); })) continue;
    std::vector<std::string> dependencies;
    for (const auto& name : part) {
      if (!name.empty()) dependencies.push_back(name);
    }
    Versions versions;
    need(dependencies, Duration::zero(), versions);
  }
}

bool VersionStore::guess(std::span<const std::string> dependencies, Duration life, Versions& versions) {
  // Half of it, or each write would have to ask for a little more.
  const TimePoint until =
      life <= Duration::zero() ? TimePoint::max() : saturating_add(std::chrono::steady_clock::now(), life / 2);
  return recall(dependencies, until, versions) || need(dependencies, life, versions);
}

bool VersionStore::recall(std::span<const std::string> dependencies, TimePoint until, Versions& versions) const {
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

bool VersionStore::is_kept(std::string_view dependency, const Version& version, TimePoint until) const {
  return memory_->find(dependency, until) == version;
}

void VersionStore::forget_parent() {
  replace_in_child(memory_, std::make_unique<VersionMemory>());
  replace_in_child(notices_, std::make_unique<NoticeMemory>());
}

/// The notice is a new one each time: one that came before its version was raised must not be the only one.
Changes VersionStore::add_notice(Request& request, std::string_view dependency) {
  const std::string token = new_nonce();
  notices_->add(token);
  const std::string notice = keys_.notice(token, dependency);
  request.add({"SET", notice, "", "PX", "1000"});
  Changes changes = commands_.changes();
  changes.add_key([&] { return notice; });
  return changes;
}

/// The invalidation channel reports listeners to a process that tracks. One that does not may not know of the latest,
/// and an invalidation that is not announced leaves what that one has in L1 alone. So it looks for listeners behind
/// each version that it raises.
bool VersionStore::looks_for_listener(const Changes& changes) const {
  return !changes && !(are_reported && are_reported());
}

/// A version was raised, and its notice given. In a cluster whose slots are on their way the notice may have come
/// first: processes that read in between need another one. Or a node got it to which nobody listens. Or a listener has
/// just been found.
Done VersionStore::heard(std::string_view dependency, const Answer& raised, bool looked) {
  const bool found = looked && raised.replies.back().is(Reply::Kind::text);
  if (!raised.redirected && !found) [[likely]]
    return {Done::yes};
  if (found) commands_.announcer().heard_of_listener();
  Request request;
  const Changes changes = add_notice(request, dependency);
  const Answer answer = commands_.run("invalidate", request, Purpose::erase, changes);
  if (!answer) return {Done::unknown, answer.why};
  if (answer.replies[0].is(Reply::Kind::error)) return {Done::unknown, answer.replies[0].why};
  if (answer.by_stranger) return {Done::unknown, "a node of the cluster ran it to which nobody listens yet"};
  return {Done::yes};
}

Done VersionStore::raise(std::string_view dependency, bool hard) {
  if (!commands_.has_scripts()) return raise_by_commands(dependency, hard);
  const std::vector<std::string> keys = keys_of(dependency);
  const std::vector<std::string_view> key_words(keys.begin(), keys.end());
  const std::string life = std::to_string(std::chrono::milliseconds(kMadeVersionLife).count());
  const std::string time = commands_.own_time();
  const std::string hash = VersionClock::hash_of(dependency);
  const std::string_view arguments[] = {hard ? "remove" : "expire", life, time, hash};
  for (const bool whole : {commands_.sends_whole_scripts(), true}) {
    Request request;
    add_call(request, kRaiseVersion, whole, key_words, arguments);
    const Changes changes = add_notice(request, dependency);
    const bool looks = looks_for_listener(changes);
    if (looks) request.add({"GET", keys_.listener()});
    const Answer answer = commands_.run("invalidate", request, Purpose::erase, changes);
    memory_->forget(dependency);
    if (!answer) return ServerCommands::to_done(answer);
    if (!whole && ServerCommands::wants_text(answer.replies[0])) continue;
    if (answer.replies[0].is(Reply::Kind::error)) commands_.note_script_reply(answer.replies[0]);
    if (!commands_.has_scripts()) return raise_by_commands(dependency, hard);
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return commands_.refused("invalidate", reply);
    }
    return heard(dependency, answer, looks);
  }
  return {Done::no, "the server does not keep scripts"};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
