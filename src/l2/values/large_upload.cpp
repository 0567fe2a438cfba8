#include "l2/values/large_upload.hpp"

#include <algorithm>
#include <chrono>

#include "base/nonce.hpp"
#include "l2/values/life_text.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// How long an uploaded value stands by itself, at least; else for two operations. It is renamed within one. Longer
/// would let a server fill up where uploads come to their end just after their deadline.
constexpr std::chrono::seconds kLeastLife{1};

void add_set_command(Request& request, std::string_view key, std::string_view bytes, Duration life) {
  if (life <= Duration::zero()) {
    request.add({"SET", key, bytes});
  } else {
    request.add({"SET", key, bytes, "PX", milliseconds(life)});
  }
}

}  // namespace

LargeUpload::LargeUpload(ServerCommands& commands, std::span<const EntryPut> puts, std::size_t others)
    : commands_(commands), puts_(puts), others_(others), done_(puts.size()) {
  const auto is_large = [](const EntryPut& put) { return put.bytes.size() >= kLargeValue; };
  if (std::ranges::any_of(puts, is_large) && commands_.uploads()) upload();
}

void LargeUpload::upload() {
  const Duration life = std::max<Duration>(kLeastLife, 2 * commands_.operation_timeout());
  Request request;
  std::vector<std::size_t> places;
  uploaded_.resize(puts_.size());
  replies_.assign(puts_.size(), kNowhere);
  for (std::size_t i = 0; i < puts_.size(); ++i) {
    if (puts_[i].bytes.size() < kLargeValue) continue;
    uploaded_[i] = commands_.keys().upload(new_nonce(), commands_.keys().entry(puts_[i].name));
    add_set_command(request, uploaded_[i], puts_[i].bytes, life);
    places.push_back(i);
  }
  Answer answer = commands_.run("write", request, Purpose::erase, Lane::large);
  answer.maybe_executed = false;  // nothing was stored under the entries' keys
  for (std::size_t n = 0; n < places.size(); ++n) {
    Done& done = done_[places[n]];
    done = !answer                     ? ServerCommands::to_done(answer)
           : answer.replies[n].is_ok() ? Done{Done::yes}
                                       : commands_.refused("write", answer.replies[n]);
  }
}

bool LargeUpload::add_set(Request& request, const EntryPut& put, std::string_view key) {
  const std::size_t i = added_++;
  if (i == 0) first_ = request.commands();
  commands_.large_keys().note(key, put.bytes.size());
  if (is_renamed(i) && !done_[i]) return false;
  if (!uploaded_.empty()) replies_[i] = request.commands();
  if (!is_renamed(i)) {
    add_set_command(request, key, put.bytes, put.life);
  } else {
    // Its life first: where RENAME is refused, nothing has become of what stands at the key.
    if (put.life <= Duration::zero()) {
      request.add({"PERSIST", uploaded_[i]});
    } else {
      request.add({"PEXPIRE", uploaded_[i], milliseconds(put.life)});
    }
    request.add({"RENAME", uploaded_[i], key});
  }
  return true;
}

void LargeUpload::take(const Answer& answer) {
  for (std::size_t i = 0; i < puts_.size(); ++i) {
    const std::size_t at = reply_of(i);
    if (at == kNowhere) continue;
    if (!answer) {
      done_[i] = ServerCommands::to_done(answer);
      continue;
    }
    const Reply& reply = answer.replies[is_renamed(i) ? at + 1 : at];
    if (is_renamed(i) && !take_rename(reply, answer.replies[at])) {
      refused_.push_back(i);
      continue;
    }
    done_[i] = reply.is_ok() ? Done{Done::yes, {}, answer.order} : commands_.refused("write", reply);
  }
}

std::vector<EntryPut> LargeUpload::refused() const {
  std::vector<EntryPut> all;
  for (const std::size_t i : refused_) all.push_back(puts_[i]);
  return all;
}

void LargeUpload::take_refused(std::span<const Done> done) {
  for (std::size_t n = 0; n < refused_.size(); ++n) done_[refused_[n]] = done[n];
}

/// False: the value is to be sent once more, as small ones are. It may stand at its key for the life of an upload, or
/// nothing has changed there.
bool LargeUpload::take_rename(const Reply& renamed, const Reply& lives) {
  const bool stands = renamed.is_ok() && !lives.is(Reply::Kind::error);
  if (stands) {
    commands_.uploads_allowed();
    return true;
  }
  const auto is_refusal = [](const Reply& reply, std::string_view command) {
    const std::string_view code = reply.error_code();
    return reply.is(Reply::Kind::error) && (code == "NOPERM" || code == "CROSSSLOT" || reply.refuses(command));
  };
  if (is_refusal(renamed, "rename")) {
    commands_.uploads_refused(ServerCommands::kRenameCommand, renamed.why);
  } else if (is_refusal(lives, "pexpire") || is_refusal(lives, "persist")) {
    commands_.uploads_refused(ServerCommands::kLifeCommands, lives.why);
  }  // else it was removed on its way: the server was emptied, is another one, or needed the memory
  if (refused_.empty()) drop_uploads();
  return false;
}

void LargeUpload::drop_uploads() {
  Request request;
  for (const std::string& key : uploaded_) {
    if (!key.empty()) request.add({"UNLINK", key});
  }
  commands_.run("write", request, Purpose::erase);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
