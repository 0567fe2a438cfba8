/// Removing: entries by name and by pattern, and what depends on something by its version.
#include <algorithm>

#include "base/little_endian.hpp"
#include "base/nonce.hpp"
#include "base/time_budget.hpp"
#include "l2/client/reason.hpp"
#include "l2/values/remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer than any load that is running.
constexpr std::chrono::hours kMadeVersionLife{1};

bool is_of_another(const EnvelopeView& entry, std::string_view function) {
  bool others = false;
  for (const TagVersion& tag : entry.tags) {
    others = others || (tag.name.starts_with(kFunctionMark) && tag.name != function);
  }
  return others;
}

}  // namespace

Done Remote::remove(std::string_view name, Found& before) {
  const std::string key = keys_.entry(name);
  Request request;
  request.add({"GET", key}).add({"UNLINK", key, keys_.raw_lease(name)});
  Answer answer = run("remove", request, Purpose::erase);
  if (!answer) return to_done(answer);
  if (answer.replies[1].is(Reply::Kind::error)) return refused("remove", answer.replies[1]);
  take_found(keys_.entry(name), answer.replies[0], before);
  return {Done::yes};
}

Done Remote::raise(std::string_view dependency, bool hard) {
  const std::vector<std::string> keys = version_keys(dependency);
  const std::vector<std::string_view> key_words(keys.begin(), keys.end());
  const std::string life = std::to_string(std::chrono::milliseconds(kMadeVersionLife).count());
  const std::string time = own_time();
  const std::string hash = VersionClock::hash_of(dependency);
  const std::string_view arguments[] = {hard ? "remove" : "expire", life, time, hash};
  for (const bool whole : {whole_scripts_.load(std::memory_order_relaxed), true}) {
    // A notice of its own each time: one that came before its version was raised must not be the only one.
    const std::string token = new_nonce();
    notices_->add(token);
    Request request;
    add_call(request, kRaiseVersion, whole, key_words, arguments);
    request.add({"SET", keys_.notice(token, dependency), "", "PX", "1000"});
    const Answer answer = run("invalidate", request, Purpose::erase);
    memory_->forget(dependency);
    if (!answer) return to_done(answer);
    if (!whole && (answer.replies[0].error_code() == "NOSCRIPT" || is_refused(answer.replies[0], "evalsha"))) continue;
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return refused("invalidate", reply);
    }
    return {Done::yes};
  }
  return {Done::no, "the server does not keep scripts"};
}

Done Remote::remove_many(std::span<const std::string_view> names) {
  if (names.empty()) return {Done::yes};
  std::vector<std::string> keys{"UNLINK"};
  for (const auto name : names) {
    keys.push_back(keys_.entry(name));
    keys.push_back(keys_.raw_lease(name));
  }
  Request request;
  request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
  const Answer answer = run("remove", request, Purpose::erase);
  if (!answer) return to_done(answer);
  return answer.replies[0].is(Reply::Kind::error) ? refused("remove", answer.replies[0]) : Done{Done::yes};
}

Done Remote::scan(const std::string& match, const std::function<Done(std::span<const std::string_view>)>& batch) {
  TimeBudget::Sweep sweep(options_.link.operation_timeout);
  std::string cursor = "0";
  do {
    const Answer scanned = run("scan", Request{"SCAN", cursor, "MATCH", match, "COUNT", "500"}, Purpose::erase);
    if (!scanned) return to_done(scanned);
    const Reply& reply = scanned.replies[0];
    if (reply.is(Reply::Kind::error)) return refused("scan", reply);
    if (reply.elements.size() != 2 || !reply.elements[0].is(Reply::Kind::text)) return {Done::no, "no SCAN reply"};
    cursor = reply.elements[0].text;
    std::vector<std::string_view> keys;
    std::deque<std::string> beside_leases;
    for (const Reply& key : reply.elements[1].elements) {
      const KeySpace::Kind kind = keys_.parse(key.text).kind;
      if (kind != KeySpace::Kind::entry && kind != KeySpace::Kind::raw_lease) continue;
      keys.push_back(key.text);
      // Its load may store between the two.
      if (kind == KeySpace::Kind::raw_lease) {
        keys.push_back(beside_leases.emplace_back(keys_.entry(keys_.parse(key.text).name)));
      }
    }
    if (!keys.empty()) {
      if (const Done done = batch(keys); !done) return done;
    }
    sweep.part_done();
  } while (cursor != "0");
  return {Done::yes};
}

