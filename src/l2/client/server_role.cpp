#include "l2/client/server_role.hpp"

#include <algorithm>
#include <cassert>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// The value of a line `name:value` of INFO; empty when there is none.
std::string_view info_field(std::string_view info, std::string_view name) {
  while (!info.empty()) {
    const std::string_view line = info.substr(0, info.find_first_of("\r\n"));
    if (line.starts_with(name) && line.substr(name.size()).starts_with(':')) return line.substr(name.size() + 1);
    info.remove_prefix(std::min(info.size(), line.size() + 1));
  }
  return {};
}

}  // namespace

void ServerRole::add_request(Request& request) { request.add({"ROLE"}).add({"INFO", "replication"}); }

ServerRole ServerRole::read(std::span<const Reply> replies) {
  assert(replies.size() == kCommands);
  ServerRole role;
  const Reply &answer = replies[0], &info = replies[1];
  if (answer.is(Reply::Kind::array) && !answer.elements.empty()) {
    role.kind = answer.elements[0].text == "master" ? Kind::master : Kind::other;
  }
  if (info.is(Reply::Kind::text)) {
    const std::string_view said = info_field(info.text, "role");
    // Both must say so: it may have changed in between.
    if (!said.empty() && role.kind != Kind::other) role.kind = said == "master" ? Kind::master : Kind::other;
    constexpr std::size_t kLongestRun = 128;
    role.run = info_field(info.text, "master_replid").substr(0, kLongestRun);
  }
  return role;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
