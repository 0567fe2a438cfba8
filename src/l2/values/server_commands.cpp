#include "l2/values/server_commands.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "l2/client/connection.hpp"
#include "l2/client/echo_check.hpp"
#include "l2/client/handshake.hpp"
#include "l2/client/reason.hpp"
#include "l2/values/without_command.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

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

}  // namespace

ServerCommands::ServerCommands(Options options)
    : options_(std::move(options)),
      keys_(options_.space, options_.cluster.has_value()),
      servers_(options_.link, options_.cluster),
      clock_(options_.clock->now()),
      announcer_(keys_.head(), options_.coherence),
      missing_(options_.link.log, server_name(options_.link)),
      ended_(servers_, keys_, announcer_, missing_) {}

std::string ServerCommands::own_time() const { return std::to_string(clock_.to_server(options_.clock->now())); }

void ServerCommands::forget_server() {
  has_scripts_.store(true, std::memory_order_relaxed);
  whole_scripts_.store(false, std::memory_order_relaxed);
  ended_.forget_server();
  announcer_.accepted();
  no_uploads_until_ = TimePoint{};
  missing_.clear();
  if (!keys_.clustered()) return;
  home_.fetch_add(1, std::memory_order_relaxed);
  clock_.doubt();
}

Answer ServerCommands::run(std::string_view operation, const Request& request, Purpose purpose, Lane lane) {
  if (clock_.due()) know_time();
  Answer answer = servers_.run(request, purpose, lane);
  LastReason::set(answer.why);
  if (!answer) {
    note_failure(operation, request, answer);
  } else if (lane == Lane::shared && clock_.is_older_than(answer.order.connection) && !keys_.clustered()) {
    know_time();
  }
  return answer;
}

Answer ServerCommands::run_at(const std::shared_ptr<Link>& part, std::string_view operation, const Request& request,
                              Purpose purpose) {
  if (!part) return run(operation, request, purpose);
  Answer answer = part->run(request, purpose);
  LastReason::set(answer.why);
  if (!answer) note_failure(operation, request, answer);
  return answer;
}

void ServerCommands::note_failure(std::string_view operation, const Request& request, const Answer& answer) {
  // Unless there was no time left even to ask.
  if (answer.fault != Fault::timeout || answer.maybe_executed) clock_.doubt();
  if (answer.fault == Fault::lost && answer.maybe_executed) ended_.note(request);
  options_.failed(operation, fault_name(answer.fault));
}

Answer ServerCommands::run(std::string_view operation, Request& request, Purpose purpose, const Changes& changes) {
  if (!changes) [[likely]]
    return run(operation, request, purpose);
  request.add({"PUBLISH", announcer_.channel(), changes.text()});
  Answer answer = run(operation, request, purpose);
  note_announced(answer, changes);
  return answer;
}

void ServerCommands::note_announced(Answer& answer, const Changes& changes) {
  if (answer) {
    ended_.announced();
    return take_announced(answer, changes);
  }
  if (answer.fault == Fault::lost && answer.maybe_executed) ended_.note_announcing(changes);
}

/// A user who may not publish changes things all the same.
void ServerCommands::take_announced(Answer& answer, const Changes& changes) {
  const Reply reply = std::move(answer.replies.back());
  answer.replies.pop_back();
  if (!reply.is(Reply::Kind::error)) return missing_.remove("PUBLISH");
  if (reply.error_code() == "NOPERM" || reply.refuses("publish")) {
    announcer_.refused();
    return missing_.add("PUBLISH", kWithoutPublish, reply.why);
  }
  const auto is_error = [](const Reply& each) { return each.is(Reply::Kind::error); };
  const bool nothing_was_done = !answer.replies.empty() && std::ranges::all_of(answer.replies, is_error);
  if (nothing_was_done || !changes.must_arrive()) return;
  options_.failed("announce", reply.why);
  LastReason::set(reply.why);
  answer = {.fault = Fault::protocol, .maybe_executed = true, .why = reply.why};
}

namespace {

std::optional<std::int64_t> time_in(const Reply& reply) {
  if (!reply.is(Reply::Kind::array) || reply.elements.size() != 2) return std::nullopt;
  std::int64_t parts[2] = {};
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string& text = reply.elements[i].text;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parts[i]);
    if (error != std::errc{} || end != text.data() + text.size() || parts[i] < 0 || parts[i] > 100'000'000'000) {
      return std::nullopt;
    }
  }
  return parts[0] * 1'000'000 + parts[1];
}

}  // namespace

