/// Writing to the server, and what its answers come to.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "../glob.hpp"
#include "remote.hpp"
#include "time_budget.hpp"
#include "token.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Longer than any load that is under way.
constexpr std::chrono::hours kMadeVersionLife{1};

std::string_view fault_name(Fault fault) {
  switch (fault) {
    case Fault::none:
      break;
    case Fault::no_connection:
      return "no_connection";
    case Fault::timeout:
      return "timeout";
    case Fault::lost:
      return "connection_lost";
    case Fault::protocol:
      return "protocol";
  }
  return "none";
}

/// What an error of the server means to who wrote. Literals, since results keep no text of their own.
std::string_view meaning(std::string_view code) {
  struct Known {
    std::string_view code, meaning;
  };
  static constexpr Known kKnown[] = {
      {"WRONGTYPE", "the key holds another type (WRONGTYPE)"},
      {"NOAUTH", "the server asks for a password (NOAUTH)"},
      {"WRONGPASS", "the server refused the password (WRONGPASS)"},
      {"NOPERM", "the user may not do this (NOPERM)"},
      {"OOM", "the server is out of memory (OOM)"},
      {"MISCONF", "the server refuses writes (MISCONF)"},
      {"READONLY", "the server is a replica (READONLY)"},
      {"LOADING", "the server is loading its data (LOADING)"},
      {"BUSY", "the server is busy with a script (BUSY)"},
      {"MASTERDOWN", "the server has lost its master (MASTERDOWN)"},
      {"CLUSTERDOWN", "the cluster is down (CLUSTERDOWN)"},
  };
  const auto known = std::ranges::find(kKnown, code, &Known::code);
  return known == std::end(kKnown) ? "the server answered with an error" : known->meaning;
}

std::string milliseconds(Duration life) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(life).count()));
}

void add_set(Request& request, std::string_view key, std::string_view bytes, Duration life) {
  if (life <= Duration::zero()) {
    request.add({"SET", key, bytes});
  } else {
    request.add({"SET", key, bytes, "PX", milliseconds(life)});
  }
}

}  // namespace

Remote::Remote(Options options)
    : options_(std::move(options)), keys_(options_.space), link_(LinkOptions(options_.link)) {}

Answer Remote::run(std::string_view operation, const Request& request, Purpose purpose) {
  if (!clock_.known()) know_time();
  Answer answer = link_.run(request, purpose);
  if (!answer) {
    clock_.doubt();  // what answers next may be another server
    options_.failed(operation, fault_name(answer.fault));
  }
  return answer;
}

void Remote::know_time() {
  const TimePoint asked = options_.clock->now();
  if (const auto time = server_time()) clock_.set(*time, asked);
}

std::optional<std::int64_t> Remote::server_time() {
  const Answer answer = link_.run(Request{"TIME"}, Purpose::erase);
  if (!answer || !answer.replies[0].is(Reply::Kind::array) || answer.replies[0].elements.size() != 2) {
    return std::nullopt;
  }
  std::int64_t parts[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string& text = answer.replies[0].elements[i].text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parts[i]);
    if (error != std::errc{} || end != text.data() + text.size() || parts[i] < 0 || parts[i] > 100'000'000'000) {
      return std::nullopt;
    }
  }
  return parts[0] * 1'000'000 + parts[1];
}

Answer Remote::run_calls(std::string_view operation, std::span<const Call> calls, Purpose purpose) {
  const auto add = [](Request& request, const Call& call, bool whole) {
    const std::vector<std::string_view> words(call.arguments.begin(), call.arguments.end());
    add_call(request, *call.script, whole, call.key, words);
  };
  Request request;
  for (const Call& call : calls) add(request, call, false);
  Answer answer = run(operation, request, purpose);
  if (!answer) return answer;
  std::vector<std::size_t> unseen;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (answer.replies[i].error_code() == "NOSCRIPT") unseen.push_back(i);
  }
  if (unseen.empty()) return answer;
  Request again;
  for (const std::size_t i : unseen) add(again, calls[i], true);
  Answer second = run(operation, again, purpose);
  if (!second) return second;
  for (std::size_t n = 0; n < unseen.size(); ++n) answer.replies[unseen[n]] = std::move(second.replies[n]);
  return answer;
}

Done Remote::to_done(std::string_view, const Answer& answer) {
  if (answer.maybe_executed) return {Done::unknown, "the server did not answer in time"};
  return {Done::no, "the server is out of reach"};
}

