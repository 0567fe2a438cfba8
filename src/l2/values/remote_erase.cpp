/// Removing many entries by one round trip, and what each of them was.
#include "l2/values/remote.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// As Remote::take_found, by the head alone: a value of 40 MB need not travel to be counted.
Found shown(std::string_view key, Reply& head) {
  Found found;
  found.kind = Found::Kind::other;
  found.decode_error = DecodeError::not_an_envelope;
  if (!head.is(Reply::Kind::text)) {  // WRONGTYPE, or the user may not look
    found.of_other_type = head.error_code() == "WRONGTYPE";
    return found;
  }
  found.bytes = std::move(head.text);
  if (const auto value = peek_envelope(found.bytes, key)) {
    found.kind = Found::Kind::value;
    found.view = *value;
  } else if (looks_like_envelope(found.bytes)) {
    found.decode_error = DecodeError::other_kind;
  }
  return found;
}

}  // namespace

void Remote::remove_each(std::span<Erasure> erasures, Versions& versions) {
  // Enough for the tags of any value but one that has hundreds: that one is removed and not counted.
  constexpr std::string_view kLastShown = "4095";
  if (erasures.empty()) return;
  Request request;
  // This fences loads of raw values that are running. It comes first: the server reads a long request in parts, and a
  // load whose lease says that there was no value would store between the removal of the entry and that of the lease.
  std::vector<std::string> leases{"UNLINK"};
  for (const Erasure& erasure : erasures) leases.push_back(keys_.raw_lease(erasure.name));
  request.add(std::vector<std::string_view>(leases.begin(), leases.end()));
  for (const Erasure& erasure : erasures) {
    const std::string key = keys_.entry(erasure.name);
    if (erasure.look) request.add({"GETRANGE", key, "0", kLastShown});
    request.add({"UNLINK", key});
  }
  request.add({"MGET", keys_.epoch()});
  const std::uint64_t mark = memory_->mark();
  Answer answer = run("remove", request, Purpose::erase);
  if (!answer) {
    for (Erasure& erasure : erasures) erasure.done = to_done(answer);
    return;
  }
  auto reply = answer.replies.begin() + 1;
  for (Erasure& erasure : erasures) {
    Reply* const head = erasure.look ? &*reply++ : nullptr;
    const Reply& unlinked = *reply++;
    if (unlinked.is(Reply::Kind::error)) {
      erasure.done = refused("remove", unlinked);
      continue;
    }
    erasure.done = {Done::yes};
    if (head && unlinked.integer == 1) erasure.before = shown(keys_.entry(erasure.name), *head);
  }
  if (reply->is(Reply::Kind::array) && reply->elements.size() == 1) {
    note_version({}, reply->elements[0], mark, versions);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
