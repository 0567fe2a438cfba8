#include "l2/values/entry_remover.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/little_endian.hpp"
#include "l2/values/without_command.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// By the head of an entry, as kRemoveOld does.
bool is_lease_or_depends_on(std::string_view head, std::string_view epoch) {
  constexpr std::size_t kVersionAt = 3, kKindAt = 4, kEpochsInFirst = 78, kEpochs = 98;
  if (!looks_like_envelope(head) || head.size() <= kKindAt) return false;
  if (head[kKindAt] == 2) return true;
  const std::size_t at = head[kVersionAt] == 1 ? kEpochsInFirst : kEpochs;
  return head[kKindAt] == 1 && head.size() >= at + 10 && head[at] == 1 && head.substr(at + 2, 8) == epoch;
}

bool is_of_another(const EnvelopeView& entry, std::string_view function) {
  bool others = false;
  for (const TagVersion& tag : entry.tags) {
    others = others || (tag.name.starts_with(kFunctionMark) && tag.name != function);
  }
  return others;
}

}  // namespace

Done EntryRemover::remove(std::string_view name, Found& before) {
  const std::string key = keys_.entry(name);
  if (commands_.large_keys().any() && commands_.large_keys().know(key)) return remove_large(name, before);
  Request request;
  request.add({"GET", key}).add({"UNLINK", key, keys_.raw_lease(name)});
  Changes changes = commands_.changes();
  changes.add_key([&] { return key; });
  Answer answer = commands_.run("remove", request, Purpose::erase, changes);
  if (!answer) {
    if (answer.awaited_large != 0) commands_.large_keys().note(key, kLargeValue);
    const Done lost = ServerCommands::to_done(answer);
    if (!commands_.repeats_beside(answer)) return lost;
    const Done again = remove_large(name, before);
    return again.status == Done::no ? lost : again;
  }
  if (answer.replies[1].is(Reply::Kind::error)) return commands_.refused("remove", answer.replies[1]);
  before = found_in(keys_.entry(name), answer.replies[0]);
  return {Done::yes};
}

/// The value is not to come back only because it goes.
Done EntryRemover::remove_large(std::string_view name, Found& before) {
  Erasure one{name, true};
  Versions not_asked_for;
  remove_each({&one, 1}, not_asked_for);
  before = std::move(one.before);
  return one.done;
}

Done EntryRemover::remove_many(std::span<const std::string_view> names) {
  if (names.empty()) return {Done::yes};
  std::vector<std::string> keys{"UNLINK"};
  Changes changes = commands_.changes();
  for (const auto name : names) {
    keys.push_back(keys_.entry(name));
    changes.add_key([&] { return keys.back(); });
    keys.push_back(keys_.raw_lease(name));
  }
  Request request;
  request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
  const Answer answer = commands_.run("remove", request, Purpose::erase, changes);
  if (!answer) return ServerCommands::to_done(answer);
  return answer.replies[0].is(Reply::Kind::error) ? commands_.refused("remove", answer.replies[0]) : Done{Done::yes};
}

void EntryRemover::remove_each(std::span<Erasure> erasures, Versions& versions) {
  // Enough for the tags of any value but one that has hundreds: that one is removed and not counted.
  constexpr std::string_view kLastShown = "4095";
  if (erasures.empty()) return;
  Request request;
  // This fences loads of raw values that are running. It comes first: the server reads a long request in parts, and a
  // load whose lease says that there was no value would store between the removal of the entry and that of the lease.
  std::vector<std::string> leases{"UNLINK"};
  for (const Erasure& erasure : erasures) leases.push_back(keys_.raw_lease(erasure.name));
  request.add(std::vector<std::string_view>(leases.begin(), leases.end()));
  Changes changes = commands_.changes();
  const bool shows = !commands_.ended().by(EndingCommand::getrange);
  for (Erasure& erasure : erasures) {
    const std::string key = keys_.entry(erasure.name);
    changes.add_key([&] { return key; });
    erasure.look = erasure.look && shows;
    if (erasure.look) request.add({"GETRANGE", key, "0", kLastShown});
    request.add({"UNLINK", key});
  }
  request.add({"MGET", keys_.epoch()});
  const std::uint64_t mark = versions_.mark();
  Answer answer = commands_.run("remove", request, Purpose::erase, changes);
  if (!answer) {
    for (Erasure& erasure : erasures) erasure.done = ServerCommands::to_done(answer);
    return;
  }
  auto reply = answer.replies.begin() + 1;
  for (Erasure& erasure : erasures) {
    Reply* const head = erasure.look ? &*reply++ : nullptr;
    const Reply& unlinked = *reply++;
    if (unlinked.is(Reply::Kind::error)) {
      erasure.done = commands_.refused("remove", unlinked);
      continue;
    }
    erasure.done = {Done::yes};
    if (head && head->means_never()) {
      commands_.missing().add("GETRANGE", kWithoutGetrange, head->why);
    } else if (head) {
      commands_.missing().remove("GETRANGE");
    }
    if (head && unlinked.integer == 1) erasure.before = found_in_head(keys_.entry(erasure.name), *head);
  }
  if (reply->is(Reply::Kind::array) && reply->elements.size() == 1) {
    versions_.note({}, reply->elements[0], mark, versions);
  }
}

