/// Reading entries and versions from the server.
#include <algorithm>

#include "remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer commands hold up everybody else at the server.
constexpr std::size_t kMostKeys = 256;

/// The namespace's version, and those of functions, which are few.
bool is_kept_for_ever(std::string_view name) { return name.empty() || name.starts_with(kFunctionMark); }

}  // namespace

std::string_view Found::mark() const {
  if (kind == Kind::lease) return {token.data(), token.size()};
  const std::string_view all = bytes;
  return all.substr(all.size() - std::min<std::size_t>(8, all.size()));
}

const std::optional<Version>* Versions::find(std::string_view name) const {
  const auto known = known_.find(name);
  return known == known_.end() ? nullptr : &known->second;
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

Found Remote::to_found(std::string_view name, Reply& reply) const {
  Found found;
  if (reply.is(Reply::Kind::nil)) return found;
  if (reply.is(Reply::Kind::error)) {
    found.kind = Found::Kind::other;
    found.refusal = Refusal::not_an_envelope;
    found.of_other_type = true;
    return found;
  }
  found.bytes = std::move(reply.text);
  const auto decoded = decode(found.bytes, keys_.entry(name));
  if (const auto* view = std::get_if<EnvelopeView>(&decoded)) {
    found.kind = Found::Kind::value;
    found.view = *view;
    return found;
  }
  found.kind = Found::Kind::other;
  found.refusal = std::get<Refusal>(decoded);
  if (found.refusal == Refusal::other_kind) {
    const auto lease = decode_lease(found.bytes);
    if (const auto* token = std::get_if<LeaseToken>(&lease)) {
      found.kind = Found::Kind::lease;
      found.token = *token;
    }
  }
  return found;
}

bool Remote::read(std::span<RemoteQuery> queries, std::span<const std::string> dependencies, Versions& versions,
                  bool plain, bool anew) {
  const bool told = !anew && versions_are_told();
  std::set<std::string, std::less<>> wanted;
  const auto want = [&](std::string_view name) {
    if (versions.find(name)) return;
    if (told) {
      if (const auto known = memory_->find(name)) return versions.add(name, known);
    }
    if (!wanted.contains(name)) wanted.emplace(name);
  };
  want({});
  for (const auto& dependency : dependencies) want(dependency);

  for (std::size_t at = 0; at < queries.size(); at += kMostKeys) {
    const auto part = queries.subspan(at, std::min(kMostKeys, queries.size() - at));
    if (!fetch(part, wanted, memory_->mark(), versions, plain ? Purpose::erase : Purpose::read)) return false;
    // The value of another key may have been moved there, or it is a reply out of step: asked once more so that it
    // shows which.
    const auto strange = [](const RemoteQuery& query) { return query.found.kind == Found::Kind::other; };
    if (!plain && std::ranges::any_of(part, strange) &&
        !fetch(part, wanted, memory_->mark(), versions, Purpose::erase)) {
      return false;
    }
    wanted.clear();
  }

  // What only the values themselves name.
  for (const auto& query : queries) {
    if (query.found.kind != Found::Kind::value) continue;
    for (const TagVersion& tag : query.found.view.tags) want(tag.name);
  }
  return wanted.empty() || fetch({}, wanted, memory_->mark(), versions, Purpose::read);
}

bool Remote::fetch(std::span<RemoteQuery> queries, const std::set<std::string, std::less<>>& wanted, std::uint64_t mark,
                   Versions& versions, Purpose purpose) {
  const bool single = queries.size() == 1 && wanted.empty();
  std::vector<std::string> keys{single ? "GET" : "MGET"};
  keys.reserve(queries.size() + wanted.size() + 1);
  for (const auto& query : queries) keys.push_back(keys_.entry(query.name));
  for (const auto& name : wanted) keys.push_back(version_key(name));
  const std::vector<std::string_view> words(keys.begin(), keys.end());
  Request request;
  request.add(words);
  Answer answer = run("read", request, purpose);
  if (!answer) return false;
  Reply& reply = answer.replies[0];
  if (reply.is(Reply::Kind::error) && reply.error_code() != "WRONGTYPE") {
    refused("read", reply);
    return false;
  }
  if (single) {
    if (reply.is(Reply::Kind::array) || reply.is(Reply::Kind::integer) || reply.is(Reply::Kind::status)) {
      link_.condemn("a reply was another's");
      return false;
    }
    queries[0].found = to_found(queries[0].name, reply);
    return true;
  }
  if (!reply.is(Reply::Kind::array) || reply.elements.size() != queries.size() + wanted.size()) {
    link_.condemn("a reply was another's");
    return false;
  }
  for (std::size_t i = 0; i < queries.size(); ++i) queries[i].found = to_found(queries[i].name, reply.elements[i]);
  auto version = reply.elements.begin() + static_cast<std::ptrdiff_t>(queries.size());
  for (const auto& name : wanted) {
    if (!note_version(name, *version++, mark, versions)) return false;
  }
  return true;
}

bool Remote::need_versions(std::span<const std::string> dependencies, Duration life, Versions& versions,
                           std::int64_t as_of) {
  const std::string milliseconds =
      std::to_string(std::chrono::ceil<std::chrono::milliseconds>(std::max(life, Duration::zero())).count());
  std::vector<Call> calls{{&kNeedVersion, keys_.epoch(), {"0", "0"}}};
  for (const auto& name : dependencies) {
    calls.push_back(
        {&kNeedVersion, version_key(name), {is_kept_for_ever(name) ? "0" : milliseconds, std::to_string(as_of)}});
  }
  const std::uint64_t mark = memory_->mark();
  const TimePoint asked = std::chrono::steady_clock::now();
  const TimePoint kept_until = life <= Duration::zero() ? TimePoint::max() : later(asked, life);
  const Answer answer = run_calls("version", calls, Purpose::erase);
  if (!answer) return false;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Reply& reply = answer.replies[i];
    if (reply.is(Reply::Kind::error)) {
      refused("version", reply);
      return false;
    }
    const std::string_view name = i == 0 ? std::string_view() : std::string_view(dependencies[i - 1]);
    if (!note_version(name, reply, mark, versions, is_kept_for_ever(name) ? TimePoint::max() : kept_until)) {
      return false;
    }
  }
  return true;
}

bool Remote::guess_versions(std::span<const std::string> dependencies, Duration life, Versions& versions) {
  // Half of it, or each write would have to ask for a little more.
  const TimePoint until =
      life <= Duration::zero() ? TimePoint::max() : later(std::chrono::steady_clock::now(), life / 2);
  bool all = true;
  const auto take = [&](std::string_view name) {
    const auto known = memory_->find(name, is_kept_for_ever(name) ? TimePoint::max() : until);
    if (known) versions.add(name, known);
    all = all && known;
  };
  take({});
  for (const auto& name : dependencies) take(name);
  return all || need_versions(dependencies, life, versions);
}

std::optional<std::int64_t> Remote::life_left(std::string_view name) {
  const Answer answer = run("read", Request{"PTTL", keys_.entry(name)}, Purpose::erase);
  if (!answer || !answer.replies[0].is(Reply::Kind::integer)) return std::nullopt;
  return answer.replies[0].integer;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