Done Remote::refused(std::string_view operation, const Reply& reply) {
  options_.failed(operation, reply.error_code());
  return {Done::no, meaning(reply.error_code())};
}

std::vector<Done> Remote::put(std::span<const Put> puts, std::span<const std::string> dependencies,
                              Versions* versions) {
  Request request;
  for (const Put& put : puts) add_set(request, keys_.entry(put.name), put.bytes, put.life);
  if (versions) {
    std::vector<std::string> keys{"MGET", keys_.epoch()};
    for (const auto& name : dependencies) keys.push_back(version_key(name));
    request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
  }
  const std::uint64_t mark = memory_.mark();
  const Answer answer = run("write", request, Purpose::write);
  if (!answer) return std::vector<Done>(puts.size(), to_done("write", answer));
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
  const Answer answer = run("write", request, Purpose::write);
  if (!answer) return to_done("write", answer);
  return answer.replies[0].is_ok() ? Done{Done::yes} : refused("write", answer.replies[0]);
}

std::vector<Done> Remote::take_leases(std::span<const std::string_view> names, std::span<const LeaseToken> tokens,
                                      Duration life) {
  Request request;
  const std::string limit = milliseconds(life);
  for (std::size_t i = 0; i < names.size(); ++i) {
    request.add({"SET", keys_.entry(names[i]), encode_lease(tokens[i]), "NX", "PX", limit});
  }
  const Answer answer = run("lease", request, Purpose::write);
  if (!answer) return std::vector<Done>(names.size(), to_done("lease", answer));
  std::vector<Done> done;
  for (const Reply& reply : answer.replies) {
    done.push_back(reply.is_ok()                  ? Done{Done::yes}
                   : reply.is(Reply::Kind::error) ? refused("lease", reply)
                                                  : Done{Done::no});
  }
  return done;
}

std::vector<Done> Remote::replace(std::span<const Replace> replaces) {
  static constexpr const char* kActions[] = {"set", "drop", "keep"};
  std::vector<Call> calls;
  for (const Replace& replace : replaces) {
    calls.push_back({&kReplaceIf,
                     replace.key,
                     {std::string(replace.if_mark), kActions[static_cast<int>(replace.action)],
                      replace.life <= Duration::zero() ? "0" : milliseconds(replace.life), replace.bytes}});
  }
  const Answer answer = run_calls("write", calls, Purpose::write);
  if (!answer) return std::vector<Done>(replaces.size(), to_done("write", answer));
  std::vector<Done> done;
  for (const Reply& reply : answer.replies) {
    done.push_back(reply.is(Reply::Kind::error)                           ? refused("write", reply)
                   : reply.is(Reply::Kind::integer) && reply.integer == 1 ? Done{Done::yes}
                                                                          : Done{Done::no});
  }
  return done;
}

bool Remote::take_refresh_lease(std::string_view name, const LeaseToken& token, Duration life) {
  const Answer answer =
      run("lease", Request{"SET", keys_.refresh_lease(name), encode_lease(token), "NX", "PX", milliseconds(life)},
          Purpose::write);
  if (answer && answer.replies[0].is(Reply::Kind::error)) refused("lease", answer.replies[0]);
  return answer && answer.replies[0].is_ok();
}

Done Remote::remove(std::string_view name, Found& before) {
  const std::string key = keys_.entry(name);
  Request request;
  request.add({"GET", key}).add({"UNLINK", key});
  Answer answer = run("remove", request, Purpose::erase);
  if (!answer) return to_done("remove", answer);
  if (answer.replies[1].is(Reply::Kind::error)) return refused("remove", answer.replies[1]);
  before = to_found(name, answer.replies[0]);
  return {Done::yes};
}

Done Remote::raise(std::string_view dependency, bool hard) {
  const std::string key = version_key(dependency);
  const std::string life = milliseconds(kMadeVersionLife);
  const std::string_view arguments[] = {hard ? "remove" : "expire", life};
  for (const bool whole : {false, true}) {
    // A notice of its own each time: one that came before its version was raised must not be the only one.
    const std::string token = fresh_token();
    notices_.add(token);
    Request request;
    add_call(request, kRaiseVersion, whole, key, arguments);
    request.add({"SET", keys_.notice(token, dependency), "", "PX", "1000"});
    const Answer answer = run("invalidate", request, Purpose::erase);
    memory_.forget(dependency);
    if (!answer) return to_done("invalidate", answer);
    if (answer.replies[0].error_code() == "NOSCRIPT") continue;
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return refused("invalidate", reply);
    }
    return {Done::yes};
  }
  return {Done::no, "the server does not keep scripts"};
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
    counted.done = to_done("increment", answer);
    return counted;
  }
  Reply* reply = &answer.replies.back();
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
  counted.done = refused("increment", *reply);
  return counted;
}

