/// Writing: entries, leases, counters.
#include <algorithm>

#include "remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

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
  const Answer answer = run("write", request, Purpose::write);
  if (!answer) return to_done(answer);
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
  if (!answer) return std::vector<Done>(names.size(), to_done(answer));
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
  if (!answer) return std::vector<Done>(replaces.size(), to_done(answer));
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

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
