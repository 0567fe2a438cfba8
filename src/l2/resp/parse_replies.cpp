#include "l2/resp/parse_replies.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

bool parse_replies(std::string_view bytes, ReplyGuard& guard, ReplyReader& reader, std::vector<Reply>& replies,
                   std::size_t& parsed, std::string_view& why) {
  while (!bytes.empty()) {
    switch (guard.look(bytes)) {
      case ReplyGuard::Verdict::incomplete:
        return true;
      case ReplyGuard::Verdict::refused:
        why = guard.reason();
        return false;
      case ReplyGuard::Verdict::complete:
        if (!reader.read(bytes.substr(0, guard.size()), replies.emplace_back())) {
          replies.pop_back();
          why = "a reply could not be parsed";
          return false;
        }
        parsed += guard.size();
        bytes.remove_prefix(guard.size());
    }
  }
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
