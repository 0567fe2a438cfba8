/// Writing: entries, leases, counters.
#include <algorithm>
#include <charconv>

#include "l2/values/remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

std::string milliseconds(Duration life) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(life).count()));
}

/// For how long no lease is taken after a store under one was forbidden.
constexpr std::chrono::seconds kWithoutLeases{30};

/// Loads of raw values leave a mark, which is renewed now and then.
constexpr const char* kRawMarkerLife = "3600000";
constexpr std::chrono::seconds kRawMarked{10};

/// Of a raw value's lease when one of several loads has ended: until the others renew it.
constexpr const char* kRawLeaseLife = "3000";

void add_set(Request& request, std::string_view key, std::string_view bytes, Duration life) {
  if (life <= Duration::zero()) {
    request.add({"SET", key, bytes});
  } else {
    request.add({"SET", key, bytes, "PX", milliseconds(life)});
  }
}

}  // namespace

std::vector<Done> Remote::put(std::span<const Put> puts, std::span<const std::string> dependencies,
                              Versions* versions) {
  Request request;
  for (const Put& put : puts) add_set(request, keys_.entry(put.name), put.bytes, put.life);
  if (versions) {
    std::vector<std::string> keys{"MGET", keys_.epoch()};
    for (const auto& name : dependencies) keys.push_back(version_key(name));
    request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
  }
  const std::uint64_t mark = memory_->mark();
  const Answer answer = run("write", request, Purpose::write);
  if (!answer) return std::vector<Done>(puts.size(), to_done(answer));
  std::vector<Done> done;
  for (std::size_t i = 0; i < puts.size(); ++i) {
    const Reply& reply = answer.replies[i];
    done.push_back(reply.is_ok() ? Done{Done::yes, {}, answer.order} : refused("write", reply));
  }
  if (!versions) return done;
  const Reply& now = answer.replies.back();
  if (!now.is(Reply::Kind::array) || now.elements.size() != dependencies.size() + 1) {
    const Done not_readable = refused("write", now);
    return std::vector<Done>(puts.size(), {Done::unknown, not_readable.why});
  }
  note_version({}, now.elements[0], mark, *versions);
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    note_version(dependencies[i], now.elements[i + 1], mark, *versions);
  }
  return done;
}

Done Remote::put_raw(std::string_view name, std::string_view bytes, Duration life) {
  Request request;
  add_set(request, keys_.entry(name), bytes, life);
  request.add({"UNLINK", keys_.raw_lease(name)});  // a load that is running is older
  const Answer answer = run("write", request, Purpose::write);
  if (!answer) return to_done(answer);
  return answer.replies[0].is_ok() ? Done{Done::yes} : refused("write", answer.replies[0]);
}

std::vector<Done> Remote::take_leases(std::span<const std::string_view> names, std::span<const std::string> leases,
                                      Duration life) {
  Request request;
  const std::string limit = milliseconds(life);
  for (std::size_t i = 0; i < names.size(); ++i) {
    request.add({"SET", keys_.entry(names[i]), leases[i], "NX", "PX", limit});
  }
  return take("lease", request, names.size());
}

std::vector<Done> Remote::to_done(std::string_view operation, const Answer& answer, std::size_t count) {
  if (!answer) return std::vector<Done>(count, to_done(answer));
  std::vector<Done> done;
  done.reserve(count);
  for (const Reply& reply : answer.replies) {
    const bool number = reply.is(Reply::Kind::integer);
    done.push_back(reply.is(Reply::Kind::error)   ? refused(operation, reply)
                   : number && reply.integer == 1 ? Done{Done::yes}
                   : number && reply.integer == 2 ? Done{Done::overtaken}
                                                  : Done{Done::no});
  }
  return done;
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

std::string life_or_zero(Duration life) { return life <= Duration::zero() ? "0" : milliseconds(life); }

}  // namespace

/// `calls` are those of `replaces`, of entries or of raw values.
template <class Replaces>
std::vector<Done> Remote::run_replaces(const Replaces& replaces, std::span<const Call> calls) {
  auto done = to_done("write", run_calls("write", calls, Purpose::write), calls.size());
  for (std::size_t i = 0; i < calls.size(); ++i) note_refusal(replaces[i].action, done[i]);
  return done;
}

