#include "l2/resp/reply_reader.hpp"

#include <hiredis/hiredis.h>

#include <new>

#include "base/decimal.hpp"

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

Reply& target(const redisReadTask* task) {
  if (!task->parent) return *static_cast<Reply*>(task->privdata);
  return static_cast<Reply*>(task->parent->obj)->elements[static_cast<std::size_t>(task->idx)];
}

// These are called by C code, through which no exception may go: null says that there is no memory.

void* create_string(const redisReadTask* task, char* text, std::size_t size) {
  Reply& reply = target(task);
  reply.kind = task->type == REDIS_REPLY_ERROR    ? Reply::Kind::error
               : task->type == REDIS_REPLY_STATUS ? Reply::Kind::status
                                                  : Reply::Kind::text;
  try {
    reply.text.assign(text, size);
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return &reply;
}

#if HIREDIS_MAJOR >= 1
using ElementCount = std::size_t;
#else
using ElementCount = int;
#endif

void* create_array(const redisReadTask* task, ElementCount count) {
  Reply& reply = target(task);
  reply.kind = Reply::Kind::array;
  try {
    reply.elements.resize(static_cast<std::size_t>(count));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
  return &reply;
}

void* create_integer(const redisReadTask* task, long long value) {
  Reply& reply = target(task);
  reply.kind = Reply::Kind::integer;
  reply.integer = value;
  return &reply;
}

void* create_nil(const redisReadTask* task) {
  Reply& reply = target(task);
  reply.kind = Reply::Kind::nil;
  return &reply;
}

void free_object(void*) {}  // it belongs to whoever gave it

redisReplyObjectFunctions functions() {
  redisReplyObjectFunctions
      functions{};  // what RESP3 adds in hiredis 1 is never called: the guard lets none of it pass
  functions.createString = create_string;
  functions.createArray = create_array;
  functions.createInteger = create_integer;
  functions.createNil = create_nil;
  functions.freeObject = free_object;
  return functions;
}

}  // namespace

void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() {
  static redisReplyObjectFunctions with_limits = functions();
  reader_.reset(redisReaderCreateWithFunctions(&with_limits));
  if (!reader_) throw std::bad_alloc();
}

namespace {

/// Takes the first line off `rest`, without its kind and its end.
std::string_view take_line(std::string_view& rest) {
  const std::size_t end = rest.find('\n');
  const std::string_view line = rest.substr(1, end - 2);
  rest.remove_prefix(end + 1);
  return line;
}

/// A whole number, which the guard let pass.
std::int64_t to_number(std::string_view digits) {
  const bool negative = digits.starts_with('-');
  std::uint64_t size = 0;
  parse_digits(digits.data() + (negative ? 1 : 0), digits.data() + digits.size(), size);
  return static_cast<std::int64_t>(negative ? 0 - size : size);
}

/// Takes a reply that is no array off `rest`, which the guard let pass.
void take_flat(std::string_view& rest, Reply& out) {
  const char kind = rest[0];
  const std::string_view line = take_line(rest);
  if (kind == '+' || kind == '-') {
    out.kind = kind == '+' ? Reply::Kind::status : Reply::Kind::error;
    out.text.assign(line);
  } else if (kind == ':') {
    out.kind = Reply::Kind::integer;
    out.integer = to_number(line);
  } else if (const std::int64_t size = to_number(line); size >= 0) {
    out.kind = Reply::Kind::text;
    out.text.assign(rest.substr(0, static_cast<std::size_t>(size)));
    rest.remove_prefix(static_cast<std::size_t>(size) + 2);
  }
}

/// Reads the replies that are asked for most, which need no parser once a guard let them pass: hiredis costs more than
/// all else that a small reply costs, and would copy a large one once more. False: an array in an array.
bool read_flat(std::string_view whole, Reply& out) {
  if (whole[0] != '*') {
    take_flat(whole, out);
    return true;
  }
  const std::int64_t count = to_number(take_line(whole));
  if (count < 0) return true;
  out.elements.resize(static_cast<std::size_t>(count));
  for (Reply& element : out.elements) {
    if (whole[0] == '*') return false;
    take_flat(whole, element);
  }
  out.kind = Reply::Kind::array;
  return true;
}

}  // namespace

bool ReplyReader::read(std::string_view whole, Reply& out) {
  out = Reply();
  if (read_flat(whole, out)) return true;
  out = Reply();
  reader_->privdata = &out;
  void* parsed = nullptr;
  return redisReaderFeed(reader_.get(), whole.data(), whole.size()) == REDIS_OK &&
         redisReaderGetReply(reader_.get(), &parsed) == REDIS_OK && parsed == &out;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