/// With the time comes what else is to be known of the server from time to time.
void ServerCommands::know_time() {
  servers_.close_idle();
  if (!ended_.look()) return;
  const TimePoint asked = options_.clock->now();
  Request request;
  if (ended_.by_time()) {
    request.add({"GET", keys_.probe()});  // never there: for the number of the connection
  } else {
    request.add({"TIME"});
  }
  // Those who track are told of listeners; the others look for them here.
  const bool asks_listener = !announcer_.always();
  if (asks_listener) request.add({"GET", keys_.listener()});
  const bool asks_scripts = !has_scripts() && !ended_.by(EndingCommand::eval);
  if (asks_scripts) request.add({"EVAL", "return 1", "1", keys_.probe()});
  const bool asks_names = has_scripts() && sends_whole_scripts() && !ended_.by(EndingCommand::evalsha);
  if (asks_names) request.add({"EVALSHA", kNoScript, "1", keys_.probe()});
  const std::uint64_t home = home_.load(std::memory_order_relaxed);
  const Answer answer = servers_.run(request, Purpose::erase);
  if (answer.fault == Fault::lost && answer.maybe_executed) return ended_.note_asking();
  if (!answer || answer.replies[0].means_not_now()) return;
  ended_.asked();
  if (asks_scripts && answer.replies.back().is(Reply::Kind::integer)) {
    has_scripts_.store(true, std::memory_order_relaxed);
    missing_.remove("EVAL");
  }
  if (asks_names && answer.replies.back().error_code() == "NOSCRIPT") {
    whole_scripts_.store(false, std::memory_order_relaxed);
    missing_.remove("EVALSHA");
  }
  if (asks_listener && answer.replies[1].is(Reply::Kind::text)) announcer_.heard_of_listener();
  learn_time(answer, asked, keys_.clustered() ? home : answer.order.connection);
}

void ServerCommands::learn_time(const Answer& answer, TimePoint asked, std::uint64_t source) {
  const Reply& reply = answer.replies[0];
  if (ended_.by_time()) return clock_.assume(asked, source);
  if (const auto time = time_in(reply)) {
    missing_.remove("TIME");
    return clock_.set(*time, asked, options_.clock->now(), source);
  }
  if (reply.means_never()) {
    missing_.add("TIME", kWithoutTime, reply.why);
  } else {
    refused("time", reply);
  }
  clock_.assume(asked, source);
}

std::string ServerCommands::missing_text() {
  std::string text = missing_.text();
  const auto add = [&](std::string_view what) { text.append(text.empty() ? "" : "; ").append(what); };
  if (const std::string trouble = servers_.trouble(); !trouble.empty()) add(trouble);
  const auto connection = servers_.current();
  const EchoWay::By by = connection ? connection->echo_way().by() : servers_.echo_way().by();
  if (by == EchoWay::By::ping) add("no ECHO: replies are checked by PING");
  if (by == EchoWay::By::nothing) add("no ECHO and no PING with a word: replies are checked by their order alone");
  return text;
}

bool ServerCommands::uploads() const {
  return options_.link.large_connections != 0 && !ended_.by(EndingCommand::rename) &&
         std::chrono::steady_clock::now() >= no_uploads_until_.load(std::memory_order_relaxed);
}

void ServerCommands::uploads_refused(std::string_view command, std::string_view why) {
  constexpr std::chrono::minutes kUntilAskedAgain{10};
  no_uploads_until_ = std::chrono::steady_clock::now() + kUntilAskedAgain;
  missing_.add(command, kWithoutRename, why);
}

void ServerCommands::uploads_allowed() {
  missing_.remove(kRenameCommand);
  missing_.remove(kLifeCommands);
}

void ServerCommands::note_script_reply(const Reply& reply) {
  if (!reply.refuses("eval")) return;
  has_scripts_.store(false, std::memory_order_relaxed);
  missing_.add("EVAL", kWithoutEval, reply.why);
}

