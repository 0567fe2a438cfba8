#include "l2/client/reason.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <new>
#include <set>
#include <string>

#include "base/mutex.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

constexpr std::string_view kUnknown = "the server answered with an error";
constexpr std::string_view kUnsaid = "the server is out of reach";

struct Known {
  std::string_view begins;  ///< the server's text begins so, and a blank or nothing follows
  std::string_view holds;   ///< and holds this
  std::string_view meaning;
};
/// The first that fits.
constexpr Known kKnownReasons[] = {
    {"WRONGTYPE", "", "the key holds another type (WRONGTYPE)"},
    {"NOAUTH", "", "the server asks for a password (NOAUTH)"},
    {"WRONGPASS", "", "the server refused the password (WRONGPASS)"},
    {"NOPERM", " key", "the user may not use the key (NOPERM)"},
    {"NOPERM", " channel", "the user may not use the channel (NOPERM)"},
    {"NOPERM", "", "the user may not run it (NOPERM)"},
    {"OOM", "", "the server is out of memory (OOM)"},
    {"MISCONF", "", "the server refuses writes, since it cannot save (MISCONF)"},
    {"READONLY", "", "the server is a replica (READONLY)"},
    {"LOADING", "", "the server is loading its data (LOADING)"},
    {"BUSY", "", "the server is busy with a script (BUSY)"},
    {"MASTERDOWN", "", "the server has lost its master (MASTERDOWN)"},
    {"CLUSTERDOWN", "", "the cluster is down (CLUSTERDOWN)"},
    {"NOREPLICAS", "", "the server has too few replicas to take writes (NOREPLICAS)"},
    {"EXECABORT", "ermission", "the user may not run it (NOPERM)"},
    {"EXECABORT", "", "one of the commands before it was refused (EXECABORT)"},
    {"DENIED", "", "the server is in protected mode (DENIED)"},
    {"NOSCRIPT", "", "the server does not keep scripts (NOSCRIPT)"},
    {"MOVED", "", "the server is one of a cluster: add cluster=true to the URL (MOVED)"},
    {"ASK", "", "the server is one of a cluster: add cluster=true to the URL (ASK)"},
    {"TRYAGAIN", "", "the cluster is moving the keys (TRYAGAIN)"},
    {"CROSSSLOT", "", "the server is one of a cluster: add cluster=true to the URL (CROSSSLOT)"},
    {"ERR DB index is out of range", "", "the database is out of range (ERR DB index is out of range)"},
    {"ERR invalid DB index", "", "the database is out of range (ERR invalid DB index)"},
    {"ERR SELECT is not allowed in cluster mode", "", "a cluster has database 0 alone (ERR)"},
    {"ERR AUTH <password> called without any password", "", "a password is given and the server has none set (ERR)"},
    {"ERR Client sent AUTH, but no password is set", "", "a password is given and the server has none set (ERR)"},
    {"ERR max number of clients reached", "", "the server has too many clients (ERR max number of clients reached)"},
    {"ERR unknown command", "", "the server does not know it (ERR unknown command)"},
    {"ERR wrong number of arguments", "", "the server takes other arguments (ERR wrong number of arguments)"},
    {"ERR The user executing the script", "", "the user may not run what the script needs (ERR)"},
    {"ERR", "", "the server answered with an error (ERR)"},
};

std::string_view meaning(std::string_view text) {
  const auto fits = [&](const Known& known) {
    if (!text.starts_with(known.begins) || text.find(known.holds) == std::string_view::npos) return false;
    // A code is a word: BUSYKEY is not BUSY.
    return known.begins.size() == text.size() || known.begins.find(' ') != std::string_view::npos ||
           text[known.begins.size()] == ' ';
  };
  const auto* const known = std::ranges::find_if(kKnownReasons, fits);
  return known == std::end(kKnownReasons) ? kUnknown : known->meaning;
}

}  // namespace

std::string_view keep_reason(std::string_view text) noexcept {
  // Never destroyed: results may be read until the process ends.
  struct Kept {
    Mutex mutex;
    std::set<std::string, std::less<>> texts DSTA_GUARDED_BY(mutex);
  };
  alignas(Kept) static unsigned char memory[sizeof(Kept)];
  static auto* const kept = new (memory) Kept;
  try {
    const MutexLock lock(kept->mutex);
    if (const auto known = kept->texts.find(text); known != kept->texts.end()) return *known;
    if (kept->texts.size() >= kMostReasons) return kUnsaid;
    return *kept->texts.emplace(text).first;
  } catch (const std::exception&) {  // no memory
    return kUnsaid;
  }
}

std::string_view reason_of(std::string_view command, std::string_view what) noexcept {
  try {
    return keep_reason(command.empty() ? std::string(what) : fmt::format("{}: {}", command, what));
  } catch (const std::exception&) {  // no memory
    return kUnsaid;
  }
}

std::string_view reason_of_literal(std::string_view command, std::string_view what) noexcept {
  const std::string_view kept = reason_of(command, what);
  return kept == kUnsaid ? what : kept;
}

std::string_view reason_of(std::string_view command, const Reply& error) noexcept {
  const std::string_view what =
      error.is(Reply::Kind::error) ? meaning(error.text) : std::string_view("the server's answer is none to it");
  return reason_of_literal(command, what);
}

void name_errors(const Request& request, std::vector<Reply>& replies, std::size_t first) noexcept {
  const auto is_error = [](const Reply& reply) { return reply.is(Reply::Kind::error); };
  if (std::ranges::none_of(replies, is_error)) return;
  std::string_view rest = request.bytes();
  for (std::size_t i = first; i < replies.size(); ++i) {
    const std::string_view command = Request::take_command(rest);
    if (is_error(replies[i])) replies[i].why = reason_of(command, replies[i]);
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
