#include "l2/resp/reply_reader.hpp"

#include <hiredis/hiredis.h>

#include <new>

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
  static redisReplyObjectFunctions ours = functions();
  reader_.reset(redisReaderCreateWithFunctions(&ours));
  if (!reader_) throw std::bad_alloc();
}

bool ReplyReader::read(std::string_view whole, Reply& out) {
  out = Reply();
  // A large text needs no parser, whose own copy of it would take as long as receiving it did.
  constexpr std::size_t kLarge = std::size_t{16} << 10;
  if (whole.size() > kLarge && whole[0] == '$') {
    const std::size_t text = whole.find('\n') + 1;
    out.kind = Reply::Kind::text;
    out.text.assign(whole.substr(text, whole.size() - text - 2));
    return true;
  }
  reader_->privdata = &out;
  void* parsed = nullptr;
  return redisReaderFeed(reader_.get(), whole.data(), whole.size()) == REDIS_OK &&
         redisReaderGetReply(reader_.get(), &parsed) == REDIS_OK && parsed == &out;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