Done EntryRemover::heads(std::span<const std::string_view> keys, std::size_t size, std::vector<Reply>& heads) {
  const std::string last = std::to_string(size - 1);
  std::vector<ServerCommands::Call> calls;
  if (keys_.clustered()) {
    for (const auto key : keys) calls.push_back({&kHeads, {std::string(key)}, {last}});
  } else {
    calls.push_back({&kHeads, {keys.begin(), keys.end()}, {last}});
  }
  Answer answer;
  if (commands_.has_scripts()) answer = commands_.run_calls("remove", calls, Purpose::erase);
  if (!answer) return ServerCommands::to_done(answer);
  heads.clear();
  for (Reply& reply : answer.replies) {
    if (!reply.is(Reply::Kind::array)) break;
    std::ranges::move(reply.elements, std::back_inserter(heads));
  }
  if (!answer.replies.empty() && heads.size() == keys.size()) return {Done::yes};
  // Scripts are not to be had.
  Request request;
  const bool shows = !commands_.ended().by(EndingCommand::getrange);
  for (const auto key : keys) {
    if (shows) {
      request.add({"GETRANGE", key, "0", last});
    } else {
      request.add({"GET", key});
    }
    request.add({"TYPE", key});
  }
  answer = commands_.run("remove", request, Purpose::erase);
  if (!answer) return ServerCommands::to_done(answer);
  heads.clear();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool there = answer.replies[2 * i + 1].text != "none";
    heads.push_back(there ? std::move(answer.replies[2 * i]) : Reply());
    if (heads.back().text.size() > size) heads.back().text.resize(size);
  }
  return {Done::yes};
}

Done EntryRemover::leave_others(std::string_view function, std::vector<std::string_view>& keys) {
  // The further ones are for entries of many tags. What is still not seen whole is removed, which costs a load.
  constexpr std::size_t kLooks[] = {kShown, std::size_t{8} << 10, std::size_t{1} << 20};
  constexpr std::size_t kMostBytes = std::size_t{4} << 20;  // of one reply
  std::vector<std::string_view> meant, open = std::move(keys);
  for (const std::size_t look : kLooks) {
    std::vector<std::string_view> unseen;
    for (std::size_t at = 0; at < open.size(); at += kMostBytes / look) {
      const auto part = std::span(open).subspan(at, std::min(kMostBytes / look, open.size() - at));
      if (const Done done = leave_others(function, part, look, meant, unseen); !done) return done;
    }
    open = std::move(unseen);
  }
  keys = std::move(meant);
  keys.insert(keys.end(), open.begin(), open.end());
  return {Done::yes};
}

/// Looks at the first `look` bytes of each of `keys`.
Done EntryRemover::leave_others(std::string_view function, std::span<const std::string_view> keys, std::size_t look,
                                std::vector<std::string_view>& meant, std::vector<std::string_view>& unseen) {
  std::vector<Reply> shown;
  if (const Done done = heads(keys, look, shown); !done) return done;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Reply& head = shown[i];
    const auto value = head.is(Reply::Kind::text) ? peek_envelope(head.text, keys[i]) : std::nullopt;
    if (value) {
      if (!is_of_another(*value, function)) meant.push_back(keys[i]);
    } else {
      const bool whole = head.text.size() < look || !looks_like_envelope(head.text);
      (whole ? meant : unseen).push_back(keys[i]);
    }
  }
  return {Done::yes};
}

