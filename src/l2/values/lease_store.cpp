#include "l2/values/lease_store.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>
#include <variant>

#include "base/saturating_add.hpp"
#include "l2/values/envelope.hpp"
#include "l2/values/found.hpp"
#include "l2/values/life_text.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// For how long no lease is taken after a store under one was forbidden.
constexpr std::chrono::seconds kWithoutLeases{30};

/// Loads of raw values leave a mark, which is renewed now and then.
constexpr const char* kRawMarkerLife = "3600000";
constexpr std::chrono::seconds kRawMarked{10};

/// Of a raw value's lease when one of several loads has ended: until the others renew it.
constexpr const char* kRawLeaseLife = "3000";

}  // namespace

std::vector<Done> LeaseStore::take(std::span<const std::string_view> names, std::span<const std::string> leases,
                                   Duration life) {
  Request request;
  const std::string limit = milliseconds(life);
  for (std::size_t i = 0; i < names.size(); ++i) {
    request.add({"SET", keys_.entry(names[i]), leases[i], "NX", "PX", limit});
  }
  return take(request, names.size());
}

namespace {

std::string_view as_text(const LeaseToken& token) { return {token.data(), token.size()}; }

/// Of no use where all its bytes are zero: what has no generation.
std::string_view generation_of(const LoadClaim& claim) {
  return claim.generation == LeaseToken{} ? std::string_view() : as_text(claim.generation);
}

std::string hexadecimal(const LeaseToken& token) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : token) {
    out += kDigits[static_cast<unsigned char>(c) >> 4];
    out += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::optional<LeaseToken> token_in(std::string_view text) {
  LeaseToken token{};
  if (text.size() != 2 * token.size()) return std::nullopt;
  for (std::size_t i = 0; i < token.size(); ++i) {
    unsigned char byte = 0;
    const char* const at = text.data() + 2 * i;
    if (std::from_chars(at, at + 2, byte, 16).ptr != at + 2) return std::nullopt;
    token[i] = static_cast<char>(byte);
  }
  return token;
}

constexpr const char* kActions[] = {"set", "remove", "leave", "join", "keep"};

/// What kReplaceIf and kRawLease have returned.
std::vector<Done> outcomes(ServerCommands& commands, const Answer& answer, std::size_t count) {
  if (!answer) return std::vector<Done>(count, ServerCommands::to_done(answer));
  std::vector<Done> done;
  done.reserve(count);
  for (const Reply& reply : answer.replies) {
    const bool number = reply.is(Reply::Kind::integer);
    done.push_back(reply.is(Reply::Kind::error)   ? commands.refused("write", reply)
                   : number && reply.integer == 1 ? Done{Done::yes}
                   : number && reply.integer == 2 ? Done{Done::overtaken}
                                                  : Done{Done::no});
  }
  return done;
}

}  // namespace

/// `calls` are those of `replaces`, of entries or of raw values. What is large travels apart: a store by a script need
/// not be in order with other requests, since it counts only while its lease stands.
template <class Replaces>
std::vector<Done> LeaseStore::run_replaces(const Replaces& replaces, std::vector<ServerCommands::Call>& calls) {
  std::vector<Done> done(calls.size());
  std::vector<std::size_t> small, large;
  const auto is_large = [&](std::size_t i) {
    return replaces[i].action == EntryAction::set && replaces[i].bytes.size() >= kLargeValue;
  };
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (replaces[i].action == EntryAction::set) commands_.large_keys().note(calls[i].keys[0], replaces[i].bytes.size());
    if (is_large(i)) large.push_back(i);
  }
  if (large.empty() || large.size() == calls.size()) {
    run_replaces(replaces, calls, {}, large.empty() ? Lane::shared : Lane::large, done);
    return done;
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (!is_large(i)) small.push_back(i);
  }
  run_replaces(replaces, calls, small, Lane::shared, done);
  run_replaces(replaces, calls, large, Lane::large, done);
  return done;
}

