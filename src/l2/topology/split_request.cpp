#include "l2/topology/split_request.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

namespace dsta::cache {
inline namespace v1 {
namespace detail {

namespace {

/// Those whose first argument is no key.
constexpr std::string_view kKeyless[] = {"TIME", "PING",   "ECHO",    "SCAN",    "PUBLISH",
                                         "ROLE", "INFO",   "CLIENT",  "CLUSTER", "MULTI",
                                         "EXEC", "ASKING", "COMMAND", "FLUSHDB", "FLUSHALL"};

std::optional<std::string_view> key_in(const std::vector<std::string_view>& words) {
  if (words.size() < 2) return std::nullopt;
  if (words[0] != "EVAL" && words[0] != "EVALSHA") {
    const bool none = std::ranges::find(kKeyless, words[0]) != std::end(kKeyless);
    return none ? std::nullopt : std::optional(words[1]);
  }
  if (words.size() < 4 || words[2] == "0") return std::nullopt;
  return words[3];
}

}  // namespace

void RequestPiece::miss(Reply::Missing how, std::string_view why) {
  Reply reply;
  reply.kind = Reply::Kind::error;
  reply.missing = how;
  reply.text = "UNANSWERED";
  reply.why = why;
  replies.assign(commands_, reply);
}

SplitRequest::SplitRequest(const Request& request) : commands_(request.commands()), arrays_(request.commands()) {
  std::string_view rest = request.bytes();
  for (std::size_t reply = 0; reply < commands_; ++reply) {
    const std::string_view from = rest;
    Request::take_words(rest, words_);
    const std::string_view name = words_[0];
    if (name == "MULTI") {
      add_multi(rest, from, reply);
      reply += pieces_.back().commands_ - 1;
      continue;
    }
    if ((name == "MGET" || name == "UNLINK") && words_.size() > 2) {
      const std::size_t before = pieces_.size();
      add_keys(name, name == "MGET" ? RequestPiece::Join::elements : RequestPiece::Join::sum, reply);
      if (pieces_.size() > before + 1) continue;
      // All on one slot: as it is, unless the slot turns out to be on its way elsewhere.
      pieces_.back().made_.clear();
      pieces_.back().taken_ = from.substr(0, from.size() - rest.size());
      continue;
    }
    RequestPiece piece;
    piece.taken_ = from.substr(0, from.size() - rest.size());
    piece.reply_ = reply;
    piece.writes_ = Request::writes(name) && name != "PUBLISH";
    if (name == "PUBLISH") piece.join_ = RequestPiece::Join::publish;
    if (const auto key = key_in(words_)) piece.slot_ = slot_of(*key);
    pieces_.push_back(std::move(piece));
  }
}

/// MULTI was taken from `rest`, which began as `from`.
void SplitRequest::add_multi(std::string_view& rest, std::string_view from, std::size_t reply) {
  RequestPiece piece;
  piece.reply_ = reply;
  piece.writes_ = true;
  while (!rest.empty()) {
    Request::take_words(rest, words_);
    ++piece.commands_;
    if (words_[0] == "EXEC") break;
    if (const auto key = key_in(words_); key && !piece.slot_) piece.slot_ = slot_of(*key);
  }
  piece.taken_ = from.substr(0, from.size() - rest.size());
  pieces_.push_back(std::move(piece));
}

RequestPiece SplitRequest::make(std::string_view name, const RequestPiece& like, std::vector<std::string_view> keys,
                                std::vector<std::size_t> elements) const {
  RequestPiece piece;
  Request request;
  request.begin(1 + keys.size()).argument(name);
  for (const std::string_view key : keys) request.argument(key);
  piece.made_ = request.bytes();
  piece.slot_ = slot_of(keys[0]);
  piece.writes_ = like.writes_;
  piece.join_ = like.join_;
  piece.reply_ = like.reply_;
  piece.keys_ = std::move(keys);
  piece.elements_ = std::move(elements);
  return piece;
}

void SplitRequest::add_keys(std::string_view name, RequestPiece::Join join, std::size_t reply) {
  struct Part {
    std::vector<std::string_view> keys;
    std::vector<std::size_t> elements;
  };
  // In the order of their first keys.
  std::vector<Part> parts;
  std::map<Slot, std::size_t> places;
  for (std::size_t i = 1; i < words_.size(); ++i) {
    const auto [at, added] = places.try_emplace(slot_of(words_[i]), parts.size());
    if (added) parts.emplace_back();
    parts[at->second].keys.push_back(words_[i]);
    parts[at->second].elements.push_back(i - 1);
  }
  RequestPiece like;
  like.join_ = join;
  like.reply_ = reply;
  like.writes_ = join == RequestPiece::Join::sum;
  arrays_[reply] = words_.size() - 1;
  for (Part& part : parts) pieces_.push_back(make(name, like, std::move(part.keys), std::move(part.elements)));
}

bool SplitRequest::split_keys(std::size_t at) {
  if (pieces_[at].keys_.size() < 2) return false;
  const RequestPiece like = std::move(pieces_[at]);
  const std::string_view name = like.join_ == RequestPiece::Join::elements ? "MGET" : "UNLINK";
  for (std::size_t i = 0; i < like.keys_.size(); ++i) {
    RequestPiece piece = make(name, like, {like.keys_[i]}, {like.elements_[i]});
    if (i == 0) {
      pieces_[at] = std::move(piece);
    } else {
      pieces_.push_back(std::move(piece));
    }
  }
  return true;
}

std::vector<Reply> SplitRequest::join() {
  std::vector<Reply> all(commands_);
  for (std::size_t i = 0; i < commands_; ++i) {
    if (arrays_[i] == 0) continue;
    all[i].elements.resize(arrays_[i]);
  }
  const auto is_error = [](const Reply& reply) { return reply.is(Reply::Kind::error); };
  for (RequestPiece& piece : pieces_) {
    Reply& joined = all[piece.reply_];
    if (piece.join_ == RequestPiece::Join::whole) {
      for (std::size_t i = 0; i < piece.replies.size(); ++i) all[piece.reply_ + i] = std::move(piece.replies[i]);
      continue;
    }
    if (is_error(joined) || piece.replies.empty()) continue;  // the first error is the reply
    Reply& own = piece.replies[0];
    const bool fits = own.is(Reply::Kind::array) && own.elements.size() == piece.elements_.size();
    if (piece.join_ == RequestPiece::Join::elements && own.missing != Reply::Missing::no) {
      joined.kind = Reply::Kind::array;
      for (const std::size_t i : piece.elements_) joined.elements[i] = own;
    } else if (piece.join_ == RequestPiece::Join::publish || is_error(own)) {
      joined = std::move(own);
    } else if (piece.join_ == RequestPiece::Join::sum) {
      joined.kind = own.kind;
      joined.integer += own.integer;
    } else if (!fits) {
      joined = std::move(own);  // which is none to MGET
    } else {
      joined.kind = Reply::Kind::array;
      for (std::size_t i = 0; i < own.elements.size(); ++i) {
        joined.elements[piece.elements_[i]] = std::move(own.elements[i]);
      }
    }
  }
  return all;
}

}  // namespace detail
}  // namespace v1
}  // namespace dsta::cache
