#include "l2/values/entry_writer.hpp"

#include <algorithm>

#include "l2/values/found.hpp"
#include "l2/values/large_upload.hpp"
#include "l2/values/life_text.hpp"
#include "l2/values/without_command.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

std::vector<Done> EntryWriter::put(std::span<const Put> puts, std::span<const std::string> dependencies,
                                   Versions* versions) {
  LargeUpload upload(commands_, puts);
  Request request;
  Changes changes = commands_.changes();
  for (const Put& put : puts) {
    const std::string key = keys_.entry(put.name);
    if (upload.add_set(request, put, key)) changes.add_key([&] { return key; });
  }
  if (request.commands() == 0) return std::move(upload).take_done();
  if (versions) {
    std::vector<std::string> keys{"MGET", keys_.epoch()};
    for (const auto& name : dependencies) keys.push_back(versions_.key_of(name));
    request.add(std::vector<std::string_view>(keys.begin(), keys.end()));
  }
  const std::uint64_t mark = versions_.mark();
  const Answer answer = commands_.run("write", request, Purpose::write, changes);
  upload.take(answer);
  if (const auto refused = upload.refused(); !refused.empty()) {
    upload.take_refused(put(refused, dependencies, versions));
    return std::move(upload).take_done();
  }
  if (!answer || !versions) return std::move(upload).take_done();
  const Reply& now = answer.replies.back();
  if (!now.is(Reply::Kind::array) || now.elements.size() != dependencies.size() + 1) {
    const Done not_readable = commands_.refused("write", now);
    return std::vector<Done>(puts.size(), {Done::unknown, not_readable.why});
  }
  versions_.note({}, now.elements[0], mark, *versions);
  for (std::size_t i = 0; i < dependencies.size(); ++i) {
    versions_.note(dependencies[i], now.elements[i + 1], mark, *versions);
  }
  return std::move(upload).take_done();
}

std::vector<Done> EntryWriter::put_raw(std::span<const Put> puts) {
  LargeUpload upload(commands_, puts, 1);
  Request request;
  Changes changes = commands_.changes();
  for (const Put& put : puts) {
    const std::string key = keys_.entry(put.name);
    if (!upload.add_set(request, put, key)) continue;
    request.add({"UNLINK", keys_.raw_lease(put.name)});  // a load that is running is older
    changes.add_key([&] { return key; });
  }
  if (request.commands() == 0) return std::move(upload).take_done();
  upload.take(commands_.run("write", request, Purpose::write, changes));
  if (const auto refused = upload.refused(); !refused.empty()) upload.take_refused(put_raw(refused));
  return std::move(upload).take_done();
}

std::vector<Done> EntryWriter::put_plain(std::span<const PlainPut> puts) {
  Request request;
  Changes changes = commands_.changes();
  for (const auto& [put, in_place_of] : puts) {
    const std::string key = keys_.entry(put.name);
    changes.add_key([&] { return key; });
    request.add({"SET", key, put.bytes, "XX", "GET", "PX", milliseconds(put.life)});
  }
  const Answer answer = commands_.run("write", request, Purpose::write, changes);
  if (!answer) return std::vector<Done>(puts.size(), ServerCommands::to_done(answer));
  std::vector<Done> done;
  std::vector<std::string> overwritten;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < puts.size(); ++i) {
    const Reply& reply = answer.replies[i];
    if (reply.is(Reply::Kind::error)) {
      done.push_back(commands_.refused("write", reply));
      continue;
    }
    const bool nothing = reply.is(Reply::Kind::nil);
    done.push_back({!nothing && mark_of(reply.text) == puts[i].in_place_of ? Done::yes : Done::no});
    if (nothing || done.back()) continue;
    overwritten.push_back(keys_.entry(puts[i].put.name));
    places.push_back(i);
  }
  if (overwritten.empty()) return done;
  if (const Done undone = unlink(overwritten); !undone) {
    for (const std::size_t i : places) done[i] = {Done::unknown, undone.why};
  }
  return done;
}

Done EntryWriter::unlink(std::span<const std::string> keys) {
  std::vector<std::string_view> words{"UNLINK"};
  Changes changes = commands_.changes();
  for (const std::string& key : keys) {
    words.emplace_back(key);
    changes.add_key([&] { return key; });
  }
  Request request;
  request.add(words);
  const Answer answer = commands_.run("write", request, Purpose::erase, changes);
  if (!answer) return ServerCommands::to_done(answer);
  return answer.replies[0].is(Reply::Kind::error) ? commands_.refused("write", answer.replies[0]) : Done{Done::yes};
}

EntryWriter::Counted EntryWriter::increment(std::string_view name, std::int64_t by, Duration life) {
  const std::string key = keys_.entry(name);
  const std::string amount = std::to_string(by);
  Request request;
  if (life <= Duration::zero()) {
    request.add({"INCRBY", key, amount});
  } else {
    // In one step, or a counter that expires between the two would live on for ever.
    const bool in_one = !commands_.ended().by(EndingCommand::multi);
    if (in_one) request.add({"MULTI"});
    request.add({"SET", key, "0", "NX", "PX", milliseconds(life)}).add({"INCRBY", key, amount});
    if (in_one) request.add({"EXEC"});
  }
  Changes changes = commands_.changes();
  changes.add_key([&] { return key; });
  changes.may_be_lost();
  Answer answer = commands_.run("increment", request, Purpose::write, changes);
  Counted counted;
  if (!answer) {
    counted.done = ServerCommands::to_done(answer);
    return counted;
  }
  Reply* reply = &answer.replies.back();
  // Where the user may not run MULTI, the others run one by one all the same.
  const bool one_by_one = answer.replies.size() == 4 && answer.replies[0].is(Reply::Kind::error);
  if (answer.replies.size() == 4 && !one_by_one) commands_.missing().remove("MULTI");
  if (one_by_one) {
    reply = &answer.replies[2];
    const Reply& multi = answer.replies[0];
    if (multi.means_never()) commands_.missing().add("MULTI", kWithoutMulti, multi.why);
  }
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
  counted.done = commands_.refused("increment", first == answer.replies.end() ? *reply : *first);
  return counted;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