Done Remote::leave_others(std::string_view function, std::vector<std::string_view>& keys) {
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
Done Remote::leave_others(std::string_view function, std::span<const std::string_view> keys, std::size_t look,
                          std::vector<std::string_view>& meant, std::vector<std::string_view>& unseen) {
  Request request;
  for (const auto key : keys) request.add({"GETRANGE", key, "0", std::to_string(look - 1)});
  const Answer heads = run("remove", request, Purpose::erase);
  if (!heads) return to_done(heads);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Reply& head = heads.replies[i];
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

Done Remote::remove_matching(const KeyPattern& pattern, const std::function<void(std::span<const Removed>)>& visit) {
  const std::string last_shown = std::to_string(kShown - 1);
  const auto remove = [&](std::span<const std::string_view> found) -> Done {
    std::vector<std::string_view> keys;
    for (const auto key : found) {
      if (pattern.concerns(keys_.parse(key).name)) keys.push_back(key);
    }
    if (!pattern.dependency().empty()) {
      if (const Done done = leave_others(pattern.dependency(), keys); !done) return done;
    }
    if (keys.empty()) return {Done::yes};
    Request request;
    for (const auto key : keys) request.add({"GETRANGE", key, "0", last_shown}).add({"UNLINK", key});
    const Answer removed = run("remove", request, Purpose::erase);
    if (!removed) return to_done(removed);
    std::vector<Removed> shown;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Reply& head = removed.replies[2 * i];
      const Reply& unlinked = removed.replies[2 * i + 1];
      if (unlinked.is(Reply::Kind::error)) return refused("remove", unlinked);
      if (unlinked.integer == 0 || keys_.parse(keys[i]).kind != KeySpace::Kind::entry) continue;
      shown.push_back(
          {keys_.parse(keys[i]).name, head.is(Reply::Kind::text) ? std::string_view(head.text) : std::string_view()});
    }
    visit(shown);
    return {Done::yes};
  };
  for (const std::string& glob : pattern.globs()) {
    if (const Done done = scan(keys_.glob(glob), remove); !done) return done;
  }
  return raw_in_use() ? remove_old(pattern) : Done{Done::yes};
}

bool Remote::raw_in_use() {
  const Answer answer = run("remove", Request{"GET", keys_.raw_marker()}, Purpose::erase);
  return !answer || !answer.replies[0].is(Reply::Kind::nil);
}

Done Remote::remove_old(const KeyPattern& pattern) {
  Versions versions;
  if (!need_versions({}, Duration::zero(), versions)) return not_to_be_had();
  std::string epoch;
  append_little(epoch, (*versions.find({}))->expired);
  const Done done = remove_old_pass(pattern, epoch);
  return done && raw_in_use() ? remove_old_pass(pattern, epoch) : done;
}

Done Remote::remove_old_pass(const KeyPattern& pattern, const std::string& epoch) {
  const auto remove = [&](std::span<const std::string_view> keys) -> Done {
    std::vector<Call> calls;
    // The leases of raw values, which are text, go too: they know no version, so this is what fences their loads.
    for (const auto key : keys) {
      if (pattern.concerns(keys_.parse(key).name)) calls.push_back({&kRemoveOld, {std::string(key)}, {epoch}});
    }
    if (calls.empty()) return {Done::yes};
    const Answer answer = run_calls("remove", calls, Purpose::erase);
    if (!answer) return to_done(answer);
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return refused("remove", reply);
    }
    return {Done::yes};
  };
  for (const std::string& glob : pattern.globs()) {
    if (const Done done = scan(keys_.glob(glob), remove); !done) return done;
  }
  return {Done::yes};
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
