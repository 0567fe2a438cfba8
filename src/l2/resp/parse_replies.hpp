#pragma once
#include <cstddef>
#include <string_view>
#include <vector>

#include "l2/resp/reply.hpp"
#include "l2/resp/reply_guard.hpp"
#include "l2/resp/reply_reader.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

/// Appends the whole replies that stand at the start of `bytes`, and adds their size to `parsed`. False: what follows
/// them is no reply, and `why` says so; it lives as long as the guard. Throws std::bad_alloc.
bool parse_replies(std::string_view bytes, ReplyGuard& guard, ReplyReader& reader, std::vector<Reply>& replies,
                   std::size_t& parsed, std::string_view& why);

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