std::optional<std::int64_t> Remote::life_left(std::string_view name) {
  const Answer answer = run("read", Request{"PTTL", keys_.entry(name)}, Purpose::erase);
  if (!answer || !answer.replies[0].is(Reply::Kind::integer)) return std::nullopt;
  return answer.replies[0].integer;
}

Done Remote::remove_many(std::span<const std::string_view> names) {
  if (names.empty()) return {Done::yes};
  std::vector<std::string> keys{"UNLINK"};
  for (const auto name : names) keys.push_back(keys_.entry(name));
  Request request;
  request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
  const Answer answer = run("remove", request, Purpose::erase);
  if (!answer) return to_done("remove", answer);
  return answer.replies[0].is(Reply::Kind::error) ? refused("remove", answer.replies[0]) : Done{Done::yes};
}

Done Remote::scan(std::string_view pattern, const std::function<Done(std::span<const std::string_view>)>& batch) {
  const std::string match = keys_.glob(pattern);
  TimeBudget::Sweep sweep(options_.link.operation_timeout);
  std::string cursor = "0";
  do {
    const Answer scanned = run("scan", Request{"SCAN", cursor, "MATCH", match, "COUNT", "500"}, Purpose::erase);
    if (!scanned) return to_done("scan", scanned);
    const Reply& reply = scanned.replies[0];
    if (reply.is(Reply::Kind::error)) return refused("scan", reply);
    if (reply.elements.size() != 2 || !reply.elements[0].is(Reply::Kind::text)) return {Done::no, "no SCAN reply"};
    cursor = reply.elements[0].text;
    std::vector<std::string_view> keys;
    for (const Reply& key : reply.elements[1].elements) {
      if (keys_.parse(key.text).kind == KeySpace::Kind::entry) keys.push_back(key.text);
    }
    if (!keys.empty()) {
      if (const Done done = batch(keys); !done) return done;
    }
    sweep.part_done();
  } while (cursor != "0");
  return {Done::yes};
}

Done Remote::remove_matching(std::string_view pattern, const std::function<void(std::span<const Removed>)>& visit) {
  const std::string last_shown = std::to_string(kShown - 1);
  const Glob glob(pattern);
  return scan(pattern, [&](std::span<const std::string_view> found) -> Done {
    std::vector<std::string_view> keys;
    for (const auto key : found) {
      if (glob.matches(keys_.parse(key).name)) keys.push_back(key);
    }
    if (keys.empty()) return {Done::yes};
    Request request;
    for (const auto key : keys) request.add({"GETRANGE", key, "0", last_shown}).add({"UNLINK", key});
    const Answer removed = run("remove", request, Purpose::erase);
    if (!removed) return to_done("remove", removed);
    std::vector<Removed> shown;
    for (std::size_t i = 0; i < keys.size(); ++i) {
      const Reply& head = removed.replies[2 * i];
      const Reply& unlinked = removed.replies[2 * i + 1];
      if (unlinked.is(Reply::Kind::error)) return refused("remove", unlinked);
      if (unlinked.integer == 0) continue;
      shown.push_back(
          {keys_.parse(keys[i]).name, head.is(Reply::Kind::text) ? std::string_view(head.text) : std::string_view()});
    }
    visit(shown);
    return {Done::yes};
  });
}

Done Remote::remove_old() {
  Versions versions;
  if (!need_versions({}, Duration::zero(), versions)) return {Done::no, "the server is out of reach"};
  std::string epoch;
  append_little(epoch, (*versions.find({}))->expired);
  return scan("*", [&](std::span<const std::string_view> keys) -> Done {
    std::vector<Call> calls;
    for (const auto key : keys) calls.push_back({&kRemoveOld, std::string(key), {epoch}});
    const Answer answer = run_calls("remove", calls, Purpose::erase);
    if (!answer) return to_done("remove", answer);
    for (const Reply& reply : answer.replies) {
      if (reply.is(Reply::Kind::error)) return refused("remove", reply);
    }
    return {Done::yes};
  });
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
