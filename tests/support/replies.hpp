#pragma once
#include <cstdint>
#include <string>
#include <utility>

#include "l2/resp/reply.hpp"

/// Replies of a server, as a test needs them.
namespace dsta::cache::testing_support {

inline detail::Reply text_reply(std::string text) {
  detail::Reply reply;
  reply.kind = detail::Reply::Kind::text;
  reply.text = std::move(text);
  return reply;
}
inline detail::Reply number_reply(std::int64_t number) {
  detail::Reply reply;
  reply.kind = detail::Reply::Kind::integer;
  reply.integer = number;
  return reply;
}
inline detail::Reply error_reply(std::string text) {
  detail::Reply reply = text_reply(std::move(text));
  reply.kind = detail::Reply::Kind::error;
  return reply;
}
template <class... Elements>
detail::Reply array_reply(Elements... elements) {
  detail::Reply reply;
  reply.kind = detail::Reply::Kind::array;
  (reply.elements.push_back(std::move(elements)), ...);
  return reply;
}

}  // namespace dsta::cache::testing_support
