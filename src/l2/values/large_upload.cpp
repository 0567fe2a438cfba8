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

LargeUpload::LargeUpload(ServerCommands& commands, std::span<const EntryPut> puts)
    : commands_(commands), puts_(puts), done_(puts.size()) {
  replies_.reserve(puts.size());
  const auto is_large = [](const EntryPut& put) { return put.bytes.size() >= kLargeValue; };
  if (std::ranges::any_of(puts, is_large) && commands_.uploads()) upload();
}

void LargeUpload::upload() {
  const Duration life = std::max<Duration>(kLeastLife, 2 * commands_.operation_timeout());
  Request request;
  std::vector<std::size_t> places;
  uploaded_.resize(puts_.size());
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
  const std::size_t i = replies_.size();
  commands_.large_keys().note(key, put.bytes.size());
  if (is_renamed(i) && !done_[i]) {
    replies_.push_back(kNowhere);
    return false;
  }
  replies_.push_back(request.commands());
  if (!is_renamed(i)) {
    add_set_command(request, key, put.bytes, put.life);
  } else {
    request.add({"RENAME", uploaded_[i], key});
    if (put.life <= Duration::zero()) {
      request.add({"PERSIST", key});
    } else {
      request.add({"PEXPIRE", key, milliseconds(put.life)});
    }
  }
  return true;
}

void LargeUpload::take(const Answer& answer) {
  for (std::size_t i = 0; i < puts_.size(); ++i) {
    if (replies_[i] == kNowhere) continue;
    if (!answer) {
      done_[i] = ServerCommands::to_done(answer);
      continue;
    }
    const Reply& reply = answer.replies[replies_[i]];
    if (is_renamed(i) && reply.means_never()) {
      note_refusal(reply);
      refused_.push_back(i);
      continue;
    }
    if (is_renamed(i) && reply.is_ok()) commands_.missing().remove("RENAME");
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

void LargeUpload::note_refusal(const Reply& reply) {
  if (!refused_.empty()) return;
  commands_.uploads_refused(reply.why);
  Request request;
  for (const std::string& key : uploaded_) {
    if (!key.empty()) request.add({"UNLINK", key});
  }
  commands_.run("write", request, Purpose::erase);
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
