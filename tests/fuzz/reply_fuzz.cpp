// Bytes of a server. The first byte of the input says how they are cut.
#include <string>
#include <vector>

#include "fuzz.hpp"
#include "l2/resp/reply_guard.hpp"
#include "l2/resp/reply_reader.hpp"

namespace dsta::cache::fuzz {
namespace {

using detail::Reply;
using detail::ReplyGuard;
using detail::ReplyLimits;
using detail::ReplyReader;

constexpr ReplyLimits kLimits{.bytes = 4096, .elements = 64};

bool take(std::string_view& bytes, const std::string& expected) {
  if (!bytes.starts_with(expected)) return false;
  bytes.remove_prefix(expected.size());
  return true;
}

/// Takes from `bytes` the one way to write `reply`; of nothing there are two.
bool take_reply(std::string_view& bytes, const Reply& reply) {
  switch (reply.kind) {
    case Reply::Kind::nil:
      return take(bytes, "$-1\r\n") || take(bytes, "*-1\r\n");
    case Reply::Kind::status:
      return take(bytes, "+" + reply.text + "\r\n");
    case Reply::Kind::error:
      return take(bytes, "-" + reply.text + "\r\n");
    case Reply::Kind::integer:
      return take(bytes, ":" + std::to_string(reply.integer) + "\r\n");
    case Reply::Kind::text:
      return take(bytes, "$" + std::to_string(reply.text.size()) + "\r\n" + reply.text + "\r\n");
    case Reply::Kind::array:
      if (!take(bytes, "*" + std::to_string(reply.elements.size()) + "\r\n")) return false;
      for (const Reply& element : reply.elements) {
        if (!take_reply(bytes, element)) return false;
      }
      return true;
  }
  return false;
}

/// The replies' ends; then whether the rest was refused.
struct Outcome {
  std::vector<std::size_t> ends;
  bool refused = false;
  bool operator==(const Outcome&) const = default;
};

/// As a connection does it, with `step` bytes coming at a time.
Outcome read(std::string_view bytes, std::size_t step) {
  ReplyGuard guard(kLimits);
  ReplyReader reader;
  Outcome outcome;
  std::size_t begin = 0;
  for (std::size_t come = 0; come < bytes.size();) {
    come = bytes.size() - come < step ? bytes.size() : come + step;
    while (begin < come) {
      const auto verdict = guard.look(bytes.substr(begin, come - begin));
      if (verdict == ReplyGuard::Verdict::incomplete) break;
      if (verdict == ReplyGuard::Verdict::refused) {
        require(!guard.reason().empty(), "a refusal without a reason");
        outcome.refused = true;
        return outcome;
      }
      require(guard.size() != 0 && guard.size() <= come - begin, "a reply that is longer than its bytes");
      std::string_view whole = bytes.substr(begin, guard.size());
      Reply reply;
      require(reader.read(whole, reply), "the guard let pass what the parser does not take");
      require(take_reply(whole, reply) && whole.empty(), "the parser read something else than was there");
      begin += guard.size();
      outcome.ends.push_back(begin);
    }
  }
  return outcome;
}

}  // namespace

FUZZ_TARGET(reply) {
  if (input.empty()) return;
  const std::size_t step = 1 + static_cast<unsigned char>(input[0]) % 32;
  input.remove_prefix(1);
  require(read(input, step) == read(input, input.size() + 1), "the verdict depends on how the bytes were cut");
}

}  // namespace dsta::cache::fuzz