std::vector<Done> Remote::replace(std::span<const Replace> replaces) {
  std::vector<Call> calls;
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
void Remote::note_refusal(Action action, const Done& done) {
  if (action != Action::set || !done.forbidden) return;
  no_leases_until_.store(std::chrono::steady_clock::now() + kWithoutLeases);
}

bool Remote::may_lease() const {
  return std::chrono::steady_clock::now() >= no_leases_until_.load(std::memory_order_relaxed);
}

bool Remote::give_back(std::string_view key, const LeaseToken& generation) {
  Replace leave{std::string(key), {.generation = generation}, Action::leave, std::chrono::seconds(3)};
  Done done = replace(std::span(&leave, 1))[0];
  if (done || done.why.empty()) return true;
  if (done.status == Done::unknown) return false;
  leave.action = Action::keep;
  leave.life = std::chrono::milliseconds(1);
  done = replace(std::span(&leave, 1))[0];
  if (done || done.why.empty()) return true;
  // Without scripts another lease may go in its place, whose load is then not stored: that is allowed.
  const Answer found = run("lease", Request{"GET", key}, Purpose::erase);
  if (!found) return false;
  const auto lease = decode_lease(found.replies[0].text);
  const auto* view = std::get_if<LeaseView>(&lease);
  if (!view || view->token != generation) return true;
  return bool(run("lease", Request{"UNLINK", key}, Purpose::erase));
}

std::vector<Done> Remote::take_refresh_leases(const std::vector<RefreshTake>& takes, Duration life) {
  if (takes.empty()) return {};
  Request request;
  for (const auto& [name, token] : takes) {
    request.add({"SET", keys_.refresh_lease(name), encode_lease(token), "NX", "PX", milliseconds(life)});
  }
  return take("lease", request, takes.size());
}

/// By SET NX.
std::vector<Done> Remote::take(std::string_view operation, const Request& request, std::size_t count) {
  const Answer answer = run(operation, request, Purpose::write);
  if (!answer) return std::vector<Done>(count, to_done(answer));
  std::vector<Done> done;
  done.reserve(count);
  for (const Reply& reply : answer.replies) {
    done.push_back(reply.is_ok()                  ? Done{Done::yes}
                   : reply.is(Reply::Kind::error) ? refused(operation, reply)
                                                  : Done{Done::no});
  }
  return done;
}

bool Remote::mark_raw() {
  const TimePoint time = std::chrono::steady_clock::now();
  if (raw_marked_until_.load() > time) return true;
  const Answer marked = run("lease", Request{"SET", keys_.raw_marker(), "1", "PX", kRawMarkerLife}, Purpose::erase);
  if (!marked || !marked.replies[0].is_ok()) return false;
  raw_marked_until_.store(saturating_add(time, kRawMarked));
  return true;
}

std::vector<std::optional<LeaseToken>> Remote::take_raw_leases(std::span<const RawTake> takes, Duration life) {
  std::vector<std::optional<LeaseToken>> held(takes.size());
  if (!mark_raw()) return held;
  std::vector<Call> calls;
  for (const RawTake& take : takes) {
    calls.push_back(
        {&kRawLease,
         {keys_.entry(take.name), keys_.raw_lease(take.name)},
         {take.join ? "join" : "take", hexadecimal(take.token), "0", milliseconds(life), take.absent ? "absent" : ""}});
  }
  const Answer answer = run_calls("lease", calls, Purpose::write);
  if (!answer) return held;
  for (std::size_t i = 0; i < takes.size(); ++i) {
    const Reply& reply = answer.replies[i];
    if (reply.is(Reply::Kind::error)) refused("lease", reply);
    held[i] = token_in(reply.text);
  }
  return held;
}

std::vector<Done> Remote::replace_raw(std::span<const RawReplace> replaces) {
  const auto keeps = [](const RawReplace& replace) { return replace.action == Action::keep; };
  if (std::ranges::any_of(replaces, keeps)) mark_raw();  // as long as there are such leases; if it fails, next time
  std::vector<Call> calls;
  for (const RawReplace& replace : replaces) {
    calls.push_back({&kRawLease,
                     {keys_.entry(replace.name), keys_.raw_lease(replace.name)},
                     {kActions[static_cast<int>(replace.action)], hexadecimal(replace.claim.generation),
                      std::to_string(replace.claim.order), life_or_zero(replace.life), replace.bytes, kRawLeaseLife}});
  }
  return run_replaces(replaces, calls);
}

Remote::Counted Remote::increment(std::string_view name, std::int64_t by, Duration life) {
  const std::string key = keys_.entry(name);
  const std::string amount = std::to_string(by);
  Request request;
  if (life <= Duration::zero()) {
    request.add({"INCRBY", key, amount});
  } else {
    // In one step, or a counter that expires between the two would live on for ever.
    request.add({"MULTI"}).add({"SET", key, "0", "NX", "PX", milliseconds(life)}).add({"INCRBY", key, amount});
    request.add({"EXEC"});
  }
  Answer answer = run("increment", request, Purpose::write);
  Counted counted;
  if (!answer) {
    counted.done = to_done(answer);
    return counted;
  }
  Reply* reply = &answer.replies.back();
  // Where the user may not run MULTI, the others run one by one all the same.
  const bool one_by_one = answer.replies.size() == 4 && answer.replies[0].is(Reply::Kind::error);
  if (one_by_one) reply = &answer.replies[2];
  if (reply->is(Reply::Kind::array) && reply->elements.size() == 2) reply = &reply->elements[1];
  if (reply->is(Reply::Kind::integer)) {
    counted.done = {Done::yes};
    counted.value = reply->integer;
    return counted;
  }
  if (reply->error_code() == "WRONGTYPE") {
    counted.refused = Counted::Refused::other_type;
    return counted;
  }
  if (reply->is(Reply::Kind::error) && reply->text.find("not an integer") != std::string::npos) {
    counted.refused = Counted::Refused::no_integer;
    return counted;
  }
  if (reply->is(Reply::Kind::error) && reply->text.find("would overflow") != std::string::npos) {
    counted.refused = Counted::Refused::overflow;
    return counted;
  }
  // EXEC says only that something before it was refused: that is what is to be named.
  const auto first = std::ranges::find_if(answer.replies, [](const Reply& one) { return one.is(Reply::Kind::error); });
  counted.done = refused("increment", first == answer.replies.end() ? *reply : *first);
  return counted;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