/// Those at `places`; empty: all.
template <class Replaces>
void LeaseStore::run_replaces(const Replaces& replaces, std::vector<ServerCommands::Call>& calls,
                              const std::vector<std::size_t>& places, Lane lane, std::vector<Done>& done) {
  std::vector<ServerCommands::Call> picked;
  for (const std::size_t i : places) picked.push_back(std::move(calls[i]));
  std::vector<ServerCommands::Call>& own = places.empty() ? calls : picked;
  const auto place = [&](std::size_t n) { return places.empty() ? n : places[n]; };
  Changes changes = commands_.changes();
  bool changes_any = false;
  for (std::size_t n = 0; n < own.size(); ++n) {
    const EntryAction action = replaces[place(n)].action;
    if (action != EntryAction::set && action != EntryAction::remove) continue;
    changes_any = true;
    changes.add_key([&] { return own[n].keys[0]; });
  }
  const Answer answer = changes_any ? commands_.run_calls("write", own, Purpose::write, changes, lane)
                                    : commands_.run_calls("write", std::span(own), Purpose::write, lane);
  const auto outcome = outcomes(commands_, answer, own.size());
  for (std::size_t n = 0; n < own.size(); ++n) {
    done[place(n)] = outcome[n];
    note_refusal(replaces[place(n)].action, outcome[n]);
  }
}

std::vector<Done> LeaseStore::replace(std::span<const Replace> replaces) {
  std::vector<ServerCommands::Call> calls;
  for (const Replace& replace : replaces) {
    const LoadClaim& claim = replace.claim;
    calls.push_back({&kReplaceIf,
                     {replace.key},
                     {std::string(generation_of(claim)), std::to_string(claim.order), std::string(claim.mark),
                      kActions[static_cast<int>(replace.action)], life_or_zero(replace.life), replace.bytes}});
  }
  return run_replaces(replaces, calls);
}

/// The cost of a refused store is paid once: no load waits for a lease under which nothing can be stored.
void LeaseStore::note_refusal(EntryAction action, const Done& done) {
  if (action != EntryAction::set || !done.forbidden) return;
  no_leases_until_.store(std::chrono::steady_clock::now() + kWithoutLeases);
}

bool LeaseStore::may_lease() const {
  return commands_.has_scripts() &&
         std::chrono::steady_clock::now() >= no_leases_until_.load(std::memory_order_relaxed);
}

bool LeaseStore::give_back(std::string_view key, const LeaseToken& generation) {
  Replace leave{std::string(key), {.generation = generation}, EntryAction::leave, std::chrono::seconds(3)};
  Done done = replace(std::span(&leave, 1))[0];
  if (done || done.why.empty()) return true;
  if (done.status == Done::unknown) return false;
  leave.action = EntryAction::keep;
  leave.life = std::chrono::milliseconds(1);
  done = replace(std::span(&leave, 1))[0];
  if (done || done.why.empty()) return true;
  // Without scripts another lease may go in its place, whose load is then not stored: that is allowed.
  const Answer found = commands_.run("lease", Request{"GET", key}, Purpose::erase);
  if (!found) return false;
  const auto lease = decode_lease(found.replies[0].text);
  const auto* view = std::get_if<LeaseView>(&lease);
  if (!view || view->token != generation) return true;
  return bool(commands_.run("lease", Request{"UNLINK", key}, Purpose::erase));
}

bool LeaseStore::has_mark(std::string_view name, std::string_view mark) {
  const Answer found = commands_.run("lease", Request{"GET", keys_.entry(name)}, Purpose::erase);
  return found && mark_of(found.replies[0].text) == mark;
}

void LeaseStore::remove_mark(std::string_view name, std::string_view mark) {
  if (!has_mark(name, mark)) return;
  const std::string key = keys_.entry(name);
  Changes changes = commands_.changes();
  changes.add_key([&] { return key; });
  Request request{"UNLINK", key};
  commands_.run("lease", request, Purpose::erase, changes);
}