Done EntryRemover::remove_matching(const KeyPattern& pattern,
                                   const std::function<void(std::span<const Removed>)>& visit) {
  const auto remove = [&](std::span<const std::string_view> found) -> Done {
    std::vector<std::string_view> keys;
    for (const auto key : found) {
      if (pattern.concerns(keys_.parse(key).name)) keys.push_back(key);
    }
    if (!pattern.dependency().empty()) {
      if (const Done done = leave_others(pattern.dependency(), keys); !done) return done;
    }
    if (keys.empty()) return {Done::yes};
    // SCAN may name one twice, and an entry comes beside its lease, too.
    std::ranges::sort(keys);
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    std::vector<Reply> before;
    if (visit) {
      if (const Done done = heads(keys, kShown, before); !done) return done;
    }
    std::vector<std::string_view> words{"UNLINK"};
    words.insert(words.end(), keys.begin(), keys.end());
    Request request;
    request.add(words);
    const Answer removed = commands_.run("remove", request, Purpose::erase);
    if (!removed) return ServerCommands::to_done(removed);
    if (removed.replies[0].is(Reply::Kind::error)) return commands_.refused("remove", removed.replies[0]);
    if (!visit) return {Done::yes};
    std::vector<Removed> shown;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const auto [kind, name, token] = keys_.parse(keys[i]);
      if (before[i].is(Reply::Kind::nil) || kind != KeySpace::Kind::entry) continue;
      shown.push_back({name, before[i].is(Reply::Kind::text) ? std::string_view(before[i].text) : std::string_view()});
    }
    visit(shown);
    return {Done::yes};
  };
  for (const std::string& glob : pattern.globs()) {
    if (const Done done = scan(keys_.glob(glob), remove); !done) return done;
  }
  if (const Done done = announce(pattern); !done) return done;
  return raw_in_use() ? remove_old(pattern) : Done{Done::yes};
}

/// By the globs, not the keys that were found: where L2 has evicted an entry, L1 of a process that only hears
/// announcements may still have it.
Done EntryRemover::announce(const KeyPattern& pattern) {
  Changes changes = commands_.changes();
  if (!changes) return {Done::yes};
  for (const std::string& glob : pattern.globs()) changes.add_glob(glob);
  Request nothing_else;
  const Answer answer = commands_.run("announce", nothing_else, Purpose::erase, changes);
  return answer ? Done{Done::yes} : ServerCommands::to_done(answer);
}

bool EntryRemover::raw_in_use() {
  const Answer answer = commands_.run("remove", Request{"GET", keys_.raw_marker()}, Purpose::erase);
  return !answer || !answer.replies[0].is(Reply::Kind::nil);
}

Done EntryRemover::remove_old(const KeyPattern& pattern) {
  Versions versions;
  if (!versions_.need({}, Duration::zero(), versions)) return ServerCommands::not_to_be_had();
  std::string epoch;
  append_little(epoch, (*versions.find({}))->expired);
  const Done done = remove_old_pass(pattern, epoch);
  return done && raw_in_use() ? remove_old_pass(pattern, epoch) : done;
}

/// What kRemoveOld does. A value that is stored between the look and the removal goes too, which costs a load.
Done EntryRemover::remove_old_by_commands(std::span<const ServerCommands::Call> calls, const std::string& epoch) {
  std::vector<std::string_view> keys;
  for (const auto& call : calls) keys.push_back(call.keys[0]);
  std::vector<Reply> shown;
  if (const Done done = heads(keys, kShown, shown); !done) return done;
  std::vector<std::string_view> words{"UNLINK"};
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const bool stays = shown[i].is(Reply::Kind::nil) ||
                       (shown[i].is(Reply::Kind::text) && is_lease_or_depends_on(shown[i].text, epoch));
    if (!stays) words.push_back(keys[i]);
  }
  if (words.size() == 1) return {Done::yes};
  Request request;
  request.add(words);
  const Answer answer = commands_.run("remove", request, Purpose::erase);
  if (!answer) return ServerCommands::to_done(answer);
  return answer.replies[0].is(Reply::Kind::error) ? commands_.refused("remove", answer.replies[0]) : Done{Done::yes};
}

Done EntryRemover::remove_old_pass(const KeyPattern& pattern, const std::string& epoch) {
  const auto remove = [&](std::span<const std::string_view> keys) -> Done {
    std::vector<ServerCommands::Call> calls;
    // The leases of raw values, which are text, go too: they know no version, so this is what fences their loads.
    for (const auto key : keys) {
      if (pattern.concerns(keys_.parse(key).name)) calls.push_back({&kRemoveOld, {std::string(key)}, {epoch}});
    }
    if (calls.empty()) return {Done::yes};
    if (!commands_.has_scripts()) return remove_old_by_commands(calls, epoch);
    const Answer answer = commands_.run_calls("remove", calls, Purpose::erase);
    if (!answer) return ServerCommands::to_done(answer);
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return commands_.refused("remove", reply);
    }
    return {Done::yes};
  };
  for (const std::string& glob : pattern.globs()) {
    if (const Done done = scan(keys_.glob(glob), remove, &pattern); !done) return done;
  }
  return {Done::yes};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