/// Scripts may not be called by name, or the server does not know how to, but they may be called (and not: a command
/// that the script runs).
bool ServerCommands::wants_text(const Reply& reply) {
  return reply.error_code() == "NOSCRIPT" || reply.refuses("evalsha");
}

void ServerCommands::add(Request& request, const Call& call, bool whole) {
  const std::vector<std::string_view> keys(call.keys.begin(), call.keys.end());
  if (!call.script) {
    request.add(keys);
    return;
  }
  const std::vector<std::string_view> words(call.arguments.begin(), call.arguments.end());
  add_call(request, *call.script, whole, keys, words);
}

Answer ServerCommands::run_calls(std::string_view operation, std::span<const Call> calls, Purpose purpose, Lane lane) {
  const bool whole = sends_whole_scripts();
  Request request;
  for (const Call& call : calls) add(request, call, whole);
  Answer answer = run(operation, request, purpose, lane);
  const auto note = [&](const Reply& reply) {
    if (reply.is(Reply::Kind::error)) note_script_reply(reply);
  };
  if (answer) std::ranges::for_each(answer.replies, note);
  if (!answer || whole) return answer;
  // A server that has not seen the script, or a user that may run scripts but not by name: nothing was executed.
  std::vector<std::size_t> unseen;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    if (calls[i].script ? wants_text(answer.replies[i]) : !unseen.empty()) unseen.push_back(i);
  }
  if (unseen.empty()) return answer;
  // With its text the server learns a script, and knows it by name when it comes to the next call. (Where it refuses
  // the one that has the text, those behind it are refused as unknown.)
  Request again;
  std::set<const Script*> sent;
  for (const std::size_t i : unseen) {
    const bool may_not_name_it = answer.replies[i].error_code() != "NOSCRIPT";
    // (Of a cluster each master learns it by itself.)
    add(again, calls[i], sent.insert(calls[i].script).second || may_not_name_it || keys_.clustered());
  }
  Answer second = run(operation, again, purpose, lane);
  if (!second) {
    second.maybe_executed = second.maybe_executed || unseen.size() < calls.size();
    return second;
  }
  std::ranges::for_each(second.replies, note);
  for (std::size_t n = 0; n < unseen.size(); ++n) {
    Reply& first = answer.replies[unseen[n]];
    const bool refused =
        calls[unseen[n]].script && first.refuses("evalsha") && !second.replies[n].is(Reply::Kind::error);
    if (refused) {
      whole_scripts_.store(true, std::memory_order_relaxed);
      missing_.add("EVALSHA", kWithoutEvalsha, first.why);
    }
    first = std::move(second.replies[n]);
  }
  return answer;
}

Answer ServerCommands::run_calls(std::string_view operation, std::vector<Call>& calls, Purpose purpose,
                                 const Changes& changes, Lane lane) {
  if (!changes) [[likely]]
    return run_calls(operation, calls, purpose, lane);
  // A plain call: it goes again where the scripts before it have to.
  calls.push_back({nullptr, {"PUBLISH", announcer_.channel(), changes.text()}, {}});
  Answer answer = run_calls(operation, std::span<const Call>(calls), purpose, lane);
  note_announced(answer, changes);
  calls.pop_back();
  return answer;
}

namespace {
/// Never empty: a refusal without a reason means that something else stood there.
std::string_view said(std::string_view why) { return why.empty() ? "the server is out of reach" : why; }
}  // namespace

Done ServerCommands::to_done(const Answer& answer) {
  return {answer.maybe_executed ? Done::unknown : Done::no, said(answer.why)};
}

Done ServerCommands::not_to_be_had() { return {Done::no, said(LastReason::get())}; }

Done ServerCommands::refused(std::string_view operation, const Reply& reply) {
  const auto says = [&](std::string_view words) { return reply.text.find(words) != std::string::npos; };
  const std::string_view why = said(reply.why.empty() ? reason_of({}, reply) : reply.why);
  options_.failed(operation, why);
  LastReason::set(why);
  if (reply.missing != Reply::Missing::no) [[unlikely]]
    return {reply.missing == Reply::Missing::maybe_executed ? Done::unknown : Done::no, why};
  Done done{Done::no, why};
  done.refused = true;
  done.forbidden = reply.error_code() == "NOPERM" || says("can't run this command") || says("unknown command");
  return done;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