std::vector<Done> LeaseStore::take_for_refresh(const std::vector<RefreshTake>& takes, Duration life) {
  if (takes.empty()) return {};
  Request request;
  for (const auto& [name, checksum, token] : takes) {
    request.add({"SET", keys_.refresh_lease(name, checksum), encode_lease(token), "NX", "PX", milliseconds(life)});
  }
  return take(request, takes.size());
}

/// By SET NX.
std::vector<Done> LeaseStore::take(const Request& request, std::size_t count) {
  const Answer answer = commands_.run("lease", request, Purpose::write);
  if (!answer) return std::vector<Done>(count, ServerCommands::to_done(answer));
  std::vector<Done> done;
  done.reserve(count);
  for (const Reply& reply : answer.replies) {
    done.push_back(reply.is_ok()                  ? Done{Done::yes}
                   : reply.is(Reply::Kind::error) ? commands_.refused("lease", reply)
                                                  : Done{Done::no});
  }
  return done;
}

bool LeaseStore::mark_raw() {
  const TimePoint time = std::chrono::steady_clock::now();
  if (raw_marked_until_.load() > time) return true;
  const Answer marked =
      commands_.run("lease", Request{"SET", keys_.raw_marker(), "1", "PX", kRawMarkerLife}, Purpose::erase);
  if (!marked || !marked.replies[0].is_ok()) return false;
  raw_marked_until_.store(saturating_add(time, kRawMarked));
  return true;
}

std::vector<LeaseStore::RawTaken> LeaseStore::take_raw(std::span<const RawTake> takes, Duration life) {
  std::vector<RawTaken> taken(takes.size());
  if (!mark_raw()) return taken;
  std::vector<ServerCommands::Call> calls;
  for (const RawTake& take : takes) {
    // The mark once more, since the server may have been emptied meanwhile, and who empties the space goes by it.
    calls.push_back(
        {&kRawLease,
         {keys_.entry(take.name), keys_.raw_lease(take.name)},
         {take.join ? "join" : "take", hexadecimal(take.token), "0", milliseconds(life), take.read, kRawMarkerLife}});
    if (!keys_.clustered()) calls.back().keys.push_back(keys_.raw_marker());
  }
  // In a cluster it is another master's, and stands before the load begins.
  if (keys_.clustered()) calls.push_back({nullptr, {"SET", keys_.raw_marker(), "1", "PX", kRawMarkerLife}, {}});
  const Answer answer = commands_.run_calls("lease", calls, Purpose::write);
  const bool marked = !answer || !keys_.clustered() || answer.replies.back().is_ok();
  for (std::size_t i = 0; i < takes.size(); ++i) {
    if (!answer) {
      taken[i].done = ServerCommands::to_done(answer);
    } else if (!marked) {
      taken[i].done = commands_.refused("lease", answer.replies.back());
    } else if (const Reply& reply = answer.replies[i]; reply.is(Reply::Kind::error)) {
      taken[i].done = commands_.refused("lease", reply);
    } else {
      taken[i].generation = token_in(reply.text);
    }
  }
  return taken;
}

std::vector<Done> LeaseStore::replace_raw(std::span<const RawReplace> replaces) {
  const auto keeps = [](const RawReplace& replace) { return replace.action == EntryAction::keep; };
  if (std::ranges::any_of(replaces, keeps)) mark_raw();  // as long as there are such leases; if it fails, next time
  std::vector<ServerCommands::Call> calls;
  for (const RawReplace& replace : replaces) {
    calls.push_back({&kRawLease,
                     {keys_.entry(replace.name), keys_.raw_lease(replace.name)},
                     {kActions[static_cast<int>(replace.action)], hexadecimal(replace.claim.generation),
                      std::to_string(replace.claim.order), life_or_zero(replace.life), replace.bytes, kRawLeaseLife}});
    if (replace.exactly) calls.back().arguments.emplace_back("exactly");
  }
  return run_replaces(replaces, calls);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
